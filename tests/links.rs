//! Hard links and random edits, each pushed and judged: which names are one file is as exact as everything else.

use crate::common::dice::Dice;
use crate::common::facts::{assert_same, traces};
use crate::common::tree::{chmod, fifo, set_time};
use crate::common::trees::{Trees, events};
use crate::common::{assert_exit, end_object, rsync_differences};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// Makes `new` one more name of `old`, whatever it was.
fn link(src: &Path, old: &str, new: &str) {
    let _ = fs::remove_file(src.join(new));
    fs::hard_link(src.join(old), src.join(new)).unwrap();
}

/// Makes `path` a file of its own, with the contents, mode and time it had.
fn alone(src: &Path, path: &str) {
    let path = src.join(path);
    let stat = fs::metadata(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    chmod(&path, stat.mode() & 0o7777);
    set_time(&path, stat.mtime(), stat.mtime_nsec());
}

#[test]
fn groups_split_join_and_move() {
    let trees = Trees::new(|src| {
        fs::create_dir_all(src.join("d")).unwrap();
        // Of different sizes: alike in size and time means equal.
        for (first, length) in [("a", 10), ("p", 11), ("x", 12)] {
            fs::write(src.join(first), first.repeat(length)).unwrap();
        }
        for (old, new) in [("a", "b"), ("a", "c"), ("a", "d/a"), ("p", "q"), ("p", "d/r")] {
            link(src, old, new);
        }
        fs::write(src.join("y"), "x".repeat(12)).unwrap();
        symlink("target", src.join("s")).unwrap();
        link(src, "s", "d/s");
        fifo(&src.join("f"));
        link(src, "f", "d/f");
    });
    let edit = |what: &str, files: u64, change: &dyn Fn(&Path)| drop(trees.edit(what, files, change));
    edit("one name leaves, the first", 0, &|src| alone(src, "a"));
    edit("and comes back", 0, &|src| link(src, "b", "a"));
    edit("one name leaves, the last", 0, &|src| alone(src, "d/a"));
    // The first name in tree order is looked at, and that one is of the other group.
    edit("two groups swap a name", 0, &|src| {
        link(src, "p", "b");
        link(src, "a", "q");
    });
    edit("a name leaves with other contents", 1, &|src| {
        alone(src, "c");
        fs::write(src.join("c"), "contents of its own").unwrap();
    });
    edit("mode of a group", 0, &|src| chmod(&src.join("p"), 0o600));
    let inode = || fs::metadata(trees.site.dst().join("p")).unwrap().ino();
    let before = inode();
    edit("time of a group", 0, &|src| set_time(&src.join("p"), 77, 7));
    assert_eq!(inode(), before, "a group that was touched is copied");
    edit("contents of a group", 1, &|src| fs::write(src.join("b"), "of the group, once").unwrap());
    edit("the first gets other contents, another its mode", 1, &|src| {
        fs::remove_file(src.join("b")).unwrap();
        fs::write(src.join("b"), "new contents").unwrap();
        chmod(&src.join("p"), 0o640);
    });
    edit("a whole group falls apart", 0, &|src| {
        alone(src, "p");
        alone(src, "d/r");
        chmod(&src.join("d/r"), 0o400);
    });
    edit("two files alike become one", 0, &|src| link(src, "x", "y"));
    edit("and two again, at another time", 0, &|src| {
        alone(src, "y");
        set_time(&src.join("y"), 9, 9);
    });
    edit("links of other types part", 0, &|src| {
        let (sec, nsec) = {
            let stat = fs::symlink_metadata(src.join("s")).unwrap();
            (stat.mtime(), stat.mtime_nsec())
        };
        fs::remove_file(src.join("s")).unwrap();
        symlink("target", src.join("s")).unwrap();
        set_time(&src.join("s"), sec, nsec);
        fs::remove_file(src.join("d/f")).unwrap();
        fifo(&src.join("d/f"));
    });
    edit("and join", 0, &|src| {
        link(src, "s", "d/s");
        link(src, "d/f", "f");
    });
    edit("a group is renamed", 0, &|src| {
        fs::rename(src.join("a"), src.join("z")).unwrap();
        fs::rename(src.join("q"), src.join("d/z")).unwrap();
    });
    edit("a name becomes another type", 0, &|src| {
        fs::remove_file(src.join("z")).unwrap();
        fs::create_dir(src.join("z")).unwrap();
    });
    // The receiver's own links are undone, and what they led to outside of the tree is left alone.
    let outside = trees.site.path("outside");
    fs::write(&outside, "somebody else's").unwrap();
    let (time, inside) = (fs::metadata(trees.site.src().join("c")).unwrap(), trees.site.dst().join("c"));
    fs::remove_file(&inside).unwrap();
    fs::hard_link(&outside, &inside).unwrap();
    set_time(&inside, time.mtime(), time.mtime_nsec());
    edit("contents of a link to the outside", 1, &|_| {});
    assert_eq!(fs::read(&outside).unwrap(), b"somebody else's");
    fs::remove_file(&outside).unwrap();
    fs::hard_link(&inside, &outside).unwrap();
    edit("mode of a link to the outside", 0, &|src| chmod(&src.join("c"), 0o604));
    assert_ne!(fs::metadata(&outside).unwrap().mode() & 0o7777, 0o604);
    fs::remove_file(&outside).unwrap();
    fs::hard_link(&inside, &outside).unwrap();
    edit("time of a link to the outside", 0, &|src| set_time(&src.join("c"), 55, 5));
    assert_ne!(fs::metadata(&outside).unwrap().mtime(), 55);
}

fn all(root: &Path) -> Vec<PathBuf> {
    traces(root).into_keys().filter(|path| !path.as_os_str().is_empty()).collect()
}

/// Changes something in a tree, somewhere.
fn change(root: &Path, dice: &mut Dice) {
    let names = ["a", "b", "b.c", "c"];
    let paths = all(root);
    let dirs: Vec<_> =
        paths.iter().filter(|path| root.join(path).is_dir() && !root.join(path).is_symlink()).collect();
    let mut new = if dirs.is_empty() || dice.roll(3) == 0 {
        PathBuf::new()
    } else {
        dirs[dice.roll(dirs.len())].clone()
    };
    new.push(names[dice.roll(names.len())]);
    let new = root.join(new);
    let old = if paths.is_empty() { new.clone() } else { root.join(&paths[dice.roll(paths.len())]) };
    let free = fs::symlink_metadata(&new).is_err();
    let depth = new.components().count() - root.components().count();
    let there = fs::symlink_metadata(&old).ok();
    let is_dir = there.as_ref().is_some_and(fs::Metadata::is_dir);
    let is_file = there.as_ref().is_some_and(fs::Metadata::is_file);
    match dice.roll(12) {
        0 | 1 if free => fs::write(&new, "x".repeat(dice.roll(4))).unwrap(),
        2 | 3 if free && depth < 4 => fs::create_dir(&new).unwrap(),
        4 if free => symlink(names[dice.roll(4)], &new).unwrap(),
        5 if free => fifo(&new),
        6 | 7 if free && there.is_some() && !is_dir => fs::hard_link(&old, &new).unwrap(),
        8 if free && there.is_some() && !new.starts_with(&old) => fs::rename(&old, &new).unwrap(),
        9 if is_dir => fs::remove_dir_all(&old).unwrap(),
        9 if there.is_some() => fs::remove_file(&old).unwrap(),
        10 if is_file => fs::write(&old, "y".repeat(dice.roll(4))).unwrap(),
        // Few times and modes, so that two files are alike now and then.
        11 if there.is_some() => {
            set_time(&old, [0, 1][dice.roll(2)], 0);
            if !fs::symlink_metadata(&old).unwrap().is_symlink() {
                chmod(&old, [0o700, 0o750][dice.roll(2)]);
            }
        }
        _ => {}
    }
}

#[test]
fn random_edits_on_both_sides_converge() {
    let seed = Dice::seed(0x5eed_cafe);
    let mut dice = Dice::new(seed);
    let trees = Trees::new(|_| {});
    let (src, dst) = (trees.site.src(), trees.site.dst());
    for round in 0..60 {
        let what = format!("SMSYNC_SEED={seed} round {round}");
        for _ in 0..dice.roll(30) {
            change(&src, &mut dice);
        }
        for _ in 0..dice.roll(6) {
            change(&dst, &mut dice);
        }
        let dry = trees.push(&["-n", "--delete", "--force-delete", "-c"]);
        let run = trees.push(&["--delete", "--force-delete", "-c"]);
        assert_exit(&run, 0);
        assert_eq!(events(&dry), events(&run), "{what}: the dry run said something else");
        assert_same(&src, &dst, &what);
        assert_eq!(rsync_differences(&src, &dst), "", "{what}");
        let before = traces(&dst);
        let again = end_object(&trees.push(&["--delete", "--force-delete", "-c"]));
        let done =
            ["files", "made", "linked", "changed", "removed", "problems"].map(|sum| again[sum].clone());
        assert_eq!(done, [0; 6].map(serde_json::Value::from), "{what}");
        assert_eq!(traces(&dst), before, "{what}: the second push wrote");
    }
}
