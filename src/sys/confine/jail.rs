//! chroot(2), and directories from which no way leads up.

use crate::sys::Dir;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The root of the host, held to find out later that nothing can be opened there.
pub(super) fn outside() -> io::Result<Dir> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Dir::from(rustix::fs::open("/", flags, Mode::empty())?))
}

/// Makes the module's root the root of this process. A directory held from outside would be a way out by its `..`, so
/// each is held anew, as the top of a mount of its own that is nowhere mounted. So is the module: devices can be made
/// there, and a disk that could be opened would be a way out, too.
pub(super) fn enter(module: &mut Dir, held: &mut [Dir]) -> io::Result<()> {
    *module = top(module)?;
    let tops = held.iter().map(top).collect::<io::Result<Vec<Dir>>>()?;
    rustix::process::fchdir(&*module)?;
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")?;
    tops.iter().chain([&*module]).try_for_each(leads_nowhere)?;
    for (dir, top) in held.iter_mut().zip(tops) {
        *dir = top;
    }
    Ok(())
}

/// The same directory with all that is mounted below, as the top of a mount where no device is opened and nothing is run.
fn top(dir: &Dir) -> io::Result<Dir> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(dir, c"", flags | OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::AT_RECURSIVE)?;
    tame(&mount)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Dir::from(openat(mount, c".", flags, Mode::empty())?))
}

/// Takes from a mount and those below what replicating does not need. Kernels before 5.12 cannot.
fn tame(mount: &OwnedFd) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the descriptor is open, the name is a string with its NUL, and the kernel reads as many bytes of the
    // structure as it is told that there are; it keeps neither.
    #[allow(unsafe_code)]
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    match io::Error::last_os_error() {
        _ if done == 0 => Ok(()),
        error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        error => Err(error),
    }
}

/// Tries whether `..` of a directory is the directory itself.
fn leads_nowhere(dir: &Dir) -> io::Result<()> {
    let (own, above) = (rustix::fs::fstat(dir)?, statat(dir, c"..", AtFlags::SYMLINK_NOFOLLOW)?);
    if (own.st_dev, own.st_ino) == (above.st_dev, above.st_ino) {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EXDEV))
    }
}
