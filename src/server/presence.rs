//! That a session is there, for as long as it is: its place among the connections of a module, and on the roll.
//!
//! Both are files that all sessions write to. The broker of a session holds them for it: who has taken that over must
//! neither take every place nor say anything of others.

use super::account::direction;
use super::confine::Asked;
use super::roll;
use crate::sys::Dir;
use crate::sys::slots::Slots;
use std::os::fd::RawFd;

/// What is left when nobody holds it any more.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The place that it has among the connections of its module, if these are counted.
    connection: Option<Slots>,
    /// And the one on the roll.
    roll: Option<roll::Place>,
}

impl Presence {
    /// Of a session with this place, which enters the roll in this directory. That it cannot stops no session; the log
    /// says so.
    pub(super) fn enter(connection: Option<Slots>, kept: Option<&Dir>, asked: &Asked<'_>) -> Presence {
        let roll = kept.and_then(|kept| {
            let (host, user) = (asked.visitor.peer().to_string(), asked.visitor.user());
            roll::Place::enter(kept, host, user, &asked.module.name).unwrap_or_else(|error| {
                asked.log.warning(format_args!("--status will not show this session: {error}"));
                None
            })
        });
        Presence { connection, roll }
    }

    /// Says how far the session is.
    pub(super) fn go_on(&mut self, push: bool, files: u64, bytes: u64) {
        if let Some(place) = &mut self.roll {
            place.go_on(direction(push), files, bytes);
        }
    }

    /// The process of the session has ended: the roll says no more of it. Its place is kept until what comes after it has
    /// ended, too.
    pub(super) fn leave_roll(&mut self) {
        self.roll = None;
    }

    /// What it has open.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let roll = self.roll.iter().map(roll::Place::descriptor);
        self.connection.iter().map(Slots::descriptor).chain(roll)
    }
}
