//! Opening the files that a sender described, by the same links as when it described them.

use crate::path::RelPath;
use crate::sys::{File, FileKind, Stat};
use crate::tree::follow::{Referent, Way};
use crate::tree::{Cursor, Root};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// Opens files by their paths, which come in tree order.
#[derive(Debug)]
pub struct Opener<'r> {
    root: &'r Root,
    cursor: Cursor<'r>,
    /// Where links are followed: the names so far, and the way to each.
    held: Vec<(Box<[u8]>, Rc<Way>)>,
}

impl<'r> Opener<'r> {
    /// At the root.
    #[must_use]
    pub fn new(root: &'r Root, one_file_system: bool) -> Opener<'r> {
        Opener { root, cursor: Cursor::new(root, one_file_system), held: Vec::new() }
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &'r Root {
        self.root
    }

    /// Opens the regular file at this path.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(&mut self, path: &RelPath<'_>) -> io::Result<(File, Stat)> {
        if !self.root.taking().follows_any() {
            let (holder, name) = self.cursor.holder(path)?;
            return holder.open_file(name);
        }
        let (parent, name) = path.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let mut way = None;
        for (depth, component) in parent.components().enumerate() {
            if self.held.get(depth).is_none_or(|(held, _)| held.as_ref() != component) {
                self.held.truncate(depth);
                let above = match self.held.last() {
                    Some((_, way)) => way.clone(),
                    None => Way::to_holder(self.root, component)?,
                };
                let below = match above.dir.stat(component)?.kind {
                    Some(FileKind::Link) => match above.follow(&above.dir.read_link(component)?)? {
                        Referent::Dir(way) => way,
                        Referent::Name(..) => return Err(io::ErrorKind::NotADirectory.into()),
                    },
                    _ => above.down(Arc::new(above.dir.through(component)?)),
                };
                self.held.push((component.into(), below));
            }
            way = self.held.get(depth).map(|(_, way)| way.clone());
        }
        let holder = way.map_or_else(|| Way::to_holder(self.root, name), Ok)?;
        if holder.dir.stat(name)?.kind != Some(FileKind::Link) {
            return holder.dir.open_file(name);
        }
        let target = holder.dir.read_link(name)?;
        if !self.root.taking().follows(path, &target) {
            return Err(io::Error::from_raw_os_error(libc::ESTALE));
        }
        match holder.follow(&target)? {
            Referent::Name(way, name, _) => way.dir.open_file(&name),
            Referent::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }
}
