//! The sums of one round. The receiver counts; both sides see the same numbers.

use crate::exit::Exit;

/// What one round did, or would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Entries of the specification.
    pub entries: u64,
    /// Files whose contents were sent.
    pub files: u64,
    /// Bytes of their contents.
    pub bytes: u64,
    /// Finished files taken over from a run that was interrupted.
    pub resumed: u64,
    /// Directories, links and special files made.
    pub made: u64,
    /// Names made links of a file that is there.
    pub linked: u64,
    /// Entries of which only metadata changed.
    pub changed: u64,
    /// Names removed.
    pub removed: u64,
    /// Files removed from the source, since they have arrived.
    pub moved: u64,
    /// Names that are extra and were kept.
    pub extra: u64,
    /// Names that would have been removed, were it not for a limit: then nothing was changed.
    pub refused: u64,
    /// Names that were kept, as a backup or a version, when they were replaced or removed.
    pub kept: u64,
    /// Files copied, or moved, from one that is here: it has another name, can have no more of them, or has other metadata.
    pub copied: u64,
    /// Entries of types that are not carried (sockets).
    pub skipped: u64,
    /// Owners that could not be set for want of privilege.
    pub unowned: u64,
    /// Entries without something that the file system does not keep: extended attributes, ACLs, fine times.
    pub unsupported: u64,
    /// Files of the sender that vanished or kept changing.
    pub vanished: u64,
    /// Entries that failed, on either side.
    pub problems: u64,
}

impl Report {
    /// The names of the sums, as `--json` prints them, in the order of [`Report::values`].
    pub const NAMES: [&'static str; 18] = [
        "entries",
        "files",
        "bytes",
        "resumed",
        "made",
        "linked",
        "changed",
        "removed",
        "moved",
        "extra",
        "refused",
        "kept",
        "copied",
        "skipped",
        "unowned",
        "unsupported",
        "vanished",
        "problems",
    ];

    /// The sums in the order of [`Report::NAMES`].
    #[must_use]
    pub const fn values(&self) -> [u64; 18] {
        [
            self.entries,
            self.files,
            self.bytes,
            self.resumed,
            self.made,
            self.linked,
            self.changed,
            self.removed,
            self.moved,
            self.extra,
            self.refused,
            self.kept,
            self.copied,
            self.skipped,
            self.unowned,
            self.unsupported,
            self.vanished,
            self.problems,
        ]
    }

    /// The report of these sums.
    #[must_use]
    pub const fn of_values(values: [u64; 18]) -> Report {
        let [
            entries,
            files,
            bytes,
            resumed,
            made,
            linked,
            changed,
            removed,
            moved,
            extra,
            refused,
            kept,
            copied,
            skipped,
            unowned,
            unsupported,
            vanished,
            problems,
        ] = values;
        Report {
            entries,
            files,
            bytes,
            resumed,
            made,
            linked,
            changed,
            removed,
            moved,
            extra,
            refused,
            kept,
            copied,
            skipped,
            unowned,
            unsupported,
            vanished,
            problems,
        }
    }

    /// Whether the trees were equal before the round, in all that was compared.
    #[must_use]
    pub const fn equal(&self) -> bool {
        self.files == 0
            && self.resumed == 0
            && self.made == 0
            && self.linked == 0
            && self.changed == 0
            && self.removed == 0
            && self.extra == 0
            && self.refused == 0
            && self.copied == 0
            && self.vanished == 0
            && self.problems == 0
    }

    /// How a program ends that did this round.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        if self.refused > 0 {
            Exit::DeleteLimit
        } else if self.problems > 0 {
            Exit::Problems
        } else if self.vanished > 0 {
            Exit::Vanished
        } else {
            Exit::Ok
        }
    }

    /// The sum of two rounds.
    #[must_use]
    pub fn plus(&self, other: &Report) -> Report {
        let (mut sum, other) = (self.values(), other.values());
        for (a, b) in sum.iter_mut().zip(other) {
            *a = a.saturating_add(b);
        }
        Report::of_values(sum)
    }
}
