//! `--exclude`, judged by rsync(1): the same patterns leave out, and protect, the same paths.

use crate::common::facts::{Facts, facts};
use crate::common::tree::set_time;
use crate::common::{Site, assert_exit, tool};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::fs::{File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Each line is one run: a pattern, or several.
const PATTERNS: &[&[&str]] = &[
    &["*.o"],
    &["/a"],
    &["a"],
    &["a/"],
    &["/a/"],
    &["d/e"],
    &["e/f"],
    &["/e/f"],
    &["/d/e/f"],
    &["**/f"],
    &["/**/f"],
    &["d/**"],
    &["/d/**"],
    &["d/*"],
    &["d/**/f"],
    &["d**f"],
    &["/d/***"],
    &["e/***"],
    &["***"],
    &["f/***"],
    &["e/***/"],
    &["/**"],
    &["**/"],
    &["**/e/"],
    &["/**/e/*"],
    &["**"],
    &["?"],
    &["??"],
    &["[ab]"],
    &["[!a]"],
    &["[^a-e]*"],
    &["[[:digit:]]*"],
    &["[[:upper:][:space:]]*"],
    &["[]]"],
    &["[]-a]"],
    &["[a\\]]"],
    &["[d/e]f"],
    &["*"],
    &["/*"],
    &["*/"],
    &["/*/"],
    &["*/core"],
    &["core/"],
    &["\\*"],
    &["\\[x\\]"],
    &["a\\b"],
    &["a\\\\b*"],
    &["x\\?y"],
    &["x?y"],
    &["-rf"],
    &[".*"],
    &["*~", "#*#", "*.[oh]"],
    &["/d/e", "/a/f", "core"],
    &["**.log"],
    &["/*.log"],
    &["sp ace"],
    &["é"],
    &["?é"],
    &["new\nline"],
    &["[a/b]"],
    &["/[a/b]"],
    &["[\\a-c]"],
    &["[Z-\\]]*"],
    &["[[:x]y]*"],
    &["[[:none:]]"],
    &["[a-c-f]"],
    &["[", "*\\", "[a"],
    &["nothing like it", "/a/nothing/**"],
];

const NAMES: &[&str] = &[
    "a",
    "b",
    "f",
    "ab",
    "core",
    "x.o",
    "y.h",
    "1st",
    "Upper",
    "*",
    "[x]",
    "]",
    "a\\b",
    "x?y",
    "x!y",
    ".hidden",
    "-rf",
    "sp ace",
    "n~",
    "#n#",
    "t.log",
    "é",
    "new\nline",
];

/// Files of every name at three depths; `which` decides which of them, and what is in them.
fn fill(root: &Path, which: impl Fn(i64) -> bool, contents: &str) {
    let mut number = 0;
    for dir in ["", "d", "d/e", "a", "core"] {
        let dir = root.join(dir);
        if fs::symlink_metadata(&dir).is_ok_and(|stat| stat.is_file()) {
            fs::remove_file(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        for name in NAMES {
            number += 1;
            let path = dir.join(name);
            if which(number) && !path.is_dir() {
                fs::write(&path, format!("{contents} {number}")).unwrap();
                set_time(&path, 1_000_000_000 + number, 0);
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    let copied = tool("cp", "coreutils", &[OsStr::new("-a"), from.as_os_str(), to.as_os_str()]);
    assert_exit(&copied, 0);
}

/// The facts of a tree; of directories that the source does not have, without the time at which they were emptied.
fn outcome(tree: &Path, src: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut facts = facts(tree);
    for (path, facts) in &mut facts {
        if !src.join(path).exists() {
            facts.time = (0, 0);
        }
    }
    facts
}

/// The paths that the second has not, or not the same.
fn differing(a: &BTreeMap<PathBuf, Facts>, b: &BTreeMap<PathBuf, Facts>) -> Vec<PathBuf> {
    a.iter().filter(|(path, facts)| b.get(*path) != Some(facts)).map(|(path, _)| path.clone()).collect()
}

#[test]
fn rsync_leaves_out_the_same() {
    let site = Site::new();
    let (src, before, reference) = (site.src(), site.path("before"), site.path("reference"));
    fill(&src, |number| number % 3 != 0, "new");
    fill(&before, |number| number % 2 != 0, "old");
    // What the source does not have, some of it matching.
    fs::create_dir_all(before.join("extra/e/core")).unwrap();
    for file in ["extra/f", "extra/x.o", "extra/e/f", "extra/e/core/a", "extra/sp ace"] {
        fs::write(before.join(file), "extra").unwrap();
    }
    fs::create_dir(&reference).unwrap();
    fs::create_dir(site.path("back")).unwrap();
    let inetd = site.serve();
    let (from, to) = (format!("{}/", src.display()), format!("{}/", reference.display()));
    let (local, back, remote) = (src.to_str().unwrap(), site.path("back"), inetd.remote("m"));
    let source = inetd.remote("source");
    site.write_private(
        "smsyncd.conf",
        &format!("{}[source]\npath = {}\n", site.server_conf("durable = none"), src.display()),
    );
    let mut outcomes = Vec::new();
    for (number, patterns) in PATTERNS.iter().enumerate() {
        let excludes: Vec<&str> = patterns.iter().flat_map(|pattern| ["--exclude", pattern]).collect();
        copy(&before, &reference);
        let options = [&["-a", "-@-1", "--delete"], &excludes[..], &[&from, &to]].concat();
        let options: Vec<&OsStr> = options.into_iter().map(OsStr::new).collect();
        assert_exit(&tool("rsync", "rsync", &options), 0);
        let expected = outcome(&reference, &src);
        let (push, pull) = ((local, &*remote, site.dst()), (&*source, back.to_str().unwrap(), back.clone()));
        // A pull is the same the other way round, and waits for the disk: now and then is enough.
        for (from, to, tree) in [Some(push), (number % 8 == 0).then_some(pull)].into_iter().flatten() {
            copy(&before, &tree);
            let command = if from == local { "push" } else { "pull" };
            let arguments = [&[command, "--delete", "--force-delete"], &excludes[..], &[from, to]].concat();
            assert_exit(&site.run(&arguments), 0);
            let actual = outcome(&tree, &src);
            let (missed, surplus) = (differing(&expected, &actual), differing(&actual, &expected));
            assert!(
                missed.is_empty() && surplus.is_empty(),
                "{command} {patterns:?}: as rsync {missed:?}, as we {surplus:?}"
            );
            // And again: nothing is left to do.
            let check = [&["check"], &excludes[..], &[from, to]].concat();
            let checked = site.run(&check);
            let hidden = String::from_utf8_lossy(&checked.stdout).into_owned();
            assert_exit(&checked, 0);
            assert_eq!(hidden, "", "{patterns:?}");
        }
        if !outcomes.contains(&expected) {
            outcomes.push(expected);
        }
    }
    // The table tells patterns apart.
    assert!(outcomes.len() > PATTERNS.len() / 2, "{} outcomes", outcomes.len());
}

/// What a module excludes is not even opened, though directories are looked at ahead.
#[test]
fn what_a_module_excludes_is_not_read() {
    let site = Site::in_memory();
    site.write_private("smsyncd.conf", &site.server_conf("exclude = *.key"));
    let dirs: Vec<PathBuf> = (0..40).map(|dir| site.dst().join(format!("d{dir}"))).collect();
    let times = |sec| SystemTime::UNIX_EPOCH + Duration::from_secs(sec);
    // Older than the last change: reading sets it.
    let times = FileTimes::new().set_accessed(times(1_000_000_000)).set_modified(times(1_000_000_001));
    for dir in &dirs {
        fs::create_dir(dir).unwrap();
        for name in (0..20).map(|file| format!("f{file}")).chain(["x.key".into()]) {
            fs::write(dir.join(&name), &name).unwrap();
            File::open(dir.join(&name)).unwrap().set_times(times).unwrap();
        }
    }
    let inetd = site.serve();
    let source = site.src().display().to_string();
    assert_exit(&site.run(&["check", "-c", &source, &inetd.remote("m")]), 2);
    inetd.ended();
    let read = |dir: &&PathBuf, name: &str| fs::metadata(dir.join(name)).unwrap().atime() != 1_000_000_000;
    assert_eq!(dirs.iter().filter(|dir| read(dir, "x.key")).count(), 0);
    assert!(dirs.iter().filter(|dir| read(dir, "f0")).count() > 30, "the control: others are read");
}
