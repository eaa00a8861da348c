//! What a sender takes, judged by rsync(1): lists of paths, sizes, links, file systems, files of rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod common;

use common::facts::{Facts, facts};
use common::mounted::{Mounted, may_mount};
use common::tree::{chmod, set_time};
use common::{Inetd, Site, assert_exit, is_root, tool};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A source, two destinations that are alike, one for rsync and one for us, and a server for both directions.
struct Pair {
    site: Site,
    inetd: Inetd,
}

/// Removing as much as it takes.
const DELETE: &[&str] = &["--delete"];

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    set_time(path, 1_000_000_000 + i64::try_from(text.len()).unwrap(), 0);
}

impl Pair {
    fn new() -> Pair {
        let site = Site::in_memory();
        let conf =
            format!("{}[source]\npath = {}\n", site.server_conf("durable = none"), site.src().display());
        site.write_private("smsyncd.conf", &conf);
        let inetd = site.serve();
        Pair { site, inetd }
    }

    /// What is at the destination before.
    fn before(&self, fill: impl Fn(&Path)) {
        for dir in [self.site.dst(), self.site.path("reference")] {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir(&dir).unwrap();
            fill(&dir);
            settle(&dir);
        }
    }

    fn smsync(&self, pull: bool, options: &[&str]) -> Output {
        let mut command = self.site.smsync();
        command.arg(if pull { "pull" } else { "push" }).args(options);
        if pull {
            command.arg(self.inetd.remote("source")).arg(self.site.dst());
        } else {
            command.arg(self.site.src()).arg(self.inetd.remote("m"));
        }
        command.output().unwrap()
    }

    /// Both programs with these options end so, and leave the same.
    #[track_caller]
    fn same(&self, fill: impl Fn(&Path), ours: &[&str], theirs: &[&str], exits: (i32, i32)) {
        for pull in [false, true] {
            self.before(&fill);
            let (from, to) = (format!("{}/", self.site.src().display()), self.site.path("reference"));
            let mut options = vec!["-a", "-r", "-@-1"];
            options.extend(theirs);
            let mut options: Vec<&OsStr> = options.into_iter().map(OsStr::new).collect();
            options.extend([OsStr::new(&from), to.as_os_str()]);
            let output = tool("rsync", "rsync", &options);
            assert_eq!(output.status.code(), Some(exits.1), "{}", String::from_utf8_lossy(&output.stderr));
            assert_exit(&self.smsync(pull, ours), exits.0);
            let (expected, actual) = (outcome(&to), outcome(&self.site.dst()));
            let differing: Vec<_> = expected
                .keys()
                .chain(actual.keys())
                .filter(|path| expected.get(*path) != actual.get(*path))
                .map(|path| (path, expected.contains_key(path), actual.contains_key(path)))
                .collect();
            assert!(differing.is_empty(), "pull {pull} {ours:?}: (rsync has it, we) {differing:?}");
        }
    }
}

/// Directories get one time, so that only the tree decides.
fn settle(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            settle(&entry.path());
        }
    }
    set_time(root, 1_000_000_000, 0);
}

/// The facts of a tree without the times of directories.
fn outcome(tree: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut facts = facts(tree);
    for facts in facts.values_mut().filter(|facts| facts.mode & 0o170_000 == 0o040_000) {
        facts.time = (0, 0);
    }
    facts
}

