//! Every message of the protocol, and the bytes of each: smsync(4), MESSAGES.

use crate::exit::Exit;
use crate::limits;
use crate::path::{Local, RelPath};
use crate::report::{Change, Doubt, Feature, Problem, Refusal, Report, Side, Step, Unsupported};
use crate::spec::Time;
use crate::wire::codec::{Reader, errno, put_bytes, size, time};
use crate::wire::{WireError, change, refusal, scope};
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
    },
    /// No more modules.
    ModulesEnd,
    /// The client begins a round.
    Round(Round),
    /// Paths of the scope of the round that follows.
    Paths(Vec<RelPath<'static>>),
    /// What a file of filter rules says that the sender found.
    Rules(Local),
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
    /// No more questions.
    AskEnd,
    /// The digest of one file asked for.
    Digest {
        /// Its index.
        index: u32,
        /// BLAKE3 of its contents.
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
    /// This many bytes of zeros that take no room at the sender.
    Hole(u64),
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
            Message::Unsupported(_) => 28,
            Message::Have { .. } => 29,
            Message::TakenAway { .. } => 30,
            Message::Rules(_) => 31,
            Message::Paths(_) => 32,
        }
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Open { module, path } => {
                put_bytes(out, module.as_bytes());
                put_bytes(out, path.as_bytes());
            }
            Message::Welcome { single } => put_bytes(out, single.as_bytes()),
            Message::Module { name, comment, read_only } => {
                put_bytes(out, name.as_bytes());
                put_bytes(out, comment.as_bytes());
                out.push((*read_only).into());
            }
            Message::Round(round) => round.encode(out),
            Message::Rules(local) => scope::put_local(out, local),
            Message::Paths(paths) => scope::put_paths(out, paths),
            Message::Spec(bytes) | Message::Data(bytes) => out.extend_from_slice(bytes),
            Message::SpecEnd { digest, entries, whole, skipped, holes } => {
                out.extend_from_slice(digest);
                out.extend_from_slice(&entries.to_be_bytes());
                out.push((*whole).into());
                out.extend_from_slice(&skipped.to_be_bytes());
                out.extend_from_slice(&holes.to_be_bytes());
            }
            Message::Ask { first, count } | Message::Want { first, count } => {
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&count.to_be_bytes());
            }
            Message::Have { place, first, count } => {
                out.extend_from_slice(place);
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&count.to_be_bytes());
            }
            Message::TakenAway { removed, kept, problems } => {
                [removed, kept, problems]
                    .iter()
                    .for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
            }
            Message::Digest { index, digest } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(digest);
            }
            Message::File { index, size, time } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(&size.to_be_bytes());
                out.extend_from_slice(&time.sec.to_be_bytes());
                out.extend_from_slice(&time.nsec.to_be_bytes());
            }
            Message::Hole(length) => out.extend_from_slice(&length.to_be_bytes()),
            Message::FileEnd { digest } => out.extend_from_slice(digest),
            Message::Missing { index, errno } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(&errno.unsigned_abs().to_be_bytes());
            }
            Message::Problem(problem) => {
                out.push(problem.step as u8);
                out.push(problem.side as u8);
                out.extend_from_slice(&problem.errno.unsigned_abs().to_be_bytes());
                put_bytes(out, problem.path.as_bytes());
            }
            Message::Change(change) => change::encode(change, out),
            Message::Unsupported(lost) => {
                out.push(lost.feature as u8);
                out.extend_from_slice(&lost.entries.to_be_bytes());
                put_bytes(out, lost.path.as_bytes());
            }
            Message::Report(report) => {
                report.values().iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
            }
            Message::Doubt(doubt) => refusal::encode_doubt(doubt, out),
            Message::Refusal(refusal) => refusal::encode(refusal, out),
            Message::Resume { index, offset, digest } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(&offset.to_be_bytes());
                out.extend_from_slice(digest);
            }
            Message::Abort { exit, text } => {
                out.push(exit.code());
                put_bytes(out, text.as_bytes());
            }
            Message::List
            | Message::ModulesEnd
            | Message::AskEnd
            | Message::DigestsEnd
            | Message::WantEnd
            | Message::Again
            | Message::FilesEnd
            | Message::Resumed
            | Message::Bye
            | Message::Alive => {}
        }
    }

    /// Reads a message of this kind from its body.
    ///
    /// # Errors
    /// [`WireError::Malformed`] for anything [`Message::encode`] would not have written.
    pub fn decode(kind: u8, body: &'a [u8]) -> Result<Message<'a>, WireError> {
        let mut body = Reader(body);
        let message = match kind {
            1 => Message::Open { module: body.text(limits::MODULE)?, path: body.path()? },
            2 => Message::List,
            3 => Message::Welcome { single: body.path()? },
            4 => Message::Module {
                name: body.text(limits::MODULE)?,
                comment: body.text(limits::TEXT)?,
                read_only: body.bool()?,
            },
            5 => Message::ModulesEnd,
            6 => Message::Round(Round::decode(&mut body)?),
            7 => Message::Spec(body.rest()),
            8 => Message::SpecEnd {
                digest: body.hash()?,
                entries: body.u32()?,
                whole: body.bool()?,
                skipped: body.u64()?,
                holes: body.u64()?,
            },
            9 => Message::Ask { first: body.u32()?, count: body.u32()? },
            10 => Message::AskEnd,
            11 => Message::Digest { index: body.u32()?, digest: body.hash()? },
            12 => Message::DigestsEnd,
            13 => Message::Want { first: body.u32()?, count: body.u32()? },
            14 => Message::WantEnd,
            15 => Message::File { index: body.u32()?, size: size(&mut body)?, time: time(&mut body)? },
            16 => Message::Data(body.rest()),
            17 => Message::Hole(size(&mut body)?),
            18 => Message::FileEnd { digest: body.hash()? },
            19 => Message::Again,
            20 => Message::Missing { index: body.u32()?, errno: errno(&mut body)? },
            21 => Message::FilesEnd,
            22 => Message::Problem(Problem {
                step: Step::from_wire(body.u8()?).ok_or(WireError::Malformed("an unknown step"))?,
                side: Side::from_wire(body.u8()?).ok_or(WireError::Malformed("an unknown side"))?,
                errno: errno(&mut body)?,
                path: body.path()?.into_owned(),
            }),
            23 => Message::Change(change::decode(&mut body)?),
            24 => Message::Report(decode_report(&mut body)?),
            25 => Message::Bye,
            26 => Message::Alive,
            27 => Message::Abort {
                // How a round went is for its report to say: who gives up failed.
                exit: Exit::from_code(body.u8()?)
                    .filter(|exit| exit.is_failure())
                    .ok_or(WireError::Malformed("an exit code that is no failure"))?,
                text: body.text(limits::TEXT)?,
            },
            33 => Message::Doubt(refusal::decode_doubt(&mut body)?),
            34 => Message::Refusal(refusal::decode(&mut body)?),
            35 => Message::Resume { index: body.u32()?, offset: size(&mut body)?, digest: body.hash()? },
            36 => Message::Resumed,
            28 => Message::Unsupported(Unsupported {
                feature: Feature::from_wire(body.u8()?).ok_or(WireError::Malformed("an unknown feature"))?,
                entries: body.u64()?,
                path: body.path()?.into_owned(),
            }),
            29 => Message::Have { place: body.hash()?, first: body.u32()?, count: body.u32()? },
            30 => Message::TakenAway { removed: body.u64()?, kept: body.u64()?, problems: body.u64()? },
            31 => Message::Rules(scope::local(&mut body)?),
            32 => Message::Paths(scope::paths(&mut body)?),
            _ => return Err(WireError::Malformed("an unknown kind of message")),
        };
        body.end()?;
        Ok(message)
    }
}

fn decode_report(body: &mut Reader<'_>) -> Result<Report, WireError> {
    let mut values = Report::default().values();
    for value in &mut values {
        *value = body.u64()?;
    }
    Ok(Report::of_values(values))
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
