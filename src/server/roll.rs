//! The roll: which sessions are in progress, and how the last round of each module went. `smsyncd --status` reads it.
//!
//! Both are kept where no session reaches them. Sessions are slots of a file, held by their brokers; results are small files
//! beside it.

use crate::limits;
use crate::sys::slots::Slots;
use crate::sys::{Dir, clock, process};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::RawFd;
use std::time::Instant;

/// The file of the sessions in the directory that no session reaches.
const SESSIONS: &[u8] = b"sessions";
/// What the names of results begin with, before the name of the module.
const LAST: &[u8] = b"last-";

/// A session in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its process.
    pub(super) process: u32,
    /// When it was let in, in seconds since 1970.
    pub(super) since: i64,
    /// Where its client is.
    pub(super) host: String,
    /// Who its client is.
    pub(super) user: String,
    /// What it opened.
    pub(super) module: String,
    /// `push` or `pull`; empty before the first round.
    pub(super) direction: String,
    /// Files that went over in this round so far.
    pub(super) files: u64,
    /// And their bytes.
    pub(super) bytes: u64,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Last {
    /// When, in seconds since 1970.
    pub(super) ended: i64,
    /// How long it took.
    pub(super) seconds: f64,
    /// Where its client is.
    pub(super) host: String,
    /// Who its client is.
    pub(super) user: String,
    /// `push` or `pull`.
    pub(super) direction: String,
    /// Files that went over.
    pub(super) files: u64,
    /// And their bytes.
    pub(super) bytes: u64,
    /// Names removed.
    pub(super) removed: u64,
    /// Entries that failed.
    pub(super) problems: u64,
    /// The exit code of the round; 0 is success.
    pub(super) exit: u8,
    /// Why it ended before its end, if it did.
    pub(super) error: Option<String>,
}

/// Our place on the roll.
#[derive(Debug)]
pub(super) struct Place {
    slots: Slots,
    at: u32,
    entry: Entry,
    /// When it was written.
    written: Instant,
}

impl Place {
    /// Enters a session; `None` when more are in progress than the roll has room for.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(super) fn enter(kept: &Dir, host: String, user: &str, module: &str) -> io::Result<Option<Place>> {
        let slots = Slots::in_dir(kept, SESSIONS)?;
        // A slot that is held has its holder's record: whoever reads does so under the gate as well.
        let gate = slots.gate(Instant::now() + limits::ADMISSION)?;
        let Some(at) = slots.take(limits::SESSIONS)? else { return Ok(None) };
        let entry = Entry {
            process: process::id(),
            since: clock::now().0,
            host,
            user: user.to_owned(),
            module: module.to_owned(),
            direction: String::new(),
            files: 0,
            bytes: 0,
        };
        slots.write(at, &serde_json::to_vec(&entry)?)?;
        drop(gate);
        Ok(Some(Place { slots, at, entry, written: Instant::now() }))
    }

    /// Says how far it is in which direction: when that is another one, and else when it was not said for a while.
    pub(super) fn go_on(&mut self, direction: &str, files: u64, bytes: u64) {
        (self.entry.files, self.entry.bytes) = (files, bytes);
        let turns = self.entry.direction != direction;
        if turns {
            direction.clone_into(&mut self.entry.direction);
        }
        if turns || self.written.elapsed() >= limits::ROLL {
            self.write();
        }
    }

    /// What it has open.
    pub(super) fn descriptor(&self) -> RawFd {
        self.slots.descriptor()
    }

    fn write(&mut self) {
        self.written = Instant::now();
        if let Ok(record) = serde_json::to_vec(&self.entry) {
            // Whoever looks sees what was, which is no harm to the session.
            let _ = self.slots.write(self.at, &record);
        }
    }
}

/// The sessions in progress, in the order of their slots.
///
/// # Errors
/// The directory cannot be used.
pub(super) fn sessions(kept: &Dir) -> io::Result<Vec<Entry>> {
    let Some(slots) = Slots::there(kept, SESSIONS)? else { return Ok(Vec::new()) };
    let gate = slots.gate(Instant::now() + limits::ADMISSION)?;
    let mut entries = Vec::new();
    for at in 0..limits::SESSIONS {
        if slots.is_held(at)? {
            let record = slots.read(at)?;
            let text = record.split(|byte| *byte == 0).next().unwrap_or_default();
            entries.extend(serde_json::from_slice::<Entry>(text));
        }
    }
    drop(gate);
    Ok(entries)
}

impl Last {
    /// Keeps it as the last one of a module.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(super) fn keep(&self, kept: &Dir, module: &str) -> io::Result<()> {
        kept.remember(&[LAST, module.as_bytes()].concat(), &serde_json::to_vec(self)?)
    }

    /// How the last round of a module ended, if there was one. What cannot be read is none.
    #[must_use]
    pub(super) fn of(kept: &Dir, module: &str) -> Option<Last> {
        let text = kept.recall(&[LAST, module.as_bytes()].concat(), limits::CONFIG).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roll_has_those_who_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let state = Dir::open_root(dir.path()).unwrap();
        assert_eq!(sessions(&state).unwrap(), []);
        // As long as they can be, in characters that take most room.
        let name = "\u{1}".repeat(limits::USER);
        let mut first = Place::enter(&state, "192.0.2.1".into(), &name, &name).unwrap().unwrap();
        let second = Place::enter(&state, "::1".into(), "b", "m").unwrap().unwrap();
        first.go_on("push", 0, 0);
        let all = sessions(&state).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((&*all[0].user, &*all[0].direction, all[0].process), (&*name, "push", std::process::id()));
        assert_eq!((&*all[1].host, &*all[1].module), ("::1", "m"));
        drop(second);
        assert_eq!(sessions(&state).unwrap().len(), 1, "the record of one that is gone is read");
    }

    #[test]
    fn the_last_result_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let state = Dir::open_root(dir.path()).unwrap();
        assert_eq!(Last::of(&state, "m"), None);
        let mut last = Last {
            ended: 1_700_000_000,
            seconds: 1.5,
            host: "192.0.2.1".into(),
            user: "a\nb".into(),
            direction: "push".into(),
            files: 1,
            bytes: u64::MAX,
            removed: 0,
            problems: 2,
            exit: 1,
            error: None,
        };
        last.keep(&state, "m").unwrap();
        assert_eq!(Last::of(&state, "m").as_ref(), Some(&last));
        last.error = Some("gone".into());
        last.keep(&state, "m").unwrap();
        assert_eq!(Last::of(&state, "m"), Some(last));
        assert_eq!(Last::of(&state, "n"), None);
    }
}