#[test]
fn lists_of_paths() {
    let pair = Pair::new();
    let src = pair.site.src();
    for path in ["a", "b", "d/a", "d/e/f", "d/e/g", "sp ace", "x/y/z/1", "x/y/z/2", "x/y/3", "#odd", "f/g"] {
        write(&src.join(path), path);
    }
    fs::create_dir(src.join("empty")).unwrap();
    settle(&src);
    let before = |dst: &Path| {
        for path in ["b", "beside", "d/beside", "d/e/extra", "x/y/z/extra", "x/extra", "gone/f"] {
            write(&dst.join(path), "before");
        }
    };
    let list = pair.site.path("list");
    let name = list.to_str().unwrap().to_owned();
    let from = ["--files-from", &name];
    let theirs = ["--no-implied-dirs", "--files-from", &name];
    for text in [
        "a\n",
        "# a comment\n;another\n\n/a\r\n./d//e/\n",
        "x/y/z\nx/y/3\nempty\nsp ace\n./#odd",
        "d/e/f\nd/e\nd/e/g\n",
    ] {
        fs::write(&list, text).unwrap();
        pair.same(before, &from, &theirs, (0, 0));
        pair.same(before, &[&from[..], DELETE].concat(), &[&theirs[..], &["--delete"]].concat(), (0, 0));
    }
    // Rules go for what is listed, too.
    let filter = ["--exclude", "g", "--exclude", "/x/y/z/1"];
    fs::write(&list, "d\nx/y/z/1\nx/y/z/2\n").unwrap();
    pair.same(before, &[&from[..], &filter].concat(), &[&theirs[..], &filter].concat(), (0, 0));
    // What is not there is an error, and removes nothing.
    fs::write(&list, "d\ngone/f\nno\na/b\n").unwrap();
    pair.same(before, &[&from[..], DELETE].concat(), &[&theirs[..], &["--delete"]].concat(), (1, 23));
    // By NUL.
    fs::write(&list, "sp ace\0d/a\0").unwrap();
    pair.same(before, &[&from[..], &["-0"]].concat(), &[&theirs[..], &["-0"]].concat(), (0, 0));
    for (text, words) in [("a\nd/../b\n", "line 2"), (".smsync/x", "reserved"), ("a\0b", "NUL")] {
        fs::write(&list, text).unwrap();
        let run = pair.smsync(false, &from);
        assert_exit(&run, 64);
        assert!(String::from_utf8_lossy(&run.stderr).contains(words), "{run:?}");
    }
    // Nothing is nothing, and not everything.
    fs::write(&list, "# nothing\n").unwrap();
    pair.before(before);
    let kept = outcome(&pair.site.dst());
    assert_exit(&pair.smsync(false, &[&from[..], DELETE].concat()), 0);
    assert_eq!(outcome(&pair.site.dst()).len(), kept.len());
}

#[test]
fn a_list_may_be_longer_than_a_message() {
    let pair = Pair::new();
    let mut list = String::new();
    for number in 0..12_000 {
        let path = format!("directory-{:03}/{}", number % 100, "x".repeat(number % 90) + &number.to_string());
        if number % 100 == number {
            fs::create_dir(pair.site.src().join(path.split('/').next().unwrap())).unwrap();
        }
        fs::write(pair.site.src().join(&path), "").unwrap();
        if number % 3 > 0 {
            list += &path;
            list.push('\n');
        }
    }
    fs::write(pair.site.path("list"), &list).unwrap();
    let file = pair.site.path("list");
    for pull in [false, true] {
        pair.before(|_| {});
        assert_exit(&pair.smsync(pull, &["--files-from", file.to_str().unwrap()]), 0);
        let there = facts(&pair.site.dst());
        let files = there.iter().filter(|(_, facts)| facts.mode & 0o170_000 == 0o100_000);
        let mut files: Vec<_> = files.map(|(path, _)| path.to_str().unwrap()).collect();
        let mut expected: Vec<_> = list.lines().collect();
        files.sort_unstable();
        expected.sort_unstable();
        assert_eq!(files, expected);
    }
}

