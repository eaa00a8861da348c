//! What adds up over sessions: who was turned away, and the metrics.

use super::account::Sum;
use super::log::Log;
use super::metrics::Samples;
use super::notes::Note;
use super::refused::{self, Reason};
use crate::sys::broker::Broker;
use crate::sys::{Dir, ids};
use std::path::Path;

/// Where it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Books<'b> {
    /// Nowhere: there is no state directory.
    None,
    /// In this state directory, and shown in this file.
    Own(&'b Dir, Option<&'b Path>),
    /// Where this process cannot write: its broker is told.
    Others(&'static Broker),
}

impl Books<'_> {
    /// Counts somebody who is turned away. That it fails stops nobody; the log says so.
    pub(super) fn refuse(&self, reason: Reason, log: &Log) {
        let kept = match self {
            Books::None => Ok(()),
            Books::Own(state, shown) => refused::count(state, reason).and_then(|due| {
                shown.filter(|_| due).map_or(Ok(()), |shown| Samples::default().keep(state, shown))
            }),
            Books::Others(broker) => Note::Refused(reason).send(broker),
        };
        kept.unwrap_or_else(|error| log.warning(format_args!("metrics, as uid {}: {error}", ids::euid())));
    }

    /// Counts a round, which only a session has that has a broker if rounds are counted.
    pub(super) fn round(&self, sum: Sum, log: &Log) {
        if let Books::Others(broker) = self {
            let told = Note::Round(sum).send(broker);
            told.unwrap_or_else(|error| log.warning(format_args!("metrics: {error}")));
        }
    }
}
