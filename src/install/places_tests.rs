//! Tests of the stage: what an interrupted run left there, and what becomes of it.

use super::*;
use crate::digest::{Algorithm, Digests};
use crate::plan::{Action, Owners, Plan, PlanStep};
use crate::report::Aspects;
use crate::spec::{Keywords, Kind, Marks, SpecWriter};
use crate::sys::Spool;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

const SIZE: u64 = 5;
const TIME: Time = Time { sec: 7, nsec: 0 };

/// A directory with a module, its stage, and a place for locks.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for name in ["module", "state", "module/.smsync"] {
        fs::create_dir(place.path().join(name)).unwrap();
    }
    fs::set_permissions(place.path().join("module/.smsync"), fs::Permissions::from_mode(0o700)).unwrap();
    place
}

fn stage(place: &Path) -> Stage {
    let open = |name: &str| Dir::open_root(&place.join(name)).unwrap();
    let module = open("module");
    Stage::open(&module, &Stage::lock_file(&module, &open("state")).unwrap()).unwrap()
}

fn path(text: &str) -> RelPath<'_> {
    RelPath::new(text.as_bytes()).unwrap()
}

/// A name in the stage.
fn staged(place: &Path, name: &[u8]) -> PathBuf {
    place.join("module/.smsync").join(std::str::from_utf8(name).unwrap())
}

/// Below the root, these directories (named with `/`) and files.
fn spec(names: &[&str]) -> Spec {
    let spool = Spool::create(&Dir::open_root(Path::new("/tmp")).unwrap()).unwrap();
    let mut writer = SpecWriter::new(spool, Keywords::TRANSFER).unwrap();
    writer.push(&Entry::new(RelPath::ROOT, Kind::Dir)).unwrap();
    for name in names {
        let entry = match name.strip_suffix('/') {
            Some(name) => Entry { time: Some(TIME), ..Entry::new(path(name), Kind::Dir) },
            None => Entry { size: Some(SIZE), time: Some(TIME), ..Entry::new(path(name), Kind::File) },
        };
        writer.push(&entry).unwrap();
    }
    writer.seal().unwrap()
}

fn index(spec: &Spec, name: &str) -> Index {
    spec.find_index(&path(name)).unwrap()
}

#[test]
fn what_is_taken_over_is_what_was_specified() {
    let place = place();
    fs::write(staged(place.path(), &Stage::waiting(&path("f"), SIZE, TIME)), "hello").unwrap();
    let (stage, want, fresh) = (stage(place.path()), spec(&["f"]), Fresh::default());
    let owners = Owners::own(|_| None, |_| None, Vec::new());
    let meta = Meta::new(&owners, false);
    let take = |text: &str, sha1: Option<&'static str>| {
        let mut digests = Digests::default();
        if let Some(sha1) = sha1 {
            digests.set(Algorithm::Sha1, sha1.as_bytes()).unwrap();
        }
        let entry = Entry { digests, ..want.entry(index(&want, "f")) };
        let digest = blake3::hash(text.as_bytes());
        let mut places = Places::new(&stage, &want, &fresh);
        let with = (digest.as_bytes(), &mut Buffer::new(4));
        places.take_over(index(&want, "f"), &entry, with, &meta, Durable::None).unwrap()
    };
    assert!(take("hello", None) && !take("hellO", None));
    // sha1sum(1) of "hello", and of nothing.
    assert!(take("hello", Some("aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d")));
    assert!(!take("hello", Some("da39a3ee5e6b4b0d3255bfef95601890afd80709")));
}

