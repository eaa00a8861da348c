//! The file system that something is on: which it is, and how much room it has.

use crate::sys::{Dir, ids};
use std::io;

/// What statfs(2) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Its type, by the number in linux/magic.h.
    pub kind: u64,
    /// Its number, which outlives a mount; 0 where it has none.
    pub id: u64,
    /// What one byte takes at least.
    pub block: u64,
    /// Bytes that the caller can still write. `None` where that cannot be told from sizes: contents are compressed or
    /// shared, or there is no limit.
    pub free_bytes: Option<u64>,
    /// Files that can still be made; `None` where there is no limit.
    pub free_files: Option<u64>,
}

/// Types that keep each byte of a file as it is, in blocks of their own: ext2 to ext4, XFS, tmpfs, FAT, exFAT, JFS.
const PLAIN: [u64; 6] = [0xef53, 0x5846_5342, 0x0102_1994, 0x4d44, 0x2011_bab0, 0x3153_464a];

/// Types of which the kernel stamps every change of a file itself, with a time that nobody can set: ext2 to ext4, XFS,
/// btrfs, F2FS, ZFS, bcachefs, JFS, NILFS, tmpfs, and overlays, which have the stamps of what is below. Those on another
/// host may answer with what they were told some time ago, and those of FAT have one time for both.
const STAMPING: [u64; 10] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0x2fc1_2fc1,
    0xca45_1a4e,
    0x3153_464a,
    0x3434,
    0x0102_1994,
    0x794c_7630,
];

impl FileSystem {
    /// Whether what has the same time of change is what it was.
    #[must_use]
    pub fn stamps_changes(&self) -> bool {
        STAMPING.contains(&self.kind)
    }
}

impl Dir {
    /// The file system that the directory is on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn file_system(&self) -> io::Result<FileSystem> {
        let kind = u64::try_from(rustix::fs::fstatfs(self)?.f_type).unwrap_or_default();
        let stat = rustix::fs::fstatvfs(self)?;
        let root = ids::euid() == 0;
        let blocks = if root { stat.f_bfree } else { stat.f_bavail };
        let files = if root { stat.f_ffree } else { stat.f_favail };
        let block = stat.f_frsize.max(1);
        let plain = PLAIN.contains(&kind) && stat.f_blocks > 0;
        Ok(FileSystem {
            kind,
            id: stat.f_fsid,
            block,
            free_bytes: plain.then(|| blocks.saturating_mul(block)),
            free_files: (plain && stat.f_files > 0).then_some(files),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_kernel_stamps_is_known_by_its_stamps() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Dir::open_root(dir.path()).unwrap().file_system().unwrap();
        // FAT, exFAT, NFS, SMB, FUSE, 9P.
        for kind in [0x4d44, 0x2011_bab0, 0x6969, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997] {
            assert!(!FileSystem { kind, ..ours }.stamps_changes(), "{kind:x}");
        }
        for kind in STAMPING {
            assert!(FileSystem { kind, ..ours }.stamps_changes(), "{kind:x}");
        }
    }
}
