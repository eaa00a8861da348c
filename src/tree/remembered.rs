//! Digests of files that were read before: of a file that is what it was then, nothing is read again.
//!
//! They are kept in the state directory, in records of one length, sorted by file system and file. What is looked up is a
//! copy of them in a nameless file, mapped; what is learned goes into another one. Neither is in our own memory.

use crate::digest::{Algorithm, Algorithms, Content, Digests, Through};
use crate::limits;
use crate::sys::{Dir, Draft, Map, Spool, Stat};
use std::cmp::Ordering;
use std::io::{self, Read, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The digests of the files of one tree.
#[derive(Debug)]
pub struct Remembered<'r> {
    place: Option<Place<'r>>,
    /// Read when the first question is asked.
    old: OnceLock<Option<Records>>,
    /// As they come; `None` before the first one, and when there is no room for them.
    new: Mutex<Option<Spool>>,
}

/// Where they are kept, and where a nameless file can be made.
#[derive(Debug)]
struct Place<'r> {
    state: &'r Dir,
    spool: &'r Dir,
    name: Vec<u8>,
}

/// What the names of all such files begin with.
const NAME: &[u8] = b"digests-";
/// What stands behind the records, before the digest of all that.
const FORM: &[u8] = b"smsync digests 1\n";
/// Bytes of the digest of a file, of contents or of all records.
const DIGEST: usize = 32;
/// Bytes that tell which file it is.
const FILE: usize = 16;
/// Bytes that tell that it is what it was: the same, size, and both times.
const WHICH: usize = FILE + 32;
/// Bytes of a record.
const RECORD: usize = WHICH + DIGEST;

/// A file as it was: file system, number in it, size, time of modification, time of change.
fn which(stat: &Stat) -> [u8; WHICH] {
    let mut bytes = [0; WHICH];
    let parts: [&[u8]; 8] = [
        &stat.dev.0.to_be_bytes(),
        &stat.dev.1.to_be_bytes(),
        &stat.ino.to_be_bytes(),
        &stat.size.to_be_bytes(),
        &stat.mtime.0.to_be_bytes(),
        &stat.mtime.1.to_be_bytes(),
        &stat.ctime.0.to_be_bytes(),
        &stat.ctime.1.to_be_bytes(),
    ];
    bytes.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
    bytes
}

/// Records one behind the other.
#[derive(Debug)]
struct Records {
    map: Map,
    count: usize,
}

impl Records {
    fn get(&self, at: usize) -> Option<&[u8; RECORD]> {
        let start = at.checked_mul(RECORD).filter(|_| at < self.count)?;
        self.map.bytes().get(start..)?.first_chunk()
    }

    fn file(&self, at: usize) -> Option<&[u8; FILE]> {
        self.get(at)?.first_chunk()
    }

    /// The digest of the file that is just this one; the records must be sorted.
    fn find(&self, which: &[u8; WHICH]) -> Option<[u8; DIGEST]> {
        let file = which.first_chunk::<FILE>()?;
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.file(middle)?.cmp(file) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => {
                    let (there, digest) = self.get(middle)?.split_first_chunk::<WHICH>()?;
                    return if there == which { digest.try_into().ok() } else { None };
                }
            }
        }
        None
    }
}

impl<'r> Remembered<'r> {
    /// Of the tree below this directory, whatever its name.
    ///
    /// # Errors
    /// It cannot be examined.
    pub fn of(state: &'r Dir, spool: &'r Dir, root: &Dir) -> io::Result<Remembered<'r>> {
        let Stat { dev, ino, .. } = root.stat_self()?;
        let name = [NAME, format!("{}-{}-{ino}", dev.0, dev.1).as_bytes()].concat();
        Ok(Remembered { place: Some(Place { state, spool, name }), ..Remembered::none() })
    }

    /// Where nothing is remembered.
    #[must_use]
    pub const fn none() -> Remembered<'r> {
        Remembered { place: None, old: OnceLock::new(), new: Mutex::new(None) }
    }

    /// The BLAKE3 of the file of which this was said a moment ago, if it was read when all of that was the same.
    #[must_use]
    pub fn digest(&self, stat: &Stat) -> Option<[u8; 32]> {
        let place = self.place.as_ref()?;
        // What is damaged, or not there, is as good as nothing.
        self.old.get_or_init(|| read(place).ok()).as_ref()?.find(&which(stat))
    }

    /// The same in the form of a specification, if that is to have no other digest.
    #[must_use]
    pub fn digests(&self, algorithms: Algorithms, stat: &Stat) -> Option<Digests<'static>> {
        if algorithms != [Algorithm::Blake3].into_iter().collect() {
            return None;
        }
        Some(Digests::of_blake3(&self.digest(stat)?))
    }

    /// Remembers the digest of a file that was as `stat` says when its contents began to be read, at this moment. What
    /// changed it since gave it another stamp, so that this is of no file then. Only when it had changed just before, a
    /// later change may have left the same stamp: of such a file nothing is remembered.
    pub fn learn(&self, stat: &Stat, begun: (i64, u32), digest: &[u8; 32]) {
        let Some(place) = self.place.as_ref().filter(|_| is_settled(stat.ctime, begun)) else { return };
        let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if new.is_none() {
            *new = Spool::create(place.spool).ok();
        }
        let record = [&which(stat)[..], digest].concat();
        // A record that is cut off would put all later ones out of place.
        if new.as_mut().is_some_and(|spool| spool.write_all(&record).is_err()) {
            *new = None;
        }
    }

    /// Keeps what was learned, if anything was. That it cannot be written is no failure: then it will be read again.
    pub fn keep(&self) {
        let new = self.new.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(place), Some(new)) = (&self.place, new) else { return };
        let count = usize::try_from(new.written()).unwrap_or_default() / RECORD;
        let Ok(map) = new.freeze() else { return };
        let old = self.old.get_or_init(|| read(place).ok()).as_ref();
        if write(place, old, &Records { map, count }).is_ok() {
            place.state.forget_oldest(NAME, limits::DIGEST_FILES, limits::DIGEST_BYTES);
        }
    }
}

