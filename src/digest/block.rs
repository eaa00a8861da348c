//! [`BlockDigests`]: how blocks of one size are told from each other, and found where they are not expected.

use super::{Keyed, Rolling};

/// What is told of a block: its rolling digest and its keyed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockSum([u8; BlockSum::LENGTH]);

/// Half of a number that is told in five bytes.
const HALF: usize = 5;

impl BlockSum {
    /// Bytes of it, as it is told.
    pub const LENGTH: usize = 2 * HALF;

    /// Of both digests.
    #[must_use]
    pub fn new(rolling: u64, keyed: u64) -> BlockSum {
        let [.., a, b, c, d, e] = rolling.to_be_bytes();
        let [.., f, g, h, i, j] = keyed.to_be_bytes();
        BlockSum([a, b, c, d, e, f, g, h, i, j])
    }

    /// As it was told.
    #[must_use]
    pub const fn told(bytes: [u8; BlockSum::LENGTH]) -> BlockSum {
        BlockSum(bytes)
    }

    /// As it is told.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; BlockSum::LENGTH] {
        &self.0
    }

    /// The digest by [`Rolling`].
    #[must_use]
    pub const fn rolling(&self) -> u64 {
        let [a, b, c, d, e, ..] = self.0;
        u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
    }

    /// The digest by [`Keyed`].
    #[must_use]
    pub const fn keyed(&self) -> u64 {
        let [.., f, g, h, i, j] = self.0;
        u64::from_be_bytes([0, 0, 0, f, g, h, i, j])
    }
}

/// Both digests of blocks of one size, by one key.
#[derive(Debug, Clone)]
pub struct BlockDigests {
    /// Which says where to look.
    pub rolling: Rolling,
    /// Which says what is there.
    pub keyed: Keyed,
}

impl BlockDigests {
    /// Of blocks of so many bytes, at least one. All that is secret comes of this key, by BLAKE3.
    #[must_use]
    pub fn new(key: u64, block: usize) -> BlockDigests {
        let mut hasher = blake3::Hasher::new_derive_key("smsync 2026-11-30 digests of blocks");
        hasher.update(&key.to_be_bytes());
        let mut bytes = hasher.finalize_xof();
        let (mut words, mut factor) = ([0; Keyed::KEY], [0; 8]);
        bytes.fill(&mut words);
        bytes.fill(&mut factor);
        BlockDigests { rolling: Rolling::new(block, u64::from_le_bytes(factor)), keyed: Keyed::new(&words) }
    }

    /// How many bytes a block has.
    #[must_use]
    pub const fn block(&self) -> usize {
        self.rolling.block()
    }

    /// What is told of a block.
    #[must_use]
    pub fn of(&self, block: &[u8]) -> BlockSum {
        BlockSum::new(self.rolling.digest(self.rolling.of(block)), self.keyed.of(block))
    }
}
