//! Two trees between which everything that can happen to a path does happen.

use super::is_root;
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

/// A tree being built. Every file gets a time of its own, by which it can be told from the others.
struct Build<'b> {
    at: &'b Path,
}

const NOBODY: u32 = 4321;

impl Build<'_> {
    fn file(&self, name: impl AsRef<OsStr>, contents: impl AsRef<[u8]>, mode: u32, time: i64) {
        let path = self.at.join(name.as_ref());
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        self.time(name, time);
    }

    fn dir(&self, name: &str) {
        fs::create_dir_all(self.at.join(name)).unwrap();
    }

    fn time(&self, name: impl AsRef<OsStr>, time: i64) {
        let time = Timespec { tv_sec: 1_000_000_000 + time, tv_nsec: 123_456_789 };
        let times = Timestamps { last_access: time, last_modification: time };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(CWD, self.at.join(name.as_ref()), &times, flags).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.at.join(name), Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, target: &str, name: &str) {
        symlink(target, self.at.join(name)).unwrap();
        self.time(name, 700);
    }

    fn hard_link(&self, first: &str, name: &str) {
        fs::hard_link(self.at.join(first), self.at.join(name)).unwrap();
    }

    fn fifo(&self, name: &str, mode: u32) {
        rustix::fs::mknodat(CWD, self.at.join(name), FileType::Fifo, Mode::empty(), 0).unwrap();
        self.mode(name, mode);
        self.time(name, 710);
    }

    fn xattr(&self, name: &str, value: &str) {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(self.at.join(name), "user.smsync", value.as_bytes(), flags).unwrap();
    }

    fn owner(&self, name: &str) {
        std::os::unix::fs::lchown(self.at.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }

    /// Directories get their times last, the deepest first.
    fn finish(&self, dirs: &[&str], time: i64) {
        for dir in dirs {
            self.time(dir, time);
        }
    }
}

/// More than two records of it, which do not compress.
fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()
}

/// Both trees have it, but for what is said in each.
fn common(build: &Build<'_>) {
    build.file("same", "never changes", 0o644, 1);
    for dir in ["dir-meta", "knot", "split", "join", "deep"] {
        build.dir(dir);
    }
    build.file("deep/same", "neither does this", 0o640, 2);
}

const COMMON: [&str; 4] = ["knot", "split", "join", "deep"];

/// The tree that the receiver has.
pub fn old(at: &Path) {
    let build = Build { at };
    common(&build);
    build.file("changed", "the old text", 0o644, 10);
    build.file("same-size", "old", 0o644, 11);
    build.file("mode", "of which only the mode changes", 0o644, 12);
    build.file("file-dir", "becomes a directory", 0o644, 13);
    build.dir("dir-file/sub");
    build.file("dir-file/f", "goes with its directory", 0o644, 14);
    build.file("dir-file/sub/f", "goes with its directory too", 0o644, 15);
    build.dir("dir-link/sub");
    build.file("dir-link/sub/f", "goes as well", 0o644, 16);
    build.file("file-link", "becomes a link", 0o644, 17);
    build.link("old", "link");
    build.link("elsewhere", "link-file");
    build.link("same", "link-dir");
    build.file("split/a", "one file becomes two", 0o644, 18);
    build.hard_link("split/a", "split/b");
    build.file("join/a", "two files become one", 0o644, 19);
    build.file("join/b", "two files become one", 0o644, 19);
    build.file("knot/a", "new contents for one of them", 0o644, 20);
    build.hard_link("knot/a", "knot/b");
    build.hard_link("knot/a", "knot/c");
    build.file("gone", "deleted", 0o644, 21);
    build.dir("goner/a/b");
    build.file("goner/a/b/f", "deleted", 0o644, 22);
    build.file("goner/a/f", "deleted", 0o644, 23);
    build.fifo("fifo-mode", 0o600);
    build.file("touched", "the same at another time", 0o644, 25);
    build.file("xattr-set", "an attribute is set", 0o644, 26);
    build.file("xattr-removed", "an attribute is removed", 0o644, 27);
    build.xattr("xattr-removed", "old");
    build.xattr("dir-meta", "old");
    if is_root() {
        build.file("owner", "of which only the owner changes", 0o644, 24);
        build.owner("join");
    }
    build.finish(
        &["dir-meta", "dir-file/sub", "dir-file", "dir-link/sub", "dir-link", "goner/a/b", "goner/a"],
        800,
    );
    build.finish(&["goner"], 801);
    build.finish(&COMMON, 802);
}

