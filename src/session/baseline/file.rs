//! The file of a specification that is kept: its text, compressed, or that of an earlier one and what became of it since.

use crate::digest::{Content, Through};
use crate::limits;
use crate::session::baseline::LEVEL;
use crate::session::baseline::redone::Redone;
use crate::spec::{Known, Spec};
use crate::sys::{Buffer, Dir, Draft, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;

/// A specification that is kept.
#[derive(Debug)]
pub(in crate::session) struct Baseline {
    file: Arc<File>,
    /// A text and the edits that make the next one of it, and so on, as they stand in the file.
    parts: Vec<Part>,
    pub(in crate::session) known: Known,
}

/// Compressed bytes of a file.
#[derive(Debug, Clone, Copy)]
struct Part {
    length: u64,
    /// BLAKE3 of them.
    digest: [u8; 32],
}

/// Who wrote a file: another version may have other rules for lines, and what it checked says nothing here.
const WRITER: &str = concat!("smsync ", env!("CARGO_PKG_VERSION"), ", form 2\n");
/// Bytes of each digest.
const DIGEST: usize = 32;
/// Bytes of what is said of a part.
const PART: usize = 8 + DIGEST;
/// Bytes of what stands behind that: how many parts there are, what is known of the text, who wrote it, and a digest.
const END: usize = 1 + Known::BYTES + WRITER.len() + DIGEST;

pub(super) fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl Baseline {
    /// Reads the end of a file, which tells what is in it.
    pub(super) fn open(state: &Dir, name: &[u8]) -> io::Result<Baseline> {
        let (file, stat) = state.open_file(name)?;
        let most = (limits::BASELINE_PARTS * PART + END) as u64;
        let start = stat.size.saturating_sub(most);
        let mut end = Vec::new();
        Piece { file: &file, at: start, end: stat.size }.read_to_end(&mut end)?;
        let (rest, hash) = end.split_last_chunk::<DIGEST>().ok_or_else(damaged)?;
        // The directory is ours alone, only sealed texts are written there, and the digests tell damage.
        let known =
            rest.strip_suffix(WRITER.as_bytes()).and_then(<[u8]>::split_last_chunk::<{ Known::BYTES }>);
        let (table, known) = known.ok_or_else(damaged)?;
        let (count, table) = table.split_last().ok_or_else(damaged)?;
        let table = usize::from(*count).checked_mul(PART).and_then(|bytes| table.len().checked_sub(bytes));
        let said = table.and_then(|table| rest.get(table..)).ok_or_else(damaged)?;
        let known = Known::from_bytes(known).filter(|_| Content::of(said) == *hash).ok_or_else(damaged)?;
        let part = |part: &[u8]| {
            let (length, digest) = part.split_first_chunk()?;
            Some(Part { length: u64::from_be_bytes(*length), digest: digest.try_into().ok()? })
        };
        let parts: Option<Vec<Part>> = said.chunks_exact(PART).take((*count).into()).map(part).collect();
        let parts = parts.filter(|parts| !parts.is_empty()).ok_or_else(damaged)?;
        let bytes = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.length));
        let all = bytes.and_then(|bytes| bytes.checked_add((said.len() + DIGEST) as u64));
        if all != Some(stat.size) {
            return Err(damaged());
        }
        Ok(Baseline { file: Arc::new(file), parts, known })
    }

    /// Reads all of it once: what is damaged is not to be found out when half of it is used.
    pub(super) fn check(&self) -> io::Result<()> {
        let mut buffer = Buffer::new(limits::RECORD);
        for (part, mut piece) in self.pieces() {
            let mut content = Content::new();
            loop {
                match piece.read(&mut buffer)? {
                    0 => break,
                    read => content.update(buffer.get(..read).unwrap_or_default()),
                }
            }
            if content.finish() != part.digest {
                return Err(damaged());
            }
        }
        Ok(())
    }

    /// Each part and its bytes.
    fn pieces(&self) -> impl Iterator<Item = (Part, Piece<Arc<File>>)> + '_ {
        self.parts.iter().scan(0, |at, part| {
            let start = *at;
            *at += part.length;
            Some((*part, Piece { file: self.file.clone(), at: start, end: *at }))
        })
    }

    /// Its text, to be read once.
    pub(in crate::session) fn text(&self) -> io::Result<Box<dyn BufRead + Send>> {
        let mut text: Option<Box<dyn BufRead + Send>> = None;
        for (_, piece) in self.pieces() {
            let mut decoder = zstd::stream::read::Decoder::new(piece)?;
            decoder.window_log_max(limits::SPEC_WINDOW)?;
            text = Some(match text {
                None => Box::new(BufReader::with_capacity(limits::RECORD, decoder)),
                Some(text) => Box::new(Redone::new(text, BufReader::new(decoder))),
            });
        }
        text.ok_or_else(damaged)
    }

    /// Writes it and edits, which make the specification of this digest of it, as a file of this name; false, and nothing
    /// written, when there are so many of them that all had better be written anew.
    pub(super) fn extend(
        &self,
        state: &Dir,
        name: &[u8],
        edits: &[u8],
        (spec, digest): (&Spec, [u8; 32]),
    ) -> io::Result<bool> {
        let Some((text, others)) = self.parts.split_first() else { return Ok(false) };
        let new = Part { length: edits.len() as u64, digest: Content::of(edits) };
        let bytes = others.iter().fold(new.length, |sum, part| sum.saturating_add(part.length));
        if self.parts.len() >= limits::BASELINE_PARTS || bytes > text.length / limits::BASELINE_SHARE {
            return Ok(false);
        }
        let mut out = Draft::begin(state, name)?;
        let mut buffer = Buffer::new(limits::RECORD);
        for (_, mut piece) in self.pieces() {
            loop {
                match piece.read(&mut buffer)? {
                    0 => break,
                    read => out.write_all(buffer.get(..read).unwrap_or_default())?,
                }
            }
        }
        out.write_all(edits)?;
        let parts = [&self.parts[..], &[new]].concat();
        out.write_all(&end(&parts, &spec.known(digest)))?;
        out.keep(name)?;
        Ok(true)
    }
}

