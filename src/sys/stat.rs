//! What the kernel says of one file: lstat(2) in our words.

use rustix::fs::FileType;

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names of inode(7)
pub enum FileKind {
    Block,
    Char,
    Dir,
    Fifo,
    File,
    Link,
    Socket,
}

impl FileKind {
    /// Of a type, unless that is unknown.
    pub(super) const fn of(kind: FileType) -> Option<FileKind> {
        match kind {
            FileType::RegularFile => Some(FileKind::File),
            FileType::Directory => Some(FileKind::Dir),
            FileType::Symlink => Some(FileKind::Link),
            FileType::Fifo => Some(FileKind::Fifo),
            FileType::Socket => Some(FileKind::Socket),
            FileType::CharacterDevice => Some(FileKind::Char),
            FileType::BlockDevice => Some(FileKind::Block),
            FileType::Unknown => None,
        }
    }
}

/// What lstat(2) says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Type; `None` for one this program does not know.
    pub kind: Option<FileKind>,
    /// Permission bits, at most 07777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Blocks of 512 bytes on disk.
    pub blocks: u64,
    /// Modified: seconds since 1970, rounded down, and nanoseconds.
    pub mtime: (i64, u32),
    /// Changed, likewise.
    pub ctime: (i64, u32),
    /// File system: major and minor number.
    pub dev: (u32, u32),
    /// Number of the file in it.
    pub ino: u64,
    /// Names.
    pub nlink: u64,
    /// Device number, of devices.
    pub rdev: (u32, u32),
}

impl Stat {
    /// Whether both are one file.
    #[must_use]
    pub fn same_file(&self, other: &Stat) -> bool {
        self.dev == other.dev && self.ino == other.ino
    }

    /// Whether this user, and root, alone may write to it. With an access control list, the bits of the group are the most
    /// that it gives to anybody.
    #[must_use]
    pub const fn is_of(&self, user: u32) -> bool {
        self.uid == user && self.mode & 0o022 == 0
    }

    /// Whether both say that nothing was written between them.
    #[must_use]
    pub fn same_contents(&self, other: &Stat) -> bool {
        self.same_file(other)
            && self.size == other.size
            && self.mtime == other.mtime
            && self.ctime == other.ctime
    }
}

impl From<rustix::fs::Stat> for Stat {
    fn from(stat: rustix::fs::Stat) -> Stat {
        let kind = FileKind::of(FileType::from_raw_mode(stat.st_mode));
        let device = |number| (rustix::fs::major(number), rustix::fs::minor(number));
        let nanoseconds = |value| u32::try_from(value).unwrap_or_default();
        Stat {
            kind,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            blocks: u64::try_from(stat.st_blocks).unwrap_or_default(),
            mtime: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
            ctime: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
            dev: device(stat.st_dev),
            ino: stat.st_ino,
            nlink: stat.st_nlink,
            rdev: device(stat.st_rdev),
        }
    }
}
