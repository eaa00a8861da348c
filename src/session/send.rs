//! The sender's side of a round: what it has to offer, and how it sends what the receiver lacks.

use crate::limits;
use crate::path::{Local, RelPath};
use crate::report::{Change, Doubt, Fate, Feature, Monitor, Problem, Report, Unsupported};
use crate::session::delivery;
use crate::session::moving::{self, Had};
use crate::session::ranges::{Questions, Ranges};
use crate::session::{Error, Said, guise};
use crate::spec::Spec;
use crate::sys::Spool;
use crate::terms::Guise;
use crate::tree::{Remembered, Root, Scanned};
use crate::wire::message::Round;
use crate::wire::{Channel, Flags, Message, Packer, WireError};
use std::io;

/// What a sender has.
#[derive(Debug)]
pub struct Offer {
    /// The specification of it.
    pub spec: Spec,
    /// What is shown instead of that, if it is to appear in another guise.
    pub shown: Option<Spec>,
    /// What the scan could not read.
    pub problems: Vec<Problem>,
    /// Whether the specification shows everything that is there, or protects it.
    pub whole: bool,
    /// Entries of types that are not carried.
    pub skipped: u64,
    /// Bytes of its files that take no room here.
    pub holes: u64,
    /// Directories on which another file system is mounted.
    pub mounts: Vec<RelPath<'static>>,
    /// What makes us think that not everything is there.
    pub doubt: Option<Doubt>,
    /// What the files of filter rules say that were found.
    pub locals: Vec<Local>,
    /// When the description began, seconds and nanoseconds since 1970: what was touched later may be another thing.
    pub begun: (i64, u32),
}

impl Offer {
    /// Of a scan that began at this time, seconds and nanoseconds since 1970.
    #[must_use]
    pub fn new(spec: Spec, scanned: Scanned, begun: (i64, u32)) -> Offer {
        let Scanned { problems, whole, skipped, holes, mounts, locals, .. } = scanned;
        let problems = problems.into_iter().map(Problem::of_sender).collect();
        Offer { spec, shown: None, problems, whole, skipped, locals, holes, mounts, doubt: None, begun }
    }
}

impl Offer {
    /// The same in another guise; `spool` makes a nameless file.
    ///
    /// # Errors
    /// There is no room for the other specification.
    pub fn in_guise(self, guise: &Guise, spool: impl FnOnce() -> io::Result<Spool>) -> Result<Offer, Error> {
        if guise.is_none() {
            return Ok(self);
        }
        // What is shown in one guise already is shown in both.
        let spool = spool().map_err(|error| Error::System("make a file in the spool directory", error))?;
        Ok(Offer { shown: Some(guise::shown(self.told(), guise, spool)?), ..self })
    }

    /// What the receiver is told.
    #[must_use]
    pub fn told(&self) -> &Spec {
        self.shown.as_ref().unwrap_or(&self.spec)
    }
}

