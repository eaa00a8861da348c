//! [`Policy`]: what the owner of a tree lets others see and do in it, whatever they ask for.

use crate::path::{Fence, Pattern};
use crate::terms::{Capabilities, Chmod, Limit};

/// The conditions under which a tree is offered. A tree of one's own has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// What is not there.
    pub fence: Fence,
    /// What becomes of modes that come.
    pub incoming: Chmod,
    /// What becomes of modes that go, before the other side has a say.
    pub outgoing: Chmod,
    /// Whether owners are numbers only.
    pub numeric_ids: bool,
    /// Whether symbolic links lead nowhere here.
    pub munge_links: bool,
    /// Files of more bytes do not come in.
    pub max_file_size: Option<u64>,
    /// Nor do trees of more entries.
    pub max_files: Option<u32>,
    /// How much of the tree a round may remove, besides what the other side allows itself.
    pub max_delete: Option<Limit>,
    /// What nobody may ask for.
    pub refused: Capabilities,
    /// Files of these names, in small letters, are sent as they are.
    pub dont_compress: Vec<Pattern>,
    /// Whether what cannot be read is not there.
    pub ignore_nonreadable: bool,
}

/// What stands before the target of a link that is to lead nowhere: the words of rsync(1).
const MUNGED: &[u8] = b"/rsyncd-munged/";

/// Where a directory would give such links a meaning.
pub const MUNGED_DIR: &str = "/rsyncd-munged";

impl Policy {
    /// The target that a link is to have here which has this one there.
    #[must_use]
    pub fn link_in(&self, target: &[u8]) -> Vec<u8> {
        if self.munge_links { [MUNGED, target].concat() } else { target.to_vec() }
    }

    /// The target that a link is said to have which has this one here.
    #[must_use]
    pub fn link_out(&self, target: Vec<u8>) -> Vec<u8> {
        match target.strip_prefix(MUNGED) {
            Some(rest) if self.munge_links && !rest.is_empty() => rest.to_vec(),
            _ => target,
        }
    }

    /// Whether a file of this name is sent as it is, by its small letters.
    #[must_use]
    pub fn sends_as_is(&self, name: &[u8]) -> bool {
        let name = name.to_ascii_lowercase();
        self.dont_compress.iter().any(|pattern| pattern.matches(&name, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rd_47_links_lead_nowhere_and_back() {
        let policy = Policy { munge_links: true, ..Policy::default() };
        for target in ["a", "/etc/passwd", "../x", "/rsyncd-munged/a"] {
            let munged = policy.link_in(target.as_bytes());
            assert!(munged.starts_with(b"/rsyncd-munged/"));
            assert_eq!(policy.link_out(munged), target.as_bytes());
        }
        // What was there before is what it is.
        assert_eq!(policy.link_out(b"a".to_vec()), b"a");
        assert_eq!(Policy::default().link_in(b"a"), b"a");
    }
}
