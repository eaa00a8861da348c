//! What a confined session has the server know, which writes it where the session cannot: its broker takes it down.
//!
//! The session may be anybody's by now: what it sends is bounded in kind, in number and in what it can be made to say.

use super::account::{Sum, direction};
use super::confine::Asked;
use super::hooks::fault;
use super::log::Log;
use super::metrics::Samples;
use super::presence::Presence;
use super::refused::{self, Reason};
use super::roll::Last;
use crate::exit::Exit;
use crate::limits;
use crate::sys::broker::{self, Broker, Ended, Outcome};
use crate::sys::{Dir, clock, ids};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One thing that is to be known. There is nothing in it that a log or a file could be made to say besides numbers; but for
/// why a round failed, which whoever shows it escapes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// It was turned away.
    Refused(Reason),
    /// It is so far in a round.
    Progress(Progress),
    /// A round is over, before its end for this reason.
    Round(Sum, Option<String>),
    /// The session is over, and so many records of the log were not taken.
    End(u64),
}

/// How far a round is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) push: bool,
    /// Nothing is done, only said.
    pub(super) dry: bool,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// What became of a round of a session that did not end by itself.
const KILLED: &str = "its process was ended before it was done";

impl Note {
    /// Has it taken down.
    ///
    /// # Errors
    /// The broker is gone.
    pub(super) fn send(&self, broker: &Broker) -> io::Result<()> {
        broker.note(&serde_json::to_vec(self)?)
    }
}

/// Takes the notes of one session, which opened this module.
pub(super) struct Taker {
    /// What the session is called, its module, and who its client is.
    session: String,
    module: String,
    host: String,
    user: String,
    /// What says that it is there, until this ends.
    presence: Presence,
    /// That of the session, with as many records as that may still write.
    log: Log,
    /// Where counts and results are kept, and where counts are shown.
    kept: Option<Dir>,
    metrics: Option<PathBuf>,
    /// What is not written yet, and when something was.
    rest: Option<Samples>,
    last: Option<Last>,
    written: Option<Instant>,
    /// The round that is not over, as far as it is known, and since when that is.
    under_way: Option<(Progress, Instant)>,
    /// When the last round ended that is known, or the session began.
    known: Instant,
    /// Files and bytes of the rounds before.
    carried: (u64, u64),
    refused: bool,
    over: bool,
}

impl Taker {
    pub(super) fn new(
        asked: &Asked<'_>,
        presence: Presence,
        (kept, metrics): (Option<Dir>, Option<PathBuf>),
    ) -> Box<Taker> {
        let who = [asked.visitor.peer().to_string(), asked.visitor.user().to_owned()];
        let session = [asked.session.to_string(), asked.module.name.clone()];
        Box::new(Taker::of(session, who, presence, asked.log.clone(), (kept, metrics)))
    }

    fn of(
        [session, module]: [String; 2],
        [host, user]: [String; 2],
        presence: Presence,
        log: Log,
        (kept, metrics): (Option<Dir>, Option<PathBuf>),
    ) -> Taker {
        Taker {
            session,
            module,
            host,
            user,
            presence,
            log,
            kept,
            metrics,
            rest: None,
            last: None,
            written: None,
            under_way: None,
            known: Instant::now(),
            carried: (0, 0),
            refused: false,
            over: false,
        }
    }

    /// A session is turned away once, by its round or its hook: what comes before that is not for it to tell.
    fn refuse(&mut self, reason: Reason) {
        if !matches!(reason, Reason::Round | Reason::Hook) || std::mem::replace(&mut self.refused, true) {
            return;
        }
        let counted = self.kept.as_ref().map_or(Ok(false), |kept| refused::count(kept, reason));
        match counted {
            Ok(true) => drop(self.rest.get_or_insert_default()),
            Ok(false) => {}
            Err(error) => self.failed(&error),
        }
    }

    /// Rounds come one after the other, so that none took longer than it is since the one before; and it ends now.
    fn round(&mut self, sum: Sum, error: Option<String>) {
        let sum = sum.within(self.known.elapsed());
        (self.known, self.under_way) = (Instant::now(), None);
        let (files, bytes) = self.carried;
        self.carried = (files.saturating_add(sum.files), bytes.saturating_add(sum.bytes));
        let Some(exit) = Exit::from_code(sum.exit) else { return };
        let ended = clock::now().0;
        self.rest.get_or_insert_default().add(sum.samples(&self.module, exit, ended));
        self.last = Some(sum.last(ended, (&self.host, &self.user), error));
    }

