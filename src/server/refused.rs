//! Whoever is turned away is counted by reason: in one record that is written in place, since the same peer may come
//! again at once, and whatever reads the counts is not written anew each time.

use crate::limits;
use crate::sys::slots::{RECORD, Slots};
use crate::sys::{Dir, clock};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Instant;

/// The file in the directory that no session reaches.
const NAME: &[u8] = b"refused";

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    /// Too many that have proven nothing were there at once.
    Strangers,
    /// The greeting was none, or was not over in time.
    Greeting,
    /// The secret was wrong, or the user unknown.
    Secret,
    /// There is no such module, or not for him; or the path in it is reserved.
    Access,
    /// The module is disabled, or has too many connections.
    Module,
    /// The module does not allow what the round asked for.
    Round,
    /// The hook said no.
    Hook,
}

impl Reason {
    /// Their places in the record are those here.
    const ALL: [(Reason, &'static str); 7] = [
        (Reason::Strangers, "strangers"),
        (Reason::Greeting, "greeting"),
        (Reason::Secret, "secret"),
        (Reason::Access, "access"),
        (Reason::Module, "module"),
        (Reason::Round, "round"),
        (Reason::Hook, "hook"),
    ];
}

/// What the record holds.
#[derive(Debug, Default)]
struct Record {
    /// When the counts were shown last, in seconds since 1970.
    shown: u64,
    counts: [u64; Reason::ALL.len()],
}

impl Record {
    fn read(bytes: &[u8; RECORD]) -> Record {
        let mut numbers = bytes.as_chunks::<8>().0.iter().map(|number| u64::from_be_bytes(*number));
        let mut record = Record { shown: numbers.next().unwrap_or_default(), ..Record::default() };
        record.counts.iter_mut().zip(numbers).for_each(|(count, number)| *count = number);
        record
    }

    fn bytes(&self) -> Vec<u8> {
        std::iter::once(&self.shown).chain(&self.counts).flat_map(|number| number.to_be_bytes()).collect()
    }
}

/// Counts one. Says whether the counts are to be shown: not more often than once in [`limits::REFUSALS`].
///
/// # Errors
/// The directory cannot be written to, or another process counts for too long.
pub(super) fn count(kept: &Dir, reason: Reason) -> io::Result<bool> {
    let slots = Slots::in_dir(kept, NAME)?;
    let gate = slots.gate(Instant::now() + limits::ADMISSION)?.ok_or(io::ErrorKind::TimedOut)?;
    let mut record = Record::read(&slots.read(0)?);
    for (count, (of, _)) in record.counts.iter_mut().zip(Reason::ALL) {
        *count = count.saturating_add(u64::from(of == reason));
    }
    let now = u64::try_from(clock::now().0).unwrap_or_default();
    // A clock that was set back must not silence it.
    let due = !(record.shown..record.shown.saturating_add(limits::REFUSALS.as_secs())).contains(&now);
    if due {
        record.shown = now;
    }
    slots.write(0, &record.bytes())?;
    drop(gate);
    Ok(due)
}

/// How many there were of each reason that there was.
///
/// # Errors
/// The directory cannot be used.
pub(super) fn counts(kept: &Dir) -> io::Result<Vec<(&'static str, u64)>> {
    let Some(slots) = Slots::there(kept, NAME)? else { return Ok(Vec::new()) };
    let record = Record::read(&slots.read(0)?);
    let all = Reason::ALL.into_iter().zip(record.counts);
    Ok(all.filter(|(_, count)| *count > 0).map(|((_, name), count)| (name, count)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_and_few_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let state = Dir::open_root(dir.path()).unwrap();
        assert_eq!(counts(&state).unwrap(), []);
        let due: Vec<bool> = (0..50).map(|_| count(&state, Reason::Secret).unwrap()).collect();
        // More than one only where this took longer than that.
        assert!(due[0] && due.iter().filter(|due| **due).count() <= 2, "{due:?}");
        count(&state, Reason::Hook).unwrap();
        assert_eq!(counts(&state).unwrap(), [("secret", 50), ("hook", 1)]);
        // Written in place: nothing else comes or goes.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        // A record of a time that is yet to come is shown all the same.
        let slots = Slots::in_dir(&state, NAME).unwrap();
        slots.write(0, &Record { shown: u64::MAX, ..Record::default() }.bytes()).unwrap();
        assert!(count(&state, Reason::Access).unwrap());
    }
}
