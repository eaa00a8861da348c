//! The calls that change a directory, each behind its fault point, each by one name and never following a link.

use crate::sys::dir::one;
use crate::sys::file::{ids, modified};
use crate::sys::{Dir, File, FileKind, Flushed, fault};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// fchmodat2(2), which follows no link.
fn fchmodat2(directory: RawFd, name: &CStr, mode: u32) -> io::Result<()> {
    // SAFETY: the call takes a number, which is refused if it is no descriptor, a string ended by NUL, which `name`
    // keeps alive, and two numbers; it writes to no memory of ours.
    #[allow(unsafe_code)]
    let done = unsafe {
        libc::syscall(libc::SYS_fchmodat2, directory, name.as_ptr(), mode, libc::AT_SYMLINK_NOFOLLOW)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether the kernel has that call. No directory has this number, which every kernel that has the call says.
pub(crate) fn has_fchmodat2() -> bool {
    fchmodat2(-1, c"-", 0).is_err_and(|error| error.raw_os_error() != Some(libc::ENOSYS))
}

impl Dir {
    /// Makes a directory, 0700.
    ///
    /// # Errors
    /// The name is taken, or the kernel refuses.
    pub fn make_dir(&self, name: &[u8]) -> io::Result<()> {
        fault::point("mkdirat")?;
        Ok(rustix::fs::mkdirat(self, one(name)?, Mode::RWXU)?)
    }

    /// Makes a file for writing, 0600.
    ///
    /// # Errors
    /// The name is taken, or the kernel refuses.
    pub fn make_file(&self, name: &[u8]) -> io::Result<File> {
        self.make_file_as(name, 0o600)
    }

    /// The same with another mode, of which the mask of the process is taken away.
    ///
    /// # Errors
    /// The name is taken, or the kernel refuses.
    pub fn make_file_as(&self, name: &[u8], mode: u32) -> io::Result<File> {
        fault::point("openat")?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(self, one(name)?, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Makes a symbolic link. The target is data: it is never followed here.
    ///
    /// # Errors
    /// The name is taken, or the kernel refuses.
    pub fn make_link(&self, name: &[u8], target: &[u8]) -> io::Result<()> {
        fault::point("symlinkat")?;
        Ok(rustix::fs::symlinkat(target, self, one(name)?)?)
    }

    /// Makes a named pipe or a device with exactly this mode.
    ///
    /// # Errors
    /// The name is taken, the kind is no such, or the kernel refuses.
    pub fn make_node(&self, name: &[u8], kind: FileKind, mode: u32, device: (u32, u32)) -> io::Result<()> {
        let kind = match kind {
            FileKind::Block => FileType::BlockDevice,
            FileKind::Char => FileType::CharacterDevice,
            FileKind::Fifo => FileType::Fifo,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        fault::point("mknodat")?;
        // A device cannot be opened to set its mode afterwards, and chmod by name follows links on older kernels. The
        // mask is the process's, but every other call in this folder names its mode and asks for no more than 0700, or
        // for what the file is to have.
        let mask = rustix::process::umask(Mode::empty());
        let device = rustix::fs::makedev(device.0, device.1);
        let made = rustix::fs::mknodat(self, one(name)?, kind, Mode::from_raw_mode(mode), device);
        rustix::process::umask(mask);
        Ok(made?)
    }

    /// Gives the file of this name another name, in `to`.
    ///
    /// # Errors
    /// The new name is taken, or the kernel refuses.
    pub fn make_hard_link(&self, name: &[u8], to: &Dir, new: &[u8]) -> io::Result<()> {
        fault::point("linkat")?;
        Ok(rustix::fs::linkat(self, one(name)?, to, one(new)?, AtFlags::empty())?)
    }

    /// rename(2): what has the new name is replaced in one step.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn rename(&self, name: &[u8], to: &Dir, new: &[u8]) -> io::Result<()> {
        fault::point("renameat")?;
        Ok(rustix::fs::renameat(self, one(name)?, to, one(new)?)?)
    }

    /// Exchanges two names in one step, whatever they are.
    ///
    /// # Errors
    /// One of them is missing, or the file system cannot.
    pub fn exchange(&self, name: &[u8], other: &Dir, other_name: &[u8]) -> io::Result<()> {
        fault::point("renameat2")?;
        Ok(rustix::fs::renameat_with(self, one(name)?, other, one(other_name)?, RenameFlags::EXCHANGE)?)
    }

    /// Removes a name that is no directory.
    ///
    /// # Errors
    /// It is a directory, or the kernel refuses.
    pub fn remove(&self, name: &[u8]) -> io::Result<()> {
        fault::point("unlinkat")?;
        Ok(rustix::fs::unlinkat(self, one(name)?, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// It is not empty or no directory, or the kernel refuses.
    pub fn remove_dir(&self, name: &[u8]) -> io::Result<()> {
        fault::point("unlinkat")?;
        Ok(rustix::fs::unlinkat(self, one(name)?, AtFlags::REMOVEDIR)?)
    }

    /// Sets the owner of what has this name.
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_owner(&self, name: &[u8], uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        fault::point("fchownat")?;
        let (uid, gid) = ids(uid, gid);
        Ok(rustix::fs::chownat(self, one(name)?, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the time of modification of what has this name.
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_time(&self, name: &[u8], time: (i64, u32)) -> io::Result<()> {
        fault::point("utimensat")?;
        Ok(rustix::fs::utimensat(self, one(name)?, &modified(time), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the mode of the directory itself, which must have been opened for listing.
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_own_mode(&self, mode: u32) -> io::Result<()> {
        fault::point("fchmod")?;
        Ok(rustix::fs::fchmod(self, Mode::from_raw_mode(mode))?)
    }

    /// Sets the owner of the directory itself, which must have been opened for listing.
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_own_owner(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        fault::point("fchown")?;
        let (uid, gid) = ids(uid, gid);
        Ok(rustix::fs::fchown(self, uid, gid)?)
    }

    /// Sets the time of modification of the directory itself, which must have been opened for listing.
    ///
    /// # Errors
    /// Not permitted.
    pub fn set_own_time(&self, time: (i64, u32)) -> io::Result<()> {
        fault::point("futimens")?;
        Ok(rustix::fs::futimens(self, &modified(time))?)
    }

    /// Sets the mode of what has this name and cannot be opened. The kernel can do that since 6.6.
    ///
    /// # Errors
    /// Not permitted, or the kernel is older: ENOSYS.
    pub fn set_mode(&self, name: &[u8], mode: u32) -> io::Result<()> {
        fault::point("fchmodat2")?;
        self.chmod(one(name)?, mode)
    }

    /// Sets the mode of what we made under this name in a directory where nobody else may: no link, which an older kernel
    /// would follow, can have taken its place. Every kernel can do that.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn set_mode_of_own(&self, name: &[u8], mode: u32) -> io::Result<()> {
        fault::point("fchmodat")?;
        let name = one(name)?;
        match self.chmod(name, mode) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                Ok(rustix::fs::chmodat(self, name, Mode::from_raw_mode(mode), AtFlags::empty())?)
            }
            done => done,
        }
    }

    fn chmod(&self, name: &[u8], mode: u32) -> io::Result<()> {
        fchmodat2(self.as_fd().as_raw_fd(), &CString::new(name)?, mode)
    }

    /// Drops what a default ACL of the parent gave this directory: its own default, and its access list. The directory
    /// must have been opened for listing.
    ///
    /// # Errors
    /// Not permitted. That there is none, or that the file system has none, is no error.
    pub fn drop_acl(&self) -> io::Result<()> {
        for name in [c"system.posix_acl_default", c"system.posix_acl_access"] {
            fault::point("fremovexattr")?;
            match rustix::fs::fremovexattr(self, name) {
                Ok(()) | Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Flushes the directory itself: names made, renamed and removed in it.
    ///
    /// # Errors
    /// The names may not be on the disk.
    pub fn flush_to_disk(&self) -> io::Result<Flushed> {
        fault::point("fsync")?;
        rustix::fs::fsync(self)?;
        Ok(Flushed::proven())
    }

    /// Flushes the whole file system the directory is on.
    ///
    /// # Errors
    /// Something on it may not be on the disk, and asking again would not tell.
    pub fn flush_file_system(&self) -> io::Result<Flushed> {
        fault::point("syncfs")?;
        rustix::fs::syncfs(self)?;
        Ok(Flushed::proven())
    }
}
