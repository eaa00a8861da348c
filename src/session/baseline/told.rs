//! What a round tells of a specification, compressed once: as it leaves, or as it comes, while there is time.

use crate::limits;
use crate::sys::{Dir, Map, Spool};
use std::io::{self, Write};
use zstd::stream::write::Encoder;

/// Compression of specifications, on their way and where they are kept: stronger levels are slower and, on this text, no
/// smaller.
pub(in crate::session) const LEVEL: i32 = 1;

/// A text, or edits of another one, as our encoder packs them.
#[derive(Debug, Default)]
pub(in crate::session) struct Told {
    /// The digest of the text that is edited; `None` where all of it is told.
    base: Option<[u8; 32]>,
    /// `None` where nothing is to be kept, or cannot be: then it is compressed once more.
    packed: Option<Spool>,
}

impl Told {
    /// Nothing yet of edits of the text of this digest, or of a whole one; it is spooled in this directory.
    pub(super) fn begin(spool: &Dir, base: Option<[u8; 32]>) -> Told {
        Told { base, packed: Spool::create(spool).ok() }
    }

    /// What was told, and the digest of what it edits.
    pub(super) fn end(self) -> Option<(Option<[u8; 32]>, Map)> {
        let map = self.packed.filter(|packed| packed.written() > 0)?.freeze().ok()?;
        Some((self.base, map))
    }
}

/// Never fails: what cannot be written is given up.
impl Write for Told {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let most = if self.base.is_some() { limits::BASELINE_EDITS } else { limits::SPEC_BYTES };
        self.packed = self.packed.take().filter(|packed| packed.written() + piece.len() as u64 <= most);
        if self.packed.as_mut().is_some_and(|packed| packed.write_all(piece).is_err()) {
            self.packed = None;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses anew what comes compressed: of a frame that a peer made, two decoders may make two texts, of which only the
/// one was checked.
pub(in crate::session) struct Packing {
    /// `None` where nothing is to be kept.
    encoder: Option<Encoder<'static, Told>>,
    taken: u64,
}

impl Packing {
    pub(in crate::session) fn new(told: Told) -> Packing {
        let encoder = told.packed.is_some().then(|| Encoder::new(told, LEVEL).ok());
        Packing { encoder: encoder.flatten(), taken: 0 }
    }

    /// Takes what is told next, as it reads; gives up what hardly becomes smaller, for which there may be no room.
    pub(in crate::session) fn take(&mut self, piece: &[u8]) {
        self.taken += piece.len() as u64;
        let most = self.taken / 2 + limits::RECORD as u64;
        self.encoder = self.encoder.take().and_then(|mut encoder| {
            encoder.write_all(piece).ok()?;
            let packed = encoder.get_ref().packed.as_ref()?.written();
            (packed <= most).then_some(encoder)
        });
    }

    /// That is all.
    pub(in crate::session) fn finish(self) -> Told {
        self.encoder.and_then(|encoder| encoder.finish().ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of which no byte tells another one.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut bits: u64 = 1;
        let mut next = || {
            bits = bits.rotate_left(23).wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
            bits.to_be_bytes()[0]
        };
        (0..bytes).map(|_| next()).collect()
    }

    fn kept(base: Option<[u8; 32]>, pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::open_root(temporary.path()).unwrap();
        let mut packing = Packing::new(Told::begin(&dir, base));
        pieces.iter().for_each(|piece| packing.take(piece));
        let (of, map) = packing.finish().end()?;
        assert_eq!(of, base);
        Some(zstd::decode_all(map.bytes()).unwrap())
    }

    #[test]
    fn what_is_told_is_kept_in_whatever_pieces_it_comes() {
        let text = b"#mtree\n. type=dir\n".repeat(100_000);
        for size in [7, 4096, text.len()] {
            let pieces: Vec<_> = text.chunks(size).collect();
            assert_eq!(kept(None, &pieces), Some(text.clone()));
            assert_eq!(kept(Some([1; 32]), &pieces), Some(text.clone()));
        }
        assert!(Told::default().end().is_none() && Packing::new(Told::default()).finish().end().is_none());
    }

    #[test]
    fn what_hardly_becomes_smaller_is_not_kept() {
        let some = noise(3 * limits::RECORD);
        assert_eq!(kept(None, &[&some[..limits::RECORD]]), Some(some[..limits::RECORD].to_vec()));
        assert_eq!(kept(None, &some.chunks(1000).collect::<Vec<_>>()), None);
    }

    #[test]
    fn of_edits_no_more_is_kept_than_the_limit() {
        let (half, text) = (noise(1 << 20), vec![b'x'; 2 << 20]);
        let edits: Vec<&[u8]> =
            half.chunks(1 << 10).zip(text.chunks(1 << 11)).flat_map(|(a, b)| [b, a]).collect();
        assert!(kept(None, &edits).is_some() && kept(Some([1; 32]), &edits).is_none());
    }
}
