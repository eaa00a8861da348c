//! A lock that dies with the process that holds it.

use crate::sys::Dir;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A file that is there to be locked.
#[derive(Debug)]
pub struct LockFile(Arc<OwnedFd>);

/// The lock, held; it ends with the value.
#[derive(Debug)]
pub struct Lock(Arc<OwnedFd>);

impl LockFile {
    /// The one of this name in a private directory, where nobody else can hold it. It is made if it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(dir: &Dir, name: &[u8]) -> io::Result<LockFile> {
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(dir, super::dir::one(name)?, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(LockFile(Arc::new(file)))
    }

    /// What it has open.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Takes the lock; `None` when another process, or whoever else has opened the file, holds it.
    ///
    /// # Errors
    /// The file system knows no locks.
    pub fn take(&self) -> io::Result<Option<Lock>> {
        match rustix::fs::flock(&*self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock(Arc::clone(&self.0)))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be unlocked is so by our end.
        let _ = rustix::fs::flock(&*self.0, FlockOperation::Unlock);
    }
}
