//! What a given specification says of what is not to be touched: `optional`, `nochange`, `ignore` and `tags`.

use crate::common::{Inetd, Site, assert_exit, end_object, fed, mtree_verify};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, UNIX_EPOCH};

/// Makes a file of this text at a time of its own.
fn file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
}

fn push(site: &Site, inetd: &Inetd, spec: &str, options: &[&str]) -> Output {
    fs::write(site.path("spec"), spec).unwrap();
    let (src, spec, remote) = (site.src(), site.path("spec"), inetd.remote("m"));
    let fixed = ["--json", "push", "--delete", "--spec", spec.to_str().unwrap()];
    site.run(&[&fixed[..], options, &[src.to_str().unwrap(), &remote]].concat())
}

#[test]
fn what_is_optional_ignored_or_not_to_be_changed() {
    let site = Site::new();
    let inetd = site.serve();
    for name in ["f", "missing", "there", "fixed", "new-fixed", "kept"] {
        file(&site.src().join(name), "new");
    }
    for (name, text) in [
        ("f", "old text"),
        ("there", "old text"),
        ("fixed", "old text"),
        ("d/x", "x"),
        ("d/y/z", "z"),
        ("extra", ""),
    ] {
        file(&site.dst().join(name), text);
    }
    // What is not to be changed may be anything.
    file(&site.dst().join("kept/inside"), "inside");
    let spec = "#mtree\n.\ttype=dir\n    f type=file size=3 time=1000000000.0\n    missing type=file size=3 time=1000000000.0 optional\n    \
                there type=file size=3 time=1000000000.0 optional\n    fixed type=file size=3 time=1000000000.0 nochange\n    \
                kept type=file size=3 time=1000000000.0 nochange\n    \
                new-fixed type=file size=3 time=1000000000.0 nochange\n    d type=dir ignore\n    ..\n..\n";
    assert_exit(&push(&site, &inetd, spec, &[]), 0);
    let text = |name: &str| fs::read_to_string(site.dst().join(name)).unwrap_or_default();
    // What is optional is not made, and else like any other; what is not to be changed is made once.
    assert!(!site.dst().join("missing").exists() && !site.dst().join("extra").exists());
    assert_eq!([text("f"), text("there"), text("new-fixed")], ["new", "new", "new"]);
    assert_eq!(
        [text("fixed"), text("kept/inside"), text("d/x"), text("d/y/z")],
        ["old text", "inside", "x", "z"]
    );
    let again = push(&site, &inetd, spec, &[]);
    assert_exit(&again, 0);
    let end = end_object(&again);
    assert_eq!((&end["files"], &end["removed"], &end["made"]), (&0.into(), &0.into(), &0.into()));
    // mtree(8) finds what it knows of that as specified: `nochange` is FreeBSD's.
    let known: String =
        spec.lines().filter(|line| !line.contains("nochange")).map(|line| format!("{line}\n")).collect();
    fs::remove_dir_all(site.dst().join("kept")).unwrap();
    for name in ["fixed", "new-fixed"] {
        fs::remove_file(site.dst().join(name)).unwrap();
    }
    assert_eq!(mtree_verify(known.as_bytes(), &site.dst()), "");
}

#[test]
fn tags_select_what_mtree_selects() {
    let site = Site::new();
    let inetd = site.serve();
    let spec = "#mtree\n/set type=file size=3 time=1000000000.0 tags=all\n. type=dir tags=x\n    a tags=x,y\n    b tags=y\n    \
                c\n    dd type=dir tags=z\n        e tags=,x,\n    ..\n..\n";
    let names = ["a", "b", "c", "dd/e"];
    names.iter().for_each(|name| file(&site.src().join(name), "new"));
    let mut results = BTreeSet::new();
    for (include, exclude) in [
        ("", ""),
        ("x", ""),
        ("", "x"),
        ("x,y", ""),
        ("y", "x"),
        ("q", ""),
        ("", "q"),
        ("all", ""),
        ("all,y", "x"),
    ] {
        let options = [("--tags", include), ("--exclude-tags", exclude)];
        let options: Vec<&str> = options
            .iter()
            .filter(|(_, list)| !list.is_empty())
            .flat_map(|(option, list)| [*option, *list])
            .collect();
        let theirs: Vec<&OsStr> = options
            .iter()
            .map(|word| match *word {
                "--tags" => "-I",
                "--exclude-tags" => "-E",
                word => word,
            })
            .map(OsStr::new)
            .collect();
        let output =
            fed("mtree", "mtree-netbsd", &[&["-C"].map(OsStr::new)[..], &theirs].concat(), spec.as_bytes());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let listed = String::from_utf8(output.stdout).unwrap();
        let expected: BTreeSet<&str> = names
            .into_iter()
            .filter(|name| listed.lines().any(|line| line.starts_with(&format!("./{name} "))))
            .collect();
        fs::remove_dir_all(site.dst()).unwrap();
        // One is missing: what is not selected is not made either.
        for name in ["a", "b", "dd/e"] {
            file(&site.dst().join(name), "old text");
        }
        assert_exit(&push(&site, &inetd, spec, &options), 0);
        let is_new = |name: &&str| fs::read(site.dst().join(name)).is_ok_and(|text| text == b"new");
        let taken: BTreeSet<&str> = names.into_iter().filter(is_new).collect();
        assert_eq!(taken, expected, "{options:?}: {listed}");
        let left = ["a", "b", "dd/e"].into_iter().filter(|name| !expected.contains(name));
        for name in left {
            assert_eq!(fs::read(site.dst().join(name)).unwrap(), b"old text", "{options:?}: {name}");
        }
        results.insert(taken);
    }
    assert!(results.len() > 5, "tags make no difference");
    let output = site.run(&["push", "--tags", "x", site.src().to_str().unwrap(), &inetd.remote("m")]);
    assert_exit(&output, 64);
}
