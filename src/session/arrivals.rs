//! What arrived, and its digests: remembered when all of it is in place, since putting it there is a change, too.

use crate::limits;
use crate::path::RelPath;
use crate::spec::{Index, Spec, Time};
use crate::sys::{Dir, FileKind, Spool, clock, ids};
use crate::tree::{Cursor, Remembered, Root};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Files of which the digest is known and that are about to change their places, or their times.
#[derive(Debug)]
pub(super) struct Arrivals<'a> {
    spool: &'a Dir,
    /// When none of them was in place yet.
    begun: (i64, u32),
    /// Records of an index and a digest: not in our memory.
    noted: Mutex<Option<Spool>>,
}

/// Bytes of a record.
const RECORD: usize = 4 + 32;

impl<'a> Arrivals<'a> {
    /// None yet; they are kept in a nameless file in this directory.
    pub(super) fn new(spool: &'a Dir) -> Arrivals<'a> {
        Arrivals { spool, begun: clock::now(), noted: Mutex::new(None) }
    }

    /// Takes one more.
    pub(super) fn note(&self, index: Index, digest: &[u8; 32]) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.is_none() {
            *noted = Spool::create(self.spool).ok();
        }
        let record = [&index.get().to_be_bytes()[..], digest].concat();
        // Without room for it, these files will be read again, and nothing else is amiss.
        if noted.as_mut().is_some_and(|spool| spool.write_all(&record).is_err()) {
            *noted = None;
        }
    }

    /// Remembers them as they are in place, after a round in which nothing failed. All of them were there at the moment
    /// `placed`: what has changed since was changed by others. What has not changed since the round began is what was
    /// there before, and what has another size or time than it was given is something else, too. Between its place and
    /// that moment nobody but us may have written to it, or put another in its place: the rest is read when it is asked
    /// about.
    pub(super) fn remember(self, root: &Root, want: &Spec, placed: (i64, u32), remembered: &Remembered<'_>) {
        let Arrivals { begun, noted, .. } = self;
        let noted = noted.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(map) = noted.and_then(|spool| spool.freeze().ok()) else { return };
        // What happens to them from now on shows in their stamps.
        clock::wait_until_past(placed, limits::TICK);
        let (now, mut cursor, us) = (clock::now(), Cursor::new(root, true), ids::euid());
        // The directory of the last one, and whether it is ours.
        let mut ours: Option<(RelPath<'_>, bool)> = None;
        for record in map.bytes().chunks_exact(RECORD) {
            let Some((index, digest)) = record.split_first_chunk::<4>() else { continue };
            let (Some(index), Ok(digest)) = (want.index(u32::from_be_bytes(*index)), digest.try_into())
            else {
                continue;
            };
            let entry = want.entry(index);
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
                && (begun..=placed).contains(&stat.ctime)
            {
                remembered.learn(&stat, now, digest);
            }
        }
    }
}
