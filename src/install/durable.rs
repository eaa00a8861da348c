//! When what was written reaches the disk: one policy for all of it.

/// What is flushed before a round is reported as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durable {
    /// The file system once before the renames and once after them; a few files one by one, since the former waits for
    /// everybody.
    #[default]
    Batch,
    /// Each file when it is complete, each directory when all are in place.
    File,
    /// Nothing: after a power cut, files that were reported as done may be empty.
    None,
}

/// Up to how many files are flushed one by one.
const FEW: usize = 16;

impl Durable {
    /// The policy for a round with this many files to write.
    #[must_use]
    pub fn for_files(self, files: usize) -> Durable {
        if self == Durable::Batch && files <= FEW { Durable::File } else { self }
    }
}
