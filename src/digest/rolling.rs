//! [`Rolling`]: a digest of blocks that moves over a content a byte at a time, quickly; it says only which blocks may be equal.

/// Bytes that are summed up column by column before a number of 16 bits could overflow.
const PIECE: usize = 256;
/// Bytes of a row: as many as processors add at once.
const ROW: u32 = 16;
/// As the length of one.
const COLUMNS: usize = ROW as usize;

/// The sum of the bytes of a block, and the sum of its sums from the beginning to each byte, as in rsync's and Adler's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    bytes: u64,
    sums: u64,
}

/// Digests blocks of one size. Blocks that are written to have one digest have it: what it finds is to be looked at.
#[derive(Debug, Clone)]
pub struct Rolling {
    block: usize,
    length: u64,
    /// Mixes both sums, so that each bit of the digest depends on all of them.
    factor: u64,
}

impl Rolling {
    /// Bits of a digest.
    pub const BITS: u32 = 40;

    /// Of blocks of so many bytes, 4 MiB at most.
    pub(super) const fn new(block: usize, factor: u64) -> Rolling {
        Rolling { block, length: block as u64, factor: factor | 1 }
    }

    /// How many bytes a block has.
    #[must_use]
    pub const fn block(&self) -> usize {
        self.block
    }

    /// The sums of a block.
    #[must_use]
    pub fn of(&self, block: &[u8]) -> Sums {
        let (pieces, rest) = block.as_chunks::<PIECE>();
        let mut of = Sums::default();
        // Nothing overflows: 4 MiB of the highest byte come to less than 2^51.
        for piece in pieces {
            let (bytes, sums) = sum(piece);
            of.sums = of.sums.wrapping_add(of.bytes.wrapping_mul(PIECE as u64)).wrapping_add(sums);
            of.bytes = of.bytes.wrapping_add(bytes);
        }
        for byte in rest {
            of.bytes = of.bytes.wrapping_add(u64::from(*byte));
            of.sums = of.sums.wrapping_add(of.bytes);
        }
        of
    }

    /// The sums of the block that begins a byte later: without its first byte, and with the one behind its last.
    #[inline]
    #[must_use]
    pub fn roll(&self, Sums { bytes, sums }: Sums, out: u8, next: u8) -> Sums {
        let (out, next) = (u64::from(out), u64::from(next));
        let bytes = bytes.wrapping_add(next).wrapping_sub(out);
        Sums { bytes, sums: sums.wrapping_add(bytes).wrapping_sub(self.length.wrapping_mul(out)) }
    }

    /// The digest of the block that has these sums.
    #[inline]
    #[must_use]
    pub const fn digest(&self, Sums { bytes, sums }: Sums) -> u64 {
        // The sum of the bytes has 30 bits at most.
        sums.wrapping_add(bytes << 34).wrapping_mul(self.factor) >> (u64::BITS - Rolling::BITS)
    }
}

/// The sum of these bytes, and that of its sums. Each column has its own, which are added to each other in the end.
fn sum(piece: &[u8; PIECE]) -> (u64, u64) {
    let (mut bytes, mut sums) = ([0u16; COLUMNS], [0u16; COLUMNS]);
    let (rows, _) = piece.as_chunks::<COLUMNS>();
    for row in rows {
        for ((bytes, sums), byte) in bytes.iter_mut().zip(&mut sums).zip(row) {
            *bytes = bytes.wrapping_add(u16::from(*byte));
            *sums = sums.wrapping_add(*bytes);
        }
    }
    let (mut total, mut weighed) = (0u32, 0u32);
    for (column, (bytes, sums)) in (0u32..).zip(bytes.iter().zip(&sums)) {
        let (bytes, sums) = (u32::from(*bytes), u32::from(*sums));
        total = total.wrapping_add(bytes);
        // Of a row, the byte of this column stands so many behind the first.
        weighed = weighed.wrapping_add(sums.wrapping_mul(ROW)).wrapping_sub(column.wrapping_mul(bytes));
    }
    (u64::from(total), u64::from(weighed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As slowly as it is said.
    fn plain(block: &[u8]) -> Sums {
        let weights = (1..=block.len() as u64).rev();
        let sums = weights.zip(block).map(|(weight, byte)| weight * u64::from(*byte)).sum();
        Sums { bytes: block.iter().map(|byte| u64::from(*byte)).sum(), sums }
    }

    #[test]
    fn it_is_the_sum_of_sums_and_rolls() {
        let bytes: Vec<u8> = (0..3000u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let highest = vec![0xff; 3000];
        for length in [1, 7, 16, 255, 256, 257, 1000, 1024] {
            let rolling = Rolling::new(length, 0x1234_5678_9abc_def0);
            for bytes in [&bytes, &highest] {
                let mut sums = rolling.of(&bytes[..length]);
                for at in 0..bytes.len() - length {
                    assert_eq!(sums, plain(&bytes[at..at + length]), "{length} {at}");
                    assert!(rolling.digest(sums) < 1 << Rolling::BITS);
                    sums = rolling.roll(sums, bytes[at], bytes[at + length]);
                }
            }
        }
    }

    /// The largest block of the highest byte.
    #[test]
    fn no_sum_overflows() {
        let block = vec![0xff; 4 << 20];
        let sums = Rolling::new(block.len(), 1).of(&block);
        assert_eq!(sums, plain(&block));
        assert!(sums.bytes < 1 << 30 && sums.sums < 1 << 51);
    }
}
