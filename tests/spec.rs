//! Specifications: ours read by mtree(8) and bsdtar(1), theirs pushed by us, and the digests in them compared.

use crate::common::facts::{assert_same, facts};
use crate::common::tree::{For, build, set_time};
use crate::common::{
    Inetd, Site, assert_exit, end_object, fed, mtree_create, mtree_verify, rsync_differences, tool,
};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Output;

/// What `smsync spec` says of the source.
#[track_caller]
fn spec(site: &Site, options: &[&str]) -> Vec<u8> {
    let output = site.smsync().arg("spec").args(options).arg(site.src()).output().unwrap();
    assert_exit(&output, 0);
    assert!(output.stderr.is_empty());
    output.stdout
}

#[test]
fn mtree_and_bsdtar_read_ours() {
    let site = Site::new();
    build(&site.src(), For::Spec);
    for options in [&[][..], &["-k", "all"], &["-k", "type,sha256,mode"]] {
        let spec = spec(&site, options);
        assert_eq!(mtree_verify(&spec, &site.src()), "", "{options:?}");
        let file = site.write_private("spec", "");
        fs::write(&file, &spec).unwrap();
        let listed = tool("bsdtar", "libarchive-tools", &[OsStr::new("-tf"), file.as_os_str()]);
        assert_exit(&listed, 0);
        assert_eq!(String::from_utf8_lossy(&listed.stderr), "");
        assert_eq!(listed.stdout.split(|byte| *byte == b'\n').count() - 1, facts(&site.src()).len());
    }
    // What mtree(8) accepts, it also compares.
    let spec = spec(&site, &["-k", "all"]);
    fs::write(site.src().join("types/file"), "CONTENTS\n").unwrap();
    assert!(mtree_verify(&spec, &site.src()).contains("sha512 ("));
}

#[test]
fn ours_is_what_is_pushed() {
    let site = Site::new();
    build(&site.src(), For::Us);
    let file = site.write_private("spec", "");
    let keywords = "uid,gid,mode,device,link,size,time,blake3,inode,resdevice";
    fs::write(&file, spec(&site, &["-k", keywords])).unwrap();
    let inetd = site.serve();
    push_spec(&site, &inetd, &file, 0);
    assert_same(&site.src(), &site.dst(), "after a push by our own specification");
}

/// Pushes by the specification in a file.
#[track_caller]
fn push_spec(site: &Site, inetd: &Inetd, file: &Path, exit: i32) -> Output {
    let (src, remote) = (site.src(), inetd.remote("m"));
    let mut command = site.smsync();
    command.args(["--json", "push", "--delete", "--force-delete", "--spec"]).args([file, &src]).arg(remote);
    let output = command.output().unwrap();
    assert_exit(&output, exit);
    output
}

/// `mtree -C -k all` of a specification.
fn mtree_full_paths(spec: &[u8]) -> Vec<u8> {
    let output = fed("mtree", "mtree-netbsd", &["-C", "-k", "all"].map(OsStr::new), spec);
    assert_exit(&output, 0);
    output.stdout
}

/// bsdtar's specification of a tree.
fn bsdtar(tree: &Path, options: &[&str]) -> Vec<u8> {
    let fixed = ["-cf", "-", "-C"].map(OsStr::new).into_iter().chain([tree.as_os_str()]);
    let options: Vec<_> = fixed.chain(options.iter().map(OsStr::new)).chain([OsStr::new(".")]).collect();
    let output = tool("bsdtar", "libarchive-tools", &options);
    assert_exit(&output, 0);
    output.stdout
}

#[test]
fn theirs_are_pushed() {
    let site = Site::new();
    build(&site.src(), For::Mtree);
    let inetd = site.serve();
    // Only libarchive says which names are one file.
    let linked = ["--format=mtree", "--options=mtree:all"];
    let file = site.write_private("spec", "");
    fs::write(&file, bsdtar(&site.src(), &linked)).unwrap();
    push_spec(&site, &inetd, &file, 0);
    assert_same(&site.src(), &site.dst(), "bsdtar, all keywords");
    fs::remove_dir_all(site.src().join("links")).unwrap();
    // mtree(8) writes the names of directories raw into comments, and what that does to a line end is refused.
    for entry in fs::read_dir(site.src().join("names")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.as_os_str().as_encoded_bytes().contains(&b'\n') {
            fs::remove_dir_all(path).unwrap();
        }
    }
    set_time(&site.src().join("names"), -5, 5);
    set_time(&site.src(), -5, 5);
    let classic = mtree_create(&site.src());
    let empty = site.path("empty");
    fs::create_dir(&empty).unwrap();
    for (what, spec) in [
        ("mtree -C", mtree_full_paths(&classic)),
        ("mtree -c", classic),
        ("bsdtar", bsdtar(&site.src(), &["--format=mtree"])),
        ("bsdtar, classic", bsdtar(&site.src(), &["--format=mtree-classic"])),
        (
            "bsdtar, with sets and continuations",
            bsdtar(&site.src(), &["--format=mtree", "--options=use-set,indent"]),
        ),
    ] {
        fs::write(&file, &spec).unwrap();
        assert_exit(
            &site.run(&["push", "--delete", "--force-delete", empty.to_str().unwrap(), &inetd.remote("m")]),
            0,
        );
        let sent = end_object(&push_spec(&site, &inetd, &file, 0));
        assert_ne!(sent["files"], 0, "{what}");
        assert_same(&site.src(), &site.dst(), what);
        assert_eq!(rsync_differences(&site.src(), &site.dst()), "", "{what}");
        assert_eq!(end_object(&push_spec(&site, &inetd, &file, 0))["files"], 0, "{what}");
    }
    // From standard input.
    fs::remove_file(site.dst().join("types/file")).unwrap();
    let (src, remote, conf) = (site.src(), inetd.remote("m"), site.path("smsync.conf"));
    let arguments =
        [OsStr::new("-C"), conf.as_os_str(), OsStr::new("push"), OsStr::new("--spec"), OsStr::new("-")];
    let arguments = [&arguments[..], &[src.as_os_str(), OsStr::new(&remote)]].concat();
    let output = fed(crate::common::SMSYNC, "smsync", &arguments, &mtree_create(&site.src()));
    assert_exit(&output, 0);
    assert_same(&site.src(), &site.dst(), "from standard input");
}

