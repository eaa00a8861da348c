//! What is here under another name is not sent: renamed, copied, rotated, in both directions.

use crate::common::dice::Dice;
use crate::common::pair::Pair;
use crate::common::relay::Relay;
use crate::common::tree::set_time;
use crate::common::walk::{Tree, differences, walk};
use crate::common::{Site, assert_exit, end_object};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

/// A tree with files of many sizes, all of their own contents, at both ends.
fn pair(pull: bool, fill: impl Fn(&Path)) -> Pair {
    let pair = Pair::new();
    fill(&pair.site.src());
    assert_exit(&pair.smsync(pull, &[]), 0);
    pair
}

fn file(path: &Path, dice: &mut Dice, length: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect();
    fs::write(path, bytes).unwrap();
    set_time(path, 1_000_000_000 + i64::try_from(length).unwrap(), 123_456_789);
}

/// 600 files, of which every third group has one size and time.
fn many(at: &Path) {
    let mut dice = Dice::new(7);
    for number in 0..600 {
        let length = if number % 3 == 0 { 77 } else { number + 1 };
        file(&at.join(format!("old/{}/f{number:03}", number % 7)), &mut dice, length);
    }
    fs::write(at.join("old/empty"), "").unwrap();
    file(&at.join("stays"), &mut dice, 100);
}

fn sums(output: &Output) -> [u64; 5] {
    let object = end_object(output);
    ["files", "bytes", "copied", "removed", "linked"].map(|name| object[name].as_u64().unwrap())
}

#[track_caller]
fn assert_equal(site: &Site) -> Tree {
    let there = walk(&site.dst());
    assert_eq!(differences(&walk(&site.src()), &there), "");
    assert!(!site.dst().join(".smsync").exists());
    there
}

#[test]
fn a_directory_is_renamed() {
    for (pull, delete) in [(false, true), (true, true), (false, false), (true, false)] {
        let pair = pair(pull, many);
        let (src, dst) = (pair.site.src(), pair.site.dst());
        let inode = |path: &str| fs::metadata(dst.join(path)).unwrap().ino();
        let (old, stays) = (inode("old/1/f001"), inode("stays"));
        fs::rename(src.join("old"), src.join("new")).unwrap();
        let options: &[&str] = if delete { &["--json", "--delete"] } else { &["--json"] };
        let before = walk(&dst);
        let dry = pair.smsync(pull, &[options, &["-n"]].concat());
        assert_exit(&dry, 0);
        assert_eq!(differences(&before, &walk(&dst)), "", "a dry run");
        let output = pair.smsync(pull, options);
        assert_exit(&output, 0);
        assert_eq!(sums(&output), sums(&dry), "the forecast");
        // The empty one is as quickly sent.
        assert_eq!(sums(&output), [1, 0, 600, if delete { 609 } else { 0 }, 0], "pull {pull}");
        if delete {
            assert_equal(&pair.site);
            assert_eq!(inode("new/1/f001"), old, "it was not copied");
        } else {
            assert!(inode("new/1/f001") != old && inode("old/1/f001") == old);
            let of = |name: &str| {
                let mut tree = walk(&dst.join(name));
                tree.values_mut().for_each(|node| node.first = Path::new("").into());
                tree
            };
            assert_eq!(differences(&of("old"), &of("new")), "");
            assert!(walk(&dst.join("new")).iter().all(|(path, node)| node.first == *path));
        }
        assert_eq!(inode("stays"), stays);
        let again = pair.smsync(pull, options);
        assert_eq!(sums(&again), [0; 5], "a second run");
    }
}

/// What goes over the wire is the specification, which grows with the tree, and next to nothing for each file.
#[test]
fn little_travels() {
    for pull in [false, true] {
        let pair = pair(pull, many);
        let wire = || {
            let relay = Relay::to(pair.inetd.port);
            let mut command = pair.site.smsync();
            if pull {
                command.args(["pull", "--delete"]).arg(relay.remote("source")).arg(pair.site.dst());
            } else {
                command.args(["push", "--delete"]).arg(pair.site.src()).arg(relay.remote("m"));
            }
            assert_exit(&command.arg("--force-delete").output().unwrap(), 0);
            pair.inetd.ended();
            let passed = relay.end().pop().unwrap();
            passed.from_client.len() + passed.from_server.len()
        };
        let idle = wire();
        fs::rename(pair.site.src().join("old"), pair.site.src().join("new")).unwrap();
        let moved = wire();
        println!("pull {pull}: {idle} bytes, and with 600 files moved {moved}");
        assert_equal(&pair.site);
        assert!(moved < idle + 600 * 4, "{idle} {moved}");
    }
}

