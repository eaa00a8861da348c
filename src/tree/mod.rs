//! The live tree: its root, the way to a path in it, and the scan that describes it.

mod cursor;
mod follow;
mod look;
mod opener;
mod remembered;
mod root;
mod scan;
mod scanned;

pub use cursor::Cursor;
pub use look::Look;
pub use opener::Opener;
pub use remembered::{Remembered, is_settled};
pub use root::Root;
pub use scan::{Scan, ScanError, View, scan};
pub use scanned::Scanned;

/// The directory at the root of a receiver in which files wait until all have arrived: never in a specification,
/// never deleted, skipped by every scan at the root.
pub const STAGE: &[u8] = b".smsync";

/// The directory at the root of a module in which old versions of files are kept, reserved likewise.
pub const VERSIONS: &[u8] = b".smsync-versions";

/// Whether a name at the root of a tree is none of its own.
#[must_use]
pub fn is_reserved(name: &[u8]) -> bool {
    name == STAGE || name == VERSIONS
}
