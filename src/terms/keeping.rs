//! What a round may remove, and what becomes of that; and where files may be that need not be sent.

use crate::limits;
use crate::path::RelPath;

/// How much a round may remove; more than that, and it removes and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limit {
    /// Less than would look like a mistake: see [`Limit::allows`].
    #[default]
    Guard,
    /// So many names.
    Count(u64),
    /// So many of a hundred entries, 100 at most.
    Percent(u8),
}

/// Fewer removals than this are nobody's disaster.
pub const FEW: u64 = 4;
/// From this part of the receiver's entries on, in hundredths, a removal is more often a mistake than meant.
const MUCH: u64 = 25;

impl Limit {
    /// Whether so many of the receiver's entries may go.
    #[must_use]
    pub fn allows(self, removals: u64, entries: u64) -> bool {
        let below = |percent: u64| removals.saturating_mul(100) < entries.saturating_mul(percent);
        match self {
            Limit::Guard => removals < FEW || below(MUCH),
            Limit::Count(most) => removals <= most,
            Limit::Percent(most) => removals.saturating_mul(100) <= entries.saturating_mul(most.into()),
        }
    }

    /// Reads `N` or `N%`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Limit, String> {
        let digits =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let limit = match text.strip_suffix('%') {
            Some(percent) => digits(percent).and_then(|percent: u64| {
                u8::try_from(percent).ok().filter(|percent| *percent <= 100).map(Limit::Percent)
            }),
            None => digits(text).map(Limit::Count),
        };
        limit.ok_or_else(|| "a number is expected, or a percentage up to 100%".into())
    }
}

/// Where what is replaced or removed goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    dir: RelPath<'static>,
    suffix: Vec<u8>,
}

impl Backup {
    /// Below this directory of the destination, which may be the destination itself, with this behind the name. `None`
    /// when a name would be its own backup, or could not be a name.
    #[must_use]
    pub fn new(dir: RelPath<'static>, suffix: Vec<u8>) -> Option<Backup> {
        let can_end_a_name =
            suffix.len() < limits::NAME && !suffix.iter().any(|byte| matches!(byte, b'/' | 0));
        (can_end_a_name && !(dir.is_root() && suffix.is_empty())).then_some(Backup { dir, suffix })
    }

    /// The directory, below the root of the round; the root itself when backups stand beside what they are of.
    #[must_use]
    pub const fn dir(&self) -> &RelPath<'static> {
        &self.dir
    }

    /// What stands behind a name.
    #[must_use]
    pub fn suffix(&self) -> &[u8] {
        &self.suffix
    }
}

/// What is kept, and what is taken from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keeping {
    /// How much may be removed.
    pub limit: Limit,
    /// Whether much may be removed, and even if the source looks as if it were not there.
    pub force: bool,
    /// Where what is replaced or removed goes, if it does not just go.
    pub backup: Option<Backup>,
    /// Trees, in the module, in which wanted files may be already.
    pub link_dest: Vec<RelPath<'static>>,
}

/// As [`Limit::parse`] reads it.
impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Nobody says it, since it is what holds when nothing is said.
            Limit::Guard => f.write_str("25%"),
            Limit::Count(most) => write!(f, "{most}"),
            Limit::Percent(most) => write!(f, "{most}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_what_they_say() {
        // (limit, removals, entries, allowed): by the manual
        for (limit, removals, entries, allowed) in [
            (Limit::Guard, 3, 3, true),
            (Limit::Guard, 4, 16, false),
            (Limit::Guard, 4, 17, true),
            (Limit::Guard, 25, 100, false),
            (Limit::Guard, 24, 100, true),
            (Limit::Count(0), 0, 10, true),
            (Limit::Count(0), 1, 10, false),
            (Limit::Count(5), 5, 5, true),
            (Limit::Percent(10), 10, 100, true),
            (Limit::Percent(10), 11, 100, false),
            (Limit::Percent(0), 1, u64::MAX, false),
            (Limit::Percent(100), 7, 7, true),
            (Limit::Guard, u64::MAX, u64::MAX, false),
        ] {
            assert_eq!(limit.allows(removals, entries), allowed, "{limit:?} {removals} of {entries}");
        }
        for (text, limit) in [
            ("0", Some(Limit::Count(0))),
            ("17", Some(Limit::Count(17))),
            ("0%", Some(Limit::Percent(0))),
            ("100%", Some(Limit::Percent(100))),
            ("101%", None),
            ("300%", None),
            ("", None),
            ("%", None),
            ("-1", None),
            ("+1", None),
            ("1.5%", None),
        ] {
            assert_eq!(Limit::parse(text).ok(), limit, "{text}");
        }
    }

    #[test]
    fn nothing_is_its_own_backup() {
        let dir = || RelPath::new(&b"old"[..]).unwrap();
        assert!(Backup::new(RelPath::ROOT, Vec::new()).is_none());
        assert!(Backup::new(dir(), Vec::new()).is_some());
        assert!(Backup::new(RelPath::ROOT, b"~".to_vec()).is_some());
        assert!(Backup::new(dir(), b"/x".to_vec()).is_none());
        assert!(Backup::new(dir(), vec![b'~'; limits::NAME]).is_none());
    }
}
