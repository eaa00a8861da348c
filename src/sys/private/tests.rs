//! Tables of owner, mode, type, parents and links, each against the rule that decides.

use super::*;
use rustix::io::Errno;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

mod owners;
mod state;

/// A directory for one row of a table, below the sticky /tmp.
fn fresh() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    mode(dir.path(), 0o700);
    dir
}

fn caller() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn file(path: &Path, bits: u32) -> PathBuf {
    fs::write(path, "secret").unwrap();
    mode(path, bits);
    path.to_path_buf()
}

fn dir(path: &Path, bits: u32) -> PathBuf {
    fs::create_dir(path).unwrap();
    mode(path, bits);
    path.to_path_buf()
}

/// Builds something below a directory; says what to open and where the rule is expected to break.
type Build = fn(&Path) -> (PathBuf, PathBuf);

/// Opens what each row builds and compares the outcome with the rule of the row.
fn check(table: &[(&str, Build, Result<(), Rule>)]) {
    for (name, build, expected) in table {
        let dir = fresh();
        let (path, at) = build(dir.path());
        let found = read_private(&path, 100);
        match expected {
            Ok(()) => assert_eq!(found.unwrap(), b"secret", "{name}"),
            Err(rule) => {
                let error = found.expect_err(name);
                assert_eq!((error.rule(), error.at()), (*rule, at.as_path()), "{name}");
            }
        }
    }
}

/// A row whose file itself is at fault.
fn same(path: PathBuf) -> (PathBuf, PathBuf) {
    (path.clone(), path)
}

#[test]
fn modes_of_the_file() {
    let dir = fresh();
    let path = file(&dir.path().join("f"), 0o600);
    for bits in 0..=0o7777 {
        mode(&path, bits);
        match open_private(&path) {
            Ok(_) => assert_eq!(bits & 0o177, 0, "{bits:o}"),
            Err(error) if error.rule() == Rule::System(Errno::ACCESS) => {
                assert!(caller() != 0 && bits & 0o400 == 0, "{bits:o}");
            }
            Err(error) => {
                assert_ne!(bits & 0o177, 0, "{bits:o}");
                assert_eq!(error.rule(), Rule::FileMode(bits));
            }
        }
    }
}

#[test]
fn types_and_links_of_the_file() {
    check(&[
        ("a file", |d| same(file(&d.join("f"), 0o600)), Ok(())),
        ("missing", |d| same(d.join("f")), Err(Rule::System(Errno::NOENT))),
        ("a directory", |d| same(dir(&d.join("f"), 0o700)), Err(Rule::NotRegular)),
        ("the root", |_| same(PathBuf::from("/")), Err(Rule::NotRegular)),
        ("a device", |_| same(PathBuf::from("/dev/null")), Err(Rule::NotRegular)),
        (
            "a fifo, which would wait for a writer",
            |d| {
                rustix::fs::mkfifoat(rustix::fs::CWD, d.join("f"), rustix::fs::Mode::from_raw_mode(0o600))
                    .unwrap();
                same(d.join("f"))
            },
            Err(Rule::NotRegular),
        ),
        (
            "a socket",
            |d| {
                let _socket = std::os::unix::net::UnixListener::bind(d.join("f")).unwrap();
                same(d.join("f"))
            },
            Err(Rule::NotRegular),
        ),
        (
            "a second link",
            |d| {
                fs::hard_link(file(&d.join("f"), 0o600), d.join("g")).unwrap();
                same(d.join("f"))
            },
            Err(Rule::Links),
        ),
        (
            "too large",
            |d| {
                fs::write(d.join("f"), [b'x'; 101]).unwrap();
                mode(&d.join("f"), 0o600);
                same(d.join("f"))
            },
            Err(Rule::TooLarge(100)),
        ),
        (
            "a file gone through",
            |d| (file(&d.join("f"), 0o600).join("g"), d.join("f")),
            Err(Rule::NotDirectory),
        ),
        (
            "a file gone back from",
            |d| (file(&d.join("f"), 0o600).join(".."), d.join("f")),
            Err(Rule::NotDirectory),
        ),
        ("an empty path", |_| same(PathBuf::new()), Err(Rule::System(Errno::INVAL))),
        ("a NUL", |d| same(d.join("a\0b")), Err(Rule::System(Errno::INVAL))),
    ]);
}

#[test]
fn exactly_as_large_as_allowed() {
    let dir = fresh();
    assert_eq!(read_private(&file(&dir.path().join("f"), 0o600), 6).unwrap(), b"secret");
}

#[test]
fn directories_above() {
    /// A file below two directories, the upper with these bits.
    fn below(d: &Path, bits: u32) -> (PathBuf, PathBuf) {
        let upper = dir(&d.join("upper"), 0o700);
        let path = file(&dir(&upper.join("lower"), 0o700).join("f"), 0o600);
        mode(&upper, bits);
        (path, upper)
    }
    check(&[
        ("0755", |d| below(d, 0o755), Ok(())),
        ("0711", |d| below(d, 0o711), Ok(())),
        ("2755", |d| below(d, 0o2755), Ok(())),
        ("0775", |d| below(d, 0o775), Err(Rule::Writable(0o775))),
        ("0757", |d| below(d, 0o757), Err(Rule::Writable(0o757))),
        ("0720", |d| below(d, 0o720), Err(Rule::Writable(0o720))),
        (
            "of the target of a link",
            |d| {
                let (path, upper) = below(d, 0o777);
                symlink(path, d.join("link")).unwrap();
                (d.join("link"), upper)
            },
            Err(Rule::Writable(0o777)),
        ),
        (
            "left again without looking anything up in it",
            |d| {
                let (_, upper) = below(d, 0o777);
                file(&d.join("f"), 0o600);
                (upper.join("../f"), upper)
            },
            Ok(()),
        ),
    ]);
}

