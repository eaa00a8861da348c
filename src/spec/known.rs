//! A text that was sealed before: by its digest it is known again, and need not be parsed.

use crate::digest::Content;
use crate::limits;
use crate::report::Census;
use crate::spec::sealed::{Spec, SpecError, SpecFault};
use crate::spec::{Keywords, line};
use crate::sys::Spool;
use std::cmp::Ordering;
use std::io::{self, Write};

/// A spool, and the digest of all that was written to it.
#[derive(Debug)]
pub struct Digested {
    spool: Spool,
    content: Content,
}

impl Digested {
    /// Nothing written yet.
    #[must_use]
    pub fn new(spool: Spool) -> Digested {
        Digested { spool, content: Content::new() }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.spool.written()
    }

    /// BLAKE3 of them.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.content.finish()
    }

    /// The spool alone.
    #[must_use]
    pub fn into_spool(self) -> Spool {
        self.spool
    }
}

impl Write for Digested {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.spool.write(buf)?;
        self.content.update(buf.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

/// What is known of a text once it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// BLAKE3 of the text.
    digest: [u8; 32],
    entries: u32,
    keywords: Keywords,
    census: Census,
}

impl Known {
    /// Bytes of [`Known::to_bytes`].
    pub const BYTES: usize = 32 + 4 + 4 + 6 * 8;

    /// BLAKE3 of the text.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Known { digest, entries, keywords, census } = self;
        let Census { files, dirs, links, devices, specials, bytes } = census;
        let mut out = digest.to_vec();
        out.extend_from_slice(&entries.to_be_bytes());
        out.extend_from_slice(&keywords.bits().to_be_bytes());
        for number in [files, dirs, links, devices, specials, bytes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out
    }

    /// From what [`Known::to_bytes`] made. Who calls this says that nobody else made it: a text of this digest will not be
    /// parsed before it is used.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Known> {
        let bytes: &[u8; Known::BYTES] = bytes.try_into().ok()?;
        let (digest, rest) = bytes.split_first_chunk::<32>()?;
        let (entries, rest) = rest.split_first_chunk::<4>()?;
        let (keywords, rest) = rest.split_first_chunk::<4>()?;
        let mut numbers = rest.chunks_exact(8).map(|number| {
            let number: Option<[u8; 8]> = number.try_into().ok();
            number.map(u64::from_be_bytes)
        });
        let mut number = || numbers.next().flatten();
        Some(Known {
            digest: *digest,
            entries: u32::from_be_bytes(*entries),
            keywords: Keywords::from_bits(u32::from_be_bytes(*keywords))?,
            census: Census {
                files: number()?,
                dirs: number()?,
                links: number()?,
                devices: number()?,
                specials: number()?,
                bytes: number()?,
            },
        })
    }
}

impl Spec {
    /// What is known of it, given the digest of its text.
    #[must_use]
    pub fn known(&self, digest: [u8; 32]) -> Known {
        Known { digest, entries: self.len(), keywords: self.keywords(), census: *self.census() }
    }

    /// Maps a spool. When it holds the text that was sealed once already, only the ends of its lines are looked for;
    /// otherwise every line is checked.
    ///
    /// That is the same door: a [`Known`] says of a text, named by its digest, that each of its lines is canonical and in
    /// place, and the digest here is of the very bytes that were written to the spool, by the type of which it comes.
    ///
    /// # Errors
    /// As [`Spec::seal`].
    pub fn seal_again(text: Digested, known: Option<&Known>) -> Result<Spec, SpecError> {
        let Some(known) = known.filter(|known| known.digest == text.digest()) else {
            return Spec::seal(text.spool);
        };
        let error = |fault| SpecError { line: 0, fault };
        let map = text.spool.freeze().map_err(|failed| error(SpecFault::Io(failed)))?;
        let most = known.entries.min(limits::SPEC_ENTRIES) as usize;
        let mut offsets = Vec::with_capacity(most);
        // Each line but the last one ends where the next one starts; the first one is no entry.
        let ends = memchr::memchr_iter(b'\n', map.bytes()).take(most);
        for end in ends {
            offsets.push(u32::try_from(end + 1).map_err(|_| error(SpecFault::Length))?);
        }
        let entries = u32::try_from(offsets.len()).unwrap_or(u32::MAX);
        if entries != known.entries || entries == 0 {
            return Err(error(SpecFault::TooMany));
        }
        Ok(Spec::of_parts(map, offsets, known.keywords, known.census))
    }
}

/// The order of the paths of two lines; none when one of them has no path.
#[must_use]
pub fn in_order(a: &[u8], b: &[u8]) -> Option<Ordering> {
    Some(line::path(a).ok()?.cmp(&line::path(b).ok()?))
}
