//! The root of a tree, and names that are grafted onto it from elsewhere.

use crate::sys::{Dir, FileKind, Stat};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Where a tree begins. Usually a directory; when single files or several sources are sent, a bare root onto which
/// names in other directories are grafted.
#[derive(Debug)]
pub struct Root {
    dir: Dir,
    stat: Stat,
    grafts: BTreeMap<Vec<u8>, Dir>,
}

impl Root {
    /// The tree below this directory.
    ///
    /// # Errors
    /// It cannot be examined.
    pub fn new(dir: Dir) -> io::Result<Root> {
        let stat = dir.stat_self()?;
        Ok(Root { dir, stat, grafts: BTreeMap::new() })
    }

    /// The tree below the directory of this path.
    ///
    /// # Errors
    /// It is no directory, or cannot be opened.
    pub fn open(path: &Path) -> io::Result<Root> {
        Root::new(Dir::open_root(path)?)
    }

    /// Grafts the thing called `name` in the directory `holder` onto the root; false when the name is taken.
    pub fn graft(&mut self, name: &[u8], holder: Dir) -> bool {
        self.grafts.insert(name.to_vec(), holder).is_none()
    }

    /// Whether only grafted names are seen, and the root itself stands for nothing.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        !self.grafts.is_empty()
    }

    /// The names at the root.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn names(&self) -> io::Result<Vec<Box<[u8]>>> {
        if self.is_bare() {
            return Ok(self.grafts.keys().map(|name| name.as_slice().into()).collect());
        }
        self.dir.names()
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// lstat(2) of it, when it was opened.
    #[must_use]
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// The directory that holds this name of the root; `None` for a name that a bare root does not have.
    #[must_use]
    pub fn holder(&self, name: &[u8]) -> Option<&Dir> {
        if self.is_bare() { self.grafts.get(name) } else { Some(&self.dir) }
    }

    /// The tree at `path` below a module's root: a directory, or one name grafted from the directory that holds it.
    /// With `make`, a last component that is missing is made a directory.
    ///
    /// # Errors
    /// A component is missing, or is no directory on the way.
    pub fn below(module: &Dir, path: &crate::path::RelPath<'_>, make: bool) -> io::Result<Root> {
        let mut dir = module.again()?;
        let Some((parent, last)) = path.split_last() else { return Root::new(module.again()?) };
        for name in parent.components() {
            dir = dir.through(name)?;
        }
        match dir.stat(last) {
            Ok(stat) if stat.kind == Some(FileKind::Dir) || make => Root::new(dir.subdir(last)?),
            Ok(_) => {
                let mut root = Root::new(dir.again()?)?;
                root.graft(last, dir);
                Ok(root)
            }
            Err(error) if make && error.kind() == io::ErrorKind::NotFound => {
                dir.make_dir(last)?;
                dir.subdir(last)?.set_own_mode(0o755)?;
                Root::new(dir.subdir(last)?)
            }
            Err(error) => Err(error),
        }
    }
}
