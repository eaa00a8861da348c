//! What a session tells of itself to whoever asks: that it is in progress, and how each of its rounds ended.

use super::log::Log;
use super::metrics::{Metric, Samples};
use super::notes::{Note, Progress};
use super::refused::Reason;
use super::roll::Last;
use crate::exit::Exit;
use crate::limits;
use crate::report::{self, Refusal, Report};
use crate::session::Error;
use crate::sys::broker::Broker;
use crate::sys::{error_words, process};
use crate::wire::Flags;
use crate::wire::message::{Direction, Round};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::time::{Duration, Instant};

/// The account of one session, which its broker takes down.
pub(super) struct Account<'a> {
    broker: &'static Broker,
    log: &'a Log,
    /// Whose it is, in words.
    session: String,
    /// When the broker was told last how far it is.
    told: Instant,
    /// Which way the round goes.
    push: bool,
    /// Whether it only says what it would do.
    dry: bool,
    /// When it began, until it is over.
    began: Option<Instant>,
    /// Why it was stopped before it changed anything.
    stopped: Option<String>,
    /// Why a round that fails now is one that was turned away, if it is.
    door: Option<Reason>,
}

/// Which way a round goes.
pub(super) const fn direction(push: bool) -> &'static str {
    if push { "push" } else { "pull" }
}

/// Whether this turns somebody away: not where what he asked for cannot be had, for whatever reason.
pub(super) const fn is_turned_away(error: &Error) -> bool {
    matches!(error, Error::Refused(Exit::Refused | Exit::TryAgain, _))
}

impl<'a> Account<'a> {
    /// Of a session that has opened a module.
    pub(super) fn new(broker: &'static Broker, log: &'a Log, session: String) -> Account<'a> {
        let (told, began, stopped) = (Instant::now(), None, None);
        Account { broker, log, session, told, push: false, dry: false, began, stopped, door: None }
    }

    /// What fails from now on is turned away for this reason; or fails by itself.
    pub(super) fn at(&mut self, door: Option<Reason>) {
        self.door = door;
    }

    /// A round begins now.
    pub(super) fn begin(&mut self, round: &Round) {
        self.push = round.direction == Direction::Push;
        self.dry = round.flags.has(Flags::DRY_RUN);
        let now = Instant::now();
        self.began = Some(now);
        self.stopped = None;
        self.tell(now, 0, 0);
    }

    /// It is so far.
    pub(super) fn go_on(&mut self, progress: &report::Progress) {
        let now = Instant::now();
        if now >= self.told + limits::ROLL {
            self.tell(now, progress.files, progress.bytes);
        }
    }

    /// It is stopped before it changes anything, since it would remove too much.
    pub(super) fn stop(&mut self, refusal: &Refusal) {
        self.stopped = Some(short(refusal));
    }

    fn tell(&mut self, now: Instant, files: u64, bytes: u64) {
        self.told = now;
        self.note(&Note::Progress(Progress { push: self.push, dry: self.dry, files, bytes }));
    }

    /// Has the broker know. The place of this session ends with that: nothing may go on that is not counted.
    fn note(&self, note: &Note) {
        if let Err(error) = note.send(self.broker) {
            let reason = error_words(&error);
            let session = &self.session;
            self.log.error(format_args!(
                "{session}: ended: the broker of this process does not answer: {reason}"
            ));
            process::exit(Exit::Software.code());
        }
    }

    /// It is over.
    pub(super) fn over(&mut self, report: &Report) {
        let stopped = self.stopped.take();
        self.end(report, report.exit(), stopped);
    }

    /// It failed, unless it was over before.
    pub(super) fn failed(&mut self, error: &Error) {
        if let Some(door) = self.door.filter(|_| is_turned_away(error)) {
            self.note(&Note::Refused(door));
        }
        self.end(&Report::default(), error.exit(), Some(short(error)));
    }

    /// A dry run did nothing, and is not remembered as the last that did something.
    fn end(&mut self, report: &Report, exit: Exit, error: Option<String>) {
        let Some(began) = self.began.take().filter(|_| !self.dry) else { return };
        let sum = Sum {
            push: self.push,
            seconds: began.elapsed().as_secs_f64(),
            files: report.files,
            bytes: report.bytes,
            removed: report.removed,
            problems: report.problems,
            exit: exit.code(),
        };
        self.note(&Note::Round(sum, error));
    }
}

/// As much of a reason as is told.
fn short(reason: &impl Display) -> String {
    reason.to_string().chars().take(limits::WHY).collect()
}

/// How a round went, in numbers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) push: bool,
    pub(super) seconds: f64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) removed: u64,
    pub(super) problems: u64,
    pub(super) exit: u8,
}

impl Sum {
    /// The same without what cannot be: it took no time less than none, and no more than `most`; and no round has more
    /// entries than a specification, or more bytes than a counter of the metrics can tell apart.
    pub(super) fn within(self, most: Duration) -> Sum {
        let entries = |count: u64| count.min(limits::SPEC_ENTRIES.into());
        Sum {
            seconds: self.seconds.max(0.0).min(most.as_secs_f64()),
            files: entries(self.files),
            bytes: self.bytes.min(1 << f64::MANTISSA_DIGITS),
            removed: entries(self.removed),
            problems: entries(self.problems),
            ..self
        }
    }

    /// The same as the last round of a module: of one that ended at this time, by whom, and why before its end.
    pub(super) fn last(&self, ended: i64, (host, user): (&str, &str), error: Option<String>) -> Last {
        let Sum { push, seconds, files, bytes, removed, problems, exit } = *self;
        let (host, user, direction) = (host.to_owned(), user.to_owned(), direction(push).to_owned());
        Last { ended, seconds, host, user, direction, files, bytes, removed, problems, exit, error }
    }

    /// The same as samples of this module: of a round that ended at this time, with this exit code.
    #[allow(clippy::cast_precision_loss)] // A counter that has lost its last digit is still one.
    pub(super) fn samples(&self, module: &str, exit: Exit, ended: i64) -> Samples {
        let mut samples = Samples::default();
        let direction = direction(self.push);
        let labels = [("module", module), ("direction", direction)];
        let code = exit.code().to_string();
        samples.put(Metric::Rounds, &[("module", module), ("direction", direction), ("exit", &code)], 1.0);
        samples.put(Metric::Files, &labels, self.files as f64);
        samples.put(Metric::Bytes, &labels, self.bytes as f64);
        samples.put(Metric::Removed, &labels, self.removed as f64);
        samples.put(Metric::Problems, &labels, self.problems as f64);
        samples.put(Metric::Seconds, &labels, self.seconds);
        samples.put(Metric::Last, &labels, ended as f64);
        samples.put(Metric::Exit, &labels, exit.code().into());
        if exit == Exit::Ok {
            samples.put(Metric::Success, &labels, ended as f64);
        }
        samples
    }
}
