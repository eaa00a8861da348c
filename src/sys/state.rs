//! Small files of a state directory, which is private: replaced as a whole, and read up to a bound.

use crate::sys::dir::one;
use crate::sys::{Dir, fault};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

impl Dir {
    /// Makes this the contents of the file of this name. An interruption leaves the old ones.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn remember(&self, name: &[u8], contents: &[u8]) -> io::Result<()> {
        let new = [name, b".new"].concat();
        fault::point("openat")?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self, one(&new)?, flags, Mode::RUSR | Mode::WUSR)?;
        fault::point("write")?;
        File::from(file).write_all(contents)?;
        self.rename(&new, self, name)
    }

    /// The contents of the file of this name, if it has no more than `max` bytes.
    ///
    /// # Errors
    /// There is none, it is larger, or it cannot be read.
    pub fn recall(&self, name: &[u8], max: u64) -> io::Result<Vec<u8>> {
        let (file, stat) = self.open_file(name)?;
        if stat.size > max {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut contents = Vec::new();
        file.take(max).read_to_end(&mut contents)?;
        Ok(contents)
    }
}

/// The path with every link in it resolved, by which a directory is the same whatever it is called.
///
/// # Errors
/// It names nothing.
pub fn canonical(path: &Path) -> io::Result<OsString> {
    Ok(std::fs::canonicalize(path)?.into_os_string())
}
