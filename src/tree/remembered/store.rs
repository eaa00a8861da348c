//! Records in a file of the state directory: sorted ones, and behind them those that were learned since, which are put
//! there without writing all the others again. Each part ends with its digest: from one that does not, nothing is taken,
//! and nothing of what stands behind it.

use super::record::{self, RECORD, Record};
use crate::digest::{Content, Through};
use crate::limits;
use crate::sys::{Dir, Draft, File, Map, Spool};
use std::cmp::Ordering;
use std::io::{self, Read, Write};
use std::ops::Range;

/// Where they are kept, and where a nameless file can be made.
#[derive(Debug)]
pub(super) struct Place<'r> {
    pub(super) state: &'r Dir,
    pub(super) spool: &'r Dir,
    pub(super) name: Vec<u8>,
}

/// What the names of all such files begin with.
pub(super) const NAME: &[u8] = b"digests-";
/// What they begin with themselves.
const FORM: &[u8] = b"smsync digests 2\n";
/// Bytes of the digest of a part, and of the number of its records, with which it begins.
const DIGEST: usize = 32;
const COUNT: usize = 8;
/// Bytes that are written at once.
const PIECE: usize = 64 * 1024;
/// Bytes of the longest file there can be.
const MOST: u64 = 2 * limits::SPEC_ENTRIES as u64 * RECORD as u64;

/// What was kept, in a nameless file.
#[derive(Debug)]
pub(super) struct Records {
    map: Map,
    /// Where the records of each part are.
    parts: Vec<Range<usize>>,
    /// Bits of the files of which later parts have records: most files are in none of them.
    later: Vec<u64>,
    /// Whether every part is as it was written.
    whole: bool,
}

impl Records {
    /// The records of each part, sorted by file.
    pub(super) fn parts(&self) -> impl DoubleEndedIterator<Item = &[Record]> {
        self.parts.iter().map(|range| self.map.bytes().get(range.clone()).unwrap_or_default().as_chunks().0)
    }

    /// The sorted records that were written together, and from the newest on those that were put behind them later.
    pub(super) fn first_and_later(&self) -> (&[Record], impl Iterator<Item = &[Record]>) {
        let mut parts = self.parts();
        let first = parts.next().unwrap_or_default();
        (first, parts.rev())
    }

