//! A regular file that is held open: read, written and given its metadata through the descriptor.

use crate::sys::{Stat, fault};
use rustix::fs::{Mode, SeekFrom, Timespec, Timestamps, UTIME_OMIT};
use rustix::process::{Gid, Uid};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An open regular file.
#[derive(Debug)]
pub struct File(std::fs::File);

/// Proof that what was written before is on the disk.
#[derive(Debug)]
#[must_use]
pub struct Flushed(());

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> File {
        File(fd.into())
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Read for &File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buf)
    }
}

impl Write for &File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        fault::point("write")?;
        (&self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        fault::point("write")?;
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The times of utimensat(2) for a modification time; the time of access stays.
pub(super) fn modified(time: (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: time.0, tv_nsec: time.1.into() },
    }
}

/// An id for chown(2); `None` leaves it as it is.
pub(super) fn ids(uid: Option<u32>, gid: Option<u32>) -> (Option<Uid>, Option<Gid>) {
    (uid.map(Uid::from_raw), gid.map(Gid::from_raw))
}

impl File {
    /// fstat(2).
    ///
    /// # Errors
    /// The kernel refuses, which it never should.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.0)?.into())
    }

    /// Where the next data are at or after `offset`, and where they end; `None` when only a hole is left. A file
    /// system that knows no holes says that all is data.
    ///
    /// # Errors
    /// The kernel cannot tell.
    pub fn next_data(&self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        let start = match rustix::fs::seek(&self.0, SeekFrom::Data(offset)) {
            Ok(start) => start,
            Err(rustix::io::Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some((start, rustix::fs::seek(&self.0, SeekFrom::Hole(start))?)))
    }

    /// Reads from this offset on, wherever the file stands.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match std::os::unix::fs::FileExt::read_at(&self.0, buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Waits for the end of a write(2) that is going on. ext4, btrfs and tmpfs let reads
    /// see half of a write; but asking where a hole is takes the lock that a writer holds. Gives back where the first
    /// one is: at the end, if there is none. The number of blocks does not tell: some may hold attributes.
    #[must_use]
    pub fn settle(&self) -> u64 {
        // A file that is empty has none, and of a file system that cannot tell no file has.
        rustix::fs::seek(&self.0, SeekFrom::Hole(0)).unwrap_or(u64::MAX)
    }

    /// Reads or writes go on at `offset`.
    ///
    /// # Errors
    /// The offset is out of range.
    pub fn seek(&self, offset: u64) -> io::Result<()> {
        rustix::fs::seek(&self.0, SeekFrom::Start(offset))?;
        Ok(())
    }

    /// Makes the file `size` bytes long; what is new is a hole.
    ///
    /// # Errors
    /// The file system has no room or no such sizes.
    pub fn set_size(&self, size: u64) -> io::Result<()> {
        fault::point("ftruncate")?;
        Ok(rustix::fs::ftruncate(&self.0, size)?)
    }

    /// fchown(2); `None` leaves it as it is.
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        fault::point("fchown")?;
        let (uid, gid) = ids(uid, gid);
        Ok(rustix::fs::fchown(&self.0, uid, gid)?)
    }

    /// fchmod(2).
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        fault::point("fchmod")?;
        Ok(rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode))?)
    }

    /// Sets the time of modification.
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_time(&self, time: (i64, u32)) -> io::Result<()> {
        fault::point("futimens")?;
        Ok(rustix::fs::futimens(&self.0, &modified(time))?)
    }

    /// fsync(2).
    ///
    /// # Errors
    /// The file may not be on the disk, and asking again would not tell.
    pub fn flush_to_disk(&self) -> io::Result<Flushed> {
        fault::point("fsync")?;
        rustix::fs::fsync(&self.0)?;
        Ok(Flushed(()))
    }
}

impl Flushed {
    pub(super) fn proven() -> Flushed {
        Flushed(())
    }
}
