//! [`Keyed`]: a digest of blocks by a key that nobody knows beforehand, as fast as memory is read.

/// Words of a piece that is multiplied with the key: 4 KiB, of which blocks are made.
const WORDS: usize = 512;
/// Bytes of them.
const PIECE: usize = WORDS * 8;
/// A prime: the digests of pieces are the coefficients of a polynomial over the numbers below it.
const PRIME: u64 = (1 << 61) - 1;

/// NH, as in VMAC, over each piece of a block, and of these the polynomial at a point that is as secret. Two blocks of one
/// size that differ agree in all 61 bits for no more than one key in 2^52, up to 512 KiB. In the 40 bits that are kept they
/// agree by chance, or for one key in 2^31, if who wrote them could choose how.
#[derive(Clone)]
pub struct Keyed {
    words: Box<[u64; WORDS]>,
    point: u64,
}

/// The remainder of what is below 2^124.
const fn reduce(number: u128) -> u64 {
    const LOW: u128 = PRIME as u128;
    // Both are cut to 64 bits: no bit is lost.
    let (low, high) = (cut(number & LOW), cut((number >> 61) & u64::MAX as u128));
    let sum = low.wrapping_add(high);
    let sum = (sum & PRIME).wrapping_add(sum >> 61);
    if sum >= PRIME { sum.wrapping_sub(PRIME) } else { sum }
}

#[allow(clippy::cast_possible_truncation)] // it is below 2^64
const fn cut(number: u128) -> u64 {
    number as u64
}

impl Keyed {
    /// Bits of a digest.
    pub const BITS: u32 = 40;
    /// Bytes that a key is made of.
    pub(super) const KEY: usize = PIECE + 8;

    /// By these bytes, each as likely as any other.
    pub(super) fn new(key: &[u8; Keyed::KEY]) -> Keyed {
        let mut words = Box::new([0; WORDS]);
        let (bytes, _) = key.as_chunks::<8>();
        words.iter_mut().zip(bytes).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        let point = bytes.last().map_or(0, |bytes| u64::from_le_bytes(*bytes) >> 3);
        Keyed { words, point }
    }

    /// The digest of a block.
    #[must_use]
    pub fn of(&self, block: &[u8]) -> u64 {
        let (pieces, rest) = block.as_chunks::<PIECE>();
        let mut sum = pieces.iter().fold(0, |sum, piece| self.add(sum, piece));
        if !rest.is_empty() {
            // All blocks are as long: what is filled up with zeros is no other block.
            let mut piece = [0; PIECE];
            piece.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            sum = self.add(sum, &piece);
        }
        sum >> (61 - Keyed::BITS)
    }

    /// The next coefficients of the polynomial: 32 bits each, so that they are below the prime.
    fn add(&self, sum: u64, piece: &[u8; PIECE]) -> u64 {
        let digest = multiplied(&self.words, piece);
        let next = |sum: u64, part: [u8; 4]| {
            let product = u128::from(sum).wrapping_mul(u128::from(self.point));
            reduce(product.wrapping_add(u128::from(u32::from_be_bytes(part))))
        };
        digest.to_be_bytes().as_chunks::<4>().0.iter().fold(sum, |sum, part| next(sum, *part))
    }
}

/// NH: the sum of the products of each two words, to each of which a word of the key was added.
fn multiplied(key: &[u64; WORDS], piece: &[u8; PIECE]) -> u128 {
    let (pairs, _) = piece.as_chunks::<16>();
    let (keys, _) = key.as_chunks::<2>();
    let mut sum = 0u128;
    for (pair, [k, l]) in pairs.iter().zip(keys) {
        let [a, b, c, d, e, f, g, h, i, j, m, n, o, p, q, r] = *pair;
        let left = u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_add(*k);
        let right = u64::from_le_bytes([i, j, m, n, o, p, q, r]).wrapping_add(*l);
        sum = sum.wrapping_add(u128::from(left).wrapping_mul(u128::from(right)));
    }
    sum
}

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: u32, length: usize) -> Vec<u8> {
        let numbers = (0..).map(|at: u32| (at + seed).wrapping_mul(2_654_435_761).rotate_left(9));
        numbers.map(|number| number.wrapping_mul(2_246_822_519).to_be_bytes()[0]).take(length).collect()
    }

    fn keyed(seed: u32) -> Keyed {
        Keyed::new(bytes(seed, Keyed::KEY).first_chunk().unwrap())
    }

    /// As slowly as it is said.
    fn plain(key: &[u8; Keyed::KEY], block: &[u8]) -> u64 {
        let word =
            |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at * 8..at * 8 + 8].try_into().unwrap());
        let point = u128::from(word(key, WORDS) >> 3);
        let mut sum = 0u128;
        for piece in block.chunks(PIECE) {
            let piece = [piece, &vec![0; PIECE - piece.len()]].concat();
            let mut nh = 0u128;
            for at in (0..WORDS).step_by(2) {
                let left = word(&piece, at).wrapping_add(word(key, at));
                let right = word(&piece, at + 1).wrapping_add(word(key, at + 1));
                nh = nh.wrapping_add(u128::from(left) * u128::from(right));
            }
            for shift in [96, 64, 32, 0] {
                sum = (sum * point + (nh >> shift & 0xffff_ffff)) % u128::from(PRIME);
            }
        }
        u64::try_from(sum >> 21).unwrap()
    }

    #[test]
    fn it_is_the_polynomial_of_products() {
        for seed in 0..20 {
            let key: [u8; Keyed::KEY] = *bytes(seed, Keyed::KEY).first_chunk().unwrap();
            for length in [1, 100, 1024, 1025, 4096, 45_056] {
                let block = bytes(seed + 100, length);
                assert_eq!(Keyed::new(&key).of(&block), plain(&key, &block), "{seed} {length}");
                assert_eq!(Keyed::new(&key).of(&vec![0xff; length]), plain(&key, &vec![0xff; length]));
            }
        }
    }

    /// Each bit of a block counts, and where it stands; by another key the digests are others.
    #[test]
    fn what_differs_has_another_digest() {
        let (one, two) = (keyed(1), keyed(2));
        let block = bytes(7, 3000);
        let mut seen = std::collections::HashSet::from([one.of(&block)]);
        for at in 0..block.len() {
            for bit in 0..8 {
                let mut other = block.clone();
                other[at] ^= 1 << bit;
                let digest = one.of(&other);
                assert!(digest < 1 << Keyed::BITS && seen.insert(digest), "byte {at}, bit {bit}");
            }
        }
        for at in (0..2992).step_by(8) {
            let mut other = block.clone();
            other[at..at + 8].rotate_left(4);
            assert!(seen.insert(one.of(&other)), "words {at}");
        }
        assert_ne!(one.of(&block), two.of(&block));
    }
}
