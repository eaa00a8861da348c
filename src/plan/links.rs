//! Hard links on paper: which names are to be one file, and whether they are.

use crate::plan::{Merge, Met, Rules};
use crate::report::Aspects;
use crate::spec::{Entry, Index, InodeId, Spec};
use std::collections::{HashMap, HashSet};

/// Where the first name of a wanted group stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leader {
    pub(super) want: Index,
    /// The file that has this name now, if it keeps its contents in place.
    pub(super) kept: Option<InodeId>,
}

/// Which wanted file stays in which inode that has several names, or becomes one more name of it.
#[derive(Debug, Default)]
pub struct Claims(HashMap<InodeId, Option<InodeId>>);

impl Claims {
    /// Those of the files that are here, whether or not they stay: at worst two that could be one are not.
    #[must_use]
    pub fn of(want: &Spec, have: &Spec) -> Claims {
        let mut claims = Claims::default();
        for Met { entries, .. } in Merge::new([want, have]) {
            if let [Some((_, want)), Some((_, Entry { inode: Some(id), .. }))] = entries {
                claims.claim(&want, id);
            }
        }
        claims
    }

    /// Whether the wanted entry may be this file: no other wanted file has taken it.
    pub fn claim(&mut self, want: &Entry<'_>, id: InodeId) -> bool {
        match self.0.get(&id) {
            None => {
                self.0.insert(id, want.inode);
                true
            }
            Some(owner) => owner.is_some() && *owner == want.inode,
        }
    }
}

/// Groups of names seen so far.
#[derive(Debug, Default)]
pub(super) struct Links {
    leaders: HashMap<InodeId, Leader>,
    claims: Claims,
    /// How many names of each such inode the receiver's tree shows.
    shown: HashMap<InodeId, u64>,
    /// Those of which not every name shown is to be one and the same file.
    parting: HashSet<InodeId>,
}

impl Links {
    /// Counts the names of every file of the receiver that has several, and looks whether they stay together.
    pub(super) fn new(want: &Spec, have: &Spec) -> Links {
        let mut links = Links::default();
        for id in have.inodes() {
            *links.shown.entry(id).or_insert(0) += 1;
        }
        if links.shown.is_empty() {
            return links;
        }
        let mut groups: HashMap<InodeId, Option<InodeId>> = HashMap::new();
        for Met { entries: [want, have], .. } in Merge::new([want, have]) {
            let Some((kind, id)) = have.and_then(|(_, entry)| Some((entry.kind, entry.inode?))) else {
                continue;
            };
            // What is to be left alone must not become what another name does.
            let joins = |entry: &Entry<'_>| entry.kind == kind && !entry.nochange;
            let wanted = want.filter(|(_, entry)| joins(entry)).and_then(|(_, entry)| entry.inode);
            if wanted.is_none() || *groups.entry(id).or_insert(wanted) != wanted {
                links.parting.insert(id);
            }
        }
        links
    }

    /// The first name of the entry's group, if it is not itself the first.
    pub(super) fn leader(&self, want: &Entry<'_>) -> Option<Leader> {
        self.leaders.get(&want.inode?).copied()
    }

    /// Enters the first name of a group.
    pub(super) fn lead(&mut self, want: &Entry<'_>, index: Index, kept: Option<InodeId>) {
        if let Some(group) = want.inode {
            self.leaders.insert(group, Leader { want: index, kept });
        }
    }

    /// Whether the wanted file, which differs in these aspects, cannot be what is at `have`, but a copy: other names must not
    /// get its metadata, or another wanted file is there already, which is one more aspect then.
    pub(super) fn part(
        &mut self,
        want: &Entry<'_>,
        have: &Entry<'_>,
        rules: &Rules<'_>,
        aspects: &mut Aspects,
    ) -> bool {
        let shared = !aspects.is_empty() && self.shared(have);
        // Where the specification does not tell which names are one file, those that are stay so.
        let stays = |id| self.claims.claim(want, id);
        let foreign = rules.links && !shared && !have.inode.is_none_or(stays);
        aspects.note(Aspects::HARDLINK, foreign);
        shared || foreign
    }

    /// Whether the file has names that are not to become what this one does: outside of what the scan shows, or names of
    /// another file soon. Then its metadata are not ours to change.
    fn shared(&self, have: &Entry<'_>) -> bool {
        have.inode.is_some_and(|id| self.parting.contains(&id) || self.shown.get(&id) != Some(&have.names()))
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
