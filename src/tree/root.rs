//! The root of a tree, and names that are grafted onto it from elsewhere.

use crate::path::RelPath;
use crate::sys::{Dir, FileKind, Listed, Stat};
use crate::terms::{Policy, Taking};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where a tree begins. Usually a directory; when single files or several sources are sent, a bare root onto which
/// names in other directories are grafted.
#[derive(Debug)]
pub struct Root {
    dir: Arc<Dir>,
    stat: Stat,
    /// Of a bare root: its names, and the directories that hold them.
    grafts: Option<BTreeMap<Vec<u8>, Arc<Dir>>>,
    /// The way from the root of a module to what holds the tree, from the top; `None` where there is no module, and links
    /// may lead anywhere.
    way: Option<Vec<Dir>>,
    taking: Taking,
    policy: Arc<Policy>,
}

impl Root {
    /// The tree below this directory.
    ///
    /// # Errors
    /// It cannot be examined.
    pub fn new(dir: Dir) -> io::Result<Root> {
        let stat = dir.stat_self()?;
        let (taking, policy) = (Taking::default(), Arc::default());
        Ok(Root { dir: Arc::new(dir), stat, grafts: None, way: None, taking, policy })
    }

    /// The tree below the directory of this path.
    ///
    /// # Errors
    /// It is no directory, or cannot be opened.
    pub fn open(path: &Path) -> io::Result<Root> {
        Root::new(Dir::open_root(path)?)
    }

    /// A tree of nothing, which is to be in this directory.
    ///
    /// # Errors
    /// The directory cannot be examined.
    pub fn nothing(dir: Dir) -> io::Result<Root> {
        Ok(Root { grafts: Some(BTreeMap::new()), ..Root::new(dir)? })
    }

    /// Grafts the thing called `name` in the directory `holder` onto the root; false when the name is taken.
    pub fn graft(&mut self, name: &[u8], holder: Dir) -> bool {
        self.grafts.get_or_insert_default().insert(name.to_vec(), Arc::new(holder)).is_none()
    }

    /// Whether only grafted names are seen, and the root itself stands for nothing.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.grafts.is_some()
    }

    /// Whether it is a tree of nothing, made by [`Root::nothing`].
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.grafts.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// From now on a sender takes this of the tree.
    pub fn take(&mut self, taking: Taking) {
        self.taking = taking;
    }

    /// What of the tree a sender takes.
    #[must_use]
    pub fn taking(&self) -> &Taking {
        &self.taking
    }

    /// From now on the tree is offered under these conditions, with a fence for its paths.
    pub fn offer_by(&mut self, policy: Policy) {
        self.policy = Arc::new(policy);
    }

    /// The conditions under which it is offered.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Whether links lead nowhere but into the module.
    #[must_use]
    pub fn is_confined(&self) -> bool {
        self.way.is_some()
    }

    /// The directories from the root of the module to what holds the tree, from the top.
    pub fn above(&self) -> impl Iterator<Item = &Dir> {
        self.way.iter().flatten()
    }

    /// The names at the root.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn names(&self) -> io::Result<Vec<Box<[u8]>>> {
        Ok(self.listing()?.into_iter().map(|(name, _)| name).collect())
    }

    /// The same, with what [`Dir::listing`] says of each.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub(super) fn listing(&self) -> io::Result<Vec<Listed>> {
        match &self.grafts {
            Some(grafts) => Ok(grafts.keys().map(|name| (name.as_slice().into(), None)).collect()),
            None => self.dir.listing(),
        }
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
    pub fn holder(&self, name: &[u8]) -> Option<&Arc<Dir>> {
        self.grafts.as_ref().map_or(Some(&self.dir), |grafts| grafts.get(name))
    }

    /// The tree at `path` below a module's root: a directory, or one name grafted from the directory that holds it.
    ///
    /// # Errors
    /// A component is missing, or is no directory on the way.
    pub fn below(module: &Dir, path: &RelPath<'_>) -> io::Result<Root> {
        let Some((parent, last)) = path.split_last() else {
            return Ok(Root { way: Some(Vec::new()), ..Root::new(module.again()?)? });
        };
        let mut way = way(module, &parent)?;
        let dir = way.last().ok_or(io::ErrorKind::NotFound)?.again()?;
        if dir.stat(last)?.kind == Some(FileKind::Dir) {
            return Ok(Root { way: Some(way), ..Root::new(dir.subdir(last)?)? });
        }
        way.pop();
        let mut root = Root::nothing(dir.again()?)?;
        root.graft(last, dir);
        Ok(Root { way: Some(way), ..root })
    }

    /// The directory at `path` below a module's root, which is to be filled. When only its last component is missing,
    /// it is made, or with `dry`, is a tree of nothing. Links lead nowhere but into the module, as in [`Root::below`].
    ///
    /// # Errors
    /// A component is missing, or is no directory.
    pub fn to_fill(module: &Dir, path: &RelPath<'_>, dry: bool) -> io::Result<Root> {
        let Some((parent, last)) = path.split_last() else {
            return Ok(Root { way: Some(Vec::new()), ..Root::new(module.again()?)? });
        };
        let way = way(module, &parent)?;
        let dir = way.last().ok_or(io::ErrorKind::NotFound)?;
        let root = match dir.subdir(last) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && dry => Root::nothing(dir.again()?)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                dir.make_dir(last)?;
                let made = dir.subdir(last)?;
                made.set_own_mode(0o755)?;
                Root::new(made)?
            }
            there => Root::new(there?)?,
        };
        Ok(Root { way: Some(way), ..root })
    }
}

/// The directories from a module's root to this path, from the top.
fn way(module: &Dir, path: &RelPath<'_>) -> io::Result<Vec<Dir>> {
    let mut way = vec![module.again()?];
    for name in path.components() {
        let dir = way.last().ok_or(io::ErrorKind::NotFound)?.through(name)?;
        way.push(dir);
    }
    Ok(way)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However a tree of a module is opened: what may follow links could follow them out of it otherwise.
    #[test]
    fn a_tree_of_a_module_is_confined() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/f"), "").unwrap();
        let module = Dir::open_root(dir.path()).unwrap();
        for (path, dry) in [("", true), ("a", true), ("a/b", false), ("a/new", true), ("a/new", false)] {
            let path = RelPath::new(path.as_bytes()).unwrap();
            let root = Root::to_fill(&module, &path, dry).unwrap();
            assert!(root.is_confined(), "{path}");
            let depth = path.components().count();
            assert_eq!(root.above().count(), depth, "{path}");
        }
        for path in ["", "a", "a/b", "a/f"] {
            let path = RelPath::new(path.as_bytes()).unwrap();
            assert!(Root::below(&module, &path).unwrap().is_confined(), "{path}");
        }
    }
}
