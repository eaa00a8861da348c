//! Locks of an open file description, on one byte each (fcntl(2), `F_OFD_SETLK`): they end with the process however it
//! ends, and are seen by every process that opens the file. Who may only read the file can lock it for reading, and so
//! keep others from locking it for writing; nobody can do more than the file lets him.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::io;
use std::os::fd::AsFd;

/// What stands in the way of locking for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing.
    Not,
    /// A lock for reading.
    Reading,
    /// A lock for writing.
    Writing,
}

/// Locks a byte for writing; false when another description has a lock on it.
pub(super) fn lock(file: impl AsFd, at: i64) -> io::Result<bool> {
    match set(file, at, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(Errno::EAGAIN) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Unlocks it.
pub(super) fn unlock(file: impl AsFd, at: i64) {
    // What cannot be unlocked is so by our end.
    let _ = set(file, at, libc::F_UNLCK);
}

/// What other descriptions hold of it.
pub(super) fn held(file: impl AsFd, at: i64) -> io::Result<Held> {
    let mut lock = byte(at, libc::F_WRLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(match i32::from(lock.l_type) {
        libc::F_UNLCK => Held::Not,
        libc::F_RDLCK => Held::Reading,
        _ => Held::Writing,
    })
}

fn set(file: impl AsFd, at: i64, kind: i32) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&byte(at, kind))).map(drop)
}

fn byte(at: i64, kind: i32) -> libc::flock {
    libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: at,
        l_len: 1,
        l_pid: 0,
    }
}
