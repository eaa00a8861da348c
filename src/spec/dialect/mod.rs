//! Specifications in every dialect that some mtree(8) writes, read into entries of the one order.
//!
//! The dialects are NetBSD's (classic, `-C`, and `-D` with the path last), FreeBSD's, libarchive's, go-mtree's and
//! casync's. They share one grammar; where they differ, or differ from their own manual, this is what is done:
//!
//! - Words are taken apart before escapes are decoded, and escapes from left to right: `\M-#` is one byte, no comment.
//!   `#` starts a comment only where a word could start; a comment ends with its line, whatever stands last in it.
//!   Any other line goes on when it ends in a backslash that is not the last byte of an escape. CRLF ends a line too.
//!   A comment that holds the name of a directory with a line end in it is an error (see `comment`).
//! - Names are names, never patterns. A decoded `/` or NUL, an empty component, `.` or `..` is an error; `..` as it
//!   stands goes up. One `..` out of the root is allowed, for FreeBSD and libarchive write it, but no name after it.
//! - A path with a `/` counts from the root and moves the current directory; a name without one is in the current
//!   directory. But casync counts every name from the root. A text is taken for casync's if it has no `/set`,
//!   `/unset`, `..` or `./`, but a path with a `/`, which mtree(8) wants to start with `./`, or a SHA-512/256.
//! - `time=5.7` is seven nanoseconds past five, not seven tenths: padded to nine digits both are the same.
//! - An owner by number overrides a name from an earlier `/set`, and the other way round. User and group names are
//!   decoded only from `\ooo`.
//! - Device numbers are mapped only where their format and Linux agree on what they name.
//! - Modes of clauses (`u=rw,go=r`) are applied to 0 and know no umask. Upper-case digests are lowered.
//! - A later line about a path replaces an earlier one of its type, all of it; another type is an error.
//! - Directories that were left out are added with nothing said of them, the root too.
//! - An entry without a type is an error (`.` is a directory), an unknown keyword too. What a type cannot have (the
//!   size of a directory) is dropped, and so is `inode` without `resdevice`. `flags`, `contents` and
//!   SHA-512/256 are passed over; `tags` select entries and are not carried.

mod arrange;
mod comment;
mod fault;
mod lex;
mod said;
mod value;

pub use fault::{DialectError, DialectFault};

use crate::path::{PathError, RelPath};
use crate::spec::{Entry, Kind};
use crate::vis::{self, VisError};
use arrange::{Record, arrange};
use lex::{Line, Lines};
use said::Said;
use std::collections::BTreeMap;

/// What a specification says.
#[derive(Debug, Default)]
pub struct Reading {
    /// Entries in tree order, `.` first, each path once, every parent there.
    pub entries: Vec<Entry<'static>>,
    /// The tags of those that have any, by their place among the entries.
    tags: BTreeMap<usize, Box<[u8]>>,
}

impl Reading {
    /// The tags of the entry at this place; none where nothing is said of them.
    pub fn tags(&self, place: usize) -> impl Iterator<Item = &[u8]> {
        let tags = self.tags.get(&place).map(AsRef::as_ref).unwrap_or_default();
        tags.split(|&byte: &u8| byte == b',').filter(|tag| !tag.is_empty())
    }
}

/// Reads a specification in any dialect. The caller sees to it that it is no longer than
/// [`crate::limits::DIALECT_BYTES`].
///
/// # Errors
/// The first line that cannot be read, or else the first path in tree order that cannot be placed.
pub fn read(text: &[u8]) -> Result<Reading, DialectError> {
    comment::check(text)?;
    let mut reader = Reader {
        defaults: Said::default(),
        here: Some(RelPath::ROOT),
        rooted: is_rooted(text),
        records: Vec::new(),
    };
    let mut lines = Lines::of(text);
    for line in &mut lines {
        reader.take(&line).map_err(|fault| DialectError { line: line.number, fault })?;
    }
    if reader.records.is_empty() {
        return Err(DialectError { line: lines.number(), fault: DialectFault::Empty });
    }
    arrange(reader.records)
}

/// Whether every name counts from the root, as in casync's dialect.
fn is_rooted(text: &[u8]) -> bool {
    let mut evidence = false;
    for line in Lines::of(text) {
        let (path, words) = line.split();
        if path == b".." || path.starts_with(b"./") || path.starts_with(b"/") {
            return false;
        }
        evidence |= decode_path(path).is_ok_and(|path| path.contains(&b'/'))
            || words.iter().any(|word| word.starts_with(b"sha512256digest="));
    }
    evidence
}

/// Decodes a path; only a `/` that stands there as itself separates names.
fn decode_path(word: &[u8]) -> Result<Vec<u8>, DialectFault> {
    let mut path = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(first) = rest.first() {
        let (byte, tail) = vis::decode_one(rest).map_err(DialectFault::Vis)?;
        match byte {
            Some(0) => return Err(DialectFault::Vis(VisError::Nul)),
            Some(b'/') if *first == b'\\' => return Err(DialectFault::Slash),
            byte => path.extend(byte),
        }
        rest = tail;
    }
    Ok(path)
}

/// Where the reading of a text has come to.
#[derive(Debug)]
struct Reader {
    /// What `/set` said.
    defaults: Said,
    /// The current directory; `None` once `..` has led out of the root.
    here: Option<RelPath<'static>>,
    /// Whether names count from the root, whatever the current directory is.
    rooted: bool,
    records: Vec<Record>,
}

impl Reader {
    fn take(&mut self, line: &Line<'_>) -> Result<(), DialectFault> {
        let (path, words) = line.split();
        match path {
            b"/set" => self.defaults.take(words),
            b"/unset" => self.defaults.forget(words),
            [b'/', ..] => Err(DialectFault::Command(vis::shown(path))),
            b".." => {
                let here = self.here.take().ok_or(DialectFault::Above)?;
                self.here = here.split_last().map(|(parent, _)| parent.into_owned());
                Ok(())
            }
            _ => {
                let path = self.locate(path)?;
                let mut said = self.defaults.clone();
                said.take(words)?;
                self.record(line.number, path, said)
            }
        }
    }

    /// The path that a word stands for.
    fn locate(&self, word: &[u8]) -> Result<RelPath<'static>, DialectFault> {
        if word == b"." {
            return Ok(RelPath::ROOT);
        }
        let full = word.strip_prefix(b"./");
        let path = decode_path(full.unwrap_or(word))?;
        if path.is_empty() {
            return Err(DialectFault::Path(PathError::Empty));
        }
        if full.is_some() || self.rooted || path.contains(&b'/') {
            RelPath::new(path).map_err(DialectFault::Path)
        } else {
            self.here.as_ref().ok_or(DialectFault::Above)?.join(&path).map_err(DialectFault::Path)
        }
    }

    /// Takes what a line said of a path, and moves the current directory there.
    fn record(&mut self, line: u64, path: RelPath<'static>, said: Said) -> Result<(), DialectFault> {
        let kind = match said.kind {
            None if path.is_root() => Kind::Dir,
            kind => kind.ok_or(DialectFault::NoType)?,
        };
        let here = match path.split_last() {
            Some((parent, _)) if kind != Kind::Dir => parent,
            _ => path.borrowed(),
        };
        if self.here.as_ref() != Some(&here) {
            self.here = Some(here.into_owned());
        }
        let tags = said.tags.clone();
        self.records.push(Record { line, entry: Box::new(said.into_entry(path, kind)), tags });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
