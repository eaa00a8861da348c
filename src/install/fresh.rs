//! Directories that are new as a whole: each is built in the stage with all that is in it, and gets its name by one rename.

use crate::plan::{Action, Plan};
use crate::spec::{Index, Spec};

/// Directories that the receiver lacks, but not what holds them.
#[derive(Debug, Default)]
pub struct Fresh {
    /// Each with the number behind the last entry that is in it, in tree order.
    tops: Vec<(Index, u32)>,
}

impl Fresh {
    /// Those of a plan.
    #[must_use]
    pub fn of(plan: &Plan, want: &Spec) -> Fresh {
        let mut fresh = Fresh::default();
        let mut end = 0;
        for step in plan.steps.iter().filter(|step| step.action == Action::MakeDir) {
            if step.want.get() >= end {
                end = want.end_of(step.want);
                fresh.tops.push((step.want, end));
            }
        }
        fresh
    }

    /// The directory that is new with this entry, which may be the directory itself.
    #[must_use]
    pub fn top(&self, index: Index) -> Option<Index> {
        let at = self.tops.partition_point(|(top, _)| *top <= index).checked_sub(1)?;
        self.tops.get(at).filter(|(_, end)| index.get() < *end).map(|(top, _)| *top)
    }

    /// Whether this entry has its last name already where it waits.
    #[must_use]
    pub fn is_inside(&self, index: Index) -> bool {
        self.top(index).is_some_and(|top| top != index)
    }

    /// All of them.
    pub(super) fn tops(&self) -> impl Iterator<Item = Index> + '_ {
        self.tops.iter().map(|(top, _)| *top)
    }
}
