//! How fine the times are that a file system keeps: old ones keep seconds, and what is set comes back cut.

use crate::sys::Dir;
use crate::sys::file::{File, modified};
use std::io;

/// The smallest difference of times that a file system keeps, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(u64);

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Those of file systems that there are: NTFS, network file systems, exFAT, ext4 with small inodes, FAT.
const COARSE: [Tick; 6] =
    [Tick(100), Tick(1_000), Tick(1_000_000), Tick(10_000_000), Tick::SECOND, Tick(2 * SECOND)];

impl Tick {
    /// Nothing is cut.
    pub const FINE: Tick = Tick(1);
    /// Only seconds are kept.
    pub const SECOND: Tick = Tick(SECOND);

    /// What becomes of a time: seconds since 1970, rounded down, and nanoseconds.
    #[must_use]
    pub fn cut(self, (sec, nsec): (i64, u32)) -> (i64, u32) {
        if self.0 < SECOND {
            let tick = u32::try_from(self.0).unwrap_or(1);
            return (sec, nsec - nsec % tick);
        }
        let tick = i64::try_from(self.0 / SECOND).unwrap_or(1);
        (sec - sec.rem_euclid(tick), 0)
    }
}

/// Whether the second time may be what a coarse file system made of the first.
#[must_use]
pub fn looks_cut(set: (i64, u32), kept: (i64, u32)) -> bool {
    set != kept && COARSE.into_iter().any(|tick| tick.cut(set) == kept)
}

/// A time that every tick cuts.
const ODD: (i64, u32) = (1_000_000_001, 123_456_789);

/// Finds out what the file system of this directory keeps, by a file that never gets a name; where none can be made, by
/// the type of the file system.
#[must_use]
pub fn of_directory(dir: &Dir) -> Tick {
    let probed = || -> io::Result<(i64, u32)> {
        let file = dir.nameless_file()?;
        rustix::fs::futimens(&file, &modified(ODD))?;
        Ok(File::from(std::os::fd::OwnedFd::from(file)).stat()?.mtime)
    };
    match probed() {
        Ok(kept) => COARSE.into_iter().find(|tick| tick.cut(ODD) == kept).unwrap_or(Tick::FINE),
        Err(_) => by_type(dir),
    }
}

fn by_type(dir: &Dir) -> Tick {
    match rustix::fs::fstatfs(dir).map(|statfs| statfs.f_type) {
        // MSDOS_SUPER_MAGIC, of all kinds of FAT but the next.
        Ok(0x4d44) => Tick(2 * SECOND),
        // EXFAT_SUPER_MAGIC
        Ok(0x2011_bab0) => Tick(10_000_000),
        _ => Tick::FINE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_downwards() {
        assert_eq!(Tick::FINE.cut(ODD), ODD);
        assert_eq!(Tick(100).cut(ODD), (1_000_000_001, 123_456_700));
        assert_eq!(Tick(SECOND).cut((-1, 5)), (-1, 0));
        assert_eq!(Tick(2 * SECOND).cut((-1, 5)), (-2, 0));
        assert!(looks_cut((5, 7), (5, 0)) && looks_cut((5, 7), (4, 0)) && !looks_cut((5, 0), (5, 0)));
        assert!(!looks_cut((5, 7), (6, 0)) && !looks_cut((5, 7), (5, 8)));
        // No tick hides another.
        assert!(COARSE.windows(2).all(|pair| pair[0] < pair[1] && pair[0].cut(ODD) != pair[1].cut(ODD)));
    }

    #[test]
    fn a_file_system_with_nanoseconds_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of_directory(&Dir::open_root(dir.path()).unwrap()), Tick::FINE);
    }
}
