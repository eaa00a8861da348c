//! Edits of a tree, each pushed and judged: what is sent, what is made, and that a dry run says so before.

use crate::common::facts::{assert_same, traces};
use crate::common::tree::{chmod, fifo, set_time, sparse};
use crate::common::trees::Trees;
use crate::common::{assert_exit, end_object, is_root};
use std::fs;
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::Path;

fn time_of(path: &Path) -> (i64, i64) {
    let stat = fs::symlink_metadata(path).unwrap();
    (stat.mtime(), stat.mtime_nsec())
}

#[test]
fn contents_are_sent_and_metadata_are_not() {
    let trees = Trees::new(|src| {
        for name in ["f", "g", "d/f", "d/h"] {
            fs::create_dir_all(src.join("d")).unwrap();
            fs::write(src.join(name), format!("contents of {name}")).unwrap();
        }
        symlink("f", src.join("l")).unwrap();
        fifo(&src.join("p"));
    });
    let same_size = |path: &Path| {
        let length = fs::read(path).unwrap().len();
        fs::write(path, "x".repeat(length)).unwrap();
    };
    trees.edit("contents of the same size", 1, |src| same_size(&src.join("f")));
    trees.edit("a longer file", 1, |src| fs::write(src.join("f"), "x".repeat(1 << 20)).unwrap());
    trees.edit("a shorter file", 1, |src| fs::write(src.join("f"), "").unwrap());
    trees.edit("modes", 0, |src| {
        chmod(&src.join("g"), 0o4711);
        chmod(&src.join("d"), 0o1750);
        chmod(&src.join("p"), 0o600);
        chmod(src, 0o711);
    });
    trees.edit("the time of a file", 0, |src| set_time(&src.join("g"), 1, 2));
    trees.edit("the time of an empty file", 0, |src| set_time(&src.join("f"), 1, 2));
    trees.edit("other times", 0, |src| {
        ["d", "l", "p", ""].iter().for_each(|name| set_time(&src.join(name), -3, 7))
    });
    trees.edit("time and mode", 0, |src| {
        chmod(&src.join("d/f"), 0o400);
        set_time(&src.join("d/f"), 5, 5);
    });
    if is_root() {
        trees.edit("owners", 0, |src| {
            for (name, owner) in [("f", 7), ("d", 8), ("l", 9), ("p", 54321), ("g", 12345)] {
                lchown(src.join(name), Some(owner), Some(owner + 1)).unwrap();
            }
        });
    } else {
        println!("skipped: owners, which only root may give away");
    }
    trees.edit("a new target", 0, |src| {
        fs::remove_file(src.join("l")).unwrap();
        symlink("g", src.join("l")).unwrap();
    });
    trees.edit("a file renamed", 0, |src| fs::rename(src.join("g"), src.join("d/moved")).unwrap());
    trees.edit("a directory renamed", 0, |src| fs::rename(src.join("d"), src.join("a")).unwrap());
    trees.edit("holes", 1, |src| sparse(&src.join("s"), 1 << 20, &[(512 << 10, 4096)]));
    trees.edit("other holes", 1, |src| sparse(&src.join("s"), 1 << 20, &[(256 << 10, 4096)]));
    // Same size, same time: what is not looked at is not seen; with -c it is.
    let (path, time) = (trees.site.src().join("a/f"), time_of(&trees.site.src().join("a/f")));
    chmod(&path, 0o600);
    same_size(&path);
    set_time(&path, time.0, time.1);
    assert_eq!(end_object(&trees.push(&[]))["files"], 0);
    assert_eq!(end_object(&trees.push(&["-n", "-c"]))["files"], 1);
    assert_eq!(end_object(&trees.push(&["-c"]))["files"], 1);
    assert_same(&trees.site.src(), &trees.site.dst(), "after -c");
    assert_eq!(end_object(&trees.push(&["-c"]))["files"], 0);
}

