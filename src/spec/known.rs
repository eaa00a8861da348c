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

    /// The keywords that occur in it.
    pub(super) const fn keywords(&self) -> Keywords {
        self.keywords
    }

    /// What the tree is made of.
    pub(super) const fn census(&self) -> &Census {
        &self.census
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
        // Each line starts where the one before it ends; the first one is no entry, and behind the last one is nothing.
        let mut offsets = Vec::with_capacity(most + 1);
        for end in memchr::memchr_iter(b'\n', map.bytes()).take(most + 2) {
            offsets.push(u32::try_from(end + 1).map_err(|_| error(SpecFault::Length))?);
        }
        let end = offsets.pop().map(|end| end as usize);
        if offsets.len() != most || most == 0 || end != Some(map.bytes().len()) {
            return Err(error(SpecFault::Length));
        }
        Ok(Spec::of_parts(map, offsets, known.keywords, known.census))
    }
}

/// The order of the paths of two lines; none when one of them has no path.
#[must_use]
pub fn in_order(a: &[u8], b: &[u8]) -> Option<Ordering> {
    Some(line::path(a).ok()?.cmp(&line::path(b).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Dir;

    fn written(text: &[u8]) -> Digested {
        let dir = tempfile::tempdir().unwrap();
        let mut written = Digested::new(Spool::create(&Dir::open_root(dir.path()).unwrap()).unwrap());
        written.write_all(text).unwrap();
        written
    }

    #[test]
    fn what_was_sealed_is_known_again() {
        let text = b"#mtree\n. type=dir\n./a type=file size=7 time=1.000000000\n./l type=link link=xy\n";
        let first = written(text);
        let digest = first.digest();
        let spec = Spec::seal_again(first, None).unwrap();
        let known = spec.known(digest);
        assert_eq!(Known::from_bytes(&known.to_bytes()), Some(known));
        let again = Spec::seal_again(written(text), Some(&known)).unwrap();
        assert!(again.iter().eq(spec.iter()));
        assert_eq!((again.census(), again.keywords()), (spec.census(), spec.keywords()));
        // Of another text it says nothing: that one is parsed.
        let other = b"#mtree\n. type=dir\n./../a type=file size=7 time=1.000000000\n";
        assert_eq!(Spec::seal_again(written(other), Some(&known)).unwrap_err().line, 3);
        // And of the same one nothing wrong.
        for entries in [0, 1, 2, 4, u32::MAX] {
            assert!(Spec::seal_again(written(text), Some(&Known { entries, ..known })).is_err(), "{entries}");
        }
    }

    #[test]
    fn no_other_bytes_are_known() {
        let known = Known {
            digest: [1; 32],
            entries: 7,
            keywords: Keywords::TRANSFER,
            census: Census { files: 1, dirs: 2, links: 3, devices: 4, specials: 5, bytes: 6 },
        };
        let bytes = known.to_bytes();
        assert_eq!((bytes.len(), Known::from_bytes(&bytes)), (Known::BYTES, Some(known)));
        assert_eq!(Known::from_bytes(&bytes[1..]), None);
        assert_eq!(Known::from_bytes(&[&bytes[..], b"x"].concat()), None);
        assert_eq!(Known::from_bytes(&[0xff; Known::BYTES]), None);
    }
}
