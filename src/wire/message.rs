//! Every message of the protocol, and the bytes of each: smsync(4), MESSAGES.

mod decode;
mod encode;

use crate::exit::Exit;
use crate::path::{Local, RelPath};
use crate::report::{Change, Doubt, Problem, Refusal, Report, Unsupported};
use crate::spec::Time;
use std::borrow::Cow;

pub use crate::wire::round::{Direction, Flags, Round};

/// One message. Paths and contents are borrowed from the record it came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Message<'a> {
    /// The client names a module and a path in it.
    Open {
        /// Name of the module.
        module: Cow<'a, str>,
        /// Below the module's root.
        path: RelPath<'a>,
    },
    /// The client asks which modules it may see.
    List,
    /// The server agrees.
    Welcome {
        /// The name in its directory when the path is that of a single file; empty when it is a directory.
        single: RelPath<'a>,
    },
    /// One module, in answer to `List`.
    Module {
        /// Its name.
        name: Cow<'a, str>,
        /// Its comment.
        comment: Cow<'a, str>,
        /// Whether it can only be read.
        read_only: bool,
        /// Whether it can only be written to.
        write_only: bool,
    },
    /// No more modules.
    ModulesEnd,
    /// What the administrator of the server has its clients told.
    Motd(Cow<'a, str>),
    /// The client begins a round.
    Round(Round),
    /// Paths of the scope of the round that follows.
    Paths(Vec<RelPath<'static>>),
    /// What a file of filter rules says that the sender found.
    Rules(Local),
    /// A client that begins a pull has the specification of this digest from an earlier one.
    Held {
        /// BLAKE3 of its text.
        digest: [u8; 32],
    },
    /// The specification is told by what of an earlier one, of this digest, stays, goes and comes.
    Baseline {
        /// BLAKE3 of its text.
        digest: [u8; 32],
    },
    /// A piece of that, compressed.
    Edits(&'a [u8]),
    /// The receiver does not have that earlier one: the specification is to come as a whole.
    Whole,
    /// A piece of the specification, compressed.
    Spec(&'a [u8]),
    /// The specification is complete.
    SpecEnd {
        /// BLAKE3 of its text.
        digest: [u8; 32],
        /// Its entries.
        entries: u32,
        /// Whether the sender could read everything it is about.
        whole: bool,
        /// Entries of types that are not carried.
        skipped: u64,
        /// Bytes of its files that take no room at the sender.
        holes: u64,
    },
    /// Whose digests the receiver would like: `count` entries from `first` on.
    Ask {
        /// Index of the first.
        first: u32,
        /// How many.
        count: u32,
    },
    /// Files that the receiver may have under other names, asked about together: `count` entries from `first` on.
    AskTogether {
        /// Index of the first.
        first: u32,
        /// How many.
        count: u32,
    },
    /// No more questions.
    AskEnd,
    /// The digest of one file asked for.
    Digest {
        /// Its index.
        index: u32,
        /// BLAKE3 of its contents.
        digest: [u8; 32],
    },
    /// The digests of so many files that were asked about together, or of the rest of them.
    Together {
        /// BLAKE3 of their digests, one after the other; of a file that cannot be read, zeros.
        digest: [u8; 32],
    },
    /// No more digests.
    DigestsEnd,
    /// Which files the receiver lacks: `count` entries from `first` on.
    Want {
        /// Index of the first.
        first: u32,
        /// How many.
        count: u32,
    },
    /// The receiver lacks a file, of which it has an older one.
    Base {
        /// Its index.
        index: u32,
        /// How many bytes a block of the older one has.
        block: u32,
        /// The key of the digests of these blocks.
        key: u64,
    },
    /// Digests of such blocks, eight bytes each.
    Sums(&'a [u8]),
    /// No more wishes.
    WantEnd,
    /// A wanted file begins.
    File {
        /// Its index.
        index: u32,
        /// Its size when it was opened.
        size: u64,
        /// Its time of modification when it was opened.
        time: Time,
    },
    /// A piece of its contents.
    Data(&'a [u8]),
    /// A piece of its contents, compressed for itself.
    Packed {
        /// How many bytes it is then.
        size: u32,
        /// One frame of Zstandard, or more.
        piece: &'a [u8],
    },
    /// This many bytes of zeros that take no room at the sender.
    Hole(u64),
    /// This part of the older file is what comes next.
    Copy {
        /// Where it begins there.
        from: u64,
        /// How many bytes it has.
        length: u64,
    },
    /// The file is complete.
    FileEnd {
        /// BLAKE3 of its contents.
        digest: [u8; 32],
    },
    /// The file changed while it was read: forget it, it comes once more.
    Again,
    /// A wanted file does not come, or not to its end.
    Missing {
        /// Its index.
        index: u32,
        /// Why, as errno(3).
        errno: i32,
    },
    /// No more files.
    FilesEnd,
    /// An entry failed on the other side.
    Problem(Problem),
    /// What is changed, or would be.
    Change(Change),
    /// How the round went.
    Report(Report),
    /// The client is done.
    Bye,
    /// I am working.
    Alive,
    /// The sender's tree may not be all there.
    Doubt(Doubt),
    /// The receiver changes nothing, since it would remove more than seems meant.
    Refusal(Refusal),
    /// The receiver lacks the end of a file, of which an interrupted run left the beginning.
    Resume {
        /// Its index.
        index: u32,
        /// How many bytes there are.
        offset: u64,
        /// BLAKE3 of these.
        digest: [u8; 32],
    },
    /// The next file is sent from where the receiver has it.
    Resumed,
    /// The file system of the receiver does not keep something.
    Unsupported(Unsupported),
    /// The receiver has what is at these indices: `count` entries from `first` on.
    Have {
        /// What stands for the directory it is in: no two hosts have the same.
        place: [u8; 32],
        /// Index of the first.
        first: u32,
        /// How many.
        count: u32,
    },
    /// What the sender removed of that.
    TakenAway {
        /// Names removed.
        removed: u64,
        /// Names that are something else by now, and were kept.
        kept: u64,
        /// Names that could not be removed.
        problems: u64,
    },
    /// I give up.
    Abort {
        /// Which exit code stands for it.
        exit: Exit,
        /// Why, for a person.
        text: Cow<'a, str>,
    },
}

impl<'a> Message<'a> {
    /// The number of its kind.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Message::Open { .. } => 1,
            Message::List => 2,
            Message::Welcome { .. } => 3,
            Message::Module { .. } => 4,
            Message::ModulesEnd => 5,
            Message::Round(_) => 6,
            Message::Spec(_) => 7,
            Message::SpecEnd { .. } => 8,
            Message::Ask { .. } => 9,
            Message::AskEnd => 10,
            Message::Digest { .. } => 11,
            Message::DigestsEnd => 12,
            Message::Want { .. } => 13,
            Message::WantEnd => 14,
            Message::File { .. } => 15,
            Message::Data(_) => 16,
            Message::Hole(_) => 17,
            Message::FileEnd { .. } => 18,
            Message::Again => 19,
            Message::Missing { .. } => 20,
            Message::FilesEnd => 21,
            Message::Problem(_) => 22,
            Message::Change(_) => 23,
            Message::Report(_) => 24,
            Message::Bye => 25,
            Message::Alive => 26,
            Message::Abort { .. } => 27,
            Message::Doubt(_) => 33,
            Message::Refusal(_) => 34,
            Message::Resume { .. } => 35,
            Message::Resumed => 36,
            Message::AskTogether { .. } => 45,
            Message::Together { .. } => 46,
            Message::Base { .. } => 47,
            Message::Sums(_) => 48,
            Message::Copy { .. } => 49,
            Message::Unsupported(_) => 28,
            Message::Have { .. } => 29,
            Message::TakenAway { .. } => 30,
            Message::Packed { .. } => 57,
            Message::Rules(_) => 31,
            Message::Paths(_) => 32,
            Message::Held { .. } => 39,
            Message::Baseline { .. } => 40,
            Message::Edits(_) => 41,
            Message::Whole => 42,
            Message::Motd(_) => 58,
        }
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
