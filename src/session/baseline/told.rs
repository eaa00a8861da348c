//! What a round tells of a specification, compressed as it travels: it is kept like that, and not compressed once more.

use crate::limits;
use crate::sys::{Dir, Map, Spool};
use std::io::Write;
use zstd::zstd_safe::find_frame_compressed_size;

/// A text, or edits of another one, as they are told.
#[derive(Debug, Default)]
pub(in crate::session) struct Told {
    /// The digest of the text that is edited; `None` where all of it is told.
    base: Option<[u8; 32]>,
    /// `None` where nothing is to be kept, or cannot be.
    packed: Option<Spool>,
}

impl Told {
    /// Nothing yet of edits of the text of this digest, or of a whole one; it is spooled in this directory.
    pub(super) fn begin(spool: &Dir, base: Option<[u8; 32]>) -> Told {
        Told { base, packed: Spool::create(spool).ok() }
    }

    /// What is told next. That it cannot be written is no failure: then it is compressed once more.
    pub(in crate::session) fn take(&mut self, piece: &[u8]) {
        let most = if self.base.is_some() { limits::BASELINE_EDITS } else { limits::SPEC_BYTES };
        self.packed = self.packed.take().filter(|packed| packed.written() + piece.len() as u64 <= most);
        if self.packed.as_mut().is_some_and(|packed| packed.write_all(piece).is_err()) {
            self.packed = None;
        }
    }

    /// Gives up when it is longer than half of what it makes, of which there are so many bytes by now: of what a peer
    /// sends no more is believed to be worth that.
    pub(in crate::session) fn weigh(&mut self, made: u64) {
        let most = made / 2 + limits::RECORD as u64;
        self.packed = self.packed.take().filter(|packed| packed.written() <= most);
    }

    /// What was told, and the digest of what it edits. It is what our own encoder would make: one frame, and whole.
    pub(super) fn end(self) -> Option<(Option<[u8; 32]>, Map)> {
        let map = self.packed?.freeze().ok()?;
        let whole = find_frame_compressed_size(map.bytes()) == Ok(map.bytes().len());
        whole.then_some((self.base, map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_whole_frame_is_not_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::open_root(temporary.path()).unwrap();
        let frame = zstd::encode_all(&b"x".repeat(1000)[..], 1).unwrap();
        let kept = |pieces: &[&[u8]]| {
            let mut told = Told::begin(&dir, Some([1; 32]));
            pieces.iter().for_each(|piece| told.take(piece));
            told.end().map(|(base, map)| (base, map.bytes().to_vec()))
        };
        let (begin, end) = frame.split_at(9);
        assert_eq!(kept(&[begin, end]), Some((Some([1; 32]), frame.clone())));
        for pieces in [&[][..], &[begin], &[&frame, b"x"], &[&frame, &frame], &[b"no frame at all"]] {
            assert_eq!(kept(pieces), None, "{pieces:?}");
        }
    }

    #[test]
    fn no_more_is_held_than_is_worth_it() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::open_root(temporary.path()).unwrap();
        let holds = |base, bytes: u64, made| {
            let mut told = Told::begin(&dir, base);
            told.take(&vec![0; usize::try_from(bytes).unwrap()]);
            told.weigh(made);
            told.packed.is_some()
        };
        let (edits, record) = (limits::BASELINE_EDITS, limits::RECORD as u64);
        assert!(holds(Some([1; 32]), edits, 2 * edits) && !holds(Some([1; 32]), edits + 1, 4 * edits));
        assert!(holds(None, edits + 1, 4 * edits));
        assert!(holds(None, record + 7, 14) && !holds(None, record + 8, 14));
    }
}
