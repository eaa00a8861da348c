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

    /// How many of the paths it is restricted to stand before this one, or are this one.
    fn up_to(&self, path: &RelPath<'_>) -> usize {
        self.only.partition_point(|only| only <= path)
    }

    /// Whether the path is left out, and with it all below it. The root never is.
    #[must_use]
    pub fn excludes(&self, path: &RelPath<'_>, is_dir: bool) -> bool {
        !path.is_root() && self.exclude.iter().any(|pattern| pattern.matches(path.as_bytes(), is_dir))
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
        let scope = Scope::new(["b/c", "b-", "b/c/d", "x"].map(path).to_vec(), Vec::new());
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

    #[test]
    fn the_root_is_not_excluded() {
        let scope = Scope::new(Vec::new(), vec![Pattern::new(b"*").unwrap()]);
        assert!(scope.excludes(&path("a"), false));
        assert!(!scope.excludes(&RelPath::ROOT, true));
    }
}
