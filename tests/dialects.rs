//! What mtree(8) and bsdtar write of a hostile tree is read as the tree is; what we write of it, they read.

#[path = "dialects/tree.rs"]
mod tree;

use smsync::spec::dialect::{self, Reading};
use smsync::spec::{Device, Keyword, Keywords, Kind, SpecWriter};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use tree::{Fact, Tree};

/// What a tool prints; it must succeed.
#[track_caller]
fn printed(program: &str, package: &str, arguments: &[&str]) -> Vec<u8> {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let output = crate::common::tool(program, package, &arguments);
    let text = (output.stderr.escape_ascii(), output.stdout.escape_ascii());
    assert!(output.status.success(), "{program}: {}: {} {}", output.status, text.0, text.1);
    output.stdout
}

#[track_caller]
fn mtree(arguments: &[&str]) -> Vec<u8> {
    printed("mtree", "mtree-netbsd", arguments)
}

/// What mtree(8) makes of a specification.
#[track_caller]
fn mtree_of(text: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut spec = tempfile::NamedTempFile::new().unwrap();
    spec.write_all(text).unwrap();
    mtree(&[arguments, &["-f", spec.path().to_str().unwrap()]].concat())
}

#[track_caller]
fn bsdtar(arguments: &[&str]) -> Vec<u8> {
    printed("bsdtar", "libarchive-tools", arguments)
}

/// What a tool leaves out of its lines.
#[derive(Clone, Copy, PartialEq)]
enum Lacks {
    /// What no mtree(8) writes: which names are one file.
    Inode,
    /// That, and the number of links where it is 1, or of a directory.
    InodeAndNlink,
    /// Only the latter.
    Nlink,
}

/// Compares what was read with the tree itself.
#[track_caller]
fn same(text: &[u8], tree: &Tree, lacks: Lacks) {
    let Reading { mut entries, .. } = match dialect::read(text) {
        Ok(reading) => reading,
        Err(error) => {
            let line = usize::try_from(error.line).unwrap();
            let near: Vec<_> =
                text.split(|&byte| byte == b'\n').skip(line.saturating_sub(4)).take(8).collect();
            panic!("{error}\n{}", near.join(&b'\n').escape_ascii());
        }
    };
    let mut expected = tree.facts();
    // libarchive has no sockets; mtree(8) has.
    if lacks != Lacks::Inode {
        expected.retain(|_, fact| fact.kind != Kind::Socket);
        entries.retain(|entry| entry.kind != Kind::Socket);
    }
    for fact in expected.values_mut() {
        let uninteresting = fact.nlink == Some(1) || fact.kind == Kind::Dir;
        if lacks != Lacks::Inode && uninteresting {
            fact.nlink = None;
        }
        if lacks != Lacks::Nlink || fact.kind == Kind::Dir {
            fact.inode = None;
        }
    }
    assert!(entries.windows(2).all(|pair| pair[0].path < pair[1].path));
    let read: BTreeMap<Vec<u8>, Fact> =
        entries.iter().map(|entry| (entry.path.as_bytes().to_vec(), Fact::said_by(entry))).collect();
    for (path, fact) in &expected {
        assert_eq!(read.get(path), Some(fact), "{}", path.escape_ascii());
    }
    assert_eq!(read.len(), expected.len(), "something was read that is not there");
}

#[test]
fn mtree_classic() {
    let tree = Tree::without_broken_comments();
    same(&mtree(&["-c", "-k", "all", "-p", tree.path()]), &tree, Lacks::Inode);
}

#[test]
fn mtree_converted() {
    // What -C reads is what -c wrote, and of some names it reads less.
    let tree = Tree::with_names(|name| !Tree::lost_on_mtree(name), Tree::in_one_line);
    let classic = mtree(&["-c", "-k", "all", "-p", tree.path()]);
    for option in ["-C", "-D"] {
        same(&mtree_of(&classic, &[option, "-k", "all"]), &tree, Lacks::Inode);
    }
}

#[test]
fn libarchive() {
    let tree = Tree::with_every_name();
    for options in ["", "use-set", "indent", "use-set,mtree:indent"] {
        let options = format!("--options=mtree:{options}");
        let options = if options.ends_with(':') { vec![] } else { vec![options.as_str()] };
        let text = bsdtar(
            &[&["-cf", "-", "--format=mtree", "-C", tree.path()], options.as_slice(), &["."]].concat(),
        );
        same(&text, &tree, Lacks::InodeAndNlink);
    }
    let all = ["-cf", "-", "--format=mtree", "--options=mtree:all", "-C", tree.path(), "."];
    same(&bsdtar(&all), &tree, Lacks::Nlink);
    let tree = Tree::without_broken_comments();
    let classic = ["-cf", "-", "--format=mtree-classic", "-C", tree.path(), "."];
    same(&bsdtar(&classic), &tree, Lacks::InodeAndNlink);
}

