//! [`Spec`]: a specification in canonical form, mapped, every line checked.

use crate::limits;
use crate::path::RelPath;
use crate::report::Census;
use crate::spec::line::{self, LineError};
use crate::spec::order::{Order, OrderError};
use crate::spec::writer::SIGNATURE;
use crate::spec::{Entry, InodeId, Keyword, Keywords};
use crate::sys::{Map, Spool};
use std::cmp::Ordering;
use std::io;
use std::num::NonZero;

/// A specification of which every line is known to be canonical and in place.
#[derive(Debug)]
pub struct Spec {
    map: Map,
    /// Where each line starts. Four bytes an entry are the price of asking by index.
    offsets: Vec<u32>,
    keywords: Keywords,
    census: Census,
}

/// The place of an entry in one [`Spec`], `.` being 0. Only that spec hands it out, so it is always in range.
///
/// There are plans with two of them for each file of a tree. Three bytes hold one, the highest first for the order; that
/// one is never 0, so that no index takes no more room than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(NonZero<u8>, [u8; 2]);

const _: () = assert!(limits::SPEC_ENTRIES <= 255 << 16, "the highest byte of an index plus one is a byte");

impl Index {
    /// The entry of the root.
    pub const ROOT: Index = Index::of(0);

    /// Of this number, which is one of an entry.
    pub(super) const fn of(number: u32) -> Index {
        let [_, high, middle, low] = number.to_be_bytes();
        Index(NonZero::<u8>::MIN.saturating_add(high), [middle, low])
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u32 {
        let Index(high, [middle, low]) = self;
        u32::from_be_bytes([0, high.get() - 1, middle, low])
    }
}

/// Why a spool is no specification.
#[derive(Debug)]
pub struct SpecError {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: SpecFault,
}

/// What can be wrong with a line.
#[derive(Debug)]
pub enum SpecFault {
    /// The spool cannot be mapped.
    Io(io::Error),
    /// The first line is not `#mtree`.
    Signature,
    /// There is no entry.
    Empty,
    /// The last line has no end, or a line is too long.
    Length,
    /// Too many entries.
    TooMany,
    /// The line itself.
    Line(LineError),
    /// Its place.
    Order(OrderError),
}

impl std::fmt::Display for SpecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "specification line {}: ", self.line)?;
        match &self.fault {
            SpecFault::Io(error) => error.fmt(f),
            SpecFault::Signature => f.write_str("the first line must be '#mtree'"),
            SpecFault::Empty => f.write_str("there is no entry"),
            SpecFault::Length => f.write_str("a line is too long or has no end"),
            SpecFault::TooMany => f.write_str("there are too many entries"),
            SpecFault::Line(error) => error.fmt(f),
            SpecFault::Order(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SpecError {}

impl Spec {
    /// Maps a spool and checks every line.
    ///
    /// # Errors
    /// The first line that is not canonical or not in place.
    pub fn seal(spool: Spool) -> Result<Spec, SpecError> {
        Spec::check(spool.freeze().map_err(|error| SpecError { line: 0, fault: SpecFault::Io(error) })?)
    }

    /// Checks every line.
    pub(super) fn check(map: Map) -> Result<Spec, SpecError> {
        let mut offsets = Vec::new();
        let mut keywords = Keywords::of(&[Keyword::Type]);
        let mut order = Order::default();
        let mut census = Census::default();
        let error = |line, fault| SpecError { line, fault };
        let mut rest = map.bytes().strip_prefix(SIGNATURE).ok_or_else(|| error(1, SpecFault::Signature))?;
        let mut number = 1;
        while !rest.is_empty() {
            number += 1;
            let offset = u32::try_from(map.bytes().len() - rest.len())
                .map_err(|_| error(number, SpecFault::Length))?;
            let (text, tail) = split_line(rest).ok_or_else(|| error(number, SpecFault::Length))?;
            let entry = line::parse(text, &mut keywords).map_err(|e| error(number, SpecFault::Line(e)))?;
            order.next(&entry.path, entry.kind).map_err(|e| error(number, SpecFault::Order(e)))?;
            if offsets.len() >= limits::SPEC_ENTRIES as usize {
                return Err(error(number, SpecFault::TooMany));
            }
            census.count(entry.kind.in_stat(), entry.length());
            offsets.push(offset);
            rest = tail;
        }
        if offsets.is_empty() {
            return Err(error(number, SpecFault::Empty));
        }
        Ok(Spec { map, offsets, keywords, census })
    }

    /// Of what [`crate::spec::SpecWriter`] checked while it wrote.
    pub(crate) fn of_parts(map: Map, offsets: Vec<u32>, keywords: Keywords, census: Census) -> Spec {
        Spec { map, offsets, keywords, census }
    }

    /// What was mapped.
    pub(super) fn into_map(self) -> Map {
        self.map
    }

    /// The number of entries, at least one.
    #[must_use]
    pub fn len(&self) -> u32 {
        // Bounded by limits::SPEC_ENTRIES when it was made.
        u32::try_from(self.offsets.len()).unwrap_or(u32::MAX)
    }

    /// Never: a specification holds `.` at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The index of this number: the only way to make one.
    #[must_use]
    pub fn index(&self, number: u32) -> Option<Index> {
        (number < self.len()).then_some(Index::of(number))
    }

    /// The entry at an index of this spec.
    #[must_use]
    pub fn entry(&self, index: Index) -> Entry<'_> {
        match line::parse(self.line(index), &mut Keywords::default()) {
            Ok(entry) => entry,
            Err(_) => unreachable!("every line parsed when the specification was made"),
        }
    }

    /// What the tree is made of.
    #[must_use]
    pub const fn census(&self) -> &Census {
        &self.census
    }

    /// The path of the entry at an index of this spec.
    #[must_use]
    pub fn path(&self, index: Index) -> RelPath<'_> {
        match line::path(self.line(index)) {
            Ok(path) => path,
            Err(_) => unreachable!("every line parsed when the specification was made"),
        }
    }

    /// The size of the entry at an index of this spec, which a regular file has and nothing else.
    #[must_use]
    pub fn size(&self, index: Index) -> Option<u64> {
        line::size(self.line(index))
    }

    /// The line of the entry at an index of this spec, without its end.
    fn line(&self, index: Index) -> &[u8] {
        let at = index.get() as usize;
        let start = self.offsets.get(at).map_or(0, |start| *start as usize);
        // One line stands behind the other, each with its end.
        let next = self.offsets.get(at + 1).map_or(self.map.bytes().len(), |next| *next as usize);
        self.map.bytes().get(start..next.saturating_sub(1)).unwrap_or_default()
    }

    /// How many lines from this one on say the same as those of another specification from there on, in the same words.
    #[must_use]
    pub(crate) fn repeats(&self, index: Index, other: &Spec, at: Index) -> u32 {
        let text = self.text_from(index);
        let starts = self.offsets.get(index.get() as usize..).unwrap_or_default();
        let Some((start, ends)) = starts.split_first() else { return 0 };
        let same = common_beginning(text, other.text_from(at));
        let lines = ends.partition_point(|end| (end - start) as usize <= same);
        u32::try_from(lines + usize::from(same == text.len())).unwrap_or_default()
    }

    /// How many of so many lines from this one on come before the first that says something of more than its path: of a
    /// file that has several names, or of a directory the contents of which are left alone.
    #[must_use]
    pub(crate) fn alone(&self, index: Index, count: u32) -> u32 {
        let others = [Keyword::Inode, Keyword::Ignore];
        if !others.iter().any(|keyword| self.keywords.contains(*keyword)) {
            return count;
        }
        let carries = |at: &u32| {
            let line = self.line(Index::of(index.get() + at));
            others.iter().any(|keyword| line::carries(line, *keyword))
        };
        (0..count).find(carries).unwrap_or(count)
    }

    /// The text from a line on.
    fn text_from(&self, index: Index) -> &[u8] {
        let start = self.offsets.get(index.get() as usize).map_or(0, |start| *start as usize);
        self.map.bytes().get(start..).unwrap_or_default()
    }

    /// Whether anything stands below this path.
    #[must_use]
    pub fn holds(&self, path: &RelPath<'_>) -> bool {
        let mut range = 0..self.len();
        while !range.is_empty() {
            let middle = range.start + (range.end - range.start) / 2;
            if self.path(Index::of(middle)) <= *path { range.start = middle + 1 } else { range.end = middle }
        }
        self.index(range.start).is_some_and(|next| self.path(next).is_within(path))
    }

    /// The entry of this path, if there is one.
    #[must_use]
    pub fn find(&self, path: &RelPath<'_>) -> Option<Entry<'_>> {
        self.find_index(path).map(|index| self.entry(index))
    }

    /// Where the entry of this path is, if there is one.
    #[must_use]
    pub fn find_index(&self, path: &RelPath<'_>) -> Option<Index> {
        let mut range = 0..self.len();
        while !range.is_empty() {
            let middle = range.start + (range.end - range.start) / 2;
            match self.path(Index::of(middle)).cmp(path) {
                Ordering::Less => range.start = middle + 1,
                Ordering::Equal => return Some(Index::of(middle)),
                Ordering::Greater => range.end = middle,
            }
        }
        None
    }

    /// The number behind the last entry that is the one at this index or below it.
    #[must_use]
    pub fn end_of(&self, index: Index) -> u32 {
        let top = self.path(index);
        let mut range = index.get() + 1..self.len();
        while !range.is_empty() {
            let middle = range.start + (range.end - range.start) / 2;
            if self.path(Index::of(middle)).is_within(&top) {
                range.start = middle + 1
            } else {
                range.end = middle
            }
        }
        range.start
    }

    /// Every entry of a file that has several names, and which file it is; in tree order.
    pub fn inodes(&self) -> impl Iterator<Item = (Index, InodeId)> + '_ {
        (0..self.len()).map(Index::of).filter_map(|index| Some((index, self.inode(index)?)))
    }

    /// Which file an entry is, if it has several names.
    #[must_use]
    pub fn inode(&self, index: Index) -> Option<InodeId> {
        line::file(self.line(index))
    }

    /// Every entry with its index, in tree order.
    pub fn iter(&self) -> impl Iterator<Item = (Index, Entry<'_>)> {
        (0..self.len()).map(|number| (Index::of(number), self.entry(Index::of(number))))
    }

    /// The keywords that occur.
    #[must_use]
    pub fn keywords(&self) -> Keywords {
        self.keywords
    }

    /// The text, as it travels.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }
}

/// How many bytes of both are the same before the first that are not.
fn common_beginning(one: &[u8], other: &[u8]) -> usize {
    let mut same = 0;
    for size in [4096, 64, 1] {
        let (one, other) = (one.get(same..).unwrap_or_default(), other.get(same..).unwrap_or_default());
        let pieces = one.chunks_exact(size).zip(other.chunks_exact(size));
        same += size * pieces.take_while(|(one, other)| one == other).count();
    }
    same
}

/// The text of the next line and what follows its end; `None` when it has no end within the limit.
fn split_line(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let within = rest.get(..limits::SPEC_LINE).unwrap_or(rest);
    let at = memchr::memchr(b'\n', within)?;
    let (line, tail) = rest.split_at(at);
    Some((line, tail.get(1..)?))
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
