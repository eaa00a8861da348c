//! What a round is about: the whole tree or some paths of it, less what is excluded. Both sides apply the same.

use crate::path::{Pattern, RelPath};

/// The part of a tree that a round is about. Everything else neither side sees: it is not sent and not removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    only: Vec<RelPath<'static>>,
    exclude: Vec<Pattern>,
}

impl Scope {
    /// The whole tree, or only these paths and what is below them.
    #[must_use]
    pub fn new(mut only: Vec<RelPath<'static>>, exclude: Vec<Pattern>) -> Scope {
        only.sort();
        // What is below another path of the list is covered by it.
        only.dedup_by(|later, earlier| later.is_within(earlier));
        Scope { only, exclude }
    }

    /// The paths it is restricted to, sorted; none when it is the whole tree.
    #[must_use]
    pub fn only(&self) -> &[RelPath<'static>] {
        &self.only
    }

    /// What is left out.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.exclude
    }

    /// Whether the path leads to a part of the scope without being in it: a directory that is not itself compared.
    #[must_use]
    pub fn leads(&self, path: &RelPath<'_>) -> bool {
        self.only.iter().any(|only| only.is_within(path) && only != path)
    }

    /// Whether the path lies in the scope or leads to it.
    #[must_use]
    pub fn covers(&self, path: &RelPath<'_>) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| path.is_within(only) || only.is_within(path))
    }

    /// Whether the path is left out, and with it all below it.
    #[must_use]
    pub fn excludes(&self, path: &RelPath<'_>, is_dir: bool) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(path.as_bytes(), is_dir))
    }
}
