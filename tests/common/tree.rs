//! Trees that are hard to copy: every type, hostile names, strange modes and times, links, holes.

use super::facts::name;
use super::is_root;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, UTIME_OMIT};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// What to put into a tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Everything.
    Us,
    /// What mtree(8) reads from a specification of ours: no name may hold what it takes for a pattern.
    Spec,
    /// What mtree(8) reads again from its own output.
    Mtree,
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Sets the time of modification of a path, never following it.
pub fn set_time(path: &Path, sec: i64, nsec: i64) {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: sec, tv_nsec: nsec },
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

pub fn fifo(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
}

pub fn device(path: &Path, kind: FileType, major: u32, minor: u32) {
    let number = rustix::fs::makedev(major, minor);
    rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o660), number).unwrap();
}

/// More than 200 names that somebody gets wrong.
pub fn hostile_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = (1..=255).filter(|b| !b"/.".contains(b)).map(|byte| vec![byte]).collect();
    names.extend([vec![b'n'; 255], vec![0xff; 255], [&[b'o'; 254][..], b"\\"].concat()]);
    for text in [
        "[a]",
        "[",
        "?*",
        "**",
        "-rf",
        "--delete",
        "...",
        ".smsyncd",
        "..x",
        " x",
        "x ",
        "new\nline",
        "tab\tx",
        "\\n",
        "\\057",
        "\\",
        "a\\",
        "#mtree",
        "a#b",
        "a=b",
        "type=dir",
        "/set type=dir".trim_start_matches('/'),
        "%41",
        "&amp;",
        "$HOME",
        "`id`",
        "a;b",
        "x.",
        "x-",
        "x!",
        "ü",
        "e\u{301}",
        "\u{202e}txt.exe",
        "::m",
        "h::m",
        "\u{7f}",
    ] {
        names.push(text.as_bytes().to_vec());
    }
    names.extend(
        [&b"\xff\xfe"[..], b"\xc3", b"\xc3\x28", b"S\xc3\xa3o", b"\xed\xa0\x80", b"x\x9c"]
            .map(<[u8]>::to_vec),
    );
    names.sort();
    names.dedup();
    names
}

impl For {
    fn can_have(self, name: &[u8]) -> bool {
        let lost: &[u8] = match self {
            For::Us => b"",
            For::Spec => b"*?[",
            For::Mtree => b"*?[\xa3\x1c\x9c\xdc",
        };
        !name.iter().any(|byte| lost.contains(byte))
    }
}

/// Fills an empty directory.
pub fn build(root: &Path, what: For) {
    let at = |path: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for (number, hostile) in hostile_names().iter().enumerate() {
        if what.can_have(hostile) {
            // Every other one a directory, so that order and parents are tried as well.
            let path = at("names/x").with_file_name(name(hostile));
            if number % 2 == 0 {
                fs::write(&path, format!("file {number}")).unwrap();
            } else {
                fs::create_dir(&path).unwrap();
                fs::write(path.join(name(hostile)), format!("below {number}")).unwrap();
            }
        }
    }
    // Order: `/` sorts below every other byte.
    for path in ["order/a/b", "order/a\u{1}b", "order/a-b", "order/a.b/c", "order/a b/c", "order/ab/c"] {
        fs::write(at(path), path).unwrap();
    }
    fs::write(at(&format!("deep/{}f", "d/".repeat(200))), "deep").unwrap();
    fs::write(at("types/file"), "contents\n").unwrap();
    fs::write(at("types/empty"), "").unwrap();
    fs::create_dir(at("types/dir")).unwrap();
    fs::create_dir(at("types/.smsync")).unwrap();
    symlink("nowhere", at("types/dangling")).unwrap();
    symlink("/etc/passwd", at("types/absolute")).unwrap();
    symlink("../names", at("types/to-dir")).unwrap();
    symlink(name(b"\xff #\\\n*"), at("types/odd-target")).unwrap();
    fifo(&at("types/fifo"));
    if what != For::Mtree {
        symlink("x".repeat(4095), at("types/long")).unwrap();
    }
    if what == For::Us {
        // The others are digested seven times.
        sparse(&at("sparse/large"), 300 << 20, &[(0, 1), (100 << 20, 5), ((300 << 20) - 3, 3)]);
    }
    sparse(&at("sparse/start"), 2 << 20, &[(1 << 20, 1 << 20)]);
    sparse(&at("sparse/middle"), 3 << 20, &[(0, 1 << 20), (2 << 20, 1 << 20)]);
    sparse(&at("sparse/end"), 2 << 20, &[(0, 1 << 20)]);
    sparse(&at("sparse/all"), 2 << 20, &[]);
    links(root);
    if is_root() {
        device(&at("types/null"), FileType::CharacterDevice, 1, 3);
        // mtree(8) prints no more than 32 bits of a device's number.
        let large = if what == For::Us { (4095, 1_048_575) } else { (511, 255) };
        device(&at("types/large"), FileType::CharacterDevice, large.0, large.1);
        device(&at("types/disk"), FileType::BlockDevice, 7, 200);
        for (path, owner) in [("file", 12345), ("fifo", 1), ("null", 2), ("dangling", 54321), ("dir", 3)] {
            lchown(at("types").join(path), Some(owner), Some(owner + 1)).unwrap();
        }
    }
    modes(root);
    times(root);
}

