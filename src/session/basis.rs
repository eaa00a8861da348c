//! Wanted files that the receiver has elsewhere, in trees of `--link-dest` or under other names: they need not be sent.

use crate::config::Durable;
use crate::digest::{Digests, Hasher};
use crate::install::{Failure, Fresh, Meta, Places, Stage, is_final};
use crate::limits;
use crate::plan::{Plan, Rules, differences};
use crate::report::{Aspects, Report, Step};
use crate::session::Error;
use crate::session::moves::Sources;
use crate::spec::{Entry, Index, InodeId, Kind, Marks, Spec, Time, Xattrs};
use crate::sys::{Buffer, File, Stat, threads, xattr};
use crate::tree::{Cursor, Root};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};

/// Which wanted files are elsewhere, and where.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// At the same path in one of the trees.
    there: Vec<There>,
    /// In the tree that is changed, under other names.
    moved: Sources,
}

/// What one of the trees has.
#[derive(Debug, Clone, Default)]
struct There {
    /// Files that are all that is wanted: each gets one more name.
    alike: Marks,
    /// Files with the wanted contents, and no more in common or names that may not become one.
    contents: Marks,
}

impl Elsewhere {
    /// These, and those that are in the tree itself and nowhere else.
    pub(super) fn and(mut self, moved: Sources) -> Elsewhere {
        self.moved = moved.without(|index| self.has(index));
        self
    }

    /// Whether this one is.
    pub(super) fn has(&self, index: Index) -> bool {
        let is_there = |there: &There| there.alike.contains(index) || there.contents.contains(index);
        self.there.iter().any(is_there) || self.moved.get(index).is_some()
    }

    /// Whether this one is, and its contents need no room.
    pub(super) fn needs_no_room(&self, index: Index) -> bool {
        self.there.iter().any(|there| there.alike.contains(index))
            || self.moved.get(index).is_some_and(|source| source.goes)
    }

    /// Those that stay where they are too, as one file with both names.
    pub(super) fn linked(&self) -> Marks {
        self.there.iter().flat_map(|there| there.alike.iter()).collect()
    }

    /// Those that become files of their own.
    pub(super) fn copied(&self) -> Marks {
        let there = self.there.iter().flat_map(|there| there.contents.iter());
        there.chain(self.moved.iter().map(|(index, _)| index)).collect()
    }

    /// Of names that are one file there, lets only those be one that are one at the source; and none become one with
    /// another that is here already and stays. `alike` has every file that gets one more name and may have others, by a
    /// hash of which it is.
    fn part(
        &mut self,
        (want, have, plan): (&Spec, &Spec, &Plan),
        mut alike: Vec<(u64, Index)>,
        hash: impl Fn(InodeId) -> u64,
    ) {
        alike.sort_unstable();
        let of = |hash: u64| {
            let from = alike.partition_point(|(other, _)| *other < hash);
            alike.get(from).is_some_and(|(other, _)| *other == hash)
        };
        let here = have.inodes().map(|(at, id)| (at, hash(id))).filter(|(_, hash)| of(*hash));
        let here = here.filter_map(|(at, hash)| Some((hash, want.find_index(&have.path(at))?)));
        let mut here: Vec<(u64, Index)> = here.filter(|(_, index)| plan.keeps_file(*index)).collect();
        here.sort_unstable();
        for one in alike.chunk_by(|one, other| one.0 == other.0) {
            let Some((hash, first)) = one.first() else { continue };
            let from = here.partition_point(|(other, _)| other < hash);
            let owner = here.get(from).filter(|(other, _)| other == hash).map_or(*first, |(_, at)| *at);
            let group = want.inode(owner);
            let stays = |index: Index| index == owner || group.is_some() && want.inode(index) == group;
            for (_, index) in one.iter().filter(|(_, index)| !stays(*index)) {
                for there in self.there.iter_mut().filter(|there| there.alike.contains(*index)) {
                    there.alike.remove(*index);
                    there.contents.insert(*index);
                }
            }
        }
    }
}

/// Looks for these files in the trees, in each at the same path; the first tree in which one is all alike goes before
/// those that have its contents only.
pub(super) fn find(
    trees: &[Root],
    sides: (&Spec, &Spec, &Plan),
    wanted: impl Iterator<Item = Index> + Send,
    rules: &Rules<'_>,
) -> Elsewhere {
    let mut found = Elsewhere { there: vec![There::default(); trees.len()], ..Elsewhere::default() };
    if trees.is_empty() {
        return found;
    }
    let state = RandomState::new();
    let hash = |id: InodeId| state.hash_one(id);
    let parts = threads::spread_over(trees.len(), wanted, |wanted| {
        let mut cursors: Vec<_> = trees.iter().map(|root| Cursor::new(root, true)).collect();
        let (mut there, mut alike) = (vec![There::default(); trees.len()], Vec::new());
        for index in wanted {
            match best(&mut cursors, &mut there, &sides.0.entry(index), rules) {
                Some((there, Same { alike: true, file, names })) => {
                    there.alike.insert(index);
                    // One tree may be in another.
                    if names > 1 || trees.len() > 1 {
                        alike.push((hash(file), index));
                    }
                }
                Some((there, _)) => there.contents.insert(index),
                None => {}
            }
        }
        (there, alike)
    });
    let mut alike = Vec::new();
    for (there, some) in parts {
        for (all, part) in found.there.iter_mut().zip(there) {
            all.alike.extend(part.alike.iter());
            all.contents.extend(part.contents.iter());
        }
        alike.extend(some);
    }
    if rules.links {
        found.part(sides, alike, hash);
    }
    found
}

