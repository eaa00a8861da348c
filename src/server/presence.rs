//! That a session is there, for as long as it is: its place among the connections of a module, and on the roll.
//!
//! Both are files that all sessions write to. The broker of a confined session holds them for it: who has taken that over
//! must neither take every place nor say anything of others.

use super::account::direction;
use super::roll;
use crate::sys::slots::Slots;
use std::os::fd::RawFd;

/// What is left when nobody holds it any more.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The place that it has among the connections of its module, if these are counted.
    pub(super) connection: Option<Slots>,
    /// And the one on the roll.
    pub(super) roll: Option<roll::Place>,
}

impl Presence {
    /// Says how far the session is.
    pub(super) fn go_on(&mut self, push: bool, files: u64, bytes: u64) {
        if let Some(place) = &mut self.roll {
            place.go_on(direction(push), files, bytes);
        }
    }

    /// What it has open.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let roll = self.roll.iter().map(roll::Place::descriptor);
        self.connection.iter().map(Slots::descriptor).chain(roll)
    }
}
