//! One entry of a specification: what a spec says of one path.

use crate::digest::Digests;
use crate::path::RelPath;
use crate::spec::Xattrs;
use crate::sys::{FileKind, Stat};
use std::borrow::Cow;

/// The type of a path. A socket means nothing on another host: it is named, so that what has its path elsewhere is left
/// alone, and never made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Block device.
    Block,
    /// Character device.
    Char,
    /// Directory.
    Dir,
    /// Named pipe.
    Fifo,
    /// Regular file.
    File,
    /// Symbolic link.
    Link,
    /// Socket.
    Socket,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] =
        [Kind::Block, Kind::Char, Kind::Dir, Kind::Fifo, Kind::File, Kind::Link, Kind::Socket];

    /// The value of `type=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Block => "block",
            Kind::Char => "char",
            Kind::Dir => "dir",
            Kind::Fifo => "fifo",
            Kind::File => "file",
            Kind::Link => "link",
            Kind::Socket => "socket",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// What lstat(2) calls it.
    #[must_use]
    pub const fn in_stat(self) -> FileKind {
        match self {
            Kind::Block => FileKind::Block,
            Kind::Char => FileKind::Char,
            Kind::Dir => FileKind::Dir,
            Kind::Fifo => FileKind::Fifo,
            Kind::File => FileKind::File,
            Kind::Link => FileKind::Link,
            Kind::Socket => FileKind::Socket,
        }
    }

    /// Whether `device=` belongs to it.
    #[must_use]
    pub const fn is_device(self) -> bool {
        matches!(self, Kind::Block | Kind::Char)
    }
}

/// A time of modification: seconds since 1970, rounded down, and the nanoseconds above them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since the epoch; negative before it.
    pub sec: i64,
    /// Nanoseconds, less than 1,000,000,000.
    pub nsec: u32,
}

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// What makes two names one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InodeId {
    /// The file system.
    pub device: Device,
    /// The file in it.
    pub inode: u64,
}

impl InodeId {
    /// Which file stat(2) was asked about.
    #[must_use]
    pub const fn of(stat: &Stat) -> InodeId {
        let (major, minor) = stat.dev;
        InodeId { device: Device { major, minor }, inode: stat.ino }
    }
}

/// What a spec says of one path; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where.
    pub path: RelPath<'a>,
    /// What it is.
    pub kind: Kind,
    /// Owner by name.
    pub uname: Option<Cow<'a, [u8]>>,
    /// Owner by number.
    pub uid: Option<u32>,
    /// Group by name.
    pub gname: Option<Cow<'a, [u8]>>,
    /// Group by number.
    pub gid: Option<u32>,
    /// Permission bits, at most 07777.
    pub mode: Option<u32>,
    /// Device number, of devices.
    pub device: Option<Device>,
    /// Number of links.
    pub nlink: Option<u64>,
    /// Target, of symbolic links.
    pub link: Option<Cow<'a, [u8]>>,
    /// Bytes, of regular files.
    pub size: Option<u64>,
    /// Time of modification.
    pub time: Option<Time>,
    /// Digests of the contents, of regular files.
    pub digests: Digests<'a>,
    /// Which file it is, of files with more than one name.
    pub inode: Option<InodeId>,
    /// Whether what is below this directory is to be left alone.
    pub ignore: bool,
    /// Whether it may as well not be there.
    pub optional: bool,
    /// Whether what is there, whatever it is, is to be left as it is.
    pub nochange: bool,
    /// Extended attributes, ACLs among them.
    pub xattrs: Xattrs<'a>,
}

impl<'a> Entry<'a> {
    /// What lstat(2) says is its size, in bytes: that of a file, or the length of a link's target.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.size.or(self.link.as_ref().map(|target| target.len() as u64)).unwrap_or_default()
    }

    /// How many names it has: one, where nothing is said of others.
    #[must_use]
    pub fn names(&self) -> u64 {
        self.nlink.unwrap_or(1)
    }

    /// An entry of which nothing but its type is said.
    #[must_use]
    pub fn new(path: RelPath<'a>, kind: Kind) -> Entry<'a> {
        Entry {
            path,
            kind,
            uname: None,
            uid: None,
            gname: None,
            gid: None,
            mode: None,
            device: None,
            nlink: None,
            link: None,
            size: None,
            time: None,
            digests: Digests::default(),
            inode: None,
            ignore: false,
            optional: false,
            nochange: false,
            xattrs: Xattrs::default(),
        }
    }
}