#[test]
fn of_a_directory_that_was_being_built_the_finished_files_stay() {
    let place = place();
    let want = spec(&[
        "a/",
        "a/b/",
        "a/b/cut",
        "a/b/done",
        "a/b/early",
        "a/b/link",
        "a/b/shared",
        "a/f",
        "old/",
        "old/f",
    ]);
    let top = staged(place.path(), &Stage::tree(&path("a")));
    let write = |name: &str, text: &str, time: u64| {
        let file = top.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::File::open(&file).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(time)).unwrap();
    };
    write("b/done", "hello", 7);
    write("b/early", "hello", 8);
    write("b/cut", "hell", 7);
    write("b/extra", "hello", 7);
    write("f/x", "hello", 7);
    write("gone/x", "hello", 7);
    // A name of a file that is somebody's outside of the stage, and one that goes with the stage.
    write("b/shared", "hello", 7);
    fs::hard_link(top.join("b/shared"), place.path().join("outside")).unwrap();
    fs::hard_link(top.join("b/done"), top.join("b/more")).unwrap();
    symlink("/", top.join("b/link")).unwrap();
    fs::set_permissions(top.join("b"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::write(staged(place.path(), b"new-0"), "").unwrap();
    // Nor is a directory of use where a file is to wait.
    fs::create_dir_all(staged(place.path(), &Stage::waiting(&path("old/f"), SIZE, TIME)).join("x")).unwrap();
    let step = |name: &str, action| PlanStep {
        want: index(&want, name),
        have: None,
        action,
        aspects: Aspects::NONE,
    };
    let mut plan = Plan::default();
    plan.steps.extend([step("a", Action::MakeDir), step("a/b", Action::MakeDir)]);
    let files = ["a/b/cut", "a/b/done", "a/b/early", "a/b/link", "a/b/shared", "a/f", "old/f"];
    plan.steps.extend(files.map(|name| step(name, Action::Fetch)));
    let fresh = Fresh::of(&plan, &want);
    let tops = ["a", "a/b", "a/b/link", "a/f", "old", "old/f"].map(|name| fresh.top(index(&want, name)));
    assert_eq!(tops.map(|top| top.is_some()), [true, true, true, true, false, false]);
    let stage = stage(place.path());
    let left = stage.sweep(&want, &fresh, &plan.wanted().collect()).unwrap();
    assert_eq!(left.whole, [index(&want, "a/b/done")].into_iter().collect::<Marks>());
    assert!(left.begun.is_empty());
    let names = |dir: &Path| {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(&top.join("b")), ["done"]);
    assert_eq!(names(&top), ["b"]);
    assert_eq!(names(&place.path().join("module/.smsync")).len(), 1);
    // And what arrives next gets its place beside that.
    let mut places = Places::new(&stage, &want, &fresh);
    let begun = places.begin(
        index(&want, "a/b/cut"),
        &want.entry(index(&want, "a/b/cut")),
        (SIZE, TIME),
        Durable::None,
    );
    assert!(
        begun.is_ok()
            && places
                .begin(index(&want, "a/f"), &want.entry(index(&want, "a/f")), (SIZE, TIME), Durable::None)
                .is_ok()
    );
    assert_eq!(names(&top.join("b")), ["cut", "done"]);
    assert_eq!(names(&top), ["b", "f"]);
    // What is found elsewhere takes the place of what was left when it is whole, and not before.
    let at_done = index(&want, "a/b/done");
    let text = || fs::read_to_string(top.join("b/done")).unwrap();
    for (whole, expected) in [(false, "hello"), (true, "")] {
        let made = places.make_found((at_done, &want.entry(at_done)), |dir, name| {
            dir.make_file(name).map_err(at(Step::Write))?;
            if whole { Ok(()) } else { Err((Step::Read, io::Error::from_raw_os_error(libc::ESTALE))) }
        });
        assert_eq!((made.is_ok(), text().as_str()), (whole, expected));
        assert_eq!(names(&place.path().join("module/.smsync")).len(), 1);
    }
}

#[test]
fn threads_that_need_the_stage_at_once_make_it_once() {
    for _ in 0..100 {
        // A place of its own: a process that another test starts just now may hold the lock of the one before.
        let place = place();
        fs::remove_dir(place.path().join("module/.smsync")).unwrap();
        let stage = stage(place.path());
        let start = std::sync::Barrier::new(4);
        let enter = || {
            start.wait();
            stage.dir().map(drop)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(enter)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        });
    }
}