/// Changes one byte of a file, and neither its size nor its time.
fn corrupt(path: &Path) {
    let stat = fs::metadata(path).unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[7] ^= 1;
    fs::write(path, bytes).unwrap();
    set_time(path, stat.mtime(), stat.mtime_nsec());
}

#[test]
fn digests_find_what_size_and_time_do_not() {
    let site = Site::new();
    fs::write(site.src().join("f"), "contents of a file").unwrap();
    fs::write(site.src().join("g"), "of another").unwrap();
    let inetd = site.serve();
    let (src, remote) = (site.src(), inetd.remote("m"));
    let run = |options: &[&str]| {
        let mut command = site.smsync();
        command.args(["--json", options[0]]).args(&options[1..]).arg(&src).arg(&remote).output().unwrap()
    };
    assert_exit(&run(&["push"]), 0);
    let damaged = site.dst().join("f");
    for digest in
        ["-c", "cksum", "md5", "rmd160", "sha1", "sha256", "sha384", "sha512", "blake3", "sha256,md5"]
    {
        let options = if digest == "-c" { vec!["-c"] } else { vec!["-k", digest] };
        let command = |name| [&[name], &options[..]].concat();
        assert_exit(&run(&command("check")), 0);
        corrupt(&damaged);
        assert_exit(&run(&["check"]), 0);
        let checked = run(&command("check"));
        assert_exit(&checked, 2);
        let said = String::from_utf8_lossy(&checked.stdout);
        let event = said.lines().find(|line| line.contains(r#""path":"f""#)).unwrap_or_default();
        assert!(
            event.contains(r#""aspects":["digest"],"done":"sent","event":"changed""#),
            "{digest}: {said}"
        );
        assert_eq!(end_object(&run(&["push"]))["files"], 0, "{digest}");
        assert_eq!(end_object(&run(&command("push")))["files"], 1, "{digest}");
        assert_same(&src, &site.dst(), digest);
    }
    // The same by a specification, and the other way round: what is here is not what it says.
    let file = site.write_private("spec", "");
    fs::write(&file, mtree_create(&site.src())).unwrap();
    corrupt(&damaged);
    assert_eq!(end_object(&push_spec(&site, &inetd, &file, 0))["files"], 1);
    assert_same(&src, &site.dst(), "repaired by a specification");
    corrupt(&site.src().join("g"));
    fs::remove_file(site.dst().join("g")).unwrap();
    let refused = push_spec(&site, &inetd, &file, 1);
    assert!(String::from_utf8_lossy(&refused.stdout).contains(r#""step":"verify""#), "{refused:?}");
    assert!(!site.dst().join("g").exists());
    assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"contents of a file");
}

#[test]
fn a_bad_specification_is_refused_with_its_line() {
    let site = Site::new();
    let inetd = site.serve();
    fs::write(site.dst().join("stays"), "").unwrap();
    let file = site.write_private("spec", ". type=dir\n./a type=file size=1 bogus=1\n");
    let output = push_spec(&site, &inetd, &file, 65);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("spec") && said.contains('2') && said.contains("bogus"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(site.dst().join("stays").exists());
}

#[test]
fn a_reader_that_goes_away_is_named_standard_output() {
    let site = Site::new();
    // More than is held back.
    (0..500).for_each(|file| fs::write(site.src().join(format!("file-{file}")), "").unwrap());
    for options in [&[][..], &["-K", "xattr"], &["--classic"]] {
        let gone = std::process::Stdio::from(std::io::pipe().unwrap().1);
        let mut command = site.smsync();
        let output = command.arg("spec").args(options).arg(site.src()).stdout(gone).output().unwrap();
        assert_exit(&output, 74);
        let said = "smsync: cannot write to standard output: Broken pipe\n";
        assert_eq!(String::from_utf8_lossy(&output.stderr), said, "{options:?}");
    }
}
