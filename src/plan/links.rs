//! Hard links on paper: which names are to be one file, and whether they are.

use crate::plan::{Merge, Met, Rules};
use crate::report::Aspects;
use crate::spec::{Entry, Index, InodeId, Keyword, Spec};
use std::hash::{BuildHasher, RandomState};

/// Which names of one specification are one file. Those of which no other name is there have no group.
#[derive(Debug, Default)]
struct Groups {
    /// The number of the group of each entry, or [`ALONE`]; empty if there is no group.
    of: Vec<u32>,
    /// How many names each group has.
    names: Vec<u32>,
}

/// Stands for the number of a group where there is none.
const ALONE: u32 = u32::MAX;

impl Groups {
    fn new(spec: &Spec) -> Groups {
        let mut groups = Groups::default();
        if !spec.keywords().contains(Keyword::Inode) {
            return groups;
        }
        // Brought together by a hash that nobody can foresee: it takes less room than which file they are.
        let state = RandomState::new();
        let mut all: Vec<(u64, Index)> =
            spec.inodes().map(|(index, file)| (state.hash_one(file), index)).collect();
        all.sort_unstable();
        for alike in all.chunk_by(|one, other| one.0 == other.0).filter(|alike| alike.len() > 1) {
            groups.enter(spec, alike.iter().map(|(_, index)| (spec.inode(*index), *index)).collect());
        }
        groups
    }

    /// Enters those that are one file; that the hashes are the same may be chance.
    fn enter(&mut self, spec: &Spec, mut alike: Vec<(Option<InodeId>, Index)>) {
        alike.sort_by_key(|(file, _)| file.map(|file| (file.device.major, file.device.minor, file.inode)));
        for group in alike.chunk_by(|one, other| one.0 == other.0).filter(|group| group.len() > 1) {
            self.of.resize(spec.len() as usize, ALONE);
            for (_, index) in group {
                self.of
                    .get_mut(index.get() as usize)
                    .into_iter()
                    .for_each(|of| *of = count(self.names.len()));
            }
            self.names.push(count(group.len()));
        }
    }

    /// The number of a name's group, counted from 0.
    fn get(&self, index: Index) -> Option<usize> {
        self.of.get(index.get() as usize).filter(|group| **group != ALONE).map(|group| *group as usize)
    }
}

/// No specification has so many entries that this does not hold their number.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(ALONE)
}

/// Where the first name of a wanted group stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leader {
    pub(super) want: Index,
    /// The name that it has now, if it keeps its contents in place.
    pub(super) kept: Option<Index>,
}

/// Groups of names, and what was seen of them so far.
#[derive(Debug, Default)]
pub(super) struct Links {
    wanted: Groups,
    there: Groups,
    /// The first name of each wanted group.
    leaders: Vec<Option<Leader>>,
    /// Which wanted group stays in each file that is there, or [`ALONE`] for one name.
    claimed: Vec<Option<u32>>,
    /// Those that are there of which not every name shown is to be one and the same file.
    parting: Vec<bool>,
}

impl Links {
    /// Counts the names of every file of the receiver that has several, and looks whether they stay together.
    pub(super) fn new(want: &Spec, have: &Spec, rules: &Rules<'_>) -> Links {
        let (wanted, there) = (Groups::new(want), Groups::new(have));
        let (leaders, files) = (vec![None; wanted.names.len()], there.names.len());
        let mut links =
            Links { wanted, there, leaders, claimed: vec![None; files], parting: vec![false; files] };
        if files == 0 {
            return links;
        }
        let mut groups: Vec<Option<usize>> = vec![None; files];
        for Met { entries: [want, have], .. } in Merge::new([want, have]) {
            let Some((at, have)) = have.filter(|(_, entry)| entry.inode.is_some()) else { continue };
            let Some(file) = links.there.get(at) else { continue };
            // What is to be left alone must not become what another name does.
            let wanted = want.filter(|(index, entry)| {
                entry.kind == have.kind && !entry.nochange && !rules.is_away(*index)
            });
            let wanted = wanted.and_then(|(index, _)| links.wanted.get(index));
            let first = groups.get_mut(file).map(|group| *group.get_or_insert(wanted.unwrap_or(usize::MAX)));
            if wanted.is_none() || first != wanted {
                links.parting.get_mut(file).into_iter().for_each(|parting| *parting = true);
            }
        }
        links
    }

    /// The first name of the entry's group, if it is not itself the first.
    pub(super) fn leader(&self, want: Index) -> Option<Leader> {
        self.leaders.get(self.wanted.get(want)?).copied().flatten()
    }

    /// Enters the first name of a group.
    pub(super) fn lead(&mut self, want: Index, kept: Option<Index>) {
        let group = self.wanted.get(want).and_then(|group| self.leaders.get_mut(group));
        group.into_iter().for_each(|leader| *leader = Some(Leader { want, kept }));
    }

    /// Whether two names of the receiver are one file.
    pub(super) fn are_one(&self, one: Index, other: Index) -> bool {
        self.there.get(one).is_some_and(|file| self.there.get(other) == Some(file))
    }

    /// Whether the wanted file, which differs in these aspects, cannot be what is at `have`, but a copy: other names must not
    /// get its metadata, or another wanted file is there already, which is one more aspect then.
    pub(super) fn part(
        &mut self,
        want: Index,
        (at, have): (Index, &Entry<'_>),
        rules: &Rules<'_>,
        aspects: &mut Aspects,
    ) -> bool {
        if have.inode.is_none() {
            return false;
        }
        let file = self.there.get(at);
        let shared = !aspects.is_empty() && self.shared(file, have);
        // Where the specification does not tell which names are one file, those that are stay so.
        let claims = rules.links && !shared && !rules.is_away(want);
        let foreign = claims && !file.is_none_or(|file| self.claim(want, file));
        aspects.note(Aspects::HARDLINK, foreign);
        shared || foreign
    }

    /// Whether the file that is there may stay where it is for this wanted entry: no other wanted file has taken it.
    fn claim(&mut self, want: Index, file: usize) -> bool {
        let group = self.wanted.get(want).map_or(ALONE, count);
        match self.claimed.get_mut(file) {
            Some(Some(owner)) => *owner == group && group != ALONE,
            Some(free) => {
                *free = Some(group);
                true
            }
            None => true,
        }
    }

    /// Whether the file has names that are not to become what this one does: outside of what the scan shows, or names of
    /// another file soon. Then its metadata are not ours to change.
    fn shared(&self, file: Option<usize>, have: &Entry<'_>) -> bool {
        let shown = file.and_then(|file| self.there.names.get(file)).copied().unwrap_or(1);
        let parting = file.and_then(|file| self.parting.get(file)).copied().unwrap_or_default();
        parting || have.names() != u64::from(shown)
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
