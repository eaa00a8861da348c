//! A tree with every kind of file, name, mode and time that its maker may make, and what lstat(2) says of it.

use rustix::fs::{self, AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid};
use smsync::spec::{Entry, Kind};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// What is to be known of one path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    pub(crate) kind: Kind,
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) nlink: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) time: Option<(i64, u32)>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) device: Option<(u32, u32)>,
    pub(crate) inode: Option<(u32, u32, u64)>,
}

impl Fact {
    /// What an entry says, names of owners looked up as mtree(8) would.
    pub(crate) fn said_by(entry: &Entry<'_>) -> Fact {
        let name = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        let user = |user: &[u8]| nix::unistd::User::from_name(&name(user)).unwrap().unwrap().uid.as_raw();
        let group = |group: &[u8]| nix::unistd::Group::from_name(&name(group)).unwrap().unwrap().gid.as_raw();
        Fact {
            kind: entry.kind,
            mode: entry.mode,
            uid: entry.uid.or_else(|| entry.uname.as_deref().map(user)),
            gid: entry.gid.or_else(|| entry.gname.as_deref().map(group)),
            nlink: entry.nlink,
            size: entry.size,
            time: entry.time.map(|time| (time.sec, time.nsec)),
            link: entry.link.as_deref().map(<[u8]>::to_vec),
            device: entry.device.map(|device| (device.major, device.minor)),
            inode: entry.inode.map(|id| (id.device.major, id.device.minor, id.inode)),
        }
    }

    /// What lstat(2) says.
    fn of(path: &Path) -> Fact {
        let stat = path.symlink_metadata().unwrap();
        let kind = stat.file_type();
        let kind = match () {
            () if kind.is_file() => Kind::File,
            () if kind.is_dir() => Kind::Dir,
            () if kind.is_symlink() => Kind::Link,
            () if kind.is_fifo() => Kind::Fifo,
            () if kind.is_char_device() => Kind::Char,
            () if kind.is_block_device() => Kind::Block,
            () => Kind::Socket,
        };
        Fact {
            kind,
            mode: Some(stat.mode() & 0o7777),
            uid: Some(stat.uid()),
            gid: Some(stat.gid()),
            nlink: Some(stat.nlink()),
            size: (kind == Kind::File).then_some(stat.size()),
            time: Some((stat.mtime(), u32::try_from(stat.mtime_nsec()).unwrap())),
            link: path.read_link().ok().map(|target| target.into_os_string().into_vec()),
            device: kind.is_device().then(|| (libc::major(stat.rdev()), libc::minor(stat.rdev()))),
            inode: Some((libc::major(stat.dev()), libc::minor(stat.dev()), stat.ino())),
        }
    }
}

/// Names to be wary of, beside those of a single byte.
const NAMES: &[&[u8]] = &[
    b"[a]",
    b"[!a]*?",
    b"-rf",
    b"--",
    b"a\nb",
    b"\n",
    b" lead",
    b"trail ",
    b"sp ace",
    b"tab\t",
    b"#hash",
    b"mid#hash",
    b"eq=ual",
    b"type=file",
    b"size=3",
    b"optional",
    b"back\\slash",
    b"\\",
    b"\\040",
    b"\\#",
    b"%41",
    b"^H",
    b"M-x",
    b"...",
    b".x",
    b"S\xc3\xa3o Paulo",
    b"\xff\xfe",
    b"\xc3(",
    b"\x9c#",
    b"\xdc#x",
    b"\x1c#",
    b"x\x9c",
    b"x\xdc",
    b"x\x1c",
    b"x\\",
    b"\xa3\xa3",
    b"cr\r",
    b"esc\x1b[2J",
    b"dq\"sq'",
    b"\xe2\x80\xae",
    b"a\x01234",
];