/// All are asked about, by several threads on both sides: what has its own contents still is not sent.
#[test]
fn a_tree_is_touched() {
    for pull in [false, true] {
        let pair = pair(pull, many);
        let mut changed = 0;
        for (number, entry) in (0..).zip(walk(&pair.site.src())) {
            let path = pair.site.src().join(entry.0);
            if !path.is_file() {
                continue;
            }
            if number % 50 == 7 {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, bytes.iter().map(|byte| !byte).collect::<Vec<_>>()).unwrap();
                changed += u64::from(!bytes.is_empty());
            }
            set_time(&path, 1_500_000_000 + number, 5);
        }
        assert!(changed > 9, "{changed}");
        let output = pair.smsync(pull, &["--json"]);
        assert_exit(&output, 0);
        assert_eq!(sums(&output)[0], changed, "pull {pull}");
        assert_equal(&pair.site);
    }
}

/// One thread has enough descriptors for so deep a tree, but several have not.
#[test]
fn a_deep_tree_is_touched_and_descriptors_are_few() {
    let deep = |at: &Path| at.join(vec!["d"; 100].join("/"));
    for pull in [false, true] {
        let pair = pair(pull, |at| many(&deep(at)));
        for name in fs::read_dir(deep(&pair.site.src()).join("old/3")).unwrap() {
            set_time(&name.unwrap().path(), 1_500_000_000, 5);
        }
        let whole = pair.site.smsync();
        let mut command = Command::new("prlimit");
        command.arg("--nofile=190:190").arg(whole.get_program()).args(whole.get_args());
        command.envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if pull {
            command.args(["--json", "pull"]).arg(pair.inetd.remote("source")).arg(pair.site.dst());
        } else {
            command.args(["--json", "push"]).arg(pair.site.src()).arg(pair.inetd.remote("m"));
        }
        let output = command.output().unwrap();
        assert_exit(&output, 0);
        assert_eq!(sums(&output)[..2], [0, 0], "pull {pull}");
        assert_equal(&pair.site);
    }
}

