//! Wanted files that the receiver has elsewhere, in trees of `--link-dest` or under other names: they need not be sent.

use crate::config::Durable;
use crate::digest::{Digests, Hasher};
use crate::install::{Failure, Meta, Stage, is_final};
use crate::limits;
use crate::plan::{Rules, differences};
use crate::report::{Aspects, Report};
use crate::session::Error;
use crate::session::moves::Sources;
use crate::spec::{Entry, Index, InodeId, Kind, Marks, Spec, Time, Xattrs};
use crate::sys::{Buffer, File, Stat, xattr};
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
    /// These, and those that are in the tree itself.
    pub(super) fn and(self, moved: Sources) -> Elsewhere {
        Elsewhere { moved, ..self }
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
    /// another that is here already. `shared` has every file that gets one more name and has others, by a hash of which
    /// it is.
    fn part(
        &mut self,
        (want, have): (&Spec, &Spec),
        mut shared: Vec<(u64, Index)>,
        hash: impl Fn(InodeId) -> u64,
    ) {
        shared.sort_unstable();
        let of = |hash: u64| {
            let from = shared.partition_point(|(other, _)| *other < hash);
            shared.get(from).is_some_and(|(other, _)| *other == hash)
        };
        let here = have.inodes().map(|(at, id)| (at, hash(id))).filter(|(_, hash)| of(*hash));
        let mut here: Vec<(u64, Index)> =
            here.filter_map(|(at, hash)| Some((hash, want.find_index(&have.path(at))?))).collect();
        here.sort_unstable();
        for one in shared.chunk_by(|one, other| one.0 == other.0) {
            let Some((hash, first)) = one.first() else { continue };
            let from = here.partition_point(|(other, _)| other < hash);
            let owner = here.get(from).filter(|(other, _)| other == hash).map_or(*first, |(_, at)| *at);
            let group = want.entry(owner).inode;
            let stays = |index: Index| index == owner || group.is_some() && want.entry(index).inode == group;
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
    (want, have): (&Spec, &Spec),
    wanted: impl Iterator<Item = Index>,
    rules: &Rules<'_>,
) -> Elsewhere {
    let mut found = Elsewhere { there: vec![There::default(); trees.len()], ..Elsewhere::default() };
    if trees.is_empty() {
        return found;
    }
    let mut cursors: Vec<_> = trees.iter().map(|root| Cursor::new(root, true)).collect();
    let state = RandomState::new();
    let hash = |id: InodeId| state.hash_one(id);
    let mut shared = Vec::new();
    for index in wanted {
        let entry = want.entry(index);
        let mut best: Option<(&mut There, Same)> = None;
        for (cursor, there) in cursors.iter_mut().zip(&mut found.there) {
            // What cannot be read there is sent.
            let Ok(Some(same)) = compare(cursor, &entry, rules) else { continue };
            let alike = same.alike;
            if alike || best.is_none() {
                best = Some((there, same));
            }
            if alike {
                break;
            }
        }
        match best {
            Some((there, Same { alike: true, shared: id })) => {
                there.alike.insert(index);
                shared.extend(id.map(|id| (hash(id), index)));
            }
            Some((there, _)) => there.contents.insert(index),
            None => {}
        }
    }
    if rules.links {
        found.part((want, have), shared, hash);
    }
    found
}

/// A file that has the wanted contents.
struct Same {
    /// Whether it is all alike.
    alike: bool,
    /// Which it is, if it has several names.
    shared: Option<InodeId>,
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
    Ok(same.then(|| Same { alike: aspects.is_empty(), shared: InodeId::of_several_names(&stat) }))
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

/// Brings what was found into the stage, and counts it. What is not there any more is left out: it is sent.
pub(super) fn adopt(
    (trees, root): (&[Root], &Root),
    (want, have): (&Spec, &Spec),
    found: &Elsewhere,
    (stage, meta, durable): (&Stage, &Meta<'_>, Durable),
    report: &mut Report,
) -> Result<Marks, Error> {
    let mut cursors: Vec<_> = trees.iter().map(|root| Cursor::new(root, true)).collect();
    let mut own = Cursor::new(root, true);
    let mut adopted = Marks::default();
    let mut take = |index: Index, done: Result<bool, Failure>| match done {
        Ok(linked) => {
            adopted.insert(index);
            *(if linked { &mut report.linked } else { &mut report.copied }) += 1;
            Ok(())
        }
        Err(failure) if is_final(&failure) => Err(Error::Disk("write into the stage", failure.1)),
        Err(_) => Ok(()),
    };
    // A new name for a file changes it: copies of it come before. In tree order each directory is opened once.
    for without_room in [false, true] {
        for (cursor, there) in cursors.iter_mut().zip(&found.there) {
            for index in if without_room { &there.alike } else { &there.contents }.iter() {
                let entry = want.entry(index);
                if let Ok(from) = cursor.holder(&entry.path) {
                    take(index, stage.adopt(from, (index, &entry), without_room, meta, durable))?;
                }
            }
        }
        for (index, source) in found.moved.iter().filter(|(_, source)| source.goes == without_room) {
            let there = have.path(source.have);
            if let Ok(from) = own.holder(&there) {
                let moved = stage.move_in(from, source.what(), (index, &want.entry(index)), meta, durable);
                take(index, moved.map(|()| false))?;
            }
        }
    }
    Ok(adopted)
}