    /// Writes what is not written yet.
    fn write(&mut self) {
        let Some(kept) = &self.kept else { return };
        let (last, rest) = (self.last.take(), self.rest.take());
        if last.is_none() && rest.is_none() {
            return;
        }
        self.written = Some(Instant::now());
        if let Some(Err(error)) = last.map(|last| last.keep(kept, &self.module)) {
            let (session, module) = (&self.session, &self.module);
            self.log.warning(format_args!("{session}: module {module}: cannot keep how it went: {error}"));
        }
        if let (Some(mut rest), Some(metrics)) = (rest, &self.metrics)
            && let Err(error) = rest.keep(kept, metrics)
        {
            self.failed(&error);
            // There may be room for it later.
            self.rest = Some(rest);
        }
    }

    fn failed(&self, error: &io::Error) {
        self.log.warning(format_args!("metrics, as uid {}: {error}", ids::euid()));
    }

    fn waits(&self) -> Duration {
        self.written.map_or(Duration::ZERO, |written| limits::NOTES.saturating_sub(written.elapsed()))
    }
}

impl broker::Notes for Taker {
    fn take(&mut self, note: &[u8]) {
        if self.over {
            return;
        }
        match serde_json::from_slice(note) {
            Ok(Note::Refused(reason)) => self.refuse(reason),
            Ok(Note::Progress(progress)) => {
                let since = self.under_way.map_or_else(Instant::now, |(_, since)| since);
                self.under_way = Some((progress, since)).filter(|_| !progress.dry);
                return self.presence.go_on(progress.push, progress.files, progress.bytes);
            }
            Ok(Note::Round(sum, error)) => self.round(sum, error),
            Ok(Note::End(lost)) => return self.end(lost),
            Err(_) => return,
        }
        if self.waits().is_zero() {
            self.write();
        }
    }

    fn broken(&mut self, how: &str) {
        let Taker { session, module, .. } = self;
        self.log.error(format_args!("{session}: module {module}: {how}"));
    }

    fn finish(&mut self) -> Outcome {
        // Who ends by itself says so.
        if !self.over {
            self.killed();
        }
        self.end(0);
        self.presence.leave_roll();
        let (files, bytes) = self.carried;
        Outcome { exit: None, files, bytes }
    }

    fn hooked(&mut self, ended: &Ended) {
        if let Some(fault) = fault(ended) {
            let Taker { session, module, .. } = self;
            self.log.warning(format_args!("{session}: module {module}: 'post-xfer exec' {fault}"));
        }
    }

    fn descriptors(&self) -> Vec<RawFd> {
        let kept = self.kept.as_ref().map(|kept| kept.as_fd().as_raw_fd());
        kept.into_iter().chain(self.log.descriptor()).chain(self.presence.descriptors()).collect()
    }
}

impl Taker {
    /// The process was ended: in the middle of a round, or of what comes before and after rounds.
    fn killed(&mut self) {
        let Taker { session, module, .. } = self;
        let Some((Progress { push, files, bytes, .. }, since)) = self.under_way else {
            return self.log.error(format_args!("{session}: module {module}: its process was ended"));
        };
        let way = direction(push);
        self.log.error(format_args!("{session}: {way}, module {module}: {KILLED}"));
        let (seconds, exit) = (since.elapsed().as_secs_f64(), Exit::System.code());
        let sum = Sum { push, seconds, files, bytes, removed: 0, problems: 0, exit };
        self.round(sum, Some(KILLED.into()));
    }

    /// Says once how many records the session lost, and writes the rest.
    fn end(&mut self, lost: u64) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if lost > 0 {
            // Here another log file of the name can still be had. If not, the old one is left.
            let _ = self.log.reopen();
            let (session, module) = (&self.session, &self.module);
            self.log.warning(format_args!("{session}: module {module}: {lost} log records were lost"));
        }
        self.write();
    }
}