/// The turns after that: digests if they are asked for, the files that are wanted, and how it went.
///
/// # Errors
/// The connection broke, or the receiver gave up or broke the protocol.
pub fn deliver(
    channel: &mut Channel,
    source: (&Root, &Remembered<'_>),
    (offer, mut said): (&Offer, Said),
    round: &Round,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let (spec, flags) = (&offer.spec, round.flags);
    let taking = moving::is_asked(round);
    let mut had = Had::new(spec);
    let (mut asked, mut wanted) = (Some(Questions::new(spec)), Some(Ranges::new(spec)));
    let mut told = Told { itemized: flags.has(Flags::ITEMIZE), entries: spec.len(), ..Told::default() };
    let broken = || WireError::Violation("a message that the sender does not expect");
    loop {
        // Only in answer to it.
        let again = said.take_edited();
        match channel.listen().message()? {
            Message::Whole if again => said.say_again(channel, offer)?,
            Message::Ask { first, count } => asked.as_mut().ok_or_else(broken)?.single.add(first, count)?,
            Message::AskTogether { first, count } => {
                asked.as_mut().ok_or_else(broken)?.together.add(first, count)?;
            }
            Message::AskEnd => {
                let questions = asked.take().ok_or_else(broken)?;
                delivery::digests(channel, source, &questions)?;
                asked = questions.again();
            }
            Message::Want { first, count } => {
                asked = None;
                wanted.as_mut().ok_or_else(broken)?.add(first, count)?;
            }
            Message::Resume { index, offset, digest } => {
                asked = None;
                wanted.as_mut().ok_or_else(broken)?.resume(index, offset, digest)?;
            }
            Message::Base { index, block, key } => {
                asked = None;
                wanted.as_mut().ok_or_else(broken)?.base(index, block, key)?;
            }
            Message::Sums(sums) => wanted.as_mut().ok_or_else(broken)?.sums(sums)?,
            Message::WantEnd => {
                asked = None;
                let packer = flags.has(Flags::COMPRESS).then(Packer::new).transpose();
                let packer = packer.map_err(|error| Error::System("compress", error))?;
                delivery::files(channel, source, &wanted.take().ok_or_else(broken)?, packer, monitor)?;
                // While the receiver puts them in place.
                channel.while_working(|| source.1.keep())?;
            }
            message => {
                // From here on the receiver says how it went.
                let asking = asked.take().is_some_and(|asked| asked.is_begun());
                if asking || wanted.take().is_some_and(|wanted| wanted.is_begun()) {
                    return Err(broken().into());
                }
                match message {
                    Message::Problem(problem) => monitor.problem(told.problem(&problem)?),
                    Message::Refusal(refusal) if !told.refused => {
                        told.refused = true;
                        monitor.refusal(&refusal);
                    }
                    Message::Unsupported(lost) => monitor.unsupported(told.unsupported(&lost)?),
                    Message::Change(change) => monitor.change(told.change(&change)?),
                    Message::Have { place, first, count } if taking => had.add(place, first, count)?,
                    Message::Report(mut report) => {
                        if taking {
                            report =
                                moving::take_away(channel, source.0, &had, offer.begun, report, monitor)?;
                        }
                        monitor.over(&report);
                        return Ok(report);
                    }
                    _ => return Err(broken().into()),
                }
            }
        }
    }
}

/// What the receiver told of single paths: no more than there can be.
#[derive(Default)]
struct Told {
    /// Whether changes were asked for.
    itemized: bool,
    /// Entries of the specification.
    entries: u32,
    /// Whether the round changes nothing, and only tells what it would have removed.
    refused: bool,
    problems: usize,
    unsupported: Vec<Feature>,
    changes: u32,
    extras: u32,
}

impl Told {
    fn problem<'p>(&mut self, problem: &'p Problem) -> Result<&'p Problem, WireError> {
        self.problems += 1;
        if self.problems > limits::PROBLEMS {
            return Err(WireError::Violation("too many problems"));
        }
        Ok(problem)
    }

    fn unsupported<'l>(&mut self, lost: &'l Unsupported) -> Result<&'l Unsupported, WireError> {
        if self.unsupported.contains(&lost.feature) {
            return Err(WireError::Violation("twice that something is not kept"));
        }
        self.unsupported.push(lost.feature);
        Ok(lost)
    }

    fn change<'c>(&mut self, change: &'c Change) -> Result<&'c Change, WireError> {
        if !(self.itemized || self.refused && change.fate == Fate::Extra) {
            return Err(WireError::Violation("changes that nobody asked for"));
        }
        let (count, limit) = match change.fate {
            Fate::Missing | Fate::Changed => (&mut self.changes, self.entries),
            Fate::Extra if self.refused => (&mut self.extras, limits::REFUSED),
            Fate::Extra => (&mut self.extras, limits::SPEC_ENTRIES),
        };
        *count += 1;
        if *count > limit {
            return Err(WireError::Violation("more changes than there are entries"));
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;
    use crate::report::{Aspects, Deed};
    use crate::sys::FileKind;

    #[test]
    fn a_receiver_cannot_tell_more_than_there_is() {
        let change = |fate| Change {
            path: RelPath::ROOT,
            fate,
            kind: FileKind::File,
            deed: Deed::Sent,
            aspects: Aspects::NONE,
            target: Box::default(),
            wanted: Vec::new(),
            found: Vec::new(),
        };
        let mut told = Told { itemized: true, entries: 3, ..Told::default() };
        for fate in [Fate::Missing, Fate::Changed, Fate::Missing] {
            assert!(told.change(&change(fate)).is_ok());
        }
        assert!(told.change(&change(Fate::Changed)).is_err());
        let extra = change(Fate::Extra);
        assert!((0..limits::SPEC_ENTRIES).all(|_| told.change(&extra).is_ok()));
        assert!(told.change(&extra).is_err());
        assert!(Told { entries: 3, ..Told::default() }.change(&extra).is_err(), "nobody asked");
    }
}
