//! How a walk looks at names: at symbolic links themselves, or at what they lead to.

use crate::sys::{Dir, File, Stat};
use std::io;

/// Looks at names, and knows the way to the one in hand.
#[derive(Debug)]
pub struct Look {
    /// Whether what a symbolic link leads to is seen in its place.
    follow: bool,
    /// The directories on the way, by file system and number: a link to one of them is a loop.
    above: Vec<((u32, u32), u64)>,
}

impl Look {
    /// At the root, following symbolic links or not.
    #[must_use]
    pub const fn new(follow: bool) -> Look {
        Look { follow, above: Vec::new() }
    }

    /// stat(2) of a name.
    ///
    /// # Errors
    /// There is nothing of this name, or the directory cannot be searched.
    pub fn stat(&self, dir: &Dir, name: &[u8]) -> io::Result<Stat> {
        if self.follow { dir.stat_following(name) } else { dir.stat(name) }
    }

    /// Opens a directory, with the names in it.
    ///
    /// # Errors
    /// It is none, or cannot be listed, or is one of those on the way to it: ELOOP.
    pub fn list(&self, dir: &Dir, name: &[u8]) -> io::Result<(Vec<Box<[u8]>>, Dir)> {
        if !self.follow {
            let opened = dir.subdir(name)?;
            return Ok((opened.names()?, opened));
        }
        let opened = dir.subdir_following(name)?;
        let stat = opened.stat_self()?;
        if self.above.contains(&(stat.dev, stat.ino)) {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        Ok((opened.names()?, opened))
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// It is none, or cannot be opened.
    pub fn open_file(&self, dir: &Dir, name: &[u8]) -> io::Result<(File, Stat)> {
        if self.follow { dir.open_file_following(name) } else { dir.open_file(name) }
    }

    /// Goes into a directory.
    pub fn enter(&mut self, stat: &Stat) {
        self.above.push((stat.dev, stat.ino));
    }

    /// Comes back from it.
    pub fn leave(&mut self) {
        self.above.pop();
    }
}