/// Has the server know that the session is over, and how many records of the log were lost if this process can no longer
/// say so itself.
pub(super) fn end(log: &Log) {
    let Some(broker) = broker::running() else { return };
    // Whoever would be told that it failed is whom it cannot be told.
    let _ = Note::End(log.lost()).send(broker);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::broker::Notes;
    use std::fs;

    fn taker(dir: &std::path::Path, metrics: &str) -> Taker {
        let log = Log::open(&crate::server::log::Destination::File(dir.join("log")), 0).unwrap();
        log.limit();
        let state = Dir::open_root(dir).unwrap();
        let (session, who) = (["peer", "m"], ["192.0.2.1", "u"]);
        let places = (Some(state), Some(dir.join(metrics)));
        Taker::of(session.map(Into::into), who.map(Into::into), Presence::default(), log, places)
    }

    fn round(exit: u8, seconds: &str) -> String {
        format!(
            "{{\"Round\":[{{\"push\":true,\"seconds\":{seconds},\"files\":1,\"bytes\":2,\"removed\":0,\
             \"problems\":0,\"exit\":{exit}}},null]}}"
        )
    }

    #[test]
    fn a_session_can_say_no_more_than_there_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut taker = taker(dir.path(), "m.prom");
        let mut take = |note: &str| taker.take(note.as_bytes());
        for reason in ["Strangers", "Greeting", "Secret", "Access", "Module", "Hook", "Hook", "Round"] {
            take(&format!("{{\"Refused\":\"{reason}\"}}"));
        }
        (0..=255).for_each(|exit| take(&round(exit, "1e308")));
        take(&round(0, "-5.0"));
        take("{\"End\":3}");
        take("{\"End\":3}");
        take(&round(0, "0.0"));
        let text = fs::read_to_string(dir.path().join("m.prom")).unwrap();
        let refused: Vec<_> = text.lines().filter(|line| line.starts_with("smsyncd_refused_total")).collect();
        assert_eq!(refused, ["smsyncd_refused_total{reason=\"hook\"} 1"]);
        assert_eq!(text.matches(",exit=").count(), Exit::ALL.len(), "{text}");
        assert!(text.contains("exit=\"0\"} 2\n") && !text.contains("exit=\"5\""), "{text}");
        let seconds = text.lines().find_map(|line| line.strip_prefix("smsyncd_round_seconds_total{"));
        let seconds: f64 = seconds.and_then(|line| line.rsplit_once(' ')).unwrap().1.parse().unwrap();
        assert!((0.0..60.0).contains(&seconds), "{seconds}");
        let last = Last::of(taker.kept.as_ref().unwrap(), "m").unwrap();
        assert_eq!((&*last.host, &*last.user, &*last.direction, last.exit), ("192.0.2.1", "u", "push", 0));
        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(log.matches("peer: module m: 3 log records were lost").count(), 1, "{log}");
    }

    #[test]
    fn what_is_killed_is_told_with_how_far_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut taker = taker(dir.path(), "m.prom");
        taker.take(round(0, "0.0").as_bytes());
        let progress = Progress { push: true, dry: false, files: 3, bytes: 40 };
        taker.take(&serde_json::to_vec(&Note::Progress(progress)).unwrap());
        assert_eq!(taker.finish(), Outcome { exit: None, files: 4, bytes: 42 });
        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(
            log.matches("peer: push, module m: its process was ended before it was done").count(),
            1,
            "{log}"
        );
        let last = Last::of(taker.kept.as_ref().unwrap(), "m").unwrap();
        assert_eq!((last.exit, last.files, last.bytes), (71, 3, 40));
    }

    #[test]
    fn notes_are_written_once_a_second_and_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut taker = taker(dir.path(), "m.prom");
        let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(dir.path().join("m.prom")).unwrap());
        let begun = Instant::now();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            taker.take(round(0, "0.0").as_bytes());
            seen.insert(inode());
        }
        assert!(seen.len() as u64 <= 1 + begun.elapsed().as_secs(), "{seen:?}");
        taker.finish();
        let text = fs::read_to_string(dir.path().join("m.prom")).unwrap();
        assert!(text.contains("exit=\"0\"} 200\n"), "{text}");
    }

    #[test]
    fn the_longest_reason_is_taken_down() {
        let dir = tempfile::tempdir().unwrap();
        let why = "\u{1}".repeat(limits::WHY);
        let note = round(74, "-1.7976931348623157e308").replace(":1,", &format!(":{},", u64::MAX));
        let note = note.replace("null", &serde_json::to_string(&why).unwrap());
        assert!(note.len() <= limits::NOTE, "{}", note.len());
        let mut taker = taker(dir.path(), "m.prom");
        taker.take(note.as_bytes());
        assert_eq!(Last::of(taker.kept.as_ref().unwrap(), "m").unwrap().error, Some(why));
    }

    #[test]
    fn what_cannot_be_shown_is_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut taker = taker(dir.path(), "m.prom");
        // What is there cannot be replaced.
        fs::create_dir_all(dir.path().join("m.prom/in")).unwrap();
        taker.take(round(0, "0.0").as_bytes());
        taker.written = None;
        taker.take(round(0, "0.0").as_bytes());
        fs::remove_dir_all(dir.path().join("m.prom")).unwrap();
        taker.finish();
        let text = fs::read_to_string(dir.path().join("m.prom")).unwrap();
        assert!(text.contains("exit=\"0\"} 2\n"), "{text}");
    }

    #[test]
    fn what_cannot_be_written_fills_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut taker = taker(dir.path(), "none/m.prom");
        for _ in 0..3000 {
            taker.take(round(0, "0.0").as_bytes());
            taker.written = None;
        }
        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        let lines = log.lines().count() as u64;
        assert!((1..=limits::LOG_RECORDS + 1).contains(&lines), "{lines}");
    }
}