#[test]
fn broken_comments_are_refused() {
    for name in
        ["a\nb", "\n", "a\n", "\n\n", "x\netc type=dir mode=0777", "tags=x\netc type=dir mode=0777 \\"]
    {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("d").join(name)).unwrap();
        let path = tree.path().to_str().unwrap();
        let classic = bsdtar(&["-cf", "-", "--format=mtree-classic", "-C", path, "."]);
        for text in
            [mtree(&["-c", "-k", "all", "-p", path]), mtree(&["-c", "-k", "type", "-p", path]), classic]
        {
            let error = dialect::read(&text).expect_err(name);
            assert_eq!(error.fault, dialect::DialectFault::Comment, "{}", text.escape_ascii());
        }
    }
}

#[test]
fn what_we_write_is_read() {
    let tree = Tree::with_names(|name| !name.iter().any(|byte| b"*?[".contains(byte)), Tree::in_one_line);
    tree.remove_sockets();
    let reading = dialect::read(&mtree(&["-c", "-k", "all", "-p", tree.path()])).unwrap();
    let keywords = Keywords::MTREE_ALL.without(Keywords::of(&[
        Keyword::Cksum,
        Keyword::Md5,
        Keyword::Rmd160,
        Keyword::Sha1,
        Keyword::Sha256,
        Keyword::Sha384,
        Keyword::Sha512,
    ]));
    let mut writer = SpecWriter::new(Vec::new(), keywords).unwrap();
    for entry in &reading.entries {
        writer.push(entry).unwrap();
    }
    let text = writer.finish().unwrap();
    same(&text, &tree, Lacks::Inode);
    let mut spec = tempfile::NamedTempFile::new().unwrap();
    spec.write_all(&text).unwrap();
    let spec = spec.path().to_str().unwrap();
    let complaints = mtree(&["-f", spec, "-p", tree.path()]);
    assert_eq!(String::from_utf8_lossy(&complaints), "");
    let listed = bsdtar(&["-tf", spec]);
    assert_eq!(listed.split(|&byte| byte == b'\n').count() - 1, reading.entries.len());
}

#[test]
fn modes_are_setmodes() {
    let modes = [
        "u=rw,go=r",
        "a=rwx,o-w",
        "u=rwxs,g=u",
        "ug+s",
        "o+s",
        "a+t",
        "o+t",
        "go=t",
        "u+rw-r",
        "ug=rw,o=u",
        "u=rwX",
        "a=rwxt,u=r",
        "a=rwxst,g-s",
        "ug=s,u=rwx",
        "a=rwx,u-t",
        "a=rwxt,u-t",
        "a=rwxt,o-t",
        "u=g",
        "g=",
        "0",
        "7777",
        "000644",
        "a=r,u+w,g+x,o=",
        "u=rwx,g=u-w,o=g",
    ];
    for mode in modes {
        let line = |mode: &str| format!(". type=dir\n./a type=fifo mode={mode}\n");
        let theirs = mtree_of(line(mode).as_bytes(), &["-C", "-k", "type,mode"]);
        let mode_of = |text: &[u8]| dialect::read(text).unwrap().entries[1].mode.unwrap();
        assert_eq!(mode_of(line(mode).as_bytes()), mode_of(&theirs), "{mode}");
    }
}

#[test]
fn devices_are_packed_as_mtree_packs_them() {
    let devices = [
        "native,511,1048575",
        "native,8,1",
        "linux,8,1",
        "netbsd,300,70000",
        "netbsd,4095,1048575",
        "freebsd,255,255",
        "386bsd,1,2",
        "4bsd,1,2",
        "isc,1,2",
        "sco,1,2",
        "sunos,1,2",
        "svr3,1,2",
        "ultrix,255,255",
        "0x107",
        "0407",
        "263",
    ];
    for device in devices {
        let line = format!(". type=dir\n./a type=char device={device}\n");
        let theirs = mtree_of(line.as_bytes(), &["-C", "-k", "type,device"]);
        let device_of = |text: &[u8]| -> Device { dialect::read(text).unwrap().entries[1].device.unwrap() };
        assert_eq!(device_of(line.as_bytes()), device_of(&theirs), "{device}");
    }
}