#[test]
fn sizes() {
    let pair = Pair::new();
    for size in [0, 1, 999, 1000, 1001, 1023, 1024, 1025, 1535, 1536, 1537] {
        write(&pair.site.src().join(format!("d/s{size}")), &"x".repeat(size));
    }
    settle(&pair.site.src());
    let before = |dst: &Path| {
        write(&dst.join("d/s1"), "another");
        write(&dst.join("d/s1025"), "another");
        write(&dst.join("d/extra"), "extra");
        write(&dst.join("d/s1537/in"), "a directory in its place");
    };
    for size in ["1K", "1k", "1KB", "1kib", "1.5k", "1.5K-1", "1024+1", "1000", "1000b", "0", ".5KB"] {
        for option in ["--max-size", "--min-size"] {
            // A directory in the way of a file that is sent is another matter.
            if option == "--max-size" {
                pair.same(before, &[option, size, "--delete"], &[option, size, "--delete"], (0, 0));
            }
            let before = |dst: &Path| write(&dst.join("d/s1"), "another");
            pair.same(before, &[option, size], &[option, size], (0, 0));
        }
    }
    for size in ["", "x", "1Q", "1K+2", "-1", "1..2K", "99999999P"] {
        let run = pair.smsync(false, &[&format!("--max-size={size}")]);
        assert_exit(&run, 64);
    }
}

/// Links of every sort, and what they lead to.
fn links(site: &Site) {
    let (src, outside) = (site.src(), site.path("outside"));
    write(&src.join("f"), "file");
    write(&src.join("d/g"), "deeper");
    write(&src.join("d/e/h"), "deepest");
    write(&outside.join("o"), "outside");
    write(&outside.join("d/p"), "outside, below");
    symlink("../o", outside.join("d/up")).unwrap();
    symlink("f", src.join("to-f")).unwrap();
    symlink("to-f", src.join("to-to-f")).unwrap();
    symlink("../f", src.join("d/up-f")).unwrap();
    symlink("./e/../g", src.join("d/round-g")).unwrap();
    symlink("d/e", src.join("to-e")).unwrap();
    symlink("../outside/o", src.join("out-o")).unwrap();
    symlink("../outside/d", src.join("out-d")).unwrap();
    symlink(outside.join("o"), src.join("abs-o")).unwrap();
    symlink(outside.join("d"), src.join("d/abs-d")).unwrap();
    symlink(src.join("f"), src.join("abs-f")).unwrap();
    for tree in [&src, &outside] {
        settle(tree);
    }
    for link in
        ["to-f", "to-to-f", "d/up-f", "d/round-g", "to-e", "out-o", "out-d", "abs-o", "d/abs-d", "abs-f"]
    {
        set_time(&src.join(link), 1_000_000_777, 0);
    }
    set_time(&outside.join("d/up"), 1_000_000_777, 0);
}

#[test]
fn links_are_followed_as_they_should() {
    let pair = Pair::new();
    links(&pair.site);
    // Only a client may go where links lead: rsync copies here as one.
    let same = |ours: &[&str], theirs: &[&str], exits: (i32, i32)| {
        let before = |dst: &Path| {
            write(&dst.join("out-o"), "stays or not");
            write(&dst.join("extra"), "extra");
        };
        pair.before(before);
        let (from, to) = (format!("{}/", pair.site.src().display()), pair.site.path("reference"));
        let mut options: Vec<&OsStr> =
            ["-a", "-@-1", "--delete"].iter().chain(theirs).map(OsStr::new).collect();
        options.extend([OsStr::new(&from), to.as_os_str()]);
        let output = tool("rsync", "rsync", &options);
        assert_eq!(output.status.code(), Some(exits.1), "{}", String::from_utf8_lossy(&output.stderr));
        assert_exit(&pair.smsync(false, &[DELETE, ours].concat()), exits.0);
        let (expected, actual) = (outcome(&to), outcome(&pair.site.dst()));
        for path in expected.keys().chain(actual.keys()) {
            assert_eq!(expected.get(path), actual.get(path), "{ours:?} {}", path.display());
        }
        // And nothing is left to do.
        let mut check = pair.site.smsync();
        check.arg("check").args(ours).arg(pair.site.src()).arg(pair.inetd.remote("m"));
        assert_exit(&check.output().unwrap(), exits.0);
    };
    same(&[], &[], (0, 0));
    same(&["-L"], &["-L"], (0, 0));
    same(&["-L", "--exclude", "e"], &["-L", "--exclude", "e"], (0, 0));
    same(&["--copy-unsafe-links"], &["--copy-unsafe-links"], (0, 0));
    same(&["--safe-links"], &["--safe-links"], (0, 0));
    same(&["--copy-dirlinks"], &["--copy-dirlinks"], (0, 0));
    same(&["--copy-dirlinks", "--safe-links"], &["--copy-dirlinks", "--safe-links"], (0, 0));
    symlink("nothing", pair.site.src().join("broken")).unwrap();
    same(&["--copy-dirlinks"], &["--copy-dirlinks"], (0, 0));
    let run = pair.smsync(false, &["-L"]);
    assert_exit(&run, 1);
    assert!(String::from_utf8_lossy(&run.stderr).contains("broken"), "{run:?}");
    fs::remove_file(pair.site.src().join("broken")).unwrap();
    // A directory in itself ends somewhere.
    symlink("..", pair.site.src().join("d/parent")).unwrap();
    symlink("l2", pair.site.src().join("l1")).unwrap();
    symlink("l1", pair.site.src().join("l2")).unwrap();
    let run = pair.smsync(false, &["-L"]);
    assert_exit(&run, 1);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("d/parent") && said.contains("l1") && said.contains("in a circle"), "{said}");
}

