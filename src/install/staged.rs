//! Which wanted files wait in the stage.

use crate::install::Arrived;
use crate::spec::{Entry, Index, Marks};
use std::collections::HashMap;

/// The files that arrived: a bit for each, and more only of those that are not what their specification says.
#[derive(Debug, Default)]
pub struct Staged {
    marks: Marks,
    other: HashMap<Index, Arrived>,
}

impl Staged {
    /// Notes that this file waits.
    pub fn insert(&mut self, index: Index, want: &Entry<'_>, arrived: Arrived) {
        self.marks.insert(index);
        if (want.size, want.time) != (Some(arrived.size), Some(arrived.time)) {
            self.other.insert(index, arrived);
        }
    }

    /// Adds others.
    pub fn extend(&mut self, others: Staged) {
        self.marks.extend(others.marks.iter());
        self.other.extend(others.other);
    }

    /// Whether this one waits.
    #[must_use]
    pub fn contains(&self, index: Index) -> bool {
        self.marks.contains(index)
    }

    /// As what the file of this entry waits.
    #[must_use]
    pub fn get(&self, index: Index, want: &Entry<'_>) -> Option<Arrived> {
        if !self.marks.contains(index) {
            return None;
        }
        self.other.get(&index).copied().or_else(|| Some(Arrived { size: want.size?, time: want.time? }))
    }

    /// Which do.
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }
}