    /// Whether something may have been put behind the rest of this file.
    pub(super) fn has_later(&self, file: u128) -> bool {
        let (word, bit) = place(file, self.later.len());
        self.later.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// Where among so many words the bit of a file is.
fn place(file: u128, words: usize) -> (usize, u64) {
    // What tells files apart is at the end; numbers that follow each other are scattered.
    let number = u64::try_from(file & u128::from(u64::MAX)).unwrap_or_default();
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let word = usize::try_from(scattered >> 6).unwrap_or_default().checked_rem(words).unwrap_or_default();
    (word, 1 << (scattered & 63))
}

impl Place<'_> {
    /// How many records there are, by the size of the file.
    pub(super) fn count(&self) -> u64 {
        self.state.stat(&self.name).map_or(0, |stat| stat.size / RECORD as u64)
    }

    /// Reads what is kept. What is damaged, or not there, is as good as nothing.
    pub(super) fn read(&self) -> Option<Records> {
        let (file, stat) = self.state.open_file(&self.name).ok().filter(|(_, stat)| stat.size <= MOST)?;
        let mut spool = Spool::create(self.spool).ok()?;
        io::copy(&mut (&file).take(stat.size), &mut spool).ok()?;
        let map = spool.freeze().ok()?;
        let (mut parts, mut whole) = (Vec::new(), true);
        let mut rest = map.bytes().strip_prefix(FORM)?;
        while !rest.is_empty() {
            let Some((records, tail)) = part(rest) else {
                whole = false;
                break;
            };
            let start = map.bytes().len() - rest.len() + COUNT;
            parts.push(start..start + records);
            rest = tail;
        }
        let mut records = Records { map, parts, later: Vec::new(), whole };
        let files: Vec<u128> = records.parts().skip(1).flatten().map(record::file).collect();
        // Eight bits for each of them.
        let mut later = vec![0; files.len().div_ceil(8)];
        for file in files {
            let (word, bit) = place(file, later.len());
            later.get_mut(word).into_iter().for_each(|word| *word |= bit);
        }
        records.later = later;
        (!records.parts.is_empty()).then_some(records)
    }

    /// Keeps what was learned: behind what is kept, while that is little beside it. `old` reads what is kept, which was
    /// done already or not.
    pub(super) fn keep<'o>(
        &self,
        learned: &[Record],
        (read, old): (bool, impl FnOnce() -> Option<&'o Records>),
    ) -> io::Result<()> {
        let order = order(learned);
        let new = || joined(learned, &order);
        // What was found damaged is written anew. What nobody asked for may be, too, and whoever reads it will find out.
        let mut old = Some(old);
        let known = if read { old.take().and_then(|old| old()) } else { None };
        let sound = !read || known.is_some_and(|old| old.whole);
        let count = new().count() as u64;
        if sound && self.has_room(count).unwrap_or(false) {
            let mut part = Through::new(Vec::new());
            write_part(&mut part, count, new())?;
            let (mut part, _, digest) = part.finish();
            part.extend_from_slice(&digest);
            return self.state.append(&self.name, &part);
        }
        self.write(old.map_or(known, |old| old()), new)?;
        self.state.forget_oldest(NAME, limits::DIGEST_FILES, limits::DIGEST_BYTES);
        Ok(())
    }

    /// Whether so many more records may stand behind those that are there.
    fn has_room(&self, more: u64) -> io::Result<bool> {
        let (file, stat) = self.state.open_file(&self.name)?;
        let mut form = [0; FORM.len()];
        if file.read_at(&mut form, 0)? < FORM.len() || form != FORM {
            return Ok(false);
        }
        let (mut at, mut counts) = (FORM.len() as u64, Vec::new());
        while at < stat.size && counts.len() <= limits::DIGEST_PARTS {
            let count = count(&file, at)?;
            counts.push(count);
            at = count.saturating_mul(RECORD as u64).saturating_add(at + (COUNT + DIGEST) as u64);
        }
        let Some((first, later)) = counts.split_first() else { return Ok(false) };
        let later_ones = later.iter().fold(more, |sum, count| sum.saturating_add(*count));
        Ok(at == stat.size
            && counts.len() <= limits::DIGEST_PARTS
            && later_ones <= first / limits::DIGEST_SHARE)
    }

    /// Writes all of them anew.
    fn write<N: Iterator<Item = Record>>(
        &self,
        old: Option<&Records>,
        new: impl Fn() -> N,
    ) -> io::Result<()> {
        let mut parts = old.into_iter().flat_map(Records::parts);
        let first = parts.next().unwrap_or_default();
        // They are few beside the first.
        let later: Vec<Record> = parts.flatten().copied().collect();
        let order = order(&later);
        // When there are too many, most are of files that are gone.
        let few = (first.len() + later.len()) as u64 + new().count() as u64 <= limits::SPEC_ENTRIES.into();
        let first = Some(first).filter(|_| few).unwrap_or_default();
        let all = || merged(merged(first.iter().copied(), joined(&later, &order)), new());
        let mut out = Draft::begin(self.state, &self.name)?;
        out.write_all(FORM)?;
        let mut out = Through::new(out);
        write_part(&mut out, all().count() as u64, all())?;
        let (mut out, _, digest) = out.finish();
        out.write_all(&digest)?;
        out.keep(&self.name)
    }
}

/// The bytes of the records of a part that is what was written, and what is behind it.
fn part(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (count, _) = bytes.split_first_chunk::<COUNT>()?;
    let records = usize::try_from(u64::from_be_bytes(*count)).ok()?.checked_mul(RECORD)?;
    let (said, rest) = bytes.split_at_checked(records.checked_add(COUNT)?)?;
    let (hash, rest) = rest.split_first_chunk::<DIGEST>()?;
    (Content::of(said) == *hash).then_some((records, rest))
}

/// The number of records of the part that begins here.
fn count(file: &File, at: u64) -> io::Result<u64> {
    let mut count = [0; COUNT];
    // What is cut off there has no end either.
    let _ = file.read_at(&mut count, at)?;
    Ok(u64::from_be_bytes(count))
}

/// Writes a part, but for its end: in pieces that are quickly digested.
fn write_part(out: &mut impl Write, count: u64, mut records: impl Iterator<Item = Record>) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(PIECE, out);
    out.write_all(&count.to_be_bytes())?;
    records.try_for_each(|record| out.write_all(&record))?;
    out.flush()
}

/// The order of records by file, and of those of one file as they came.
fn order(records: &[Record]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(records.len()).unwrap_or(u32::MAX)).collect();
    // Files are read in the order of the tree, which is often the one of their numbers.
    order.sort_by_key(|at| records.get(*at as usize).map(record::file));
    order
}

/// One record of each file: what was learned of it as it is, together; of one that changed, what was learned last.
fn joined<'r>(records: &'r [Record], order: &'r [u32]) -> impl Iterator<Item = Record> + 'r {
    let get = |at: &u32| records.get(*at as usize);
    let one = move |alike: &[u32]| {
        let (last, others) = alike.split_last()?;
        let last = get(last)?;
        if others.is_empty() {
            return Some(*last);
        }
        let same = others.iter().filter_map(get).filter(|other| record::was(other) == record::was(last));
        let known = same.fold(record::known(last), |known, other| known.and(record::known(other)));
        Some(known.of(record::was(last)))
    };
    let file = move |at: &u32| get(at).map(record::file);
    order.chunk_by(move |a, b| file(a) == file(b)).filter_map(one)
}

/// Both, each sorted; of one file, what the second says, and what the first knows of the same besides.
fn merged(
    first: impl Iterator<Item = Record>,
    second: impl Iterator<Item = Record>,
) -> impl Iterator<Item = Record> {
    let (mut first, mut second) = (first.peekable(), second.peekable());
    std::iter::from_fn(move || {
        let (Some(a), Some(b)) = (first.peek(), second.peek()) else {
            return first.next().or_else(|| second.next());
        };
        match record::file(a).cmp(&record::file(b)) {
            Ordering::Less => first.next(),
            Ordering::Greater => second.next(),
            Ordering::Equal => {
                let (old, new) = (first.next()?, second.next()?);
                let same = record::was(&old) == record::was(&new);
                let known = record::known(&new).and(record::known(&old));
                Some(if same { known.of(record::was(&new)) } else { new })
            }
        }
    })
}