/// Each line: what is done at the source, which options, and the files sent and copied.
#[test]
fn only_what_is_the_same_is_not_sent() {
    type Edit<'e> = &'e dyn Fn(&Path);
    let fill = |at: &Path| {
        let mut dice = Dice::new(8);
        for (name, length) in [("log", 3000), ("log.1", 2000), ("log.2", 1000), ("small", 999)] {
            file(&at.join(name), &mut dice, length);
        }
        file(&at.join("d/large"), &mut dice, 100_000);
        file(&at.join("d/second"), &mut dice, 100_000);
    };
    let touch = |path: &Path| set_time(path, 5, 5);
    let table: &[(&str, Edit<'_>, &[&str], [u64; 2])] = &[
        (
            "logs are rotated",
            &|at| {
                fs::rename(at.join("log.1"), at.join("log.2")).unwrap();
                fs::rename(at.join("log"), at.join("log.1")).unwrap();
                file(&at.join("log"), &mut Dice::new(1), 500);
            },
            &[],
            [1, 2],
        ),
        (
            "a large file is copied, and has another time",
            &|at| {
                fs::copy(at.join("d/second"), at.join("copy")).unwrap();
                touch(&at.join("copy"));
            },
            &[],
            [0, 1],
        ),
        (
            "a small one too: it is sent as quickly",
            &|at| {
                fs::copy(at.join("small"), at.join("copy")).unwrap();
                touch(&at.join("copy"));
            },
            &[],
            [1, 0],
        ),
        (
            "but not where all are compared by their digests",
            &|at| {
                fs::rename(at.join("small"), at.join("copy")).unwrap();
                touch(&at.join("copy"));
            },
            &["-c"],
            [0, 1],
        ),
        (
            "size and time are the same, and nothing else",
            &|at| {
                fs::remove_file(at.join("log")).unwrap();
                file(&at.join("other"), &mut Dice::new(2), 3000);
                fs::remove_file(at.join("d/large")).unwrap();
                file(&at.join("d/other"), &mut Dice::new(2), 100_000);
                fs::rename(at.join("log.1"), at.join("moved")).unwrap();
            },
            &[],
            [2, 1],
        ),
        (
            "one becomes three, of which one is other in its mode",
            &|at| {
                fs::rename(at.join("d/large"), at.join("a")).unwrap();
                for name in ["b", "c"] {
                    fs::copy(at.join("a"), at.join(name)).unwrap();
                    set_time(&at.join(name), 1_000_100_000, 123_456_789);
                }
                fs::set_permissions(at.join("a"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .unwrap();
            },
            &["--delete"],
            [0, 3],
        ),
        (
            "two swap their names",
            &|at| {
                for (from, to) in [("log", "x"), ("d/large", "log"), ("x", "d/large")] {
                    fs::rename(at.join(from), at.join(to)).unwrap();
                }
            },
            &["--delete"],
            [0, 2],
        ),
        (
            "a directory takes the name of what was moved into it",
            &|at| {
                fs::rename(at.join("small"), at.join("x")).unwrap();
                fs::create_dir(at.join("small")).unwrap();
                fs::rename(at.join("x"), at.join("small/small")).unwrap();
            },
            &["--delete"],
            [0, 1],
        ),
        (
            "what was moved is kept too",
            &|at| fs::rename(at.join("small"), at.join("x")).unwrap(),
            &["--delete", "-b", "--backup-dir", "attic"],
            [0, 1],
        ),
        (
            "with two names",
            &|at| {
                fs::rename(at.join("small"), at.join("x")).unwrap();
                fs::hard_link(at.join("x"), at.join("y")).unwrap();
            },
            &["--delete"],
            [0, 1],
        ),
    ];
    for (what, edit, options, [files, copied]) in table {
        for pull in [false, true] {
            let pair = pair(pull, fill);
            edit(&pair.site.src());
            let options = [&["--json"], *options].concat();
            let dry = pair.smsync(pull, &[&["-n"], &options[..]].concat());
            let output = pair.smsync(pull, &options);
            assert_exit(&output, 0);
            let (said, forecast) = (sums(&output), sums(&dry));
            assert_eq!([said[0], said[2]], [*files, *copied], "{what}, pull {pull}");
            assert_eq!(said, forecast, "{what}, pull {pull}: the forecast");
            let attic = pair.site.dst().join("attic");
            if attic.exists() {
                // The same contents, and not the same file.
                let stat = |path: &Path| fs::metadata(path).unwrap();
                let (kept, new) = (stat(&attic.join("small")), stat(&pair.site.dst().join("x")));
                assert!(kept.len() == 999 && kept.ino() != new.ino());
                fs::remove_dir_all(attic).unwrap();
            }
            if options.contains(&"--delete") {
                assert_equal(&pair.site);
            } else {
                let (want, mut have) = (walk(&pair.site.src()), walk(&pair.site.dst()));
                have.retain(|path, _| want.contains_key(path));
                assert_eq!(differences(&want, &have), "", "{what}, pull {pull}");
            }
            let again = pair.smsync(pull, &options);
            assert_eq!(sums(&again)[..3], [0; 3], "{what}, pull {pull}: a second run");
        }
    }
}

/// The receiver ends at each point: what was there is there under its old name or its new one, and the next run does the
/// rest.
#[test]
fn a_receiver_that_dies_while_it_moves() {
    for pull in [false, true] {
        let pair = pair(pull, |at| {
            let mut dice = Dice::new(9);
            for (name, length) in
                [("old/a", 500), ("old/b", 600), ("old/c", 600), ("log", 700), ("log.1", 800)]
            {
                file(&at.join(name), &mut dice, length);
            }
        });
        let (src, dst, kept) = (pair.site.src(), pair.site.dst(), pair.site.path("kept"));
        let copy = |from: &Path, to: &Path| {
            let _ = fs::remove_dir_all(to);
            let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
            assert!(done.success());
        };
        copy(&dst, &kept);
        let old = walk(&kept);
        fs::rename(src.join("old"), src.join("new")).unwrap();
        fs::copy(src.join("new/c"), src.join("copy")).unwrap();
        set_time(&src.join("copy"), 1_000_000_600, 123_456_789);
        fs::rename(src.join("log"), src.join("log.1")).unwrap();
        let new = walk(&src);
        let fired = pair.site.path("fired");
        let mut points = 0;
        for number in 1.. {
            copy(&kept, &dst);
            let _ = fs::remove_file(&fired);
            let fault = format!("abort:{number}");
            let told = [("SMSYNC_FAULT", fault.as_str()), ("SMSYNC_FAULT_FIRED", fired.to_str().unwrap())];
            let mut command = pair.site.smsync();
            let faulty = pair.site.serve_with(&told);
            if pull {
                command.envs(told).args(["pull", "--delete", "--force-delete"]);
                command.arg(pair.inetd.remote("source")).arg(&dst);
            } else {
                command.args(["push", "--delete", "--force-delete"]).arg(&src).arg(faulty.remote("m"));
            }
            let output = command.output().unwrap();
            faulty.ended();
            pair.inetd.ended();
            if crate::common::fired(&fired).is_none() {
                assert_exit(&output, 0);
                break;
            }
            points += 1;
            let now = walk(&dst);
            for (path, node) in &now {
                let is = |tree: &Tree| tree.get(path).is_some_and(|there| there.what == node.what);
                assert!(is(&old) || is(&new), "{fault}: {path:?} is neither old nor new");
            }
            for node in new.values() {
                assert!(
                    now.values().any(|there| there.what == node.what) || node.is_dir(),
                    "{fault}: {node:?}"
                );
            }
            assert_exit(&pair.smsync(pull, &["--delete"]), 0);
            assert_equal(&pair.site);
        }
        println!("pull {pull}: {points} points");
        assert!(points > 20, "{points}");
    }
}
