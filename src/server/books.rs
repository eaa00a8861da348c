//! Who was turned away is counted: by a process that is not confined.

use super::log::Log;
use super::metrics::Samples;
use super::refused::{self, Reason};
use crate::sys::{Dir, ids};
use std::path::Path;

/// Where it is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Books<'b> {
    /// In this directory; without one, nothing is counted.
    pub(super) kept: Option<&'b Dir>,
    /// And shown in this file.
    pub(super) shown: Option<&'b Path>,
}

impl Books<'_> {
    /// Counts somebody who is turned away. That it fails stops nobody; the log says so.
    pub(super) fn refuse(&self, reason: Reason, log: &Log) {
        let Some(kept) = self.kept else { return };
        let counted = refused::count(kept, reason).and_then(|due| {
            self.shown.filter(|_| due).map_or(Ok(()), |shown| Samples::default().keep(kept, shown))
        });
        counted.unwrap_or_else(|error| log.warning(format_args!("metrics, as uid {}: {error}", ids::euid())));
    }
}
