//! What arrived, and its digests: remembered when all of it is in place, since putting it there is a change, too; but what
//! has its last name in the stage already, as soon as its stamp is old enough.

use crate::limits;
use crate::path::RelPath;
use crate::spec::{Index, Spec, Time};
use crate::sys::{Dir, FileKind, Spool, Stat, clock, ids, threads};
use crate::tree::{Cursor, Remembered, Root, is_settled};
use std::collections::VecDeque;
use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files of which the digest is known and that are about to change their places, or their times.
#[derive(Debug)]
pub(super) struct Arrivals<'a> {
    spool: &'a Dir,
    remembered: &'a Remembered<'a>,
    /// When none of them was in place yet.
    begun: (i64, u32),
    noted: Mutex<Noted>,
}

/// Those that are not remembered yet.
#[derive(Debug, Default)]
struct Noted {
    /// Records of an index and a digest: not in our memory.
    spool: Option<Spool>,
    /// Those that changed last in the stage, and may yet change without another stamp.
    young: VecDeque<(Index, [u8; 32], Stat)>,
}

/// Bytes of a record.
const RECORD: usize = 4 + 32;

impl<'a> Arrivals<'a> {
    /// None yet; they are kept in a nameless file in this directory.
    pub(super) fn new(spool: &'a Dir, remembered: &'a Remembered<'a>) -> Arrivals<'a> {
        Arrivals { spool, remembered, begun: clock::stamping(), noted: Mutex::default() }
    }

    /// Takes one more.
    pub(super) fn note(&self, index: Index, digest: &[u8; 32]) {
        self.noted().write(self.spool, index, digest);
    }

    /// Takes one more that is in the stage and as it is to be, and remembers those that have been so for long enough:
    /// nobody else reaches them there, and whoever changes them later leaves another stamp.
    pub(super) fn note_staged(&self, index: Index, digest: &[u8; 32], stat: Stat) {
        let now = clock::stamping();
        let mut noted = self.noted();
        while let Some((index, digest, stat)) = noted.young.pop_front() {
            if is_settled(stat.ctime, now) {
                self.remembered.learn(&stat, now, &digest);
            } else if noted.young.len() < limits::YOUNG {
                noted.young.push_front((index, digest, stat));
                break;
            } else {
                noted.write(self.spool, index, &digest);
            }
        }
        noted.young.push_back((index, *digest, stat));
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers them as they are in place, after a round in which nothing failed. All of them were there at the moment
    /// `placed`: what has changed since was changed by others. What has not changed since the round began is what was
    /// there before, and what has another size or time than it was given is something else, too. Between its place and
    /// that moment nobody but us may have written to it, or put another in its place: the rest is read when it is asked
    /// about.
    pub(super) fn remember(self, root: &Root, want: &Spec, placed: (i64, u32)) {
        let Arrivals { spool, remembered, begun, noted } = self;
        let mut noted = noted.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (index, digest, _) in std::mem::take(&mut noted.young) {
            noted.write(spool, index, &digest);
        }
        let Some(map) = noted.spool.and_then(|spool| spool.freeze().ok()) else { return };
        // What happens to them from now on shows in their stamps.
        clock::wait_until_past(placed, limits::TICK);
        let look = Look { root, want, changed: begun..=placed, now: clock::now(), remembered };
        let records = map.bytes().as_chunks::<RECORD>().0;
        // Neighbours have their directories in common.
        threads::spread(records.chunks(limits::SCAN_ALONE as usize), |parts| {
            parts.for_each(|part| look.at(part))
        });
    }
}

impl Noted {
    fn write(&mut self, place: &Dir, index: Index, digest: &[u8; 32]) {
        if self.spool.is_none() {
            self.spool = Spool::create(place).ok();
        }
        let record = [&index.get().to_be_bytes()[..], digest].concat();
        // Without room for it, these files will be read again, and nothing else is amiss.
        if self.spool.as_mut().is_some_and(|spool| spool.write_all(&record).is_err()) {
            self.spool = None;
        }
    }
}

/// How what arrived is looked at where it is now.
struct Look<'l> {
    root: &'l Root,
    want: &'l Spec,
    /// When what was put there changed last.
    changed: RangeInclusive<(i64, u32)>,
    now: (i64, u32),
    remembered: &'l Remembered<'l>,
}

impl Look<'_> {
    fn at(&self, records: &[[u8; RECORD]]) {
        let (mut cursor, us) = (Cursor::new(self.root, true), ids::euid());
        // The directory of the last one, and whether it is ours.
        let mut ours: Option<(RelPath<'_>, bool)> = None;
        for record in records {
            let Some((index, digest)) = record.split_first_chunk::<4>() else { continue };
            let (Some(index), Ok(digest)) = (self.want.index(u32::from_be_bytes(*index)), digest.try_into())
            else {
                continue;
            };
            let entry = self.want.entry(index);
            let stat = cursor.holder(&entry.path).and_then(|(holder, name)| holder.stat(name));
            let Some((parent, _)) = entry.path.split_last() else { continue };
            if ours.as_ref().is_none_or(|(last, _)| *last != parent) {
                ours = Some((parent.into_owned(), stat.is_ok() && cursor.is_of(us).unwrap_or(false)));
            }
            if let Ok(stat) = stat
                && ours.as_ref().is_some_and(|(_, ours)| *ours)
                && stat.is_of(us)
                && stat.kind == Some(FileKind::File)
                && entry.size == Some(stat.size)
                && entry.time == Some(Time { sec: stat.mtime.0, nsec: stat.mtime.1 })
                && self.changed.contains(&stat.ctime)
            {
                self.remembered.learn(&stat, self.now, digest);
            }
        }
    }
}
