//! [`Fence`]: paths of a module that are not there to whoever comes from outside.

use crate::path::{RelPath, Rule, Traits};
use std::sync::Arc;

/// Rules of which the first that decides about a path, from the root of a module, says whether it is barred. What is below
/// a directory that is barred is so too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fence {
    rules: Arc<[Arc<Rule>]>,
    /// Where in the module the tree is whose paths are asked about.
    below: Option<RelPath<'static>>,
}

impl Fence {
    /// By these rules, which bar what they exclude.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Fence {
        Fence { rules: rules.into_iter().map(Arc::new).collect(), below: None }
    }

    /// The same, for the paths of a tree that is at this path of the module.
    #[must_use]
    pub fn at(&self, below: &RelPath<'_>) -> Fence {
        let below = (!below.is_root()).then(|| below.clone().into_owned());
        Fence { rules: self.rules.clone(), below }
    }

    /// Whether nothing is barred.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether this path is barred, if what it is in is not. One that is too long for the module is.
    #[must_use]
    pub fn bars(&self, path: &RelPath<'_>, is_dir: bool) -> bool {
        if self.rules.is_empty() || path.is_root() {
            return false;
        }
        let whole = match &self.below {
            None => Ok(path.borrowed()),
            Some(below) => path.components().try_fold(below.borrowed(), |above, name| above.join(name)),
        };
        let Ok(whole) = whole else { return true };
        let Some((_, name)) = whole.split_last() else { return false };
        let deciding = self.rules.iter().find(|rule| rule.decides(whole.as_bytes(), 0, name, is_dir));
        deciding.is_some_and(|rule| !rule.traits().has(Traits::INCLUDE))
    }

    /// Whether this path is barred as a directory, or as something else.
    #[must_use]
    pub fn may_bar(&self, path: &RelPath<'_>) -> bool {
        self.bars(path, false) || self.bars(path, true)
    }

    /// Whether this path is barred, or something that it is in.
    #[must_use]
    pub fn bars_way(&self, path: &RelPath<'_>, is_dir: bool) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let mut above = RelPath::ROOT;
        let parent = path.split_last().map(|(parent, _)| parent).unwrap_or(RelPath::ROOT);
        for name in parent.components() {
            let Ok(next) = above.join(name) else { return true };
            if self.bars(&next, true) {
                return true;
            }
            above = next;
        }
        self.bars(path, is_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath<'static> {
        RelPath::new(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_first_rule_decides_from_the_root_of_the_module() {
        let rule = |traits, text: &str| Rule::new(traits, text.as_bytes()).unwrap();
        let fence = Fence::new(vec![
            rule(Traits::INCLUDE, "*.pub"),
            rule(Traits::NONE, "/keys"),
            rule(Traits::NONE, "*.key"),
            rule(Traits::NONE, "lost+found/"),
        ]);
        for (text, is_dir, barred) in [
            ("keys", true, true),
            ("keys", false, true),
            ("a/keys", true, false),
            ("keys.pub", false, false),
            ("a/b.key", false, true),
            ("a/b.key.pub", false, false),
            ("lost+found", true, true),
            ("lost+found", false, false),
            ("", true, false),
        ] {
            assert_eq!(fence.bars(&path(text), is_dir), barred, "{text}");
        }
        assert!(fence.bars_way(&path("keys/a.pub"), false));
        assert!(fence.bars_way(&path("a/lost+found/b/c"), false));
        assert!(!fence.bars_way(&path("a/b/c"), false));
        // The same rules for a tree that is further down.
        assert!(!fence.at(&path("sub")).bars(&path("keys"), true));
        assert!(fence.at(&path("sub")).bars(&path("a.key"), false));
        let deeper = Fence::new(vec![rule(Traits::NONE, "/sub/keys")]);
        assert!(deeper.at(&path("sub")).bars(&path("keys"), true));
        assert!(!deeper.bars(&path("keys"), true));
    }
}
