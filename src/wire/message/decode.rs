//! The bytes of each message, read and checked.

use crate::exit::Exit;
use crate::limits;
use crate::report::{Feature, Problem, Report, Side, Step, Unsupported};
use crate::wire::codec::{Reader, errno, size, time};
use crate::wire::message::Round;
use crate::wire::{Message, WireError, change, refusal, scope};

impl<'a> Message<'a> {
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
                write_only: body.bool()?,
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
            39 => Message::Held { digest: body.hash()? },
            40 => Message::Baseline { digest: body.hash()? },
            41 => Message::Edits(body.rest()),
            42 => Message::Whole,
            45 => Message::AskTogether { first: body.u32()?, count: body.u32()? },
            46 => Message::Together { digest: body.hash()? },
            47 => Message::Base { index: body.u32()?, block: body.u32()?, key: body.u64()? },
            48 => Message::Sums(body.rest()),
            49 => Message::Copy { from: size(&mut body)?, length: size(&mut body)? },
            57 => Message::Packed { size: packed_size(&mut body)?, piece: body.rest() },
            58 => Message::Motd(body.text(limits::MOTD)?),
            _ => return Err(WireError::Malformed("an unknown kind of message")),
        };
        body.end()?;
        Ok(message)
    }
}

/// How many bytes a piece was: one at least, and no more than go into a record.
fn packed_size(body: &mut Reader<'_>) -> Result<u32, WireError> {
    let size = body.u32()?;
    match usize::try_from(size) {
        Ok(1..=limits::RECORD) => Ok(size),
        _ => Err(WireError::Malformed("the size of a piece is out of range")),
    }
}

fn decode_report(body: &mut Reader<'_>) -> Result<Report, WireError> {
    let mut values = Report::default().values();
    for value in &mut values {
        *value = body.u64()?;
    }
    Ok(Report::of_values(values))
}
