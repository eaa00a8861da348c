//! What a run changes, or would change, at one path.

use crate::path::RelPath;
use crate::report::Aspects;
use crate::sys::FileKind;

/// What becomes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fate {
    /// It was missing and is made.
    Missing = 1,
    /// It is there and differs.
    Changed,
    /// It is extra and removed, if that was asked for.
    Extra,
}

impl Fate {
    /// The fate of this number on the wire.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Fate> {
        [Fate::Missing, Fate::Changed, Fate::Extra].into_iter().find(|fate| *fate as u8 == number)
    }

    /// In a word of mtree(8).
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Fate::Missing => "missing",
            Fate::Changed => "changed",
            Fate::Extra => "extra",
        }
    }
}

/// What is done about a path, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Deed {
    /// Its contents are sent.
    Sent = 1,
    /// Its contents were left in the stage by a run that was interrupted.
    TakenOver,
    /// Its contents, which other names share, are copied into a file of its own.
    Copied,
    /// It is made: a directory, a symbolic link, a named pipe or a device.
    Made,
    /// It becomes a hard link of another name.
    Linked,
    /// Only its metadata are set.
    Set,
    /// It is removed.
    Removed,
    /// It stays, though it is extra.
    Kept,
    /// Nothing can be done.
    Blocked,
}

impl Deed {
    /// Every deed, in the order of their numbers.
    pub const ALL: [Deed; 9] = [
        Deed::Sent,
        Deed::TakenOver,
        Deed::Copied,
        Deed::Made,
        Deed::Linked,
        Deed::Set,
        Deed::Removed,
        Deed::Kept,
        Deed::Blocked,
    ];

    /// The deed of this number on the wire.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Deed> {
        Deed::ALL.into_iter().find(|deed| *deed as u8 == number)
    }

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Deed::Sent => "sent",
            Deed::TakenOver => "taken over",
            Deed::Copied => "copied",
            Deed::Made => "made",
            Deed::Linked => "linked",
            Deed::Set => "metadata",
            Deed::Removed => "removed",
            Deed::Kept => "kept",
            Deed::Blocked => "blocked",
        }
    }
}

/// The types of a path with their names in mtree(5), in the order of their numbers on the wire, from 1 on.
pub const KINDS: [(FileKind, &str); 7] = [
    (FileKind::Block, "block"),
    (FileKind::Char, "char"),
    (FileKind::Dir, "dir"),
    (FileKind::Fifo, "fifo"),
    (FileKind::File, "file"),
    (FileKind::Link, "link"),
    (FileKind::Socket, "socket"),
];

/// One path that is changed, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where, below the root of the round.
    pub path: RelPath<'static>,
    /// What becomes of it.
    pub fate: Fate,
    /// What it is to be, or is when it is extra.
    pub kind: FileKind,
    /// What is done about it.
    pub deed: Deed,
    /// In what respects it differs.
    pub aspects: Aspects,
    /// The target of a symbolic link that is wanted, or the name that a hard link is made of; empty for everything else.
    pub target: Box<[u8]>,
    /// What is wanted in each of these respects, in their order, as mtree(5) writes it; empty where it writes nothing.
    pub wanted: Vec<Box<[u8]>>,
    /// What is there, likewise.
    pub found: Vec<Box<[u8]>>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.deed.words(), self.path)?;
        let words: Vec<&str> = match self.fate {
            Fate::Changed => self.aspects.words().collect(),
            fate => vec![fate.words()],
        };
        if self.deed == Deed::Linked {
            write!(f, " => {}", crate::vis::shown(&self.target))?;
        }
        write!(f, " ({})", words.join(", "))
    }
}
