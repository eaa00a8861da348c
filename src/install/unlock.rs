//! Directories that their owner may not write: an ordinary user lets himself in while something is done in them.

use crate::sys::{self, Dir, Stat};
use std::io;

/// What the owner needs to change names in a directory.
const CHANGE: u32 = 0o300;

fn locked(stat: &Stat) -> bool {
    stat.mode & CHANGE != CHANGE && stat.uid == sys::ids::euid()
}

/// Lets us change names in this directory; gives back its mode, if it had to be changed.
///
/// # Errors
/// Not permitted.
pub(super) fn open_dir(dir: &Dir) -> io::Result<Option<u32>> {
    let stat = dir.stat_self()?;
    if !locked(&stat) {
        return Ok(None);
    }
    dir.set_own_mode(stat.mode | 0o700)?;
    Ok(Some(stat.mode))
}

/// The same of the directory of this name, which may be unreadable too.
///
/// # Errors
/// Not permitted, or no directory.
pub(super) fn named(holder: &Dir, name: &[u8]) -> io::Result<Option<u32>> {
    let stat = holder.stat(name)?;
    match holder.subdir(name) {
        Ok(dir) => open_dir(&dir),
        Err(error) if error.raw_os_error() == Some(libc::EACCES) && locked(&stat) => {
            holder.set_mode(name, stat.mode | 0o700)?;
            Ok(Some(stat.mode))
        }
        Err(error) => Err(error),
    }
}