/// The tree that the sender has.
pub fn new(at: &Path) {
    let build = Build { at };
    common(&build);
    build.file("new", "a new file", 0o600, 100);
    build.file("empty", "", 0o644, 101);
    build.file("big", noise(600 * 1024), 0o755, 102);
    build.file("changed", "the new text, which is longer", 0o640, 103);
    build.file("same-size", "new", 0o644, 104);
    build.file("mode", "of which only the mode changes", 0o600, 12);
    build.dir("file-dir");
    build.file("file-dir/f", "in a directory that was a file", 0o644, 105);
    build.file("dir-file", "was a directory", 0o644, 106);
    build.link("nowhere", "dir-link");
    build.link("to/nothing", "file-link");
    build.link("new", "link");
    build.file("link-file", "was a link", 0o644, 107);
    build.dir("link-dir");
    build.file("split/a", "one file becomes two", 0o600, 18);
    build.file("split/b", "one file becomes two", 0o644, 18);
    build.file("join/a", "two files become one", 0o644, 19);
    build.hard_link("join/a", "join/b");
    build.file("knot/a", "this one differs", 0o644, 108);
    build.file("knot/b", "new contents for one of them", 0o600, 20);
    build.file("knot/c", "new contents for one of them", 0o644, 20);
    build.dir("pair");
    build.file("pair/a", "two names at once", 0o644, 109);
    build.hard_link("pair/a", "pair/b");
    build.dir("nest/x/y");
    build.file("nest/x/y/f", "deep below", 0o400, 110);
    build.link("../y", "nest/x/link");
    build.fifo("nest/pipe", 0o640);
    // One file in two directories that are new, and one that is old in a third.
    build.hard_link("nest/x/y/f", "pair/f");
    build.hard_link("deep/same", "nest/same");
    build.file(OsStr::from_bytes(b"b\xff\xfe \n*"), "no UTF-8", 0o644, 111);
    for number in 0..4 {
        // With these they are more than are flushed one by one.
        build.file(format!("small-{number}"), "x", 0o644, 120 + number);
    }
    build.fifo("fifo", 0o620);
    build.fifo("fifo-mode", 0o660);
    build.file("touched", "the same at another time", 0o600, 130);
    build.file("xattr-set", "an attribute is set", 0o644, 26);
    build.xattr("xattr-set", "new");
    build.xattr("new", "new");
    build.file("xattr-removed", "an attribute is removed", 0o644, 27);
    build.xattr("dir-meta", "new");
    build.xattr("nest/x/y", "new");
    build.file("sparse", "", 0o644, 112);
    let sparse = fs::OpenOptions::new().write(true).open(at.join("sparse")).unwrap();
    sparse.write_all_at(b"between two holes", 1 << 20).unwrap();
    sparse.set_len(3 << 20).unwrap();
    build.time("sparse", 112);
    if is_root() {
        build.file("owner", "of which only the owner changes", 0o644, 24);
        build.owner("owner");
        build.file("set-id", "belongs to somebody else", 0o644, 113);
        build.owner("set-id");
        build.mode("set-id", 0o4750);
        build.owner("deep");
        let null = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, at.join("device"), FileType::CharacterDevice, Mode::empty(), null).unwrap();
        build.mode("device", 0o640);
        build.owner("device");
        build.time("device", 711);
    }
    build.mode("dir-meta", 0o750);
    build.mode("nest/x/y", 0o555);
    build.finish(&["dir-meta", "nest/x/y", "nest/x", "nest", "pair", "link-dir", "file-dir"], 900);
    build.finish(&COMMON, 901);
}

/// Makes a directory empty, whatever is in it.
pub fn clear(at: &Path) {
    for entry in fs::read_dir(at).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            unlock(&entry.path());
            fs::remove_dir_all(entry.path()).unwrap();
        } else {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Gives an ordinary user the right to remove what is below.
fn unlock(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            unlock(&entry.path());
        }
    }
}
