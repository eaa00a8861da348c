//! Hard links on paper: which names are to be one file, and whether they are.

use crate::spec::{Entry, Index, InodeId, Spec};
use std::collections::HashMap;

/// Where the first name of a wanted group stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leader {
    pub(super) want: Index,
    /// The file that has this name now, if it keeps its contents in place.
    pub(super) kept: Option<InodeId>,
}

/// Groups of names seen so far.
#[derive(Debug, Default)]
pub(super) struct Links {
    leaders: HashMap<InodeId, Leader>,
    /// Which wanted file stays in which inode that has several names.
    claimed: HashMap<InodeId, Option<InodeId>>,
    /// How many names of each such inode the receiver's tree shows.
    shown: HashMap<InodeId, u64>,
}

impl Links {
    /// Counts the names of every file of the receiver that has several.
    pub(super) fn new(have: &Spec) -> Links {
        let mut links = Links::default();
        for id in have.iter().filter_map(|(_, entry)| entry.inode) {
            *links.shown.entry(id).or_insert(0) += 1;
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

    /// Whether the file at `have` may stay where it is for this wanted entry: it has one name only, or no other wanted
    /// file has taken it.
    pub(super) fn claim(&mut self, want: &Entry<'_>, have: &Entry<'_>) -> bool {
        let Some(id) = have.inode else { return true };
        match self.claimed.get(&id) {
            None => {
                self.claimed.insert(id, want.inode);
                true
            }
            Some(owner) => owner.is_some() && *owner == want.inode,
        }
    }

    /// Whether the file has names outside of what the scan shows: then its metadata are not ours to change.
    pub(super) fn elsewhere(&self, have: &Entry<'_>) -> bool {
        have.inode.is_some_and(|id| self.shown.get(&id).copied() != have.nlink)
    }
}
