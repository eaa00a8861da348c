//! What of its tree a sender takes, besides rules: which files by their size, which links it follows, which file systems.

use crate::path::RelPath;

/// What of its tree a sender takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    choices: u8,
    /// Files of fewer bytes are neither sent nor removed.
    pub min_size: u64,
    /// Nor are files of more.
    pub max_size: u64,
}

impl Default for Taking {
    fn default() -> Taking {
        Taking { choices: 0, min_size: 0, max_size: u64::MAX }
    }
}

impl Taking {
    /// It leaves alone what is mounted below.
    pub const ONE_FILE_SYSTEM: u8 = 1;
    /// It sends what links lead to, instead of the links.
    pub const COPY_LINKS: u8 = 1 << 1;
    /// It does so for links that lead out of the tree.
    pub const COPY_UNSAFE_LINKS: u8 = 1 << 2;
    /// It does not send links that lead out of the tree.
    pub const SAFE_LINKS: u8 = 1 << 3;
    /// It takes links to directories for directories.
    pub const COPY_DIRLINKS: u8 = 1 << 4;
    const ALL: u8 = 31;
    /// Links that lead to nothing stay links. For a walk of one's own: no peer can ask for it.
    const LOGICAL: u8 = 1 << 5;

    /// These choices; `None` when they are unknown.
    #[must_use]
    pub fn new(choices: u8, min_size: u64, max_size: u64) -> Option<Taking> {
        (choices & !Taking::ALL == 0).then_some(Taking { choices, min_size, max_size })
    }

    /// As `mtree -L` walks: what links lead to stands in their place, and those that lead to nothing stay links.
    #[must_use]
    pub const fn logical() -> Taking {
        Taking { choices: Taking::COPY_LINKS | Taking::LOGICAL, min_size: 0, max_size: u64::MAX }
    }

    /// Whether a link that leads to nothing stays one.
    #[must_use]
    pub const fn keeps_dangling(&self) -> bool {
        self.has(Taking::LOGICAL)
    }

    /// The choices as a number.
    #[must_use]
    pub const fn choices(&self) -> u8 {
        self.choices
    }

    /// Whether this is chosen.
    #[must_use]
    pub const fn has(&self, choice: u8) -> bool {
        self.choices & choice != 0
    }

    /// Whether a file of this size is taken.
    #[must_use]
    pub fn takes(&self, size: u64) -> bool {
        (self.min_size..=self.max_size).contains(&size)
    }

    /// Whether any link is followed.
    #[must_use]
    pub const fn follows_any(&self) -> bool {
        self.has(Taking::COPY_LINKS | Taking::COPY_UNSAFE_LINKS | Taking::COPY_DIRLINKS)
    }

    /// Whether what the link at this path leads to is sent instead of it, whatever it is.
    #[must_use]
    pub fn follows(&self, path: &RelPath<'_>, target: &[u8]) -> bool {
        self.has(Taking::COPY_LINKS) || self.has(Taking::COPY_UNSAFE_LINKS) && is_unsafe(path, target)
    }

    /// Whether the link at this path is not sent.
    #[must_use]
    pub fn leaves(&self, path: &RelPath<'_>, target: &[u8]) -> bool {
        self.has(Taking::SAFE_LINKS) && is_unsafe(path, target)
    }
}

/// Whether a link leads out of the tree, or may: it is absolute, goes up further than it stands below the root, or goes
/// up again after it went down. So rsync(1) has it.
fn is_unsafe(path: &RelPath<'_>, target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") {
        return true;
    }
    let mut depth = path.components().count().saturating_sub(1);
    let mut down = false;
    let names: Vec<&[u8]> = target.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
    for name in names {
        match name {
            b".." if down || depth == 0 => return true,
            b".." => depth -= 1,
            _ => down = true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_links_are_those_of_rsync() {
        let table = [
            ("l", "x", false),
            ("l", "/x", true),
            ("l", "..", true),
            ("l", "../x", true),
            ("d/l", "..", false),
            ("d/l", "../x", false),
            ("d/l", "../../x", true),
            ("d/e/l", "../..//x", false),
            ("d/l", "x/../y", true),
            ("d/e/l", "../x/..", true),
            ("d/l", "", true),
        ];
        for (path, target, expected) in table {
            let path = RelPath::new(path.as_bytes()).unwrap();
            assert_eq!(is_unsafe(&path, target.as_bytes()), expected, "{path} -> {target}");
        }
    }
}
