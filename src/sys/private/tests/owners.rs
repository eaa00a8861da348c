//! Owners: what belongs to a third user is refused, whoever the caller is. Only root can try this.

use super::*;
use std::os::unix::fs::{chown, lchown};

/// The other user of these tests: nobody, on every Linux.
const OTHER: u32 = 65534;
/// And one beside both.
const THIRD: u32 = OTHER - 1;

/// Whether another owner can be tried; says so if not.
fn root(test: &str) -> bool {
    let root = caller() == 0;
    if !root {
        eprintln!("{test}: skipped, only root can give files to another owner");
    }
    root
}

#[test]
fn owners_tried_as_root() {
    if !root("owners_tried_as_root") {
        return;
    }
    let owner = Err(Rule::Owner(OTHER, 0));
    let link_owner = Err(Rule::LinkOwner(OTHER, 0));
    /// A sticky world-writable directory with a file of root's.
    fn shared(d: &Path) -> PathBuf {
        file(&dir(&d.join("s"), 0o1777).join("f"), 0o600)
    }
    fn give(path: &Path) {
        lchown(path, Some(OTHER), None).unwrap();
    }
    check(&[
        (
            "another's file",
            |d| {
                give(&file(&d.join("f"), 0o600));
                same(d.join("f"))
            },
            owner,
        ),
        (
            "another's directory",
            |d| {
                let path = file(&dir(&d.join("a"), 0o755).join("f"), 0o600);
                give(&d.join("a"));
                (path, d.join("a"))
            },
            owner,
        ),
        (
            "another's sticky directory",
            |d| {
                let path = shared(d);
                give(&d.join("s"));
                (path, d.join("s"))
            },
            owner,
        ),
        ("root's sticky directory", |d| same(shared(d)), Ok(())),
        (
            "another's file in root's sticky directory",
            |d| {
                give(&shared(d));
                same(d.join("s/f"))
            },
            owner,
        ),
        (
            "another's link in root's sticky directory, to a good file",
            |d| {
                symlink(shared(d), d.join("s/l")).unwrap();
                give(&d.join("s/l"));
                same(d.join("s/l"))
            },
            link_owner,
        ),
        (
            "root's link in root's sticky directory",
            |d| {
                symlink(shared(d), d.join("s/l")).unwrap();
                same(d.join("s/l"))
            },
            Ok(()),
        ),
    ]);
}

#[test]
fn owners_tried_as_an_ordinary_user() {
    if !root("owners_tried_as_an_ordinary_user") {
        return;
    }
    let d = fresh();
    let d = d.path().to_path_buf();
    mode(&d, 0o755);
    for (name, owner) in [("roots", 0), ("mine", OTHER), ("theirs", THIRD)] {
        let sub = dir(&d.join(name), 0o755);
        let path = file(&sub.join("f"), 0o600);
        chown(&path, Some(OTHER), None).unwrap();
        chown(&sub, Some(owner), None).unwrap();
    }
    chown(file(&d.join("mine/roots"), 0o600), Some(0), None).unwrap();
    chown(file(&d.join("mine/theirs"), 0o600), Some(THIRD), None).unwrap();
    chown(dir(&d.join("mine/state"), 0o700), Some(OTHER), None).unwrap();
    dir(&d.join("mine/roots-state"), 0o700);
    for (name, owner) in [("mine/sticky", OTHER), ("mine/roots-sticky", 0)] {
        let sub = dir(&d.join(name), 0o1777);
        chown(file(&sub.join("f"), 0o600), Some(OTHER), None).unwrap();
        chown(&sub, Some(owner), None).unwrap();
    }
    // The identity of one thread only: the other tests go on as root.
    let thread = std::thread::spawn(move || {
        let uid = rustix::process::Uid::from_raw(OTHER);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        let rule = |path: &str| open_private(&d.join(path)).map(|_| ()).map_err(|error| error.rule());
        assert_eq!(rule("mine/f"), Ok(()));
        assert_eq!(rule("roots/f"), Ok(()));
        assert_eq!(rule("theirs/f"), Err(Rule::Owner(THIRD, OTHER)));
        assert_eq!(rule("mine/theirs"), Err(Rule::Owner(THIRD, OTHER)));
        assert_eq!(rule("mine/sticky/f"), Err(Rule::Writable(0o1777)));
        assert_eq!(rule("mine/roots-sticky/f"), Ok(()));
        // Root's file keeps the rules, but is closed to us.
        assert_eq!(rule("mine/roots"), Err(Rule::System(Errno::ACCESS)));
        let state =
            |path: &str| open_private_dir(&d.join(path), true).map(|_| ()).map_err(|error| error.rule());
        assert_eq!(state("mine/state"), Ok(()));
        assert_eq!(state("mine/new/state"), Ok(()));
        assert_eq!(state("mine/roots-state"), Err(Rule::Owner(0, OTHER)));
        assert_eq!(state("roots/state"), Err(Rule::Make(Errno::ACCESS, OTHER)));
        // Whoever reads that is to know what to do.
        let path = d.join("roots/new/state");
        let (said, shown) = (open_private_dir(&path, true).unwrap_err().to_string(), path.display());
        let (above, expected) =
            (d.join("roots/new"), format!("repair: make {shown}, mode 0700, owner {OTHER}"));
        assert!(said.starts_with(&format!("{shown}: {} cannot be made: ", above.display())), "{said}");
        assert!(said.ends_with(&expected), "{said}");
    });
    thread.join().unwrap();
}

