//! Turn 1 at the sender: says what it has, as a whole or by its difference from a baseline.

use crate::digest::Content;
use crate::limits;
use crate::report::Monitor;
use crate::session::baseline::{LEVEL, Told};
use crate::session::{Baselines, Error, Offer, edits};
use crate::spec::Spec;
use crate::wire::{Channel, Message, Speaker, WireError};
use std::io::{self, Write};

/// What was said in turn 1.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    /// BLAKE3 of the text of the specification.
    pub digest: [u8; 32],
    /// Whether it was told by its difference from another one.
    edited: bool,
}

/// Turn 1: says what we have.
///
/// # Errors
/// The connection broke, or the receiver refused.
pub fn offer(
    channel: &mut Channel,
    offer: &Offer,
    baselines: &Baselines<'_>,
    monitor: &mut dyn Monitor,
) -> Result<Said, Error> {
    let mut speaker = channel.speak();
    for problem in offer.problems.iter().take(limits::PROBLEMS) {
        monitor.problem(problem);
        speaker.say(&Message::Problem(problem.clone()))?;
    }
    if let Some(doubt) = &offer.doubt {
        speaker.say(&Message::Doubt(doubt.clone()))?;
    }
    for local in &offer.locals {
        speaker.say(&Message::Rules(local.clone()))?;
    }
    let spec = offer.told();
    let mut content = Content::new();
    content.update(spec.bytes());
    let digest = content.finish();
    let edited = say_edits(&mut speaker, spec, &digest, baselines)?;
    if !edited {
        let mut told = baselines.tell(None);
        say_whole(&mut speaker, spec, &mut told)?;
        baselines.note(told);
    }
    say_end(&mut speaker, offer, digest)?;
    speaker.end()?;
    Ok(Said { digest, edited })
}

impl Said {
    /// Whether the receiver may lack what is needed to make something of it: that, it says at once or never.
    pub(super) const fn take_edited(&mut self) -> bool {
        std::mem::replace(&mut self.edited, false)
    }

    /// Says it as a whole.
    pub(super) fn say_again(self, channel: &mut Channel, offer: &Offer) -> Result<(), Error> {
        let mut speaker = channel.speak();
        say_whole(&mut speaker, offer.told(), &mut Told::default())?;
        say_end(&mut speaker, offer, self.digest)?;
        Ok(speaker.end()?)
    }
}

/// Says what is new since the baseline; false, and nothing said, when there is none.
fn say_edits(
    speaker: &mut Speaker<'_>,
    spec: &Spec,
    digest: &[u8; 32],
    baselines: &Baselines<'_>,
) -> Result<bool, Error> {
    let Some(base) = baselines.base() else { return Ok(false) };
    let mut text = None;
    // Of one that is the same nothing is needed but its digest.
    if base != *digest {
        text = baselines.find(&base).and_then(|baseline| baseline.text().ok());
        if text.is_none() {
            return Ok(false);
        }
    }
    speaker.say(&Message::Baseline { digest: base })?;
    let said: fn(&[u8]) -> Message<'_> = |piece| Message::Edits(piece);
    let Some(text) = &mut text else {
        let lines = u64::from(spec.len()) + 1;
        let none = &mut Told::default();
        return compress(speaker, (said, none), |out| edits::write_none(lines, out)).map(|()| true);
    };
    let mut told = baselines.tell(Some(base));
    compress(speaker, (said, &mut told), |out| edits::write(text, spec.bytes(), out))?;
    baselines.note(told);
    Ok(true)
}

fn say_whole(speaker: &mut Speaker<'_>, spec: &Spec, told: &mut Told) -> Result<(), Error> {
    compress(speaker, (|piece| Message::Spec(piece), told), |out| out.write_all(spec.bytes()))
}

fn say_end(speaker: &mut Speaker<'_>, offer: &Offer, digest: [u8; 32]) -> Result<(), Error> {
    Ok(speaker.say(&Message::SpecEnd {
        digest,
        entries: offer.told().len(),
        whole: offer.whole,
        skipped: offer.skipped,
        holes: offer.holes,
    })?)
}

/// Says what `write` writes, compressed, in messages of this kind, and puts it into what was told.
fn compress<'s, 'c>(
    speaker: &'s mut Speaker<'c>,
    (message, told): (fn(&[u8]) -> Message<'_>, &'s mut Told),
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let mut pieces = Pieces { speaker, message, told, failed: None };
    let written = zstd::stream::write::Encoder::new(&mut pieces, LEVEL).and_then(|mut encoder| {
        write(&mut encoder)?;
        encoder.finish().map(drop)
    });
    match pieces.failed {
        Some(error) => Err(error.into()),
        None => written.map_err(|error| Error::System("compress the specification", error)),
    }
}

/// Says what is written to it.
struct Pieces<'s, 'c> {
    speaker: &'s mut Speaker<'c>,
    message: fn(&[u8]) -> Message<'_>,
    told: &'s mut Told,
    failed: Option<WireError>,
}

impl Write for Pieces<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.told.write_all(piece)?;
        match self.speaker.say(&(self.message)(piece)) {
            Ok(()) => Ok(piece.len()),
            Err(error) => {
                self.failed = Some(error);
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
