//! Digests are remembered of files that are in every respect what they were, and of no others.

use super::*;
use std::fs;

fn open(dir: &tempfile::TempDir, name: &str) -> Dir {
    Dir::open_root(&dir.path().join(name)).unwrap()
}

fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    ["state", "spool", "tree"].iter().for_each(|name| fs::create_dir(dir.path().join(name)).unwrap());
    dir
}

fn stat(ino: u64) -> Stat {
    Stat {
        kind: None,
        mode: 0,
        uid: 0,
        gid: 0,
        size: ino * 7,
        blocks: 0,
        mtime: (1_000_000_000, 5),
        ctime: (1_000_000_000, 500),
        dev: (8, 1),
        ino,
        nlink: 1,
        rdev: (0, 0),
    }
}

const LATER: (i64, u32) = (1_000_000_001, 0);

fn digest(of: u64) -> [u8; 32] {
    *blake3::hash(&of.to_be_bytes()).as_bytes()
}

/// Does this with what is remembered in this site.
fn with<T>(dir: &tempfile::TempDir, work: impl FnOnce(&Remembered<'_>) -> T) -> T {
    let (state, spool, tree) = (open(dir, "state"), open(dir, "spool"), open(dir, "tree"));
    work(&Remembered::of(&state, &spool, &tree).unwrap())
}

fn learn(dir: &tempfile::TempDir, files: impl Iterator<Item = (u64, u64)>) {
    with(dir, |remembered| {
        files.for_each(|(ino, of)| remembered.learn(&stat(ino), LATER, &digest(of)));
        remembered.keep();
    });
}

fn file(dir: &tempfile::TempDir) -> std::path::PathBuf {
    let mut names = fs::read_dir(dir.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let only = names.next().expect("one that is kept");
    assert!(names.next().is_none());
    only
}

#[test]
fn what_was_learned_is_known_until_one_thing_of_five_is_another() {
    let dir = site();
    learn(&dir, [(9, 9), (3, 3), (7, 7)].into_iter());
    with(&dir, |remembered| {
        for ino in 0..12 {
            let known = [3, 7, 9].contains(&ino).then(|| digest(ino));
            assert_eq!(remembered.digest(&stat(ino)), known, "{ino}");
        }
        let was = stat(7);
        for (what, now) in [
            ("file system", Stat { dev: (8, 2), ..was }),
            ("file system", Stat { dev: (9, 1), ..was }),
            ("number", Stat { ino: 8, ..was }),
            ("size", Stat { size: was.size + 1, ..was }),
            ("time of modification", Stat { mtime: (was.mtime.0 + 1, was.mtime.1), ..was }),
            ("time of modification", Stat { mtime: (was.mtime.0, was.mtime.1 + 1), ..was }),
            ("time of change", Stat { ctime: (was.ctime.0 + 1, was.ctime.1), ..was }),
            ("time of change", Stat { ctime: (was.ctime.0, was.ctime.1 - 1), ..was }),
        ] {
            assert_eq!(remembered.digest(&now), None, "another {what}");
        }
        // What does not tell of contents may be another.
        assert_eq!(remembered.digest(&Stat { mode: 0o600, uid: 7, nlink: 3, ..was }), Some(digest(7)));
    });
}

#[test]
fn what_is_learned_goes_before_what_was_known() {
    let dir = site();
    learn(&dir, (1..100).map(|ino| (ino, ino)));
    // Some anew, some twice, and some new, in no order.
    learn(&dir, [(50, 1), (200, 200), (1, 2), (50, 3), (0, 0), (99, 4)].into_iter());
    with(&dir, |remembered| {
        let expected = |ino| match ino {
            50 => 3,
            1 => 2,
            99 => 4,
            ino => ino,
        };
        for ino in (0..100).chain([200]) {
            assert_eq!(remembered.digest(&stat(ino)), Some(digest(expected(ino))), "{ino}");
        }
        assert_eq!(remembered.digest(&stat(201)), None);
    });
    assert_eq!(fs::metadata(file(&dir)).unwrap().len(), 101 * 80 + 17 + 32);
}

#[test]
fn what_changed_just_before_is_not_remembered() {
    let dir = site();
    let changed = stat(1).ctime;
    let tick = limits::TICK.subsec_nanos();
    with(&dir, |remembered| {
        for (at, ino) in [
            (changed, 1),
            ((changed.0, changed.1 + tick - 1), 2),
            ((changed.0, changed.1 + tick), 3),
            // A clock that was put back.
            ((changed.0 - 10, 0), 4),
        ] {
            remembered.learn(&stat(ino), at, &digest(ino));
        }
        remembered.keep();
    });
    with(&dir, |remembered| {
        let known: Vec<u64> = (0..9).filter(|ino| remembered.digest(&stat(*ino)).is_some()).collect();
        assert_eq!(known, [3]);
    });
}

#[test]
fn nothing_learned_is_nothing_written() {
    let dir = site();
    learn(&dir, [].into_iter());
    assert_eq!(fs::read_dir(dir.path().join("state")).unwrap().count(), 0);
    learn(&dir, [(1, 1)].into_iter());
    let before = fs::metadata(file(&dir)).unwrap().modified().unwrap();
    with(&dir, |remembered| {
        assert!(remembered.digest(&stat(1)).is_some());
        remembered.keep();
    });
    assert_eq!(fs::metadata(file(&dir)).unwrap().modified().unwrap(), before);
}

#[test]
fn what_is_damaged_is_nothing() {
    let dir = site();
    learn(&dir, (0..20).map(|ino| (ino, ino)));
    let (path, whole) = (file(&dir), fs::read(file(&dir)).unwrap());
    let assert_forgotten = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        with(&dir, |remembered| {
            assert!((0..20).all(|ino| remembered.digest(&stat(ino)).is_none()), "{what}");
        });
    };
    for at in (0..whole.len()).step_by(37).chain(whole.len() - 60..whole.len()) {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        assert_forgotten(&flipped, &format!("byte {at}"));
    }
    for length in [0, 1, 48, 49, 80, 129, 160, whole.len() - 80, whole.len() - 1] {
        assert_forgotten(&whole[..length], &format!("{length} bytes"));
    }
    assert_forgotten(&[&whole[..], &whole].concat(), "twice");
    assert_forgotten(&[&whole[80..], b"x"].concat(), "another byte");
    // And goes when there is something to remember.
    learn(&dir, [(5, 6)].into_iter());
    with(&dir, |remembered| {
        assert_eq!(remembered.digest(&stat(5)), Some(digest(6)));
        assert_eq!(remembered.digest(&stat(6)), None);
    });
}

#[test]
fn trees_do_not_share_what_is_remembered() {
    let dir = site();
    learn(&dir, [(1, 1)].into_iter());
    fs::create_dir(dir.path().join("other")).unwrap();
    let (state, spool, other) = (open(&dir, "state"), open(&dir, "spool"), open(&dir, "other"));
    assert_eq!(Remembered::of(&state, &spool, &other).unwrap().digest(&stat(1)), None);
    let none = Remembered::none();
    none.learn(&stat(1), LATER, &digest(1));
    none.keep();
    assert_eq!(none.digest(&stat(1)), None);
    // Under another name it is the same tree.
    fs::rename(dir.path().join("tree"), dir.path().join("renamed")).unwrap();
    let renamed = Dir::open_root(&dir.path().join("renamed")).unwrap();
    assert_eq!(Remembered::of(&state, &spool, &renamed).unwrap().digest(&stat(1)), Some(digest(1)));
}
