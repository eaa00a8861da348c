//! Contents that travel compressed: each piece for itself, so that nobody needs more memory for it than for a record.

use crate::limits;
use crate::wire::{Batch, Message, WireError};
use std::io;
use zstd::bulk::{Compressor, Decompressor};

/// Compression: as strong as keeps up with links for which it is meant.
const LEVEL: i32 = 3;
/// A piece that does not get smaller by one part in so many goes as it is: to unpack it would cost more than it saves.
const PARTS: usize = 16;
/// And then so many more pieces of its file, since most of what is compressed already is so to its end.
const UNTRIED: u32 = 15;
/// Bytes before the compressed ones: how many there are.
const SIZE: usize = 4;

/// Packs what shrinks, which is found by trying.
pub struct Packer {
    zstd: Compressor<'static>,
    packed: Vec<u8>,
    untried: u32,
}

impl Packer {
    /// Room in a record below which a larger piece is left for the next one: small ones shrink less.
    pub const ROOM: u64 = 16 * 1024;

    /// With nothing tried.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new() -> io::Result<Packer> {
        let room = zstd::zstd_safe::compress_bound(limits::RECORD);
        Ok(Packer { zstd: Compressor::new(LEVEL)?, packed: Vec::with_capacity(room), untried: 0 })
    }

    /// Forgets what was found of the file before.
    pub fn next_file(&mut self) {
        self.untried = 0;
    }

    /// Packs the `Data` message of so many bytes that [`Batch::read_data`] just appended, if it shrinks.
    pub fn pack(&mut self, batch: &mut Batch, length: usize) {
        if self.untried > 0 {
            self.untried -= 1;
            return;
        }
        self.packed.clear();
        let packed = self.zstd.compress_to_buffer(batch.last(length), &mut self.packed);
        let most = length - length.div_ceil(PARTS);
        match (packed, u32::try_from(length)) {
            (Ok(packed), Ok(size)) if packed + SIZE <= most => {
                batch.take_back(length);
                // It fits where more was.
                let _ = batch.push(&Message::Packed { size, piece: &self.packed });
            }
            _ => self.untried = UNTRIED,
        }
    }
}

/// Unpacks.
#[derive(Default)]
pub struct Unpacker {
    zstd: Option<Decompressor<'static>>,
    plain: Vec<u8>,
}

impl Unpacker {
    /// What was packed into this: so many bytes, which are no more than a record has.
    ///
    /// # Errors
    /// It is something else.
    pub fn unpack(&mut self, size: u32, piece: &[u8]) -> Result<&[u8], WireError> {
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(Decompressor::new().map_err(WireError::Io)?),
        };
        // No more is written than there is room for, whatever the piece says of itself.
        self.plain.clear();
        self.plain.reserve_exact(limits::RECORD);
        match zstd.decompress_to_buffer(piece, &mut self.plain) {
            Ok(length) if u32::try_from(length) == Ok(size) => Ok(&self.plain),
            _ => Err(WireError::Malformed("a piece that does not unpack to its size")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Record;
    use std::io::Read;

    /// A record with these contents, of which the packer takes each file's first piece.
    fn record(packer: &mut Packer, mut contents: &[u8]) -> Record {
        let mut batch = Batch::new();
        packer.next_file();
        let read = batch.read_data(u64::MAX, |space| contents.read(space)).unwrap();
        packer.pack(&mut batch, read);
        batch.reopened()
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut noise = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        noise
    }

    #[test]
    fn what_shrinks_is_packed_and_comes_out_as_it_was() {
        let mut packer = Packer::new().unwrap();
        let mut unpacker = Unpacker::default();
        let text: Vec<u8> = (0..90_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for length in [100, 4096, limits::RECORD - 100] {
            let mut record = record(&mut packer, &text[..length]);
            let Some(Message::Packed { size, piece }) = record.message().unwrap() else {
                panic!("{length} bytes of text are not packed")
            };
            assert_eq!((size as usize, unpacker.unpack(size, piece).unwrap()), (length, &text[..length]));
            assert!(piece.len() * 16 < length * 15, "{length}");
            assert!(record.message().unwrap().is_none());
        }
    }

    #[test]
    fn what_does_not_shrink_goes_as_it_is() {
        let mut packer = Packer::new().unwrap();
        for length in [1, 2, 20, 4096, limits::RECORD / 2] {
            let noise = noise(length);
            assert_eq!(
                record(&mut packer, &noise).message().unwrap(),
                Some(Message::Data(&noise)),
                "{length}"
            );
        }
    }

    #[test]
    fn a_file_that_does_not_shrink_is_tried_again_after_a_while_and_the_next_one_at_once() {
        let mut packer = Packer::new().unwrap();
        let mut kinds = |contents: &[u8]| {
            let mut batch = Batch::new();
            let mut rest = contents;
            let read = batch.read_data(u64::MAX, |space| rest.read(space)).unwrap();
            packer.pack(&mut batch, read);
            matches!(batch.reopened().message().unwrap(), Some(Message::Packed { .. }))
        };
        assert!(!kinds(&noise(1000)));
        let tries = (0..=UNTRIED).map(|_| kinds(&[0; 1000])).collect::<Vec<_>>();
        assert_eq!(tries.iter().position(|packed| *packed), Some(UNTRIED as usize));
        assert!(!kinds(&noise(1000)));
        packer.next_file();
        assert!(matches!(record(&mut packer, &[0; 1000]).message().unwrap(), Some(Message::Packed { .. })));
    }

    #[test]
    fn a_piece_that_is_no_piece_is_refused() {
        let mut unpacker = Unpacker::default();
        let packed = |plain: &[u8]| zstd::bulk::compress(plain, 3).unwrap();
        let good = packed(b"hello");
        // A frame that would need a window of 2 GiB, and ones that unpack to more than a record: none gets the memory.
        let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        wide.set_parameter(zstd::zstd_safe::CParameter::WindowLog(27)).unwrap();
        io::Write::write_all(&mut wide, &vec![0; 8 << 20]).unwrap();
        let twice = [&*good, &*good].concat();
        for (size, piece) in [
            (4, &good[..]),
            (6, &good),
            (0, &good),
            (5, b"hello"),
            (5, b""),
            (5, &good[..good.len() - 1]),
            (5, &twice),
            (1 << 18, &packed(&vec![0; limits::RECORD + 1])),
            (1 << 18, &packed(&vec![0; 64 << 20])),
            (1 << 18, &wide.finish().unwrap()),
        ] {
            assert!(unpacker.unpack(size, piece).is_err(), "{size} {piece:?}");
            assert!(unpacker.plain.capacity() <= limits::RECORD);
        }
        assert_eq!(unpacker.unpack(5, &good).unwrap(), b"hello", "and it goes on");
        assert_eq!(unpacker.unpack(10, &twice).unwrap(), b"hellohello");
    }
}
