//! What a confined session has the server know, which writes it where the session cannot: its broker takes it down.

use super::account::Sum;
use super::books::Books;
use super::config::Config;
use super::log::Log;
use super::metrics::outlet;
use super::refused::Reason;
use crate::sys::broker::{self, Broker, Notes};
use crate::sys::{Dir, private};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::io;

/// One thing that is to be known. There is nothing in it that a log or a file could be made to say besides numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// So many records of the log were not taken.
    Lost(u64),
    /// It was turned away.
    Refused(Reason),
    /// A round is over.
    Round(Sum),
}

impl Note {
    /// Has it taken down.
    ///
    /// # Errors
    /// The broker is gone.
    pub(super) fn send(&self, broker: &Broker) -> io::Result<()> {
        broker.note(&serde_json::to_vec(self)?)
    }
}

/// Takes the notes of this session, which opened this module. All is opened anew: the broker has no files of before.
pub(super) fn taker(config: &Config, module: &str, session: String, log: &Log) -> Notes {
    let (state, metrics) = (config.globals.state_dir.clone(), config.globals.metrics_file.clone());
    let (module, log, told) = (module.to_owned(), log.clone(), Cell::new(false));
    Box::new(move |note| {
        let (Ok(note), Ok(log)) = (serde_json::from_slice(note), log.anew()) else { return };
        if let Note::Lost(count) = note {
            // Once, since it is said at the end.
            if !told.replace(true) {
                log.warning(format_args!("{session}: module {module}: {count} log records were lost"));
            }
            return;
        }
        let outlet = outlet(metrics.as_deref(), &log);
        let state = private::open_private_dir(&state, false).map(Dir::from);
        let books = state.as_ref().map_or(Books::None, |state| Books::Own(state, outlet.as_ref()));
        match note {
            Note::Refused(reason) => books.refuse(reason, &log),
            Note::Round(sum) => books.round(&module, sum, &log),
            Note::Lost(_) => {}
        }
    })
}

/// Has the server know how many records of the log were lost, if this process can no longer say so itself.
pub(super) fn lost(log: &Log) {
    let Some(broker) = broker::running() else { return };
    let count = log.lost();
    if count > 0 {
        // Whoever would be told that it failed is whom it cannot be told.
        let _ = Note::Lost(count).send(broker);
    }
}
