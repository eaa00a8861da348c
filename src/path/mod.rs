//! Paths below a root: bytes, checked once, in tree order; and which of them a round is about.

mod pattern;
mod rel;
mod scope;

pub use pattern::Pattern;
pub use rel::{PathError, RelPath};
pub use scope::Scope;
