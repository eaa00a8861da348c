//! What adds up over sessions: who was turned away, and the metrics.

use super::account::Sum;
use super::log::Log;
use super::metrics::{Outlet, Samples, placed};
use super::notes::Note;
use super::refused::{self, Reason};
use crate::sys::broker::Broker;
use crate::sys::{Dir, ids};
use std::io;

/// Where it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Books<'b> {
    /// Nowhere: there is no state directory.
    None,
    /// In this state directory, and shown there.
    Own(&'b Dir, Option<&'b Outlet>),
    /// Where this process cannot write: its broker is told.
    Others(&'static Broker),
}

impl Books<'_> {
    /// Counts somebody who is turned away. That it fails stops nobody; the log says so.
    pub(super) fn refuse(&self, reason: Reason, log: &Log) {
        self.keep(log, &Note::Refused(reason), |state, outlet| {
            let due = refused::count(state, reason).map_err(|error| placed("in 'state dir'", &error))?;
            outlet.filter(|_| due).map_or(Ok(()), |outlet| Samples::default().keep(state, outlet))
        });
    }

    /// Counts a round in this module.
    pub(super) fn round(&self, module: &str, sum: Sum, log: &Log) {
        self.keep(log, &Note::Round(sum), |state, outlet| {
            outlet.map_or(Ok(()), |outlet| sum.samples(module).keep(state, outlet))
        });
    }

    fn keep(&self, log: &Log, note: &Note, own: impl FnOnce(&Dir, Option<&Outlet>) -> io::Result<()>) {
        let kept = match self {
            Books::None => Ok(()),
            Books::Own(state, outlet) => own(state, *outlet),
            Books::Others(broker) => note.send(broker),
        };
        kept.unwrap_or_else(|error| log.warning(format_args!("metrics, as uid {}: {error}", ids::euid())));
    }
}
