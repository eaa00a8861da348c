//! Why a round that was to remove something changes nothing at all.

use crate::path::RelPath;

/// Why it looks as if a removal were not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Why {
    /// The source is on another file system than last time.
    Device = 1,
    /// A directory of the source, on which a file system was mounted last time, has none now.
    Unmounted,
    /// The source holds nothing.
    Empty,
    /// What was to be a directory of the source is none, and the receiver has a directory of its name.
    Type,
    /// It is much, and nobody said that it may be.
    Guard,
    /// It is more than was allowed.
    Limit,
    /// It is more than the module allows, whatever was asked for.
    Module,
    /// What the sender remembers of its source cannot be read, so that neither of the first two would be noticed.
    Memory,
}

impl Why {
    /// Every reason.
    pub const ALL: [Why; 8] = [
        Why::Device,
        Why::Unmounted,
        Why::Empty,
        Why::Type,
        Why::Guard,
        Why::Limit,
        Why::Module,
        Why::Memory,
    ];

    /// The reason of this number on the wire.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Why> {
        Why::ALL.into_iter().find(|why| *why as u8 == number)
    }

    /// Whether it is for the sender to notice.
    #[must_use]
    pub const fn is_doubt(self) -> bool {
        matches!(self, Why::Device | Why::Unmounted | Why::Memory)
    }
}

/// What the sender does not trust of its own tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Which of those that it can notice.
    pub why: Why,
    /// Where, below the root of the round.
    pub path: RelPath<'static>,
}

/// A round that was stopped before it changed anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub why: Why,
    /// How many names would have been removed.
    pub removals: u64,
    /// Of how many.
    pub entries: u64,
    /// What it is about: the root, unless a path is the reason.
    pub path: RelPath<'static>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Refusal { why, removals, entries, path } = self;
        let root = path.is_root();
        match why {
            Why::Device if root => f.write_str("the source is on another file system than last time")?,
            Why::Device => write!(f, "the source '{path}' is on another file system than last time")?,
            Why::Unmounted => {
                write!(f, "a file system was mounted on '{path}' of the source and is not now")?
            }
            Why::Empty if root => f.write_str("the source is empty")?,
            Why::Empty => write!(f, "the source '{path}' is empty")?,
            Why::Type => {
                write!(f, "'{path}' is no directory at the source, and at the destination it is one")?;
            }
            Why::Guard => f.write_str("that is much")?,
            Why::Limit => f.write_str("that is more than --max-delete allows")?,
            Why::Memory => {
                f.write_str(
                    "what is remembered of the source is damaged or cannot be read, so that nothing tells",
                )?;
                f.write_str(" whether something in it is not mounted")?;
            }
            Why::Module => f.write_str("that is more than the module allows ('max delete')")?,
        }
        write!(f, ": nothing was changed; {removals} of {entries} names would have been removed")?;
        match why {
            Why::Limit => f.write_str(" (a larger --max-delete lets it be done)"),
            Why::Module => Ok(()),
            _ => f.write_str(" (--force-delete lets it be done)"),
        }
    }
}