#[test]
fn only_roots_sticky_directory_passes() {
    let d = fresh();
    let sticky = dir(&d.path().join("sticky"), 0o1777);
    let path = file(&sticky.join("f"), 0o600);
    match open_private(&path) {
        Ok(_) => assert_eq!(caller(), 0),
        Err(error) => {
            assert_ne!(caller(), 0);
            assert_eq!(error.rule(), Rule::Writable(0o1777));
        }
    }
}

#[test]
fn an_acl_shows_in_the_mode() {
    // Version 2, then tag, permissions and id of each entry: owner rw, user 65534 r, group none, mask, others none.
    fn acl(mask: u8) -> Vec<u8> {
        let entry = |tag: u8, bits: u8, id: u32| [&[tag, 0, bits, 0][..], &id.to_le_bytes()].concat();
        let none = u32::MAX;
        let entries = [
            entry(1, 6, none),
            entry(2, 4, 65534),
            entry(4, 0, none),
            entry(16, mask, none),
            entry(32, 0, none),
        ];
        [&[2, 0, 0, 0][..], &entries.concat()].concat()
    }
    let d = fresh();
    let path = file(&d.path().join("f"), 0o600);
    let set = |mask| {
        rustix::fs::setxattr(&path, "system.posix_acl_access", &acl(mask), rustix::fs::XattrFlags::empty())
    };
    if set(4) == Err(Errno::OPNOTSUPP) {
        eprintln!("an_acl_shows_in_the_mode: skipped, /tmp has no ACLs");
        return;
    }
    assert_eq!(open_private(&path).unwrap_err().rule(), Rule::FileMode(0o640));
    // The same entry under an empty mask grants nothing.
    set(0).unwrap();
    open_private(&path).unwrap();
}

#[test]
fn symbolic_links() {
    /// A chain of links `l1` → `l2` → … → `f`.
    fn chain(d: &Path, count: u32) -> (PathBuf, PathBuf) {
        file(&d.join("f"), 0o600);
        for link in 1..=count {
            let target = if link == count { "f".into() } else { format!("l{}", link + 1) };
            symlink(target, d.join(format!("l{link}"))).unwrap();
        }
        (d.join("l1"), d.join(format!("l{count}")))
    }
    check(&[
        ("eight links", |d| chain(d, 8), Ok(())),
        ("nine links", |d| chain(d, 9), Err(Rule::Symlinks)),
        (
            "a loop",
            |d| {
                symlink("l", d.join("l")).unwrap();
                same(d.join("l"))
            },
            Err(Rule::Symlinks),
        ),
        (
            "a relative directory link, back up and down again",
            |d| {
                file(&dir(&dir(&d.join("a"), 0o700).join("b"), 0o700).join("f"), 0o600);
                dir(&d.join("c"), 0o700);
                symlink("../c/../a/./b/", d.join("c/link")).unwrap();
                same(d.join("c/link/f"))
            },
            Ok(()),
        ),
        (
            "'..' after a link is the parent of its target",
            |d| {
                dir(&dir(&d.join("a"), 0o700).join("b"), 0o700);
                file(&d.join("a/f"), 0o600);
                symlink("a/b", d.join("link")).unwrap();
                same(d.join("link/../f"))
            },
            Ok(()),
        ),
        (
            "dangling",
            |d| {
                symlink("nowhere", d.join("l")).unwrap();
                (d.join("l"), d.join("nowhere"))
            },
            Err(Rule::System(Errno::NOENT)),
        ),
        (
            "to a file with a bad mode",
            |d| {
                symlink("f", d.join("l")).unwrap();
                (d.join("l"), file(&d.join("f"), 0o644))
            },
            Err(Rule::FileMode(0o644)),
        ),
        (
            "above the root",
            |d| {
                let up = "../".repeat(40);
                symlink(format!("{up}{}", file(&d.join("f"), 0o600).display()), d.join("l")).unwrap();
                same(d.join("l"))
            },
            Ok(()),
        ),
    ]);
}

#[test]
fn a_relative_path_is_below_the_current_directory() {
    // Cargo runs tests in the package's own directory.
    let here = std::env::current_dir().unwrap();
    let error = open_private(Path::new("no-such.conf")).unwrap_err();
    assert!(error.at().starts_with("/") && here.join("no-such.conf").starts_with(error.at()), "{error}");
}

#[test]
fn what_is_there_and_what_is_not() {
    let d = fresh();
    symlink("nowhere", d.path().join("l")).unwrap();
    file(&d.path().join("f"), 0o600);
    for (name, there) in [("f", true), ("l", true), ("g", false), ("f/g", false), ("g/h", false)] {
        assert_eq!(exists(&d.path().join(name)), there, "{name}");
    }
}

#[test]
fn errors_say_where_and_how_to_repair() {
    let d = fresh();
    let shown = d.path().display();
    let path = file(&d.path().join("a b\n.conf"), 0o640);
    assert_eq!(
        open_private(&path).unwrap_err().to_string(),
        format!(
            "{shown}/a b\\n.conf is not for its owner alone (mode 0640); repair: chmod 0600 {shown}/a b\\n.conf"
        )
    );
    mode(d.path(), 0o770);
    assert_eq!(
        open_private(&d.path().join("f")).unwrap_err().to_string(),
        format!(
            "{shown}/f: {shown} is writable by its group or others (mode 0770); repair: chmod go-w {shown}"
        )
    );
    mode(d.path(), 0o700);
    assert_eq!(
        open_private(&d.path().join("f")).unwrap_err().to_string(),
        format!("{shown}/f cannot be opened: No such file or directory (os error 2)")
    );
}