/// Asks as `--check` does whether a file could be written to and locked, and then does both.
fn written(path: &Path) -> [io::Result<()>; 4] {
    [
        crate::sys::usable::file(path),
        crate::sys::usable::pid_file(path),
        crate::sys::logfile::LogFile::open(path).map(drop),
        crate::sys::slots::Slots::open(path).map(drop),
    ]
}

/// Where root writes, nobody else may have chosen; a group may write beside, as in /var/log.
#[test]
fn nobody_else_decides_where_root_writes() {
    if !root("nobody_else_decides_where_root_writes") {
        return;
    }
    let d = fresh();
    let d = d.path();
    let give = |path: &Path| lchown(path, Some(OTHER), None).unwrap();
    for (name, bits) in [("log", 0o775), ("all", 0o777), ("theirs", 0o755), ("sticky", 0o1777)] {
        let sub = dir(&d.join(name), bits);
        dir(&sub.join("sub"), 0o755);
        symlink(d.join("log"), sub.join("roots")).unwrap();
        symlink(d.join("log"), sub.join("link")).unwrap();
        give(&sub.join("link"));
    }
    give(&d.join("theirs"));
    for (path, at) in [
        ("log/f", None),
        ("log/sub/f", None),
        ("log/roots/f", None),
        ("log/link/f", Some("log/link")),
        ("sticky/f", None),
        ("sticky/roots/f", None),
        ("sticky/link/f", Some("sticky/link")),
        ("all/f", Some("all")),
        ("all/sub/f", Some("all")),
        ("theirs/f", Some("theirs")),
        ("theirs/sub/f", Some("theirs")),
        ("theirs/roots/f", Some("theirs")),
    ] {
        let path = d.join(path);
        let opened = [
            open_dir_of(&path).map(drop),
            crate::sys::pidfile::PidFile::take(&path).map(drop).map_err(io::Error::other),
        ];
        for opened in opened.into_iter().chain(written(&path)) {
            match (opened, at) {
                (Ok(()), None) => {}
                (Err(error), Some(at)) => {
                    let at = d.join(at).display().to_string();
                    let said = error.to_string();
                    let named = [" is writable", " belongs to"].map(|why| said.contains(&(at.clone() + why)));
                    assert!(named.contains(&true), "{said}");
                }
                (opened, at) => panic!("{}: {opened:?}, and not {at:?}", path.display()),
            }
        }
    }
}

/// What was there before may have been put there by whoever may do that, and is then written to by nobody else.
#[test]
fn what_others_may_have_put_there_is_not_written_to() {
    if !root("what_others_may_have_put_there_is_not_written_to") {
        return;
    }
    let d = fresh();
    let d = d.path();
    mode(d, 0o755);
    // Whose the directory is, its mode, whose the file in it is, and whether it may be written to.
    let roots = [
        (0, 0o755, OTHER, true),
        (0, 0o775, 0, true),
        (0, 0o775, OTHER, false),
        (0, 0o1777, 0, true),
        (0, 0o1777, OTHER, false),
    ];
    let others = [
        (OTHER, 0o755, THIRD, true),
        (OTHER, 0o775, THIRD, false),
        (0, 0o755, THIRD, true),
        (0, 0o775, THIRD, false),
        (0, 0o775, OTHER, true),
        (THIRD, 0o755, 0, true),
        (THIRD, 0o755, OTHER, true),
        (THIRD, 0o755, THIRD, false),
        (THIRD, 0o755, THIRD - 1, false),
    ];
    let lay = |name: &str, rows: &[(u32, u32, u32, bool)]| -> Vec<(PathBuf, bool)> {
        let lay = |(at, row): (usize, &(u32, u32, u32, bool))| {
            (laid(&d.join(format!("{name}{at}")), (row.0, row.1, row.2)), row.3)
        };
        rows.iter().enumerate().map(lay).collect()
    };
    let ask = |(path, fine): &(PathBuf, bool)| {
        for found in written(path) {
            assert_eq!(found.is_ok(), *fine, "{}: {found:?}", path.display());
        }
    };
    lay("root", &roots).iter().for_each(ask);
    // A file of places that others may lock is said to be one, where it is not ours to change.
    let theirs = d.join("root0/f");
    let said = crate::sys::usable::counted(&theirs).unwrap_err().to_string();
    assert!(said.contains("others may open it (mode 0666)"), "{said}");
    mode(&theirs, 0o600);
    crate::sys::usable::counted(&theirs).unwrap();
    let rows = lay("other", &others);
    // The identity of one thread only.
    let thread = std::thread::spawn(move || {
        let uid = rustix::process::Uid::from_raw(OTHER);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        rows.iter().for_each(ask);
    });
    thread.join().unwrap();
}

/// A file of this user that anybody may write to, in a directory of that user.
fn laid(sub: &Path, (owner, bits, of): (u32, u32, u32)) -> PathBuf {
    let path = file(&dir(sub, bits).join("f"), 0o666);
    // As a pid file may be.
    fs::write(&path, "").unwrap();
    chown(&path, Some(of), None).unwrap();
    chown(sub, Some(owner), None).unwrap();
    // A change of the owner may take bits away.
    mode(sub, bits);
    path
}
