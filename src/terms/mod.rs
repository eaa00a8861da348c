//! The terms of a round: what a client may ask for, beyond which part of the tree it is about.

mod keeping;

pub use keeping::{Backup, Keeping, Limit};