/// Writes a specification as a file of this name.
pub(super) fn write(state: &Dir, name: &[u8], spec: &Spec, digest: [u8; 32]) -> io::Result<()> {
    let out = Through::new(Draft::begin(state, name)?);
    let mut encoder = zstd::stream::write::Encoder::new(out, LEVEL)?;
    encoder.write_all(spec.bytes())?;
    let (out, length, packed) = encoder.finish()?.finish();
    complete(out, name, Part { length, digest: packed }, &spec.known(digest))
}

/// The same, where it is compressed already.
pub(super) fn write_packed(
    state: &Dir,
    name: &[u8],
    packed: &[u8],
    (spec, digest): (&Spec, [u8; 32]),
) -> io::Result<()> {
    let mut out = Draft::begin(state, name)?;
    out.write_all(packed)?;
    let part = Part { length: packed.len() as u64, digest: Content::of(packed) };
    complete(out, name, part, &spec.known(digest))
}

/// Ends a file that has a text and no edits.
fn complete(mut out: Draft<'_>, name: &[u8], text: Part, known: &Known) -> io::Result<()> {
    out.write_all(&end(&[text], known))?;
    out.keep(name)
}

/// The end of a file: what its parts are, and what is known of the text that they make.
fn end(parts: &[Part], known: &Known) -> Vec<u8> {
    let mut end = Vec::new();
    for part in parts {
        end.extend_from_slice(&part.length.to_be_bytes());
        end.extend_from_slice(&part.digest);
    }
    end.push(u8::try_from(parts.len()).unwrap_or_default());
    end.extend_from_slice(&known.to_bytes());
    end.extend_from_slice(WRITER.as_bytes());
    end.extend_from_slice(&Content::of(&end));
    end
}

/// A part of a file, read wherever the file stands.
struct Piece<F> {
    file: F,
    at: u64,
    end: u64,
}

impl<F: std::borrow::Borrow<File>> Read for Piece<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buf.len());
        let read = self.file.borrow().read_at(buf.get_mut(..left).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