/// A tree in a temporary directory.
pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    /// One with every name that there can be.
    pub(crate) fn with_every_name() -> Tree {
        Tree::with_names(|_| true, |_| true)
    }

    /// One with every name, but no directory whose name breaks a comment.
    pub(crate) fn without_broken_comments() -> Tree {
        Tree::with_names(|_| true, Tree::in_one_line)
    }

    /// Whether a name holds no line end.
    pub(crate) fn in_one_line(name: &[u8]) -> bool {
        !name.contains(&b'\n')
    }

    /// One with those names only, and of them only those of directories.
    pub(crate) fn with_names(wanted: fn(&[u8]) -> bool, wanted_of_dirs: fn(&[u8]) -> bool) -> Tree {
        let tree = Tree(tempfile::tempdir().unwrap());
        let mut names: Vec<Vec<u8>> = (1..=255).map(|byte| vec![byte]).collect();
        names.retain(|name| !matches!(name.as_slice(), b"/" | b"."));
        names.extend(NAMES.iter().map(|name| name.to_vec()));
        names.extend([vec![b'n'; 255], vec![b'\n'; 255], vec![0xff; 255]]);
        names.retain(|name| wanted(name));
        std::fs::create_dir_all(tree.at("names/of/files")).unwrap();
        for (number, name) in names.iter().enumerate() {
            let (bytes, name) = (name, OsStr::from_bytes(name));
            std::fs::write(tree.at("names/of/files").join(name), &b"contents of a file"[..number % 18])
                .unwrap();
            if wanted_of_dirs(bytes) {
                std::fs::create_dir_all(tree.at("names/dirs").join(name).join("below")).unwrap();
            }
            // mtree(8) cuts a target short where its encoding has more than 1018 bytes.
            let target = OsStr::from_bytes(&bytes[..bytes.len().min(250)]);
            symlink(target, tree.at("names/of").join(format!("{number}"))).unwrap();
        }
        std::fs::create_dir_all(tree.at("deep/".repeat(100))).unwrap();
        symlink("x".repeat(900), tree.at("a link to far away")).unwrap();
        std::fs::write(tree.at("hard"), "linked").unwrap();
        std::fs::hard_link(tree.at("hard"), tree.at("deep/deep/link")).unwrap();
        std::fs::write(tree.at("b-c"), "").unwrap();
        std::fs::create_dir_all(tree.at("b")).unwrap();
        drop(UnixListener::bind(tree.at("sock et")).unwrap());
        fs::mknodat(CWD, tree.at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        tree.make_root_things();
        tree.set_modes_and_times();
        tree
    }

    /// Whether mtree(8) loses part of this name or target when it reads what it wrote itself: it takes the `#` of
    /// `\M-#`, or one after an escape that ends in a backslash, for a comment, and such an escape for a continuation.
    pub(crate) fn lost_on_mtree(name: &[u8]) -> bool {
        let ends_in_backslash = |byte: &u8| matches!(byte, 0x1c | 0x9c | 0xdc);
        name.contains(&0xa3)
            || name.last().is_some_and(ends_in_backslash)
            || name.windows(2).any(|pair| ends_in_backslash(&pair[0]) && pair[1] == b'#')
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    /// Its root.
    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// Devices and strangers' files.
    fn make_root_things(&self) {
        if !crate::common::is_root() {
            return;
        }
        for (name, kind, major, minor) in [
            ("char", FileType::CharacterDevice, 1, 7),
            ("char big", FileType::CharacterDevice, 511, 1_048_575),
            ("block", FileType::BlockDevice, 8, 1),
            ("block 0", FileType::BlockDevice, 0, 0),
        ] {
            let device = fs::makedev(major, minor);
            fs::mknodat(CWD, self.at(name), kind, Mode::from_raw_mode(0o600), device).unwrap();
        }
        for (name, uid, gid) in [("nobody knows", 99999, 88888), ("known", 1, 1), ("daemon's group", 0, 1)] {
            std::fs::write(self.at(name), name).unwrap();
            std::os::unix::fs::chown(self.at(name), Some(uid), Some(gid)).unwrap();
        }
        let (uid, gid) = (Uid::from_raw(99999), Gid::from_raw(88888));
        symlink("nowhere", self.at("stranger's link")).unwrap();
        fs::chownat(CWD, self.at("stranger's link"), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .unwrap();
        std::fs::create_dir(self.at("stranger's")).unwrap();
        std::fs::write(self.at("stranger's/file"), "").unwrap();
        fs::chownat(CWD, self.at("stranger's"), Some(uid), Some(gid), AtFlags::empty()).unwrap();
    }

    fn set_modes_and_times(&self) {
        let times = [
            (0, 0),
            (0, 1),
            (1, 5),
            (-1, 999_999_999),
            (-315_619_200, 500_000_000),
            (1_704_164_645, 6_007_008),
        ];
        for (number, (sec, nsec)) in times.into_iter().enumerate() {
            let file = self.at(format!("time {number}"));
            std::fs::write(&file, "t").unwrap();
            let time = Timespec { tv_sec: sec, tv_nsec: nsec };
            let times = Timestamps { last_access: time, last_modification: time };
            fs::utimensat(CWD, &file, &times, AtFlags::empty()).unwrap();
            if number == 4 {
                fs::utimensat(CWD, self.at("a link to far away"), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
                fs::utimensat(CWD, self.at("names/dirs"), &times, AtFlags::empty()).unwrap();
            }
        }
        // The files are read for their digests, so their owner must be able to.
        for mode in [0o400, 0o644, 0o777, 0o1644, 0o2755, 0o4755, 0o6711, 0o7777] {
            let file = self.at(format!("mode {mode:o}"));
            std::fs::write(&file, "m").unwrap();
            fs::chmodat(CWD, &file, Mode::from_raw_mode(mode), AtFlags::empty()).unwrap();
            std::fs::create_dir(self.at(format!("dir {mode:o}"))).unwrap();
            let mode_of_dir = Mode::from_raw_mode(mode | 0o500);
            fs::chmodat(CWD, self.at(format!("dir {mode:o}")), mode_of_dir, AtFlags::empty()).unwrap();
        }
        fs::chmodat(CWD, self.at("fifo"), Mode::empty(), AtFlags::empty()).unwrap();
    }

    /// Removes what no specification brings back.
    pub(crate) fn remove_sockets(&self) {
        std::fs::remove_file(self.at("sock et")).unwrap();
    }

    /// Every path, relative to the root, and what lstat(2) says of it.
    pub(crate) fn facts(&self) -> BTreeMap<Vec<u8>, Fact> {
        let mut facts = BTreeMap::new();
        let mut todo = vec![self.0.path().to_path_buf()];
        while let Some(path) = todo.pop() {
            let fact = Fact::of(&path);
            if fact.kind == Kind::Dir {
                todo.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            }
            let relative = path.strip_prefix(self.0.path()).unwrap();
            facts.insert(relative.as_os_str().as_bytes().to_vec(), fact);
        }
        facts
    }
}
