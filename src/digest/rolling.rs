//! [`Rolling`]: a digest of blocks that moves over a content a byte at a time, by a key that nobody knows beforehand.

/// A prime: the digest of a block is a number below it.
const PRIME: u64 = (1 << 61) - 1;

/// The bytes of a block as the coefficients of a polynomial, at the point that the key is. Two blocks that differ have the
/// same digest for no more keys than a block has bytes, of 2^61: who wrote them cannot have chosen them to.
#[derive(Debug, Clone)]
pub struct Rolling {
    block: usize,
    /// The key to the power of 1 to 8.
    powers: [u64; 8],
    /// What each byte adds as the first one of a block.
    first: Box<[u64; 256]>,
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

/// Without a look whether it overflows, which no product of such numbers does, and which would take most of the time.
const fn times(a: u64, b: u64) -> u128 {
    (a as u128).wrapping_mul(b as u128)
}

const fn weigh(byte: u8, power: u64) -> u128 {
    times(byte as u64, power)
}

const fn product(a: u64, b: u64) -> u64 {
    reduce(times(a, b))
}

impl Rolling {
    /// Of blocks of so many bytes, with this key; `None` for a key that tells little.
    #[must_use]
    pub fn new(key: u64, block: usize) -> Option<Rolling> {
        if !Rolling::is_key(key) || block == 0 {
            return None;
        }
        let mut powers = [key; 8];
        for at in 1..powers.len() {
            let below = powers.get(at - 1).copied().unwrap_or_default();
            if let Some(power) = powers.get_mut(at) {
                *power = product(below, key);
            }
        }
        let (mut top, mut base, mut left) = (1, key, block - 1);
        while left > 0 {
            if left & 1 == 1 {
                top = product(top, base);
            }
            base = product(base, base);
            left >>= 1;
        }
        let mut first = Box::new([0; 256]);
        (0u64..).zip(first.iter_mut()).for_each(|(byte, sum)| *sum = product(byte, top));
        Some(Rolling { block, powers, first })
    }

    /// Whether this is a key.
    #[must_use]
    pub const fn is_key(key: u64) -> bool {
        key > 1 << 32 && key < PRIME
    }

    /// Whether this can be the digest of a block.
    #[must_use]
    pub const fn is_sum(sum: u64) -> bool {
        sum < PRIME
    }

    /// How many bytes a block has.
    #[must_use]
    pub const fn block(&self) -> usize {
        self.block
    }

    /// The digest of a block.
    #[must_use]
    pub fn of(&self, block: &[u8]) -> u64 {
        let [p1, p2, p3, p4, p5, p6, p7, p8] = self.powers;
        let (eights, rest) = block.as_chunks::<8>();
        let mut sum = 0;
        for eight in eights {
            let [a, b, c, d, e, f, g, h] = *eight;
            let high = weigh(a, p7).wrapping_add(weigh(b, p6)).wrapping_add(weigh(c, p5));
            let low = weigh(d, p4).wrapping_add(weigh(e, p3)).wrapping_add(weigh(f, p2));
            let last = weigh(g, p1).wrapping_add(u128::from(h));
            sum = reduce(times(sum, p8).wrapping_add(high).wrapping_add(low).wrapping_add(last));
        }
        rest.iter().fold(sum, |sum, byte| reduce(times(sum, p1).wrapping_add(u128::from(*byte))))
    }

    /// The digest of the block that begins a byte later: without its first byte, and with the one behind its last.
    #[must_use]
    pub fn roll(&self, sum: u64, out: u8, next: u8) -> u64 {
        let [key, ..] = self.powers;
        let first = self.first.get(usize::from(out)).copied().unwrap_or_default();
        let rest = sum.wrapping_add(PRIME).wrapping_sub(first);
        reduce(times(rest, key).wrapping_add(u128::from(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As slowly as it is said.
    fn plain(key: u64, block: &[u8]) -> u64 {
        let prime = u128::from(PRIME);
        let sum = |sum: u128, byte: &u8| (sum * u128::from(key) + u128::from(*byte)) % prime;
        u64::try_from(block.iter().fold(0, sum)).unwrap()
    }

    #[test]
    fn it_is_the_polynomial_and_rolls() {
        let bytes: Vec<u8> = (0..3000u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let highest = vec![0xff; 3000];
        for key in [(1 << 32) + 1, 0x1234_5678_9abc_def0 % PRIME, PRIME - 1] {
            for length in [1, 7, 8, 9, 64, 1000] {
                let rolling = Rolling::new(key, length).unwrap();
                for bytes in [&bytes, &highest] {
                    let mut sum = rolling.of(&bytes[..length]);
                    for at in 0..bytes.len() - length {
                        assert_eq!(sum, plain(key, &bytes[at..at + length]), "{key} {length} {at}");
                        assert!(Rolling::is_sum(sum));
                        sum = rolling.roll(sum, bytes[at], bytes[at + length]);
                    }
                }
            }
        }
        for key in [0, 1, 1 << 32, PRIME, u64::MAX] {
            assert!(Rolling::new(key, 8).is_none());
        }
    }
}
