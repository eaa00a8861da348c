//! Paths below a root: bytes, checked once, in tree order.

mod rel;
pub use rel::{PathError, RelPath};