/// Groups of hard links across directories.
fn links(root: &Path) {
    for dir in ["links/a", "links/b", "links/c/d"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let at = |path| root.join("links").join(path);
    fs::write(at("b/first"), "one file").unwrap();
    symlink("target", at("c/link")).unwrap();
    fifo(&at("a/fifo"));
    for (old, new) in [
        ("b/first", "a/z"),
        ("b/first", "c/d/y"),
        ("b/first", "b/x"),
        ("c/link", "a/link"),
        ("a/fifo", "c/d/fifo"),
    ] {
        fs::hard_link(at(old), at(new)).unwrap();
    }
    // Alike, but two files.
    fs::write(at("a/alone"), "alike").unwrap();
    fs::write(at("b/alone"), "alike").unwrap();
}

/// A file of this size with data in these places.
pub fn sparse(path: &Path, size: u64, data: &[(u64, usize)]) {
    let mut file = fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (offset, length) in data {
        file.seek(SeekFrom::Start(*offset)).unwrap();
        let bytes: Vec<u8> = (1..=251).cycle().take(*length).collect();
        file.write_all(&bytes).unwrap();
    }
}

fn modes(root: &Path) {
    fs::create_dir_all(root.join("modes")).unwrap();
    let mut files = vec![0o4755, 0o2755, 0o6711, 0o1644, 0o444, 0o400, 0o777, 0o604];
    let mut dirs = vec![0o1777, 0o2775, 0o555, 0o700, 0o511];
    if is_root() {
        files.extend([0, 0o4000]);
        dirs.extend([0, 0o111, 0o3333]);
    } else {
        println!("skipped: files and directories that their owner may not read");
    }
    for mode in files {
        let path = root.join(format!("modes/file-{mode:o}"));
        fs::write(&path, "mode").unwrap();
        chmod(&path, mode);
    }
    for mode in dirs {
        let path = root.join(format!("modes/dir-{mode:o}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("f"), "in it").unwrap();
        chmod(&path, mode);
    }
}

/// Gives every path a time of its own: of this century with odd nanoseconds, before 1970, the epoch itself.
fn times(root: &Path) {
    let mut paths = vec![root.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            let mut names: Vec<PathBuf> =
                fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
            paths.extend(names);
        }
    }
    for (number, path) in (0..).zip(&paths).collect::<Vec<(i64, _)>>().into_iter().rev() {
        match number % 5 {
            0 => set_time(path, -2_147_483_000 + number * 1_000_003, 500_000_000),
            1 => set_time(path, -1 - number, 999_999_999),
            2 => set_time(path, 0, number),
            3 => set_time(path, 2_000_000_000 + number, 0),
            _ => set_time(path, 1_000_000_000 + number * 1009, (number * 7_919_317) % 1_000_000_000),
        }
    }
}
