//! What is replaced or removed is kept, when that was asked for: as a backup in the tree, or as a version in the module.

mod version;

use crate::install::{Failure, at};
use crate::path::RelPath;
use crate::report::Step;
use crate::spec::{Kind, Spec};
use crate::sys::Dir;
use crate::terms::Backup;
use crate::tree::{VERSIONS, is_reserved};
use std::collections::BTreeMap;
use std::io;
use version::Named;

/// What is kept, and where.
#[derive(Debug)]
pub struct Keep<'k> {
    /// Backups, which the client asked for, below the root of the round.
    pub backup: Option<&'k Backup>,
    /// Versions, which the module keeps.
    pub versions: Option<Versions<'k>>,
}

/// Where old versions are.
#[derive(Debug)]
pub struct Versions<'k> {
    /// The root of the module.
    pub module: &'k Dir,
    /// Where in the module the tree is.
    pub below: &'k RelPath<'k>,
    /// How many of each path stay.
    pub most: u32,
    /// What stands behind their names, or what there is room for of these: `~` and the time of this round.
    pub suffix: Vec<u8>,
}

/// What became of a name that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It has its name still.
    Here,
    /// It has only the new one.
    Moved,
}

/// Directories that kept names go into, made as they are needed.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The last one, by its path below where kept names are, and what is above that.
    last: Option<(RelPath<'static>, Dir)>,
    /// Names of which there is a new version, by the directory they are in.
    fresh: BTreeMap<RelPath<'static>, Vec<Vec<u8>>>,
}

/// Makes this name, in `holder`, also that name in `target`, where what was kept before under it gives way.
fn keep_as(
    holder: &Dir,
    name: &[u8],
    stage: &Dir,
    temporary: &[u8],
    target: &Dir,
    new: &[u8],
) -> io::Result<Kept> {
    let is =
        |error: &io::Error, numbers: &[i32]| error.raw_os_error().is_some_and(|at| numbers.contains(&at));
    // In two steps, since a link replaces nothing and a rename does.
    let linked = match holder.make_hard_link(name, target, new) {
        Err(error) if is(&error, &[libc::EEXIST]) => {
            holder.make_hard_link(name, stage, temporary).map(|()| true)
        }
        linked => linked.map(|()| false),
    };
    let place = |from: &Dir, name: &[u8]| match from.rename(name, target, new) {
        // A directory is no backup, and what is in it is somebody's: only an empty one gives way.
        Err(error) if is(&error, &[libc::EISDIR, libc::ENOTEMPTY, libc::EEXIST]) => {
            target.remove_dir(new)?;
            from.rename(name, target, new)
        }
        renamed => renamed,
    };
    match linked {
        Ok(true) => place(stage, temporary).map(|()| Kept::Here),
        Ok(false) => Ok(Kept::Here),
        // Not everything can have another name, nor on every file system, nor by everybody.
        Err(error)
            if is(&error, &[libc::EPERM, libc::EMLINK, libc::EOPNOTSUPP, libc::ENOSYS, libc::EACCES]) =>
        {
            place(holder, name).map(|()| Kept::Moved)
        }
        Err(error) => Err(error),
    }
}

/// The directory of this name, made with this mode and owner if it is missing. Something else in its place is somebody's,
/// or an older backup, and stays.
fn descend(above: &Dir, name: &[u8], mode: u32, owner: (Option<u32>, Option<u32>)) -> io::Result<Dir> {
    match above.subdir(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        there => return there,
    }
    above.make_dir(name)?;
    let dir = above.subdir(name)?;
    dir.drop_acl()?;
    if owner != (None, None) {
        // Who may not give it away keeps it to himself.
        if let Err(error) = dir.set_own_owner(owner.0, owner.1) {
            return if error.kind() == io::ErrorKind::PermissionDenied { Ok(dir) } else { Err(error) };
        }
    }
    dir.set_own_mode(mode)?;
    Ok(dir)
}

/// Mode of a directory that stands for none of the tree: what is in it was perhaps not for everybody.
const OWN: u32 = 0o700;

