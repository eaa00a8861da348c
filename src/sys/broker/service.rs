//! The broker's own work: it answers until the process that it serves is gone, and sees to it that it is.

use crate::limits;
use crate::sys::broker::hook::Hook;
use crate::sys::broker::message::{Ended, LONGEST, Outcome, Reply, Request};
use crate::sys::ids;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Signal, pidfd_send_signal};
use std::ffi::OsString;
use std::os::fd::{OwnedFd, RawFd};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// What is run around the transfers of a session.
#[derive(Debug, Default)]
pub struct Hooks {
    /// Before the first round.
    pub before: Option<Hook>,
    /// After the last, if there was one.
    pub after: Option<Hook>,
    /// What both are told, in variables.
    pub environment: Vec<(String, OsString)>,
}

/// How far a session is.
#[derive(Clone, Copy)]
enum Stage {
    /// There was no round.
    Open,
    /// The hook before was asked for: the one after is due.
    Begun,
    Over,
}

/// Who takes what a session has the server know.
pub trait Notes {
    /// Takes this. It comes from a process that may be anybody's by now.
    fn take(&mut self, note: &[u8]);
    /// What became of a session that broke the rules.
    fn broken(&mut self, how: &str);
    /// The process of the session has ended. Nothing more comes. How far it was is for the hook that it did not ask for.
    fn finish(&mut self) -> Outcome;
    /// So the hook ended that nobody had asked for.
    fn hooked(&mut self, ended: &Ended);
    /// What it has open, which the broker keeps.
    fn descriptors(&self) -> Vec<RawFd>;
}

struct Service {
    hooks: Hooks,
    notes: Box<dyn Notes>,
    stage: Stage,
    /// How far a session was that is over.
    outcome: Outcome,
}

/// Answers until the session of this process is gone or breaks the rules, and gives back the exit code. What holds the
/// place of that session is held until it has ended.
pub(super) fn serve(socket: OwnedFd, session: &OwnedFd, hooks: Hooks, notes: Box<dyn Notes>) -> i32 {
    let mut service = Service { hooks, notes, stage: Stage::Open, outcome: Outcome::default() };
    let mut socket = Some(socket);
    let steps: [fn(&mut Service, &mut Option<OwnedFd>, &OwnedFd); 4] = [
        |service, socket, session| {
            if socket.as_ref().is_some_and(|socket| service.answer_all(socket) == Over::NoQuestion) {
                service.kill(session, "it asked its broker what is no question");
            }
        },
        // Whoever ends hangs up first. Whoever does not, and cannot be killed, ends when it asks for anything.
        |service, socket, session| {
            drop(socket.take());
            if !has_ended(session, Some(limits::PARTING)) {
                service.kill(session, "it went on without its broker");
                has_ended(session, None);
            }
        },
        |service, _, _| service.outcome = service.notes.finish(),
        // A session that was killed had no time to ask for it.
        |service, _, _| {
            if let Reply::Ended(ended) = service.after(service.outcome) {
                service.notes.hooked(&ended);
            }
        },
    ];
    let mut panicked = false;
    for step in steps {
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| step(&mut service, &mut socket, session)));
        panicked |= done.is_err();
    }
    i32::from(panicked)
}

/// Whether the session has ended, after so long at most.
fn has_ended(session: &OwnedFd, limit: Option<Duration>) -> bool {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut end = [PollFd::new(session, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut end, limit.as_ref())).is_ok_and(|ready| ready > 0)
}

/// Why there is nothing more to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The other side hung up.
    Gone,
    /// It asked what is no question.
    NoQuestion,
}

impl Service {
    /// Kills the session for this. That it has ended by itself meanwhile is as well.
    fn kill(&mut self, session: &OwnedFd, why: &str) {
        match pidfd_send_signal(session, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => self.notes.broken(&format!("killed: {why}")),
            Err(error) => {
                let error = crate::sys::error_words(&error.into());
                self.notes.broken(&format!("{why}, and cannot be killed: {error}"));
            }
        }
    }

    fn answer_all(&mut self, socket: &OwnedFd) -> Over {
        let mut bytes = [0; LONGEST];
        loop {
            let received =
                rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut bytes[..], RecvFlags::empty()));
            // An empty message looks like an end, and is treated like one.
            let Ok((length @ 1.., _)) = received else { return Over::Gone };
            let Some(request) = bytes.get(..length).and_then(Request::decode) else {
                return Over::NoQuestion;
            };
            let reply = self.answer(request).encode();
            if rustix::net::send(socket, &reply, SendFlags::NOSIGNAL).is_err() {
                return Over::Gone;
            }
        }
    }

    fn answer(&mut self, request: Request) -> Reply {
        let id = |id: Option<u32>| id.map_or(Reply::None, Reply::Id);
        let name = |name: Option<Vec<u8>>| {
            name.filter(|name| (1..=limits::OWNER).contains(&name.len())).map_or(Reply::None, Reply::Name)
        };
        match request {
            Request::UserName(uid) => name(ids::user_name(uid)),
            Request::GroupName(gid) => name(ids::group_name(gid)),
            Request::UserId(name) => id(ids::user_id(&name)),
            Request::GroupId(name) => id(ids::group_id(&name)),
            Request::Before { push } => self.before(push),
            Request::After(outcome) => self.after(outcome),
            Request::Note(note) => {
                self.notes.take(&note);
                Reply::None
            }
        }
    }

    fn before(&mut self, push: bool) -> Reply {
        if !matches!(self.stage, Stage::Open) {
            return Reply::None;
        }
        self.stage = Stage::Begun;
        self.tell("SMSYNC_DIRECTION", if push { "push" } else { "pull" });
        let Hooks { before, environment, .. } = &self.hooks;
        before.as_ref().map_or(Reply::None, |hook| Reply::Ended(hook.run(environment, limits::HOOK)))
    }

    fn after(&mut self, outcome: Outcome) -> Reply {
        if !matches!(self.stage, Stage::Begun) {
            return Reply::None;
        }
        self.stage = Stage::Over;
        // As rsync says it of a process that did not end by itself.
        let exit = outcome.exit.map_or("-1".to_owned(), |code| code.to_string());
        self.tell("SMSYNC_EXIT_STATUS", exit);
        self.tell("SMSYNC_FILES", outcome.files.to_string());
        self.tell("SMSYNC_BYTES", outcome.bytes.to_string());
        let Hooks { after, environment, .. } = &self.hooks;
        after.as_ref().map_or(Reply::None, |hook| Reply::Ended(hook.run(environment, limits::HOOK)))
    }

    fn tell(&mut self, name: &str, value: impl Into<OsString>) {
        self.hooks.environment.push((name.to_owned(), value.into()));
    }
}
