//! chroot(2), and directories from which no way leads up.

use crate::sys::Dir;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::io;

/// The root of the host, held to find out later that nothing can be opened there.
pub(super) fn outside() -> io::Result<Dir> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Dir::from(rustix::fs::open("/", flags, Mode::empty())?))
}

/// Makes the module's root the root of this process. A directory held from outside would be a way out by its `..`, so
/// each is held anew, as the top of a mount of its own that is nowhere mounted.
pub(super) fn enter(module: &Dir, held: &mut [Dir]) -> io::Result<()> {
    let tops = held.iter().map(top).collect::<io::Result<Vec<Dir>>>()?;
    rustix::process::fchdir(module)?;
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")?;
    tops.iter().chain([module]).try_for_each(leads_nowhere)?;
    for (dir, top) in held.iter_mut().zip(tops) {
        *dir = top;
    }
    Ok(())
}

/// The same directory, as the top of a mount.
fn top(dir: &Dir) -> io::Result<Dir> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(dir, c"", flags | OpenTreeFlags::AT_EMPTY_PATH)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Dir::from(openat(mount, c".", flags, Mode::empty())?))
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