#[test]
fn deletions() {
    let trees = Trees::new(|src| {
        for dir in ["empty", "full/a/b", "locked/in", "kept", "deep/1/2/3/4/5"] {
            fs::create_dir_all(src.join(dir)).unwrap();
        }
        for file in ["f", "full/a/b/c", "full/x", "locked/in/f", "kept/f", "deep/1/2/3/4/5/f", "-rf", "*"] {
            fs::write(src.join(file), file).unwrap();
        }
        chmod(&src.join("locked/in"), 0o555);
        chmod(&src.join("locked"), 0o511);
    });
    let removed = |what: &str, count: u64, change: &dyn Fn(&Path)| {
        assert_eq!(trees.edit(what, 0, change)["removed"], count, "{what}");
    };
    removed("an odd name", 1, &|src| fs::remove_file(src.join("*")).unwrap());
    removed("a file", 1, &|src| fs::remove_file(src.join("f")).unwrap());
    removed("an empty directory", 1, &|src| fs::remove_dir(src.join("empty")).unwrap());
    removed("a full directory", 5, &|src| fs::remove_dir_all(src.join("full")).unwrap());
    removed("the end of a deep tree", 4, &|src| fs::remove_dir_all(src.join("deep/1/2/3")).unwrap());
    removed("a file of a directory that its owner may not write", 1, &|src| {
        chmod(&src.join("locked/in"), 0o755);
        fs::remove_file(src.join("locked/in/f")).unwrap();
        chmod(&src.join("locked/in"), 0o555);
    });
    trees.edit("a new file in such a directory", 1, |src| {
        chmod(&src.join("locked/in"), 0o755);
        fs::write(src.join("locked/in/new"), "new").unwrap();
        chmod(&src.join("locked/in"), 0o555);
    });
    removed("directories that their owner may not write", 3, &|src| {
        chmod(&src.join("locked"), 0o755);
        chmod(&src.join("locked/in"), 0o755);
        fs::remove_dir_all(src.join("locked")).unwrap();
    });
    removed("everything", 6, &|src| {
        for name in ["kept", "deep"] {
            fs::remove_dir_all(src.join(name)).unwrap();
        }
        fs::remove_file(src.join("-rf")).unwrap();
    });
}

/// Makes something of this type: none, file, empty directory, full directory, symbolic link, named pipe, device.
fn make(path: &Path, kind: &str) {
    match kind {
        "none" => {}
        "file" => fs::write(path, "contents").unwrap(),
        "empty" => fs::create_dir(path).unwrap(),
        "full" => {
            fs::create_dir_all(path.join("d/e")).unwrap();
            fs::write(path.join("d/f"), "below").unwrap();
            symlink("f", path.join("d/l")).unwrap();
        }
        "link" => symlink("elsewhere", path).unwrap(),
        "fifo" => fifo(path),
        _ => {
            let (kind, number) = (rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3));
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, rustix::fs::Mode::RUSR, number).unwrap();
        }
    }
}

fn kinds() -> Vec<&'static str> {
    let mut kinds = vec!["none", "file", "empty", "full", "link", "fifo"];
    if is_root() {
        kinds.push("char");
    } else {
        println!("skipped: devices, which only root may make");
    }
    kinds
}