/// The first of the trees in which the file is all alike, or else has the wanted contents; what cannot be read there is
/// sent.
fn best<'t>(
    cursors: &mut [Cursor<'_>],
    trees: &'t mut [There],
    want: &Entry<'_>,
    rules: &Rules<'_>,
) -> Option<(&'t mut There, Same)> {
    let mut best = None;
    for (cursor, there) in cursors.iter_mut().zip(trees) {
        match compare(cursor, want, rules) {
            Ok(Some(same)) if same.alike => return Some((there, same)),
            Ok(Some(same)) if best.is_none() => best = Some((there, same)),
            _ => {}
        }
    }
    best
}

/// A file that has the wanted contents.
struct Same {
    /// Whether it is all alike.
    alike: bool,
    /// Which it is.
    file: InodeId,
    /// How many names it has.
    names: u64,
}

/// Looks whether the file there has the wanted contents.
fn compare(cursor: &mut Cursor<'_>, want: &Entry<'_>, rules: &Rules<'_>) -> io::Result<Option<Same>> {
    let (holder, name) = cursor.holder(&want.path)?;
    let stat = holder.stat(name)?;
    let time = |stat: &Stat| Some(Time { sec: stat.mtime.0, nsec: stat.mtime.1 });
    let digested = !want.digests.algorithms().is_empty();
    if want.size != Some(stat.size) || want.time != time(&stat) && !digested {
        return Ok(None);
    }
    let (mut file, stat) = holder.open_file(name)?;
    let there = Entry {
        uid: Some(stat.uid),
        gid: Some(stat.gid),
        mode: Some(stat.mode),
        size: Some(stat.size),
        time: time(&stat),
        digests: if digested { digests(&mut file, want)? } else { Digests::default() },
        xattrs: if rules.xattrs { Xattrs::of_values(xattr::of_open(&file)?) } else { Xattrs::default() },
        ..Entry::new(want.path.borrowed(), Kind::File)
    };
    if !file.stat()?.same_contents(&stat) {
        return Ok(None);
    }
    let aspects = differences(want, &there, rules);
    let proven = want.digests.agrees(&there.digests) == Some(true);
    let other = aspects.intersects(Aspects::SIZE.with(Aspects::DIGEST));
    let same = !other && (proven || !aspects.contains(Aspects::TIME));
    Ok(same.then(|| Same { alike: aspects.is_empty(), file: InodeId::of(&stat), names: stat.nlink }))
}

fn digests(file: &mut File, want: &Entry<'_>) -> io::Result<Digests<'static>> {
    let mut hasher = Hasher::new(want.digests.algorithms());
    let mut buffer = Buffer::new(limits::RECORD);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// What was found, and how it comes into the stage.
pub(super) struct Adoption<'a> {
    pub(super) trees: &'a [Root],
    pub(super) root: &'a Root,
    pub(super) found: &'a Elsewhere,
    pub(super) have: &'a Spec,
    pub(super) want: &'a Spec,
    pub(super) stage: &'a Stage,
    pub(super) fresh: &'a Fresh,
    pub(super) meta: &'a Meta<'a>,
    pub(super) durable: Durable,
}

impl Adoption<'_> {
    /// Brings what was found into the stage, and counts it. What is not there any more is left out: it is sent.
    pub(super) fn run(&self, report: &mut Report) -> Result<Marks, Error> {
        let Adoption { have, meta, durable, .. } = *self;
        let (mut linked, mut copied) = (Marks::default(), Marks::default());
        // A new name for a file changes it: copies of it come before.
        for without_room in [false, true] {
            let mut count = |parts: Vec<Result<(Marks, Marks), Error>>| {
                for part in parts {
                    let (some_linked, some_copied) = part?;
                    linked.extend(some_linked.iter());
                    copied.extend(some_copied.iter());
                }
                Ok::<_, Error>(())
            };
            for (root, there) in self.trees.iter().zip(&self.found.there) {
                let those = if without_room { &there.alike } else { &there.contents };
                count(self.each(root, those.iter().map(|index| (index, ())), |from, to, want, ()| {
                    let from = from.holder(&want.1.path).map_err(|error| (Step::Read, error))?;
                    to.adopt(from, want, without_room, meta, durable)
                }))?;
            }
            let moved = self.found.moved.iter().filter(|(_, source)| source.goes == without_room);
            count(self.each(self.root, moved, |from, to, want, source| {
                let there = have.path(source.have);
                let from = from.holder(&there).map_err(|error| (Step::Read, error))?;
                to.move_in(from, source.what(), want, meta, durable).map(|()| false)
            }))?;
        }
        report.linked += u64::from(linked.len());
        report.copied += u64::from(copied.len());
        linked.extend(copied.iter());
        Ok(linked)
    }

    /// Takes each from the tree with this root, and says which are links and which are copies now.
    fn each<T>(
        &self,
        root: &Root,
        todo: impl Iterator<Item = (Index, T)> + Send,
        take: impl Fn(&mut Cursor<'_>, &mut Places<'_>, (Index, &Entry<'_>), T) -> Result<bool, Failure> + Sync,
    ) -> Vec<Result<(Marks, Marks), Error>> {
        threads::spread(todo, |todo| {
            let (mut from, mut to) =
                (Cursor::new(root, true), Places::new(self.stage, self.want, self.fresh));
            let (mut linked, mut copied) = (Marks::default(), Marks::default());
            for (index, what) in todo {
                match take(&mut from, &mut to, (index, &self.want.entry(index)), what) {
                    Ok(true) => linked.insert(index),
                    Ok(false) => copied.insert(index),
                    Err(failure) if is_final(&failure) => {
                        todo.end();
                        return Err(Error::Disk("write into the stage", failure.1));
                    }
                    Err(_) => {}
                }
            }
            Ok((linked, copied))
        })
    }
}
