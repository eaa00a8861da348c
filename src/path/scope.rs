//! What a round is about: the whole tree or some paths of it, less what its rules exclude.

use crate::path::{Filter, RelPath};

/// The part of a tree that a round is about. Everything else neither side sees: it is not sent and not removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    only: Vec<RelPath<'static>>,
    filter: Filter,
}

impl Scope {
    /// The whole tree, or only these paths and what is below them. The root is the whole tree.
    #[must_use]
    pub fn new(mut only: Vec<RelPath<'static>>, filter: Filter) -> Scope {
        only.sort_unstable();
        if only.first().is_some_and(RelPath::is_root) {
            only.clear();
        }
        // What is below another path of the list is covered by it.
        only.dedup_by(|later, earlier| later.is_within(earlier));
        Scope { only, filter }
    }

    /// The paths it is restricted to, sorted; none when it is the whole tree.
    #[must_use]
    pub fn only(&self) -> &[RelPath<'static>] {
        &self.only
    }

    /// What leaves paths out: the sender hides them, the receiver protects them.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether the path leads to a part of the scope without being in it: a directory that is not itself compared.
    #[must_use]
    pub fn leads(&self, path: &RelPath<'_>) -> bool {
        // What is below a path comes right after it.
        self.only.get(self.up_to(path)).is_some_and(|next| next.is_within(path))
    }

    /// Whether the path lies in the scope or leads to it.
    #[must_use]
    pub fn covers(&self, path: &RelPath<'_>) -> bool {
        // None of them is below another, so that nothing stands between one and what is below it.
        let last = self.up_to(path).checked_sub(1).and_then(|at| self.only.get(at));
        self.only.is_empty() || last.is_some_and(|only| path.is_within(only)) || self.leads(path)
    }

    /// Those of the paths it is restricted to that are this one or below it: the first, and how many.
    #[must_use]
    pub fn within(&self, path: &RelPath<'_>) -> std::ops::Range<usize> {
        let first = self.only.partition_point(|only| only < path);
        let rest = self.only.get(first..).unwrap_or_default();
        first..first + rest.partition_point(|only| only.is_within(path))
    }

    /// How many of the paths it is restricted to stand before this one, or are this one.
    fn up_to(&self, path: &RelPath<'_>) -> usize {
        self.only.partition_point(|only| only <= path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath<'static> {
        RelPath::new(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn covers_what_is_in_it_and_on_the_way() {
        let scope = Scope::new(["b/c", "b-", "b/c/d", "x"].map(path).to_vec(), Filter::default());
        assert_eq!(scope.only(), ["b/c", "b-", "x"].map(path));
        // (path, is it covered, does it only lead there): by the definition of a scope
        let table = [
            ("", true, true),
            ("a", false, false),
            ("b", true, true),
            ("b/b", false, false),
            ("b/c", true, false),
            ("b/c/d/e", true, false),
            ("b/cc", false, false),
            ("b/d", false, false),
            ("b-", true, false),
            ("b-/y", true, false),
            ("b-y", false, false),
            ("x", true, false),
            ("xx", false, false),
            ("y", false, false),
        ];
        for (text, covered, leads) in table {
            assert_eq!((scope.covers(&path(text)), scope.leads(&path(text))), (covered, leads), "{text}");
        }
        let whole = Scope::default();
        assert!(whole.covers(&path("a/b")) && !whole.leads(&path("")));
    }
}
