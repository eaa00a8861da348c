//! What was found out of files before: of a file that is what it was then, nothing is read again, neither its contents nor
//! its extended attributes.
//!
//! It is kept in the state directory, in records of one length, sorted by file system and file. What is looked up is a
//! copy of them in a nameless file, mapped; what is learned goes into another one. Neither is in our own memory.

mod record;
mod store;

use crate::limits;
use crate::sys::xattr::Sight;
use crate::sys::{Dir, Spool, Stat};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

pub(super) use record::Known;
use record::{RECORD, Record, find, known, was, which};
use store::{NAME, Place, Records};

/// What is known of the files of one tree.
#[derive(Debug)]
pub struct Remembered<'r> {
    place: Option<Place<'r>>,
    /// The file system of the tree.
    on: (u32, u32),
    /// Which attributes this process sees; where that is not known, nothing is remembered of them.
    sight: Option<Sight>,
    /// Read when there are enough questions.
    old: OnceLock<Option<Records>>,
    /// How many records there are to be read, and how many questions there were.
    count: OnceLock<u64>,
    asked: AtomicU64,
    /// As they come; `None` before the first one, and when there is no room for them.
    new: Mutex<Option<Spool>>,
}

impl<'r> Remembered<'r> {
    /// Of the tree below this directory, whatever its name. Where the file system does not stamp every change itself
    /// nothing is remembered.
    ///
    /// # Errors
    /// It cannot be examined.
    pub fn of(state: &'r Dir, spool: &'r Dir, root: &Dir) -> io::Result<Remembered<'r>> {
        if !root.file_system()?.stamps_changes() {
            return Ok(Remembered::none());
        }
        let Stat { dev, ino, .. } = root.stat_self()?;
        let name = [NAME, format!("{}-{}-{ino}", dev.0, dev.1).as_bytes()].concat();
        let place = Some(Place { state, spool, name });
        Ok(Remembered { place, on: dev, sight: Sight::ours(), ..Remembered::none() })
    }

    /// Where nothing is remembered.
    #[must_use]
    pub const fn none() -> Remembered<'r> {
        Remembered {
            place: None,
            on: (0, 0),
            sight: None,
            old: OnceLock::new(),
            count: OnceLock::new(),
            asked: AtomicU64::new(0),
            new: Mutex::new(None),
        }
    }

    /// The BLAKE3 of the file of which this was said a moment ago, if it was read when all of that was the same.
    #[must_use]
    pub fn digest(&self, stat: &Stat) -> Option<[u8; 32]> {
        self.recall(stat, true, &mut 0).and_then(|known| known.digest)
    }

    /// Whether nothing at all is known, of any file. As many are going to be read as to make it worth finding out.
    pub(super) fn is_empty(&self) -> bool {
        self.place.as_ref().is_none_or(|place| self.old.get_or_init(|| place.read()).is_none())
    }

    /// What is known of the file of which this was said a moment ago; `None` before anybody looked, since there were few
    /// questions. `contents`: whether it would be read otherwise. `near` is where the last one was.
    #[must_use]
    pub(super) fn recall(&self, stat: &Stat, contents: bool, near: &mut usize) -> Option<Known> {
        // A file system that is mounted below may not stamp what changes.
        let place = self.place.as_ref().filter(|_| stat.dev == self.on)?;
        if !contents && self.old.get().is_none() && !self.is_worth_it(place) {
            return None;
        }
        let mut found = Known::default();
        let Some(records) = self.old.get_or_init(|| place.read()) else { return Some(found) };
        let which = which(stat);
        let file = which.first_chunk().map_or(0, |file| u128::from_be_bytes(*file));
        let mut take = |part: &[Record], at: usize| {
            let same = part.get(at).filter(|record| *was(record) == which);
            found = same.map_or(found, |record| found.and(known(record)));
        };
        let (first, later) = records.first_and_later();
        let changed = records.has_later(file);
        // What was learned last goes before.
        for part in later.filter(|_| changed) {
            find(part, file, part.len() / 2).into_iter().for_each(|at| take(part, at));
        }
        if let Some(at) = find(first, file, *near) {
            *near = at + 1;
            take(first, at);
        }
        Some(found)
    }

    /// Whether this says that the file has no extended attributes which we would see.
    #[must_use]
    pub(super) fn is_plain(&self, known: &Known) -> bool {
        self.sight.is_some_and(|ours| known.plain.is_some_and(|theirs| theirs >= ours))
    }

    /// Whether as many questions were asked as it takes to be worth reading the records.
    fn is_worth_it(&self, place: &Place<'_>) -> bool {
        let count = *self.count.get_or_init(|| place.count());
        self.asked.fetch_add(1, Ordering::Relaxed) >= count / limits::DIGESTS_PER_QUESTION
    }

    /// Remembers the digest of a file that was as `stat` says when its contents began to be read, at this moment. What
    /// changed it since gave it another stamp, so that this is of no file then. Only when it had changed just before, a
    /// later change may have left the same stamp: of such a file nothing is remembered.
    pub fn learn(&self, stat: &Stat, begun: (i64, u32), digest: &[u8; 32]) {
        self.learn_of(stat, begun, Some(*digest), false);
    }

    /// The same, where the digest is known; and that the file has no extended attributes which we see, if it is `plain`:
    /// they were looked for after that moment.
    pub(super) fn learn_of(&self, stat: &Stat, begun: (i64, u32), digest: Option<[u8; 32]>, plain: bool) {
        let known = Known { digest, plain: self.sight.filter(|_| plain) };
        let learns = known != Known::default() && stat.dev == self.on && is_settled(stat.ctime, begun);
        let place = self.place.as_ref().filter(|_| learns);
        let Some(place) = place else { return };
        let record = known.of(&which(stat));
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if new.is_none() {
            *new = Spool::create(place.spool).ok();
        }
        // A record that is cut off would put all later ones out of place.
        if new.as_mut().is_some_and(|spool| spool.write_all(&record).is_err()) {
            *new = None;
        }
    }

    /// Keeps what was learned, if anything was. That it cannot be written is no failure: then it will be read again.
    pub fn keep(&self) {
        let new = self.new.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(place), Some(new)) = (&self.place, new) else { return };
        let Ok(map) = new.freeze() else { return };
        let read = self.old.get().is_some();
        let old = || self.old.get_or_init(|| place.read()).as_ref();
        let _ = place.keep(map.bytes().as_chunks::<RECORD>().0, (read, old));
    }
}

/// Whether a stamp was old enough at this moment: whatever changes the file later gives it another one.
#[must_use]
pub fn is_settled(stamp: (i64, u32), at: (i64, u32)) -> bool {
    let nanos = |(sec, nsec): (i64, u32)| i128::from(sec) * 1_000_000_000 + i128::from(nsec);
    let age = nanos(at) - nanos(stamp);
    // A stamp from the future tells nothing.
    u128::try_from(age).is_ok_and(|age| age >= limits::TICK.as_nanos())
}

#[cfg(test)]
#[path = "remembered_tests.rs"]
mod tests;
