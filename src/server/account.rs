//! What a session tells of itself to whoever asks: that it is in progress, and how each of its rounds ended.

use super::books::Books;
use super::log::Log;
use super::metrics::{Metric, Samples};
use super::notes::Note;
use super::presence::Presence;
use super::refused::Reason;
use super::roll::{Last, Place};
use crate::exit::Exit;
use crate::limits;
use crate::report::{Progress, Report};
use crate::session::Error;
use crate::sys::broker::Broker;
use crate::sys::stdio::Peer;
use crate::sys::{Dir, clock};
use crate::wire::Flags;
use crate::wire::message::{Direction, Round};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The account of one session. That it cannot be given stops no session; the log says so.
pub(super) struct Account<'a> {
    /// Without a state directory nothing is told.
    state: Option<&'a Dir>,
    books: Books<'a>,
    log: &'a Log,
    host: String,
    user: String,
    module: String,
    /// Who holds what says that the session is there.
    holder: Holder,
    /// Which way the round goes.
    push: bool,
    /// Why a round that fails now is one that was turned away, if it is.
    door: Option<Reason>,
}

/// Who says of a session how far it is.
enum Holder {
    /// It itself.
    Own(Presence),
    /// Its broker, which was told so at this time.
    Broker(&'static Broker, Instant),
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
    /// Of a session that has opened a module, which enters the roll.
    pub(super) fn open(
        state: Option<&Dir>,
        log: &'a Log,
        (peer, user): (&Peer, &str),
        module: &str,
    ) -> (Account<'a>, Option<Place>) {
        let host = peer.to_string();
        let entered = state.map(|state| Place::enter(state, host.clone(), user, module));
        let place = entered.and_then(|entered| {
            entered.unwrap_or_else(|error| {
                log.warning(format_args!("--status will not show this session: {error}"));
                None
            })
        });
        let (user, module) = (user.to_owned(), module.to_owned());
        let holder = Holder::Own(Presence::default());
        let (state, books, push, door) = (None, Books::None, false, None);
        (Account { state, books, log, host, user, module, holder, push, door }, place)
    }

    /// From now on it is told there how rounds ended: what a confined session can reach.
    pub(super) fn keep_in(&mut self, state: Option<&'a Dir>, books: Books<'a>, own: Presence) {
        (self.state, self.books) = (state, books);
        self.holder = match books {
            Books::Others(broker) => Holder::Broker(broker, Instant::now()),
            Books::None | Books::Own(..) => Holder::Own(own),
        };
    }

    /// What fails from now on is turned away for this reason; or fails by itself.
    pub(super) fn at(&mut self, door: Option<Reason>) {
        self.door = door;
    }

    /// A round begins now.
    pub(super) fn begin(&mut self, round: &Round) -> Instant {
        self.push = round.direction == Direction::Push;
        let began = Instant::now();
        self.tell(began, 0, 0);
        began
    }

    /// It is so far.
    pub(super) fn go_on(&mut self, progress: &Progress) {
        let now = Instant::now();
        if !matches!(self.holder, Holder::Broker(_, told) if now < told + limits::ROLL) {
            self.tell(now, progress.files, progress.bytes);
        }
    }

    fn tell(&mut self, now: Instant, files: u64, bytes: u64) {
        match &mut self.holder {
            Holder::Own(presence) => presence.go_on(self.push, files, bytes),
            Holder::Broker(broker, told) => {
                *told = now;
                // Whoever looks sees what was, which is no harm to the session.
                let _ = Note::Progress(self.push, files, bytes).send(broker);
            }
        }
    }

    /// It ended. A dry run did nothing, and is not remembered as the last that did something.
    pub(super) fn end(&mut self, round: &Round, began: Instant, ended: &Result<Report, Error>) {
        if let (Err(error), Some(door)) = (ended, self.door)
            && is_turned_away(error)
        {
            self.books.refuse(door, self.log);
        }
        let Some(state) = self.state.filter(|_| !round.flags.has(Flags::DRY_RUN)) else { return };
        let push = round.direction == Direction::Push;
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
            direction: direction(push).into(),
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
        self.books.round(Sum::of(&last, push), self.log);
    }
}

/// What a round adds to the metrics.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Sum {
    push: bool,
    seconds: f64,
    files: u64,
    bytes: u64,
    removed: u64,
    problems: u64,
    pub(super) exit: u8,
}

impl Sum {
    fn of(last: &Last, push: bool) -> Sum {
        let Last { seconds, files, bytes, removed, problems, exit, .. } = *last;
        Sum { push, seconds, files, bytes, removed, problems, exit }
    }

    /// The same as samples of this module: of a round that ended at this time, with this exit code, and took no longer than
    /// `most`.
    #[allow(clippy::cast_precision_loss)] // A counter that has lost its last digit is still one.
    pub(super) fn samples(&self, module: &str, exit: Exit, most: Duration, ended: i64) -> Samples {
        let mut samples = Samples::default();
        let direction = direction(self.push);
        let labels = [("module", module), ("direction", direction)];
        let code = exit.code().to_string();
        samples.put(Metric::Rounds, &[("module", module), ("direction", direction), ("exit", &code)], 1.0);
        samples.put(Metric::Files, &labels, self.files as f64);
        samples.put(Metric::Bytes, &labels, self.bytes as f64);
        samples.put(Metric::Removed, &labels, self.removed as f64);
        samples.put(Metric::Problems, &labels, self.problems as f64);
        samples.put(Metric::Seconds, &labels, self.seconds.max(0.0).min(most.as_secs_f64()));
        samples.put(Metric::Last, &labels, ended as f64);
        samples.put(Metric::Exit, &labels, exit.code().into());
        if exit == Exit::Ok {
            samples.put(Metric::Success, &labels, ended as f64);
        }
        samples
    }
}
