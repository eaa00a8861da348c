//! The live tree: its root, the way to a path in it, and the scan that describes it.

mod cursor;
mod follow;
mod look;
mod opener;
mod root;
mod scan;

pub use cursor::Cursor;
pub use look::Look;
pub use opener::Opener;
pub use root::Root;
pub use scan::{Scan, ScanError, Scanned, View, scan};

/// The directory at the root of a receiver in which files wait until all have arrived: never in a specification,
/// never deleted, skipped by every scan at the root.
pub const STAGE: &[u8] = b".smsync";
