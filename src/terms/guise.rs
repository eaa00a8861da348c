//! In what guise the sender shows its tree: with other owners and modes than it has.

use crate::terms::{Chmod, OwnerMap};

/// What the sender says instead of what it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guise {
    /// Other users.
    pub users: OwnerMap,
    /// Other groups.
    pub groups: OwnerMap,
    /// Other modes.
    pub chmod: Chmod,
}

impl Guise {
    /// Whether everything is shown as it is.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.chmod.is_empty()
    }
}
