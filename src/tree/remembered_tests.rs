//! What was found out is remembered of files that are in every respect what they were, and of no others.

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
        // Where the trees of these tests are.
        dev: Dir::open_root(&std::env::temp_dir()).unwrap().stat_self().unwrap().dev,
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
            ("file system", Stat { dev: (was.dev.0, was.dev.1 + 1), ..was }),
            ("file system", Stat { dev: (was.dev.0 + 1, was.dev.1), ..was }),
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
    assert_eq!(fs::metadata(file(&dir)).unwrap().len(), 17 + 8 + 99 * 81 + 32 + 8 + 5 * 81 + 32);
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
    for length in [0, 1, 17, 24, 25, 48, 81, 162, whole.len() - 81, whole.len() - 32, whole.len() - 1] {
        assert_forgotten(&whole[..length], &format!("{length} bytes"));
    }
    assert_forgotten(&[&whole[81..], b"x"].concat(), "another byte");
    let old = [b"smsync digests 1\n", &whole[17..]].concat();
    assert_forgotten(&old, "of another version");
    let count = [&whole[..17], &[0xff; 8], &whole[25..]].concat();
    assert_forgotten(&count, "more than there can be");
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

/// What is known of these files by those who see this much: whether digests are, and that there are no attributes.
fn known(
    dir: &tempfile::TempDir,
    sight: Option<Sight>,
    inos: std::ops::Range<u64>,
) -> Vec<(u64, bool, bool)> {
    let (state, spool, tree) = (open(dir, "state"), open(dir, "spool"), open(dir, "tree"));
    let remembered = Remembered { sight, ..Remembered::of(&state, &spool, &tree).unwrap() };
    let mut near = 0;
    let known = inos.map(|ino| {
        let stat = stat(ino);
        let known = remembered.recall(&stat, true, &mut near).unwrap();
        assert!(known.digest.is_none_or(|known| known == digest(ino)));
        (ino, known.digest.is_some(), remembered.is_plain(&known))
    });
    known.filter(|(_, digest, plain)| *digest || *plain).collect()
}

fn learn_by(dir: &tempfile::TempDir, sight: Sight, digests: &[u64], plain: &[u64]) {
    let (state, spool, tree) = (open(dir, "state"), open(dir, "spool"), open(dir, "tree"));
    let remembered = Remembered { sight: Some(sight), ..Remembered::of(&state, &spool, &tree).unwrap() };
    digests.iter().for_each(|ino| remembered.learn(&stat(*ino), LATER, &digest(*ino)));
    plain.iter().for_each(|ino| remembered.learn_of(&stat(*ino), LATER, None, true));
    remembered.keep();
}

#[test]
fn that_there_are_no_attributes_holds_for_those_who_see_no_more() {
    let dir = site();
    learn_by(&dir, Sight::Part, &[1, 2], &[2, 3]);
    let part = vec![(1, true, false), (2, true, true), (3, false, true)];
    assert_eq!(known(&dir, Some(Sight::Part), 0..5), part);
    assert_eq!(known(&dir, Some(Sight::Own), 0..5), part);
    let less = vec![(1, true, false), (2, true, false)];
    assert_eq!(known(&dir, Some(Sight::All), 0..5), less);
    assert_eq!(known(&dir, None, 0..5), less);
    // Who sees more looks again; who sees less takes nothing away.
    learn_by(&dir, Sight::All, &[], &[1, 3]);
    learn_by(&dir, Sight::Own, &[3], &[3, 4]);
    assert_eq!(known(&dir, Some(Sight::All), 0..5), [(1, true, true), (2, true, false), (3, true, true)]);
    assert_eq!(known(&dir, Some(Sight::Own), 4..5), [(4, false, true)]);
}

#[test]
fn of_another_file_system_no_attributes_are_remembered() {
    let dir = site();
    let other = Stat { dev: (200, 200), ..stat(1) };
    let young = Stat { ctime: LATER, ..stat(2) };
    with(&dir, |remembered| {
        remembered.learn_of(&other, LATER, None, true);
        remembered.learn_of(&young, LATER, None, true);
        remembered.keep();
    });
    assert_eq!(fs::read_dir(dir.path().join("state")).unwrap().count(), 0);
}

