//! What the file system of the receiver does not keep: no failure, but told once a kind, with the first path it befell.

use crate::path::RelPath;

/// What a file system may be unable to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Feature {
    /// Extended attributes that are no ACLs.
    Xattrs = 1,
    /// POSIX access control lists.
    Acls,
    /// Times as fine as those that were to be set.
    Times,
}

impl Feature {
    /// Every feature, in the order of their numbers.
    pub const ALL: [Feature; 3] = [Feature::Xattrs, Feature::Acls, Feature::Times];

    /// The feature of this number on the wire.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Feature> {
        Feature::ALL.into_iter().find(|feature| *feature as u8 == number)
    }

    /// In words, before "are not kept".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Feature::Xattrs => "extended attributes",
            Feature::Acls => "access control lists",
            Feature::Times => "times so fine",
        }
    }
}

/// One thing that the file system of the receiver does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// What.
    pub feature: Feature,
    /// The first entry that goes without.
    pub path: RelPath<'static>,
    /// How many entries do.
    pub entries: u64,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} are not kept by the file system there", self.path, self.feature.words())?;
        match self.entries {
            0 | 1 => Ok(()),
            entries => write!(f, " ({entries} entries in all)"),
        }
    }
}
