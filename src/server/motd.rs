//! `motd file`: what every client is told that has proven a secret.

use crate::limits;
use crate::server::log::{Log, shown};
use crate::sys::private::read_trusted;
use crate::wire::{Message, Speaker, WireError};
use std::fmt::Display;
use std::path::Path;

/// The text to be told, until it was.
#[derive(Debug, Default)]
pub(super) struct Motd(Option<String>);

impl Motd {
    /// What this file says. That it cannot be read stops nobody; the log of this session says so.
    pub(super) fn of(file: Option<&Path>, (log, session): (&Log, &dyn Display)) -> Motd {
        Motd(file.and_then(|file| {
            let failed = |reason| log.warning(format_args!("{session}: motd file: {reason}"));
            read(file).map_err(failed).ok()
        }))
    }

    /// Says it before anything else, once.
    pub(super) fn tell(&mut self, speaker: &mut Speaker<'_>) -> Result<(), WireError> {
        self.0.take().map_or(Ok(()), |text| speaker.say(&Message::Motd(text.into())))
    }
}

/// The text of a file, if it is one that can be told.
pub(super) fn read(file: &Path) -> Result<String, String> {
    let bytes = read_trusted(file, limits::MOTD as u64).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", shown(file)))
}
