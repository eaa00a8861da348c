//! Blocks that two files share, where the file system can: btrfs, XFS and others.

use crate::sys::{File, fault};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

impl File {
    /// FICLONERANGE of ioctl_ficlonerange(2): lets `other` have, from `to` on, these bytes of this file without a copy of
    /// them. Says whether it could: both must be on one file system that can, and where blocks begin.
    ///
    /// # Errors
    /// There is no room, or one of them is broken.
    pub fn share_with(&self, other: &File, (from, length): (u64, u64), to: u64) -> io::Result<bool> {
        let refused = |error: &io::Error| {
            let number = error.raw_os_error();
            [libc::EOPNOTSUPP, libc::EXDEV, libc::EINVAL, libc::ENOTTY, libc::ENOSYS]
                .into_iter()
                .any(|refusal| number == Some(refusal))
        };
        match fault::point("ficlonerange").and_then(|()| clone_range(self, other, (from, length), to)) {
            Ok(()) => Ok(true),
            Err(error) if refused(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn clone_range(old: &File, new: &File, (from, length): (u64, u64), to: u64) -> io::Result<()> {
    let range = libc::file_clone_range {
        src_fd: old.as_fd().as_raw_fd().into(),
        src_offset: from,
        src_length: length,
        dest_offset: to,
    };
    // SAFETY: both descriptors are open as long as the files that are borrowed, and the call only reads the structure
    // that it is given, which has the form that its number names and outlives it.
    #[allow(unsafe_code)]
    let done = unsafe { libc::ioctl(new.as_fd().as_raw_fd(), libc::FICLONERANGE, &raw const range) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
