//! The way to a directory of a tree: held descriptors from the root down, kept while the next path needs them.

use crate::path::RelPath;
use crate::sys::Dir;
use crate::tree::Root;
use std::io;

/// Holds the directories from the root to the last one asked for. Paths that come in tree order share most of their
/// way, so that each directory is opened once.
#[derive(Debug)]
pub struct Cursor<'r> {
    root: &'r Root,
    held: Vec<(Box<[u8]>, Dir)>,
    one_file_system: bool,
}

impl<'r> Cursor<'r> {
    /// At the root. With `one_file_system`, a directory that another file system is mounted on is EXDEV.
    #[must_use]
    pub fn new(root: &'r Root, one_file_system: bool) -> Cursor<'r> {
        Cursor { root, held: Vec::new(), one_file_system }
    }

    /// The directory that holds `path`, and the name in it.
    ///
    /// # Errors
    /// A component on the way is missing, is a link or no directory, or cannot be searched. The root itself is held by
    /// nothing: EINVAL.
    pub fn holder<'p>(&mut self, path: &'p RelPath<'_>) -> io::Result<(&Dir, &'p [u8])> {
        let (parent, name) = path.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        if parent.is_root() {
            let holder = self.root.holder(name).ok_or(io::ErrorKind::NotFound)?;
            return Ok((holder, name));
        }
        let mut depth = 0;
        for component in parent.components() {
            if self.held.get(depth).is_none_or(|(held, _)| held.as_ref() != component) {
                self.held.truncate(depth);
                let above = match self.held.last() {
                    Some((_, dir)) => dir,
                    None => self.root.holder(component).ok_or(io::ErrorKind::NotFound)?,
                };
                let dir = above.through(component)?;
                if self.one_file_system && dir.stat_self()?.dev != self.root.stat().dev {
                    return Err(io::Error::from_raw_os_error(libc::EXDEV));
                }
                self.held.push((component.into(), dir));
            }
            depth += 1;
        }
        let deepest = depth.checked_sub(1).and_then(|at| self.held.get(at));
        deepest.map(|(_, dir)| (dir, name)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Whether nobody but this user, and root, can put something else in the place of what was asked for last: the
    /// directories on the way to it are his, and no others may write them.
    ///
    /// # Errors
    /// One cannot be examined.
    pub fn is_of(&self, user: u32) -> io::Result<bool> {
        for dir in self.held.iter().map(|(_, dir)| dir).chain([self.root.dir()]) {
            if !dir.stat_self()?.is_of(user) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Forgets the way: what was held may have been renamed or replaced.
    pub fn forget(&mut self) {
        self.held.clear();
    }
}