impl Shelf {
    /// The directory at `path` below `base`, which mirrors the directory `of` of the tree from `top` on.
    fn open(&mut self, base: &Dir, top: &[&[u8]], of: &RelPath<'_>, have: &Spec) -> Result<&Dir, Failure> {
        let mut path = top.iter().copied().chain(of.components());
        let path = path.try_fold(RelPath::ROOT, |path, name| path.join(name));
        let path = path.map_err(|_| (Step::Keep, io::Error::from_raw_os_error(libc::ENAMETOOLONG)))?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != path) {
            let mut dir = base.again().map_err(at(Step::Keep))?;
            for name in top {
                dir = descend(&dir, name, OWN, (None, None)).map_err(at(Step::Keep))?;
            }
            let mut original = RelPath::ROOT;
            for name in of.components() {
                original =
                    original.join(name).map_err(|_| (Step::Keep, io::ErrorKind::InvalidInput.into()))?;
                let entry = have.find(&original).filter(|entry| entry.kind == Kind::Dir);
                let mode = entry.as_ref().and_then(|entry| entry.mode).unwrap_or(OWN) | OWN;
                let owner = entry.map_or((None, None), |entry| (entry.uid, entry.gid));
                dir = descend(&dir, name, mode, owner).map_err(at(Step::Keep))?;
            }
            self.last = Some((path, dir));
        }
        self.last.as_ref().map(|(_, dir)| dir).ok_or_else(|| (Step::Keep, io::ErrorKind::NotFound.into()))
    }
}

/// Something that is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Old<'o> {
    pub(super) path: &'o RelPath<'o>,
    pub(super) root: &'o Dir,
    pub(super) holder: &'o Dir,
    pub(super) stage: &'o Dir,
    /// A name that is free in the stage.
    pub(super) temporary: &'o [u8],
    pub(super) have: &'o Spec,
    pub(super) want: &'o Spec,
}

impl Keep<'_> {
    /// Whether anything is.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.backup.is_none() && self.versions.is_none()
    }

    /// The directory below the root in which this path's backup is.
    pub(super) fn place(&self, parent: &RelPath<'_>) -> Option<RelPath<'static>> {
        let backup = self.backup?;
        parent.components().try_fold(backup.dir().clone(), |path, name| path.join(name)).ok()
    }

    /// Keeps what has this name.
    pub(super) fn keep(&self, shelf: &mut Shelf, old: Old<'_>) -> Result<Kept, Failure> {
        let Old { path, root, holder, stage, temporary, have, want } = old;
        let (parent, name) = path.split_last().ok_or((Step::Keep, io::ErrorKind::InvalidInput.into()))?;
        let mut kept = Kept::Here;
        if let Some(versions) = &self.versions {
            let top: Vec<&[u8]> = std::iter::once(VERSIONS).chain(versions.below.components()).collect();
            let new = Named::new(name, versions.suffix.len()).at(&versions.suffix);
            let target = shelf.open(versions.module, &top, &parent, have)?;
            let temporary = [temporary, b"-version"].concat();
            kept = keep_as(holder, name, stage, &temporary, target, &new).map_err(at(Step::Keep))?;
            shelf.fresh.entry(parent.clone().into_owned()).or_default().push(name.to_vec());
        }
        let Some(backup) = self.backup.filter(|_| kept == Kept::Here) else { return Ok(kept) };
        let new = [name, backup.suffix()].concat();
        if backup.dir().is_root() {
            if parent.is_root() && is_reserved(&new) {
                return Err((Step::Keep, io::Error::from_raw_os_error(libc::EPERM)));
            }
            // What the sender has under that name goes before.
            if parent.join(&new).is_ok_and(|path| want.find(&path).is_some()) {
                return Err((Step::Keep, io::Error::from_raw_os_error(libc::EEXIST)));
            }
            return keep_as(holder, name, stage, temporary, holder, &new).map_err(at(Step::Keep));
        }
        let top: Vec<&[u8]> = backup.dir().components().collect();
        let target = shelf.open(root, &top, &parent, have)?;
        keep_as(holder, name, stage, temporary, target, &new).map_err(at(Step::Keep))
    }

    /// Removes versions of names that have new ones, but for the newest. What cannot be removed stays: it does no harm.
    pub(super) fn prune(&self, shelf: &mut Shelf, have: &Spec) {
        let Some(versions) = &self.versions else { return };
        let top: Vec<&[u8]> = std::iter::once(VERSIONS).chain(versions.below.components()).collect();
        for (parent, names) in std::mem::take(&mut shelf.fresh) {
            let Ok(dir) = shelf.open(versions.module, &top, &parent, have) else { continue };
            let mut there = dir.names().unwrap_or_default();
            // The oldest first: the time in their names is as long in each.
            there.sort_unstable();
            for name in names {
                let time = versions.suffix.len();
                let named = Named::new(&name, time);
                let of_it = |version: &&[u8]| named.has(version, time);
                let all: Vec<&[u8]> = there.iter().map(AsRef::as_ref).filter(of_it).collect();
                let surplus = all.len().saturating_sub(versions.most as usize);
                for version in all.into_iter().take(surplus) {
                    let _ = dir.remove(version);
                }
            }
        }
    }
}