#[test]
fn a_server_follows_no_link_out_of_its_module() {
    let pair = Pair::new();
    links(&pair.site);
    pair.before(|_| {});
    let run = pair.smsync(true, &["-L"]);
    assert_exit(&run, 1);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    for path in ["out-o", "out-d", "abs-o", "d/abs-d", "abs-f"] {
        assert!(
            said.contains(&format!("{path}: cannot follow the link: it leads out of the module")),
            "{said}"
        );
        assert!(fs::symlink_metadata(pair.site.dst().join(path)).is_err(), "{path}");
    }
    let dst = pair.site.dst();
    for (path, text) in
        [("to-to-f", "file"), ("d/up-f", "file"), ("to-e/h", "deepest"), ("d/round-g", "deeper")]
    {
        assert_eq!(fs::read_to_string(dst.join(path)).unwrap(), text, "{path}");
        assert!(!dst.join(path).is_symlink(), "{path}");
    }
    // Within the module, but out of the directory that is asked for.
    pair.before(|_| {});
    let mut command = pair.site.smsync();
    command.arg("pull").arg("-L").arg(format!("{}/d", pair.inetd.remote("source"))).arg(&dst);
    assert_exit(&command.output().unwrap(), 1);
    assert_eq!(fs::read_to_string(dst.join("up-f")).unwrap(), "file");
    assert!(!dst.join("abs-d").exists());
}

#[test]
fn one_file_system() {
    if !may_mount("what is mounted below the source") {
        return;
    }
    let pair = Pair::new();
    let at = pair.site.src().join("d/mounted");
    fs::create_dir_all(&at).unwrap();
    let mounted = Mounted::tmpfs(&at, "size=1m");
    write(&at.join("f"), "on another file system");
    write(&pair.site.src().join("d/f"), "here");
    let before = |dst: &Path| {
        write(&dst.join("d/mounted/kept"), "kept");
        write(&dst.join("d/extra"), "extra");
    };
    pair.same(before, &["-x", "--delete"], &["-x", "--delete"], (0, 0));
    pair.same(|_| {}, &["-x"], &["-x"], (0, 0));
    pair.same(before, &["--delete"], &["--delete"], (0, 0));
    drop(mounted);
}

