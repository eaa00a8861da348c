//! Entries in any order brought into the one order: sorted, each path once, every parent there.

use super::Reading;
use super::fault::{DialectError, DialectFault};
use crate::limits;
use crate::path::RelPath;
use crate::spec::{Entry, Kind};

/// What one line said.
#[derive(Debug)]
pub(super) struct Record {
    /// The line.
    pub(super) line: u64,
    /// What it said.
    pub(super) entry: Box<Entry<'static>>,
    /// The tags it has.
    pub(super) tags: Box<[u8]>,
}

impl Record {
    fn path(&self) -> &RelPath<'static> {
        &self.entry.path
    }

    fn kind(&self) -> Kind {
        self.entry.kind
    }

    fn fails(&self, fault: DialectFault) -> DialectError {
        DialectError { line: self.line, fault }
    }
}

/// Sorts records, lets the last line about a path speak for it, and adds directories that were left out.
pub(super) fn arrange(mut records: Vec<Record>) -> Result<Reading, DialectError> {
    records.sort_unstable_by(|a, b| a.path().cmp(b.path()).then(a.line.cmp(&b.line)));
    let mut tree = Tree::default();
    let mut records = records.into_iter().peekable();
    while let Some(record) = records.next() {
        match records.peek() {
            Some(next) if next.path() == record.path() => {
                if next.kind() != record.kind() {
                    return Err(next.fails(DialectFault::Retyped));
                }
            }
            _ => tree.place(record)?,
        }
    }
    Ok(tree.reading)
}

/// The tree as far as it was laid out.
#[derive(Debug, Default)]
struct Tree {
    reading: Reading,
    /// The last path.
    last: Vec<u8>,
    /// That path and what it is below, the root first: length, and whether it is a directory.
    open: Vec<(usize, bool)>,
}

impl Tree {
    /// Takes the next record in order.
    fn place(&mut self, record: Record) -> Result<(), DialectError> {
        let path = record.path().as_bytes();
        let common = self.last.iter().zip(path).take_while(|(a, b)| a == b).count();
        // Every path is below the root, whose length is 0.
        let below = |length: usize| length == 0 || length <= common && path.get(length) == Some(&b'/');
        while self.open.last().is_some_and(|(length, _)| !below(*length)) {
            self.open.pop();
        }
        if record.path().is_root() {
            if record.kind() != Kind::Dir {
                return Err(record.fails(DialectFault::Root));
            }
        } else {
            self.add_parents(&record)?;
        }
        self.last.truncate(common);
        self.last.extend_from_slice(path.get(common..).unwrap_or_default());
        self.open.push((path.len(), record.kind() == Kind::Dir));
        if !record.tags.is_empty() {
            self.reading.tags.insert(self.reading.entries.len(), record.tags);
        }
        self.push(*record.entry, record.line)
    }

    /// Adds the root, if it is not there, and every directory between what is open and this record.
    fn add_parents(&mut self, record: &Record) -> Result<(), DialectError> {
        if self.open.is_empty() {
            self.push(Entry::new(RelPath::ROOT, Kind::Dir), record.line)?;
            self.open.push((0, true));
        }
        let Some(&(length, true)) = self.open.last() else {
            return Err(record.fails(DialectFault::Orphan));
        };
        let path = record.path().as_bytes();
        for (at, _) in path.iter().enumerate().skip(length + 1).filter(|(_, byte)| **byte == b'/') {
            let parent = path.get(..at).unwrap_or_default().to_vec();
            let parent = RelPath::new(parent).map_err(|error| record.fails(DialectFault::Path(error)))?;
            self.push(Entry::new(parent, Kind::Dir), record.line)?;
            self.open.push((at, true));
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry<'static>, line: u64) -> Result<(), DialectError> {
        if self.reading.entries.len() >= limits::SPEC_ENTRIES as usize {
            return Err(DialectError { line, fault: DialectFault::TooMany });
        }
        self.reading.entries.push(entry);
        Ok(())
    }
}
