//! What a sender takes, judged by rsync(1): lists of paths, sizes, file systems, files of rules.

use crate::common::facts::facts;
use crate::common::mounted::{Mounted, may_mount};
use crate::common::pair::{DELETE, Pair, outcome, settle, write};
use crate::common::tree::chmod;
use crate::common::{assert_exit, is_root};
use std::fs;
use std::path::Path;

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