fn clear(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(stat) if stat.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

#[test]
fn every_type_becomes_every_other() {
    let kinds = kinds();
    let trees = Trees::new(|src| {
        fs::create_dir(src.join("in")).unwrap();
    });
    let pairs = || kinds.iter().flat_map(|old| kinds.iter().map(move |new| (*old, *new)));
    for (old, new) in pairs() {
        let path = trees.site.src().join("in/x");
        clear(&path);
        make(&path, old);
        assert_exit(&trees.push(&["--delete", "--force-delete"]), 0);
        let files = u64::from(old != new) * (u64::from(new == "file") + u64::from(new == "full"));
        trees.edit(&format!("{old} to {new}"), files, |_| {
            if old != new {
                clear(&path);
                make(&path, new);
            }
        });
    }
    // All at once.
    for (old, new) in pairs() {
        make(&trees.site.src().join(format!("{old}-{new}")), old);
    }
    assert_exit(&trees.push(&["--delete", "--force-delete"]), 0);
    let others = kinds.len() as u64 - 1;
    trees.edit("all at once", 2 * others, |src| {
        for (old, new) in pairs().filter(|(old, new)| old != new) {
            clear(&src.join(format!("{old}-{new}")));
            make(&src.join(format!("{old}-{new}")), new);
        }
    });
}

#[test]
fn directories_that_their_owner_may_not_write() {
    // Root never notices.
    let shut = |dir: &Path, mode: u32| chmod(dir, mode);
    let trees = Trees::new(|src| {
        for dir in ["type/a/b", "rename/a", "swap/a", "stay/a"] {
            fs::create_dir_all(src.join(dir)).unwrap();
            fs::write(src.join(dir).join("f"), dir).unwrap();
            shut(&src.join(dir), 0o555);
        }
        shut(&src.join("type/a"), 0o500);
        shut(&src.join("stay"), 0o511);
    });
    trees.edit("one becomes a file", 1, |src| {
        shut(&src.join("type/a"), 0o700);
        shut(&src.join("type/a/b"), 0o700);
        fs::remove_dir_all(src.join("type/a")).unwrap();
        fs::write(src.join("type/a"), "a file").unwrap();
    });
    trees.edit("one is renamed", 0, |src| {
        shut(&src.join("rename/a"), 0o755);
        fs::rename(src.join("rename/a"), src.join("rename/b")).unwrap();
        shut(&src.join("rename/b"), 0o555);
    });
    trees.edit("a file in one becomes a directory, a link, a name less", 0, |src| {
        shut(&src.join("swap/a"), 0o755);
        fs::remove_file(src.join("swap/a/f")).unwrap();
        make(&src.join("swap/a/f"), "empty");
        shut(&src.join("swap/a"), 0o555);
    });
    trees.edit("the root itself", 1, |src| {
        fs::write(src.join("new"), "new").unwrap();
        shut(src, 0o555);
    });
    trees.edit("in the root that is shut", 1, |src| {
        shut(src, 0o755);
        fs::write(src.join("newer"), "newer").unwrap();
        fs::remove_file(src.join("new")).unwrap();
        shut(src, 0o555);
    });
}

#[test]
fn without_delete_extras_stay_and_a_full_directory_is_not_replaced() {
    let trees = Trees::new(|_| {});
    for kind in kinds().into_iter().filter(|kind| *kind != "none" && *kind != "full") {
        let (src, dst) = (trees.site.src().join("x"), trees.site.dst().join("x"));
        make(&src, kind);
        make(&dst, "full");
        make(&trees.site.dst().join("extra"), "full");
        let before = traces(&dst);
        let run = trees.push(&[]);
        if kind == "empty" {
            // The directory is the same; what is in it is extra.
            assert_exit(&run, 0);
        } else {
            assert_exit(&run, 1);
            let said = String::from_utf8_lossy(&run.stdout);
            assert!(said.contains("a directory that is not empty is in the way"), "{kind}: {said}");
            assert_eq!(traces(&dst), before, "{kind}");
        }
        assert_eq!(fs::read(dst.join("d/f")).unwrap(), b"below", "{kind}");
        assert_eq!(fs::read(trees.site.dst().join("extra/d/f")).unwrap(), b"below", "{kind}");
        let end = end_object(&run);
        // What stands in the way is a problem and no extra.
        let extra = if kind == "empty" { 9 } else { 5 };
        assert_eq!((&end["extra"], &end["removed"]), (&extra.into(), &0.into()), "{kind}: {end:?}");
        // A directory that is empty is replaced.
        clear(&dst);
        make(&dst, "empty");
        assert_exit(&trees.push(&[]), 0);
        assert_eq!(
            fs::symlink_metadata(&dst).unwrap().file_type(),
            fs::symlink_metadata(&src).unwrap().file_type()
        );
        trees.edit(&format!("{kind}, with --delete"), 0, |_| make(&trees.site.dst().join("x2"), "full"));
        clear(&src);
        clear(&dst);
    }
}
