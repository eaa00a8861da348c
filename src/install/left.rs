//! What an interrupted run left in the stage: what can be used stays, and the rest is swept.

use crate::install::stage::own;
use crate::install::{Fresh, Places, Stage, remove, unlock};
use crate::limits;
use crate::path::RelPath;
use crate::spec::{Entry, Index, Kind, Marks, Spec, Time};
use crate::sys::{Dir, FileKind, Stat};
use std::collections::HashMap;
use std::io;

/// What can be used.
#[derive(Debug, Default)]
pub struct Left {
    /// Files that are as long as those that are wanted.
    pub whole: Marks,
    /// Files that are shorter, but long enough to be gone on with.
    pub begun: Vec<Index>,
}

/// What an interrupted run's stage is looked through for.
struct Search<'s> {
    want: &'s Spec,
    /// The files that are wanted.
    fetched: &'s Marks,
    left: Left,
    /// Those that are whole and had more names.
    shared: Marks,
}

/// A directory that is looked through.
struct Level {
    dir: Dir,
    path: RelPath<'static>,
    rest: Vec<Box<[u8]>>,
}

impl Level {
    /// Whatever metadata it has got by now, it is ours alone again while something is done in it.
    fn open(holder: &Dir, name: &[u8], path: RelPath<'static>) -> io::Result<Level> {
        let _ = unlock::named(holder, name)?;
        let dir = holder.subdir(name)?;
        own(&dir)?;
        let rest = dir.names()?;
        Ok(Level { dir, path, rest })
    }
}

impl Stage {
    /// Looks for files that are wanted, and removes everything else but directories that are.
    ///
    /// # Errors
    /// Something cannot be examined or removed.
    pub fn sweep(&self, want: &Spec, fresh: &Fresh, fetched: &Marks) -> io::Result<Left> {
        let mut search = Search { want, fetched, left: Left::default(), shared: Marks::default() };
        if !self.has_left() {
            return Ok(search.left);
        }
        let dir = self.dir()?;
        let mut known: HashMap<Vec<u8>, Index> = HashMap::new();
        let trees = fresh.tops().map(|top| (Stage::tree(&want.path(top)), top));
        let files = fetched.iter().filter(|index| fresh.top(*index).is_none()).filter_map(|index| {
            let entry = want.entry(index);
            Some((Stage::waiting(&entry.path, entry.size?, entry.time?), index))
        });
        known.extend(trees.chain(files).filter(|(name, _)| self.has_left_this(name)));
        for name in self.names_left() {
            let stat = match dir.stat(name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                stat => stat?,
            };
            match (known.get(name.as_ref()).copied(), stat.kind) {
                (Some(top), Some(FileKind::Dir)) if fresh.top(top) == Some(top) => {
                    search.tree(Level::open(dir, name, want.path(top).into_owned())?)?;
                }
                (Some(index), Some(FileKind::File))
                    if search.keeps(index, &want.entry(index), &stat, true) => {}
                _ => remove::clear(dir, name)?,
            }
        }
        let Search { mut left, shared, .. } = search;
        let mut places = Places::new(self, want, fresh);
        for index in shared.iter() {
            let entry = want.entry(index);
            let (Some(size), Some(time)) = (entry.size, entry.time) else { continue };
            let (dir, name) = places.file(index, &entry.path, size, time)?;
            // It is somebody's outside of the stage too, and found there again.
            if dir.stat(&name)?.nlink > 1 {
                dir.remove(&name)?;
                left.whole.remove(index);
            }
        }
        Ok(left)
    }
}

impl Search<'_> {
    /// Looks through a tree.
    fn tree(&mut self, top: Level) -> io::Result<()> {
        let mut levels = vec![top];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.rest.pop() else {
                levels.pop();
                continue;
            };
            let stat = level.dir.stat(&name)?;
            let path = level.path.join(&name).ok();
            let wanted = path.and_then(|path| self.want.find_index(&path));
            let wanted = wanted.map(|index| (index, self.want.entry(index)));
            match (wanted, stat.kind) {
                (Some((_, entry)), Some(FileKind::Dir)) if entry.kind == Kind::Dir => {
                    let below = Level::open(&level.dir, &name, entry.path.into_owned())?;
                    levels.push(below);
                }
                // By its time it is known to be the right one, which another one's name would tell.
                (Some((index, entry)), Some(FileKind::File))
                    if self.keeps(
                        index,
                        &entry,
                        &stat,
                        entry.time == Some(Time { sec: stat.mtime.0, nsec: stat.mtime.1 }),
                    ) => {}
                _ => remove::clear(&level.dir, &name)?,
            }
        }
        Ok(())
    }

    /// Whether a file that was left is of use; `timely` if it is known that all of it has the right time.
    fn keeps(&mut self, index: Index, entry: &Entry<'_>, stat: &Stat, timely: bool) -> bool {
        let Some(size) = entry.size.filter(|_| self.fetched.contains(index)) else { return false };
        if stat.size == size && timely {
            self.left.whole.insert(index);
            if stat.nlink > 1 {
                self.shared.insert(index);
            }
            return true;
        }
        let begun =
            stat.size < size && stat.size >= limits::PARTIAL && self.left.begun.len() < limits::PARTIALS;
        if begun {
            self.left.begun.push(index);
        }
        begun
    }
}
