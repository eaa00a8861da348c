//! What a session tells of itself to whoever asks: that it is in progress, and how each of its rounds ended.

use super::log::Log;
use super::metrics::{Metric, Outlet, Samples};
use super::roll::{Last, Place};
use crate::report::{Progress, Report};
use crate::session::Error;
use crate::sys::stdio::Peer;
use crate::sys::{Dir, clock};
use crate::wire::Flags;
use crate::wire::message::{Direction, Round};
use std::time::Instant;

/// The account of one session. That it cannot be given stops no session; the log says so.
pub(super) struct Account<'a> {
    /// Without a state directory nothing is told.
    state: Option<&'a Dir>,
    metrics: Option<&'a Outlet>,
    log: &'a Log,
    host: String,
    user: String,
    module: String,
    place: Option<Place>,
}

/// Which way a round goes.
const fn direction(round: &Round) -> &'static str {
    match round.direction {
        Direction::Push => "push",
        Direction::Pull => "pull",
    }
}

impl<'a> Account<'a> {
    /// Of a session that has opened a module.
    pub(super) fn open(
        state: Option<&Dir>,
        log: &'a Log,
        (peer, user): (&Peer, &str),
        module: &str,
    ) -> Account<'a> {
        let host = peer.to_string();
        let entered = state.map(|state| Place::enter(state, host.clone(), user, module));
        let place = entered.and_then(|entered| {
            entered.unwrap_or_else(|error| {
                log.warning(format_args!("--status will not show this session: {error}"));
                None
            })
        });
        let (user, module) = (user.to_owned(), module.to_owned());
        Account { state: None, metrics: None, log, host, user, module, place }
    }

    /// From now on it is told there how rounds ended: what a confined session can reach.
    pub(super) fn keep_in(&mut self, state: Option<&'a Dir>, metrics: Option<&'a Outlet>) {
        (self.state, self.metrics) = (state, metrics);
    }

    /// A round begins now.
    pub(super) fn begin(&mut self, round: &Round) -> Instant {
        if let Some(place) = &mut self.place {
            place.begin(direction(round));
        }
        Instant::now()
    }

    /// It is so far.
    pub(super) fn go_on(&mut self, progress: &Progress) {
        if let Some(place) = &mut self.place {
            place.go_on(progress.files, progress.bytes);
        }
    }

    /// It ended. A dry run did nothing, and is not remembered as the last that did something.
    pub(super) fn end(&mut self, round: &Round, began: Instant, ended: &Result<Report, Error>) {
        let Some(state) = self.state.filter(|_| !round.flags.has(Flags::DRY_RUN)) else { return };
        let (report, error) = match ended {
            Ok(report) => (*report, None),
            Err(error) => (Report::default(), Some(error)),
        };
        let exit = error.map_or_else(|| report.exit(), Error::exit);
        let last = Last {
            ended: clock::now().0,
            seconds: began.elapsed().as_secs_f64(),
            host: self.host.clone(),
            user: self.user.clone(),
            direction: direction(round).into(),
            files: report.files,
            bytes: report.bytes,
            removed: report.removed,
            problems: report.problems,
            exit: exit.code(),
            error: error.map(Error::to_string),
        };
        if let Err(error) = last.keep(state, &self.module) {
            self.log.warning(format_args!("{}: cannot keep how the round went: {error}", self.module));
        }
        if let Some(metrics) = self.metrics {
            let kept = samples(&self.module, &last).keep(state, metrics);
            kept.unwrap_or_else(|error| self.log.warning(format_args!("metrics: {error}")));
        }
    }
}

/// What a round adds to the metrics.
#[allow(clippy::cast_precision_loss)] // A counter that has lost its last digit is still one.
fn samples(module: &str, last: &Last) -> Samples {
    let mut samples = Samples::default();
    let labels = [("module", module), ("direction", last.direction.as_str())];
    let exit = last.exit.to_string();
    samples.put(Metric::Rounds, &[("module", module), ("direction", &last.direction), ("exit", &exit)], 1.0);
    samples.put(Metric::Files, &labels, last.files as f64);
    samples.put(Metric::Bytes, &labels, last.bytes as f64);
    samples.put(Metric::Removed, &labels, last.removed as f64);
    samples.put(Metric::Problems, &labels, last.problems as f64);
    samples.put(Metric::Seconds, &labels, last.seconds);
    samples.put(Metric::Last, &labels, last.ended as f64);
    samples.put(Metric::Exit, &labels, last.exit.into());
    if last.exit == 0 {
        samples.put(Metric::Success, &labels, last.ended as f64);
    }
    samples
}

/// Counts a connection that is turned away, for this reason.
pub(super) fn refuse(state: Option<&Dir>, metrics: Option<&Outlet>, log: &Log, reason: &str) {
    if let (Some(state), Some(metrics)) = (state, metrics) {
        let mut samples = Samples::default();
        samples.put(Metric::Refused, &[("reason", reason)], 1.0);
        let kept = samples.keep(state, metrics);
        kept.unwrap_or_else(|error| log.warning(format_args!("metrics: {error}")));
    }
}