/// Learns a little of many files.
fn learn_some(dir: &tempfile::TempDir, inos: std::ops::Range<u64>) {
    let inos: Vec<u64> = inos.collect();
    learn_by(dir, Sight::All, &inos, &inos);
}

#[test]
fn a_little_is_put_behind_the_rest() {
    let dir = site();
    learn_some(&dir, 0..1000);
    let whole = fs::read(file(&dir)).unwrap();
    learn_some(&dir, 1000..1010);
    learn_some(&dir, 1010..1020);
    let longer = fs::read(file(&dir)).unwrap();
    assert_eq!(longer.len(), whole.len() + 2 * (8 + 10 * 81 + 32));
    assert!(longer.starts_with(&whole));
    assert_eq!(known(&dir, Some(Sight::All), 0..2000).len(), 1020);
    // What is too much for that is written together with all.
    learn_some(&dir, 1020..1200);
    assert_eq!(fs::metadata(file(&dir)).unwrap().len(), 17 + 8 + 1200 * 81 + 32);
    assert_eq!(known(&dir, Some(Sight::All), 0..2000).len(), 1200);
    // And what was put there many times.
    let times = 2 * limits::DIGEST_PARTS as u64;
    let anew = (0..times).filter(|at| {
        let before = fs::metadata(file(&dir)).unwrap().len();
        learn_some(&dir, 1200 + at..1201 + at);
        fs::metadata(file(&dir)).unwrap().len() < before
    });
    assert_eq!(anew.count(), 1);
    assert_eq!(known(&dir, Some(Sight::All), 0..2000).len(), 1232);
}

#[test]
fn what_is_torn_behind_the_rest_is_not_believed() {
    let dir = site();
    learn_some(&dir, 0..1000);
    let first = fs::metadata(file(&dir)).unwrap().len();
    learn_some(&dir, 1000..1010);
    let second = fs::metadata(file(&dir)).unwrap().len();
    learn_some(&dir, 1010..1020);
    let (path, whole) = (file(&dir), fs::read(file(&dir)).unwrap());
    let third = whole.len() as u64;
    let count = || known(&dir, Some(Sight::All), 0..2000).len();
    // A process died, or the disk was full.
    for length in
        [first, first + 1, first + 8, first + 100, second - 1, second, second + 7, second + 99, third - 1]
    {
        fs::write(&path, &whole[..usize::try_from(length).unwrap()]).unwrap();
        assert_eq!(count(), if length < second { 1000 } else { 1010 }, "{length} bytes");
    }
    for (at, left) in
        [(second - 40, 1000), (first + 3, 1000), (second + 3, 1010), (third - 1, 1010), (first - 9, 0)]
    {
        let mut flipped = whole.clone();
        flipped[usize::try_from(at).unwrap()] ^= 16;
        fs::write(&path, &flipped).unwrap();
        assert_eq!(count(), left, "byte {at}");
    }
    // Two at once: what one of them put there comes out of place.
    let zeros = [&whole[..], &[0; 500]].concat();
    fs::write(&path, &zeros).unwrap();
    assert_eq!(count(), 1020);
    // Nothing is put behind that, where nobody would find it.
    learn_some(&dir, 1020..1021);
    assert_eq!((count(), fs::metadata(&path).unwrap().len()), (1021, 17 + 8 + 1021 * 81 + 32));
    // Nor without having been asked before, when the number of records tells.
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    with(&dir, |remembered| {
        remembered.learn(&stat(1500), LATER, &digest(1500));
        remembered.keep();
    });
    assert_eq!(count(), 1011);
}

#[test]
fn few_questions_are_not_worth_reading_it() {
    let dir = site();
    learn_some(&dir, 0..1000);
    with(&dir, |remembered| {
        let ask = |contents| remembered.recall(&stat(7), contents, &mut 0);
        let few = (0..1000).take_while(|_| ask(false).is_none()).count();
        assert!((20..40).contains(&few), "{few}");
        assert!(ask(false).unwrap().digest.is_some());
    });
    with(&dir, |remembered| {
        let ask = |contents| remembered.recall(&stat(7), contents, &mut 0);
        // What saves reading contents does so at once.
        assert!(ask(false).is_none() && ask(true).is_some() && ask(false).is_some());
    });
}
