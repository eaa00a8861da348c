//! One row of the table: what is done, how, and with what memory of the runs before.

use crate::program::How;
use crate::tree::Shape;
use std::time::Duration;

/// What is done before a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// There is no tree at the receiver.
    Missing,
    /// The tree of the receiver is like that of the sender.
    Equal,
    /// And then the sender's file gets a new time.
    Touched,
    /// And then every hundredth file of the sender gets other contents of the same size.
    Changed,
    /// And then the sender's file gets other contents in places.
    Scattered,
    /// And then more contents at its front.
    Inserted,
    /// And then what is in the sender's root gets another name.
    Renamed,
}

impl Before {
    /// Whether the sender's tree is another in each pair of runs. Then each program has a destination of its own, so that
    /// what one remembers of it is not what the other one did.
    pub(crate) const fn edits(self) -> bool {
        !matches!(self, Before::Missing | Before::Equal)
    }

    /// Whether contents are written.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Before::Missing | Before::Changed | Before::Scattered | Before::Inserted)
    }
}

/// What smsync may know of the runs before, on both sides. rsync remembers nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Its state directories are emptied before each run.
    Empty,
    /// They are what the runs before left, the first of which is not counted.
    Kept,
}

/// One row.
#[derive(Clone)]
pub(crate) struct Row {
    /// What it is called on the command line.
    pub(crate) name: String,
    pub(crate) work: String,
    pub(crate) shape: Shape,
    pub(crate) before: Before,
    pub(crate) memory: Memory,
    pub(crate) how: How,
    /// Half of a round trip.
    pub(crate) delay: Duration,
    /// Destinations that are filled at once.
    pub(crate) servers: usize,
    /// Whether the destination is on a disk.
    pub(crate) disk: bool,
    /// Pairs of runs at most: it takes long.
    pub(crate) pairs: u32,
    /// What part of rsync's wall time is aimed at.
    pub(crate) goal: Option<f64>,
    /// Whether it is measured by `--full` only.
    pub(crate) full: bool,
    /// Whether it is a point of the plot.
    pub(crate) plotted: bool,
}

/// What one pair of runs is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// For caches, and for what smsync remembers.
    Warm,
    /// For bytes on the wire and anonymous memory, which take time to count.
    Counted,
    /// For time.
    Timed,
    /// For all of it, where one run takes minutes.
    Only,
}

impl Pass {
    pub(crate) const fn counts(self) -> bool {
        matches!(self, Pass::Counted | Pass::Only)
    }

    pub(crate) const fn is_timed(self) -> bool {
        matches!(self, Pass::Timed | Pass::Only)
    }
}

impl Row {
    /// The same row on the terms of `rsync -a`.
    pub(crate) fn carrying_less(&self) -> Row {
        let mut row = self.clone();
        row.name.push_str("-a");
        row.work.push_str(", as `rsync -a`");
        row.how.less = true;
        row.full = true;
        row.goal = None;
        row.pairs = row.pairs.min(3);
        row
    }

    /// The pairs of runs, of which so many are timed.
    pub(crate) fn passes(&self, pairs: u32) -> Vec<Pass> {
        if pairs == 1 && self.memory == Memory::Empty {
            return vec![Pass::Only];
        }
        let mut passes = Vec::new();
        if self.memory == Memory::Kept {
            passes.push(Pass::Warm);
        }
        passes.push(Pass::Counted);
        passes.extend((0..pairs).map(|_| Pass::Timed));
        passes
    }

    /// So many seconds in round trips, if the way is long.
    pub(crate) fn trips(&self, seconds: f64) -> Option<f64> {
        (!self.delay.is_zero()).then(|| seconds / (2 * self.delay).as_secs_f64())
    }
}
