//! Paths below a root: bytes, checked once, in tree order; and which of them a round is about.

mod fence;
pub mod filter;
mod pattern;
mod rel;
pub mod rule;
mod scope;

pub use fence::Fence;
pub use filter::{Descent, Filter, Local};
pub use pattern::Pattern;
pub use rel::{PathError, RelPath};
pub use rule::{Item, Rule, Side, Traits};
pub use scope::Scope;