#[test]
fn files_of_rules() {
    let pair = Pair::new();
    let src = pair.site.src();
    for path in ["a.o", "a.c", "d/a.o", "d/keep.o", "d/e/a.o"] {
        write(&src.join(path), path);
    }
    write(&src.join(".smsync-filter"), "- *.o\n");
    write(&src.join("d/.smsync-filter"), "+ keep.o\n");
    settle(&src);
    let before = |dst: &Path| {
        for path in ["mine.o", "mine.c", "only/mine.o", "d/mine.o"] {
            write(&dst.join(path), "before");
        }
    };
    let dst = pair.site.dst();
    let names = || -> Vec<String> {
        let facts = facts(&dst);
        let files = facts.iter().filter(|(_, facts)| facts.mode & 0o170_000 == 0o100_000);
        files.map(|(path, _)| path.to_str().unwrap().to_owned()).collect()
    };
    for pull in [false, true] {
        // What only the destination has is protected by the rules of the source.
        pair.before(before);
        assert_exit(&pair.smsync(pull, &[&["-F"], DELETE].concat()), 0);
        let rules = [".smsync-filter", "d/.smsync-filter"];
        let mut expected = vec!["a.c", "d/keep.o", "d/mine.o", "mine.o", "only/mine.o"];
        let twice = expected.clone();
        expected.extend(rules);
        expected.sort_unstable();
        assert_eq!(names(), expected);
        pair.before(before);
        assert_exit(&pair.smsync(pull, &[&["-F", "-F"], DELETE].concat()), 0);
        assert_eq!(names(), twice);
        pair.before(before);
        assert_exit(&pair.smsync(pull, &[&["-F", "-F", "--delete-excluded"], DELETE].concat()), 0);
        assert_eq!(names(), ["a.c", "d/keep.o"]);
    }
    // One that cannot be understood: nothing of its directory, and nothing is removed.
    for spoil in [true, false] {
        if spoil {
            write(&src.join("d/.smsync-filter"), "+ keep.o\nnonsense\n");
        } else {
            fs::remove_file(src.join("d/.smsync-filter")).unwrap();
            fs::create_dir(src.join("d/.smsync-filter")).unwrap();
        }
        for pull in [false, true] {
            pair.before(before);
            let run = pair.smsync(pull, &[&["-F", "-F"], DELETE].concat());
            assert_exit(&run, 1);
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(said.contains("d/.smsync-filter: cannot read the filter rules"), "{said}");
            assert_eq!(names(), ["a.c", "d/mine.o", "mine.c", "mine.o", "only/mine.o"]);
        }
    }
    fs::remove_dir(src.join("d/.smsync-filter")).unwrap();
    if !is_root() {
        write(&src.join("d/.smsync-filter"), "- x\n");
        chmod(&src.join("d/.smsync-filter"), 0);
        assert_exit(&pair.smsync(false, &["-F"]), 1);
    }
}

#[test]
fn rules_go_by_their_order_across_options() {
    let pair = Pair::new();
    for path in ["a", "b", "c", "d"] {
        write(&pair.site.src().join(path), path);
    }
    settle(&pair.site.src());
    let list = pair.site.path("list");
    fs::write(&list, "b\0c\0").unwrap();
    let from = format!("--exclude-from={}", list.display());
    for rules in [
        &["--include=a", "--exclude=*", "--include=b"][..],
        &["--exclude=a", "--include=a", "-f", "- *"],
        &["-f", "+ b", "-0", &from, "--include=c", "--exclude=d"],
        &["-0", &from, "-f", "+ b"],
        &["--exclude=*", "--filter=!", "--exclude=a"],
        &["--exclude=+ a", "--include=- b", "--exclude=*"],
    ] {
        pair.same(|_| {}, rules, rules, (0, 0));
    }
    // A file that names itself ends.
    let merge = format!(". {}", list.display());
    fs::write(&list, format!("{merge}\n")).unwrap();
    let run = pair.smsync(false, &["-f", &merge]);
    assert_exit(&run, 64);
    fs::write(&list, "- a\n\nnonsense\n").unwrap();
    let run = pair.smsync(false, &["-f", &merge]);
    assert_exit(&run, 64);
    assert!(String::from_utf8_lossy(&run.stderr).contains("line 3"), "{run:?}");
}
