//! `smsync spec` as a tool: its forms read by mtree(8), its choice of paths, and `--check` held against `mtree -p`.

use crate::common::dice::Dice;
use crate::common::edits::{edit, grow};
use crate::common::tree::{For, build, chmod, set_time};
use crate::common::{SMSYNC, Site, assert_exit, fed, mtree_create, tool};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

#[track_caller]
fn spec(tree: &Path, options: &[&str]) -> String {
    let output = tool(SMSYNC, "smsync", &arguments(&["spec"], options, tree));
    assert_exit(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap()
}

fn arguments<'a>(first: &'a [&'a str], options: &'a [&'a str], tree: &'a Path) -> Vec<&'a OsStr> {
    first.iter().chain(options).map(|text| OsStr::new(*text)).chain([tree.as_os_str()]).collect()
}

/// The paths of a specification with full paths.
fn paths(spec: &str) -> BTreeSet<String> {
    spec.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// What `spec --check` says of a tree by this specification.
fn check(spec: &[u8], tree: &Path, options: &[&str]) -> Output {
    fed(SMSYNC, "smsync", &arguments(&["spec", "--check", "-"], options, tree), spec)
}

fn mtree(spec: &[u8], tree: &Path, options: &[&str]) -> Output {
    fed("mtree", "mtree-netbsd", &arguments(options, &["-p"], tree), spec)
}

/// Each path with what is said of it, whatever the order of the paths is.
fn by_path(output: &Output) -> BTreeSet<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let mut told: Vec<String> = Vec::new();
    for line in text.lines() {
        match told.last_mut() {
            Some(last) if line.starts_with('\t') => *last += &format!("\n{line}"),
            _ => told.push(line.to_owned()),
        }
    }
    told.into_iter().collect()
}

/// The same, but for what we look at and mtree(8) does not and the other way round: less than a microsecond, and the
/// mode of a link, which is the same for all of them here.
#[track_caller]
fn assert_as_mtree(spec: &[u8], tree: &Path, options: &[&str], what: &str) {
    let (ours, theirs) = (check(spec, tree, options), mtree(spec, tree, options));
    assert_eq!(String::from_utf8_lossy(&theirs.stderr), "", "{what}");
    assert_eq!(String::from_utf8_lossy(&ours.stderr), "", "{what}");
    assert_eq!(by_path(&ours), by_path(&theirs), "{what}");
    let different = !ours.stdout.is_empty();
    assert_exit(&ours, if different { 2 } else { 0 });
    let changed =
        by_path(&ours).iter().any(|told| !told.starts_with("missing: ") && !told.starts_with("extra: "));
    assert_exit(&theirs, if changed { 2 } else { 0 });
}

#[test]
fn what_differs_is_told_as_mtree_tells_it() {
    let seed = Dice::seed(0x5eed_cafe);
    let mut dice = Dice::new(seed);
    let site = Site::new();
    let tree = site.src();
    grow(&tree, &mut dice);
    for round in 0..12 {
        let what = format!("SMSYNC_SEED={seed}, round {round}");
        let classic = mtree_create(&tree);
        let specs = [
            spec(&tree, &["-k", "all"]).into_bytes(),
            spec(&tree, &["--classic", "-K", "sha256"]).into_bytes(),
            classic,
        ];
        edit(&tree, &mut dice);
        for spec in &specs {
            assert_as_mtree(spec, &tree, &[], &what);
            assert_as_mtree(spec, &tree, &["-x"], &what);
        }
    }
}

#[test]
fn single_differences() {
    let site = Site::new();
    let tree = site.src();
    let long = "a-name-that-is-longer";
    for name in ["f", long, "seven77"] {
        fs::write(tree.join(name), "contents").unwrap();
        set_time(&tree.join(name), 1_600_000_000, 5);
    }
    fs::create_dir_all(tree.join("d/e")).unwrap();
    symlink("to", tree.join("l")).unwrap();
    let all = spec(&tree, &["-k", "all"]);
    assert_as_mtree(all.as_bytes(), &tree, &[], "nothing differs");
    let digests = "cksum=1 md5=d41d8cd98f00b204e9800998ecf8427e rmd160=57b0dc5aac7c215a9a458d6c3c85cd21089af8a0 \
                   sha1=f572d396fae9206628714fb2ce00f72e94f2258f";
    for line in [
        format!("./f type=file {digests}"),
        "./f type=file mode=0 size=0 uid=4294967294 gid=77 nlink=3".to_owned(),
        format!("./{long} type=file mode=04711 time=0.000000000"),
        "./seven77 type=file mode=01000 time=-5.000000000".to_owned(),
        "./seven77 type=fifo".to_owned(),
        "./d type=file".to_owned(),
        "./l type=link link=other".to_owned(),
        "./l type=char device=native,1,3".to_owned(),
        "./gone type=file\n./gone2 type=dir\n./gone2/x type=link link=y".to_owned(),
        "./gone type=dir optional\n./gone/x type=file\n./f type=file optional size=3".to_owned(),
        "./d type=dir ignore".to_owned(),
    ] {
        assert_as_mtree(format!(". type=dir\n{line}\n").as_bytes(), &tree, &[], &line);
    }
    // What mtree(8) of this system does not know, or has otherwise.
    let said = |spec: &str, code| {
        let output = check(format!(". type=dir ignore\n{spec}").as_bytes(), &tree, &[]);
        assert_exit(&output, code);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said("./f type=fifo mode=0 nochange\n", 0), "");
    let output = check(b". type=dir\n./f type=fifo mode=0 nochange\n./none type=file nochange\n", &tree, &[]);
    assert_exit(&output, 2);
    assert!(String::from_utf8_lossy(&output.stdout).contains("missing: ./none\n"), "{output:?}");
    let output =
        check(b". type=dir\n./f type=file time=1600000000.000000006 uname=nobody-of-this-name\n", &tree, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("f:      user (nobody-of-this-name, ") && text.contains("\n\tmodification time ("),
        "{text}"
    );
    // Names are escaped.
    fs::write(tree.join("x\ny"), "").unwrap();
    let output = check(all.as_bytes(), &tree, &["-q"]);
    assert_exit(&output, 2);
    assert_eq!(output.stdout, b"");
    let text = String::from_utf8(check(all.as_bytes(), &tree, &[]).stdout).unwrap();
    assert!(text.contains("extra: x\\012y\n"), "{text}");
    let json = check(all.as_bytes(), &tree, &["--json"]);
    assert_exit(&json, 2);
    let lines: Vec<serde_json::Value> = String::from_utf8(json.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((&lines[0]["event"], &lines[0]["path"]), (&"changed".into(), &".".into()));
    assert!(lines[0]["differences"][0].as_str().unwrap().starts_with("modification time ("));
    assert_eq!(lines.last().unwrap()["exit"], 2);
}

#[test]
fn errors_have_code_1() {
    let site = Site::new();
    let tree = site.src();
    for bad in [&b". type=dir\n./f bogus=1\n"[..], b"", b". type=file\n"] {
        let output = check(bad, &tree, &[]);
        assert_exit(&output, 1);
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
    }
    assert_exit(&check(b". type=dir\n", &tree.join("none"), &[]), 1);
    let missing = tool(SMSYNC, "smsync", &arguments(&["spec", "--check", "/none"], &[], &tree));
    assert_exit(&missing, 1);
    if !crate::common::is_root() {
        fs::create_dir(tree.join("d")).unwrap();
        chmod(&tree.join("d"), 0);
        let output = check(b". type=dir\n./d type=dir\n./d/f type=file\n", &tree, &[]);
        assert_exit(&output, 1);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert!(String::from_utf8_lossy(&output.stderr).contains("d: cannot list directory"), "{output:?}");
    }
}

#[test]
fn every_dialect_is_checked() {
    let site = Site::new();
    grow(&site.src(), &mut Dice::new(1));
    let bsdtar = |options: &[&str]| {
        let first =
            ["-cf", "-", "-C"].map(OsStr::new).into_iter().chain([site.path("src").leak().as_os_str()]);
        let all: Vec<&OsStr> = first.chain(options.iter().map(OsStr::new)).chain([OsStr::new(".")]).collect();
        tool("bsdtar", "libarchive-tools", &all).stdout
    };
    let ours = spec(&site.src(), &["-k", "all", "-K", "blake3"]).into_bytes();
    let specs = [bsdtar(&["--format=mtree"]), bsdtar(&["--format=mtree-classic"]), ours];
    for spec in specs {
        let output = check(&spec, &site.src(), &[]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_exit(&output, 0);
    }
}

#[test]
fn the_classic_form_is_read_back() {
    let site = Site::new();
    build(&site.src(), For::Spec);
    for options in [
        &["--classic"][..],
        &["--classic", "-k", "all"],
        &["--classic", "-k", "uname,gname,mode"],
        &["--classic", "-k", "uid"],
        &["--classic", "-R", "all"],
        &["--classic", "-d"],
        &["-d", "-k", "uname,gname,mode,time"],
    ] {
        let spec = spec(&site.src(), options);
        let only = if options.contains(&"-d") { &["-d"][..] } else { &[] };
        let read = mtree(spec.as_bytes(), &site.src(), only);
        // With -d it goes on to compare symbolic links, and finds them extra.
        let text: String = String::from_utf8(read.stdout).unwrap();
        let text: Vec<&str> =
            text.lines().filter(|line| only.is_empty() || !line.starts_with("extra: ")).collect();
        assert_eq!(text, Vec::<&str>::new(), "{options:?}");
        assert_eq!(read.status.code(), Some(0), "{options:?}");
        let read = check(spec.as_bytes(), &site.src(), only);
        assert_eq!(String::from_utf8_lossy(&read.stdout), "", "{options:?}");
        assert_exit(&read, 0);
    }
    let text = spec(&site.src(), &["--classic"]);
    assert!(
        text.lines().any(|line| line.starts_with("/set type=file ")) && text.contains("\n..\n"),
        "{text}"
    );
    assert!(text.lines().any(|line| line.ends_with(" \\")), "{text}");
}

#[test]
fn what_is_left_out() {
    let site = Site::new();
    let tree = site.src();
    for dir in ["a/sub", "sub"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    for file in ["x.o", "a/x.o", "a/sub/x.o", "sub/x.o", "sub/y", "b", "#c"] {
        fs::write(tree.join(file), file).unwrap();
    }
    let patterns = site.write_private("patterns", "");
    let all = spec(&tree, &[]);
    for text in [
        "*.o\n",
        "./sub/x.o # one\nb",
        "sub",
        "./sub/*",
        "*/sub\n",
        "\\#c\n",
        "# nothing\n\n",
        "./a/?ub/[a-z].o",
    ] {
        fs::write(&patterns, text).unwrap();
        let option = ["-X", patterns.to_str().unwrap()];
        let theirs =
            tool("mtree", "mtree-netbsd", &arguments(&["-c"], &[&option[..], &["-p"]].concat(), &tree));
        let full = fed("mtree", "mtree-netbsd", &[OsStr::new("-C")], &theirs.stdout);
        let theirs = format!("#mtree\n{}", String::from_utf8(full.stdout).unwrap().replace("\\#", "\\043"));
        assert_eq!(paths(&spec(&tree, &option)), paths(&theirs), "{text}");
        assert_as_mtree(all.as_bytes(), &tree, &option, text);
    }
    // Words taken away and added.
    let line = |options: &[&str]| spec(&tree, options).lines().nth(1).unwrap().to_owned();
    assert_eq!(line(&["-k", "mode", "-K", "nlink", "-R", "mode"]), ". type=dir nlink=4");
    assert_eq!(line(&["-R", "all"]), ". type=dir");
}

#[test]
fn extended_attributes_are_compared_when_the_specification_has_any() {
    let site = Site::new();
    let tree = site.src();
    fs::create_dir(tree.join("d")).unwrap();
    for name in ["f", "d/g"] {
        fs::write(tree.join(name), name).unwrap();
    }
    symlink("f", tree.join("l")).unwrap();
    let set = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    let without = spec(&tree, &["-K", "xattr"]);
    set(&tree.join("d/g"), "user.a", b"1");
    let with = spec(&tree, &["-K", "xattr"]);
    let said = |spec: &str, options: &[&str]| -> String {
        String::from_utf8(check(spec.as_bytes(), &tree, options).stdout).unwrap()
    };
    assert_eq!((said(&without, &[]), said(&with, &[])), (String::new(), String::new()));
    set(&tree, "user.root", b"1");
    set(&tree.join("f"), "user.b", b"1");
    set(&tree.join("d/g"), "user.a", b"2");
    let told = ".:      extended attributes\nd/g:    extended attributes\nf:      extended attributes\n";
    assert_eq!(said(&with, &[]), told);
    assert_exit(&check(with.as_bytes(), &tree, &[]), 2);
    assert_eq!(said(&with, &["-L"]).lines().filter(|line| line.contains("attributes")).count(), 0);
    // Of what is only on the way nothing is wanted.
    set(&tree.join("d"), "user.dir", b"1");
    let only = "#mtree\n./d/g type=file xattr.user.a=Mg==\n";
    let output = check(only.as_bytes(), &tree, &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "extra: f\nextra: l\n");
}

#[test]
fn links_are_followed_by_wish() {
    let site = Site::new();
    let tree = site.src();
    fs::create_dir(tree.join("d")).unwrap();
    fs::write(tree.join("d/f"), "contents").unwrap();
    fs::write(site.path("outside"), "outside").unwrap();
    symlink("d", tree.join("to-dir")).unwrap();
    symlink("../outside", tree.join("to-file")).unwrap();
    symlink("nowhere", tree.join("dangling")).unwrap();
    let theirs = tool("mtree", "mtree-netbsd", &arguments(&["-c", "-L", "-k", "all", "-p"], &[], &tree));
    assert_as_mtree(&theirs.stdout, &tree, &["-L"], "-L");
    let ours = spec(&tree, &["-L", "-k", "all"]);
    assert_as_mtree(ours.as_bytes(), &tree, &["-L"], "-L");
    let theirs_full = fed("mtree", "mtree-netbsd", &[OsStr::new("-C")], &theirs.stdout).stdout;
    let theirs_full = format!("#mtree\n{}", String::from_utf8(theirs_full).unwrap());
    assert_eq!(paths(&ours), paths(&theirs_full));
    assert_as_mtree(&theirs.stdout, &tree, &["-P"], "-P");
    // A loop is found.
    symlink("..", tree.join("d/up")).unwrap();
    let spec = b". type=dir\n./d type=dir ignore\n./d type=dir\n./d/f type=file\n./d/up type=dir\n./dangling type=link\n\
                 ./to-file type=file\n./to-dir type=dir ignore\n";
    let output = check(spec, &tree, &["-L"]);
    assert_exit(&output, 1);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("d/up: cannot follow the link: it leads in a circle"), "{said}");
    let written = tool(SMSYNC, "smsync", &arguments(&["spec", "-L"], &[], &tree));
    assert_exit(&written, 1);
    assert!(
        String::from_utf8_lossy(&written.stderr)
            .contains("d/up: cannot follow the link: it leads in a circle"),
        "{written:?}"
    );
    assert!(paths(&String::from_utf8(written.stdout).unwrap()).contains("./to-dir/f"));
}

/// What mtree(8) would say of the same: it does not go into what is extra, nor into a directory that should be none.
fn as_deep_as_mtree(told: BTreeSet<String>) -> BTreeSet<String> {
    let closed: Vec<String> = told
        .iter()
        .filter_map(|told| match told.strip_prefix("extra: ") {
            Some(path) => Some(format!("{path}/")),
            None if told.contains(", dir)") => Some(format!("{}/", told.split(": ").next().unwrap())),
            None => None,
        })
        .collect();
    let seen = |told: &String| {
        !told.strip_prefix("extra: ").is_some_and(|path| closed.iter().any(|above| path.starts_with(above)))
    };
    told.into_iter().filter(seen).collect()
}

#[test]
fn a_check_of_a_remote_tree_tells_it_so_too() {
    let seed = Dice::seed(0xc0ffee);
    let mut dice = Dice::new(seed);
    let site = Site::new();
    site.write_private("smsyncd.conf", &site.server_conf("durable = none"));
    let inetd = site.serve();
    let (src, remote) = (site.src(), inetd.remote("m"));
    let source = src.to_str().unwrap();
    grow(&src, &mut dice);
    assert_exit(&site.run(&["push", source, &remote]), 0);
    for round in 0..8 {
        let what = format!("SMSYNC_SEED={seed}, round {round}");
        edit(&src, &mut dice);
        // What mtree(8) does not know is left out.
        let words = ["-R", "xattr,inode,resdevice,uname,gname"];
        let output = site.run(&[&["check"], &words[..], &[source, &remote]].concat());
        let spec = spec(&src, &["-R", "nlink"]);
        let theirs = mtree(spec.as_bytes(), &site.dst(), &[]);
        assert_eq!(as_deep_as_mtree(by_path(&output)), by_path(&theirs), "{what}");
        assert_exit(&output, if output.stdout.is_empty() { 0 } else { 2 });
        assert_exit(&site.run(&["push", "-q", "--delete", "--force-delete", source, &remote]), 0);
    }
    // Contents too, by whatever digest is asked for.
    fs::write(src.join("a/f"), "one").unwrap();
    set_time(&src.join("a/f"), 1_000_000_000, 0);
    assert_exit(&site.run(&["push", "-q", "--delete", "--force-delete", source, &remote]), 0);
    fs::write(site.dst().join("a/f"), "two").unwrap();
    set_time(&site.dst().join("a/f"), 1_000_000_000, 0);
    let output = site.run(&["check", "-K", "sha256", source, &remote]);
    assert_exit(&output, 2);
    let theirs = mtree(spec(&src, &["-K", "sha256"]).as_bytes(), &site.dst(), &[]);
    let theirs: BTreeSet<String> =
        by_path(&theirs).into_iter().filter(|told| told.starts_with("a/f")).collect();
    assert_eq!(by_path(&output), theirs);
}