/// Whether a stamp was old enough at this moment: whatever changes the file later gives it another one.
fn is_settled(stamp: (i64, u32), at: (i64, u32)) -> bool {
    let nanos = |(sec, nsec): (i64, u32)| i128::from(sec) * 1_000_000_000 + i128::from(nsec);
    let age = nanos(at) - nanos(stamp);
    // A stamp from the future tells nothing.
    u128::try_from(age).is_ok_and(|age| age >= limits::TICK.as_nanos())
}

/// Reads what is kept into a nameless file.
fn read(place: &Place<'_>) -> io::Result<Records> {
    let (file, stat) = place.state.open_file(&place.name)?;
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let end = (FORM.len() + DIGEST) as u64;
    let bytes = stat.size.checked_sub(end).filter(|bytes| bytes % RECORD as u64 == 0).ok_or_else(damaged)?;
    let count = usize::try_from(bytes / RECORD as u64).map_err(|_| damaged())?;
    if count > limits::SPEC_ENTRIES as usize {
        return Err(damaged());
    }
    let mut spool = Spool::create(place.spool)?;
    io::copy(&mut (&file).take(stat.size), &mut spool)?;
    let map = spool.freeze()?;
    let (said, hash) = map.bytes().split_last_chunk::<DIGEST>().ok_or_else(damaged)?;
    let mut content = Content::new();
    content.update(said);
    if said.len() as u64 != stat.size - DIGEST as u64 || !said.ends_with(FORM) || content.finish() != *hash {
        return Err(damaged());
    }
    Ok(Records { map, count })
}

/// Writes both together, sorted; of one file, what was learned last.
fn write(place: &Place<'_>, old: Option<&Records>, new: &Records) -> io::Result<()> {
    let mut order: Vec<u32> = (0..u32::try_from(new.count).unwrap_or(u32::MAX)).collect();
    let file = |at: &u32| new.file(*at as usize);
    // Files are read in the order of the tree, which is often the one of their numbers.
    order.sort_by_key(file);
    // When there are too many, most are of files that are gone.
    let old = old.filter(|old| old.count + order.len() <= limits::SPEC_ENTRIES as usize);
    let mut out = Through::new(Draft::begin(place.state, &place.name)?);
    let (mut at, olds) = (0, old.map_or(0, |old| old.count));
    let old = |at| old.and_then(|old: &Records| old.get(at));
    for (place, index) in order.iter().enumerate() {
        let Some(record) = new.get(*index as usize) else { continue };
        let key = record.first_chunk::<FILE>();
        // The last one of those that are of one file.
        if order.get(place + 1).is_some_and(|next| file(next) == key) {
            continue;
        }
        while let Some(there) = old(at).filter(|there| there.first_chunk() < key) {
            out.write_all(there)?;
            at += 1;
        }
        at += usize::from(old(at).is_some_and(|there| there.first_chunk() == key));
        out.write_all(record)?;
    }
    while let Some(there) = old(at).filter(|_| at < olds) {
        out.write_all(there)?;
        at += 1;
    }
    out.write_all(FORM)?;
    let (mut out, digest) = out.finish();
    out.write_all(&digest)?;
    out.keep(&place.name)
}

#[cfg(test)]
#[path = "remembered_tests.rs"]
mod tests;
