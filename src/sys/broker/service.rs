//! The broker's own work: it answers until the process that it serves is gone.

use crate::limits;
use crate::sys::broker::hook::Hook;
use crate::sys::broker::message::{LONGEST, Outcome, Reply, Request};
use crate::sys::ids;
use rustix::net::{RecvFlags, SendFlags};
use std::ffi::OsString;
use std::os::fd::{OwnedFd, RawFd};
use std::panic::AssertUnwindSafe;

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
    /// Nothing more comes.
    fn finish(&mut self);
    /// What it has open, which the broker keeps.
    fn descriptors(&self) -> Vec<RawFd>;
}

struct Service {
    hooks: Hooks,
    notes: Box<dyn Notes>,
    stage: Stage,
}

/// Answers until the other side is gone or breaks the rules, and gives back the exit code.
pub(super) fn serve(socket: &OwnedFd, hooks: Hooks, notes: Box<dyn Notes>) -> i32 {
    let mut service = Service { hooks, notes, stage: Stage::Open };
    let served = std::panic::catch_unwind(AssertUnwindSafe(|| service.answer_all(socket)));
    let noted = std::panic::catch_unwind(AssertUnwindSafe(|| service.notes.finish()));
    // A session that was killed had no time to ask for it.
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| service.after(Outcome::default())));
    i32::from(served.is_err() || ended.is_err() || noted.is_err())
}

impl Service {
    fn answer_all(&mut self, socket: &OwnedFd) {
        let mut bytes = [0; LONGEST];
        loop {
            let received =
                rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut bytes[..], RecvFlags::empty()));
            let request = match received {
                Ok((length @ 1.., _)) => bytes.get(..length).and_then(Request::decode),
                _ => None,
            };
            let Some(request) = request else { return };
            let reply = self.answer(request).encode();
            if rustix::net::send(socket, &reply, SendFlags::NOSIGNAL).is_err() {
                return;
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
