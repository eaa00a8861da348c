//! How the flush policy is carried out for a round of a certain size.

use crate::config::Durable;

/// Up to how many files are flushed one by one: a flush of the whole file system waits for everybody.
const FEW: usize = 16;

/// The policy for a round with this many files to write.
#[must_use]
pub fn for_files(durable: Durable, files: usize) -> Durable {
    if durable == Durable::Batch && files <= FEW { Durable::File } else { durable }
}
