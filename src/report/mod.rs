//! What happened: problems, changes, the sums of a round, and who is told.

mod aspects;
mod census;
mod change;
mod problem;
mod refusal;
mod sums;
mod transfer;
mod unsupported;

pub use aspects::Aspects;
pub use census::Census;
pub use change::{Change, Deed, Fate, KINDS};
pub use problem::{Problem, Problems, Side, Step};
pub use refusal::{Doubt, Refusal, Why};
pub use sums::Report;
pub use transfer::{Carried, Transfer};
pub use unsupported::{Feature, Unsupported};

/// Who is told of a round while it runs: the log, a terminal, a stream of JSON, a test.
pub trait Monitor: Send {
    /// Something failed; the run goes on.
    fn problem(&mut self, problem: &Problem);

    /// The file system of the receiver does not keep something.
    fn unsupported(&mut self, lost: &Unsupported);

    /// Something was changed, or would be.
    fn change(&mut self, change: &Change);

    /// What the source is, by the specification of it.
    fn census(&mut self, census: &Census);

    /// The round is stopped before it changes anything, since it would remove more than seems meant.
    fn refusal(&mut self, refusal: &Refusal);

    /// Whether [`Monitor::transfer`] is wanted of each name: by logs only.
    fn wants_transfers(&self) -> bool {
        false
    }

    /// A name was carried or removed.
    fn transfer(&mut self, _: &Transfer<'_>) {}

    /// Bytes of contents and whole files so far, of those expected.
    fn progress(&mut self, progress: &Progress);

    /// The round is over: both sides know how it went. What a side does after that is for rounds to come.
    fn over(&mut self, _: &Report) {}
}

/// How far the transfer of contents is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files done.
    pub files: u64,
    /// Files in all.
    pub files_total: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, as the specification says.
    pub bytes_total: u64,
}
