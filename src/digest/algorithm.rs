//! [`Algorithm`] and sets of them: which digests there are, and their keywords.

/// A digest that a specification can carry, in the order its keywords stand in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Algorithm {
    /// The CRC of cksum(1).
    Cksum,
    /// MD5.
    Md5,
    /// RIPEMD-160.
    Rmd160,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// BLAKE3 with 32 bytes: our own choice, and unknown to mtree(8).
    Blake3,
}

impl Algorithm {
    /// Every algorithm, in the order of a line.
    pub const ALL: [Algorithm; 8] = [
        Algorithm::Cksum,
        Algorithm::Md5,
        Algorithm::Rmd160,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha384,
        Algorithm::Sha512,
        Algorithm::Blake3,
    ];

    /// From the one we trust most to the one we trust least.
    const BY_STRENGTH: [Algorithm; 8] = [
        Algorithm::Blake3,
        Algorithm::Sha512,
        Algorithm::Sha384,
        Algorithm::Sha256,
        Algorithm::Sha1,
        Algorithm::Rmd160,
        Algorithm::Md5,
        Algorithm::Cksum,
    ];

    /// The keyword as we write it.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Algorithm::Cksum => "cksum",
            Algorithm::Md5 => "md5",
            Algorithm::Rmd160 => "rmd160",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
            Algorithm::Blake3 => "blake3",
        }
    }

    /// The algorithm of a keyword as any of mtree(8)'s relatives writes it.
    #[must_use]
    pub fn from_keyword(keyword: &[u8]) -> Option<Algorithm> {
        Some(match keyword {
            b"cksum" => Algorithm::Cksum,
            b"md5" | b"md5digest" => Algorithm::Md5,
            b"rmd160" | b"rmd160digest" | b"ripemd160digest" => Algorithm::Rmd160,
            b"sha1" | b"sha1digest" => Algorithm::Sha1,
            b"sha256" | b"sha256digest" => Algorithm::Sha256,
            b"sha384" | b"sha384digest" => Algorithm::Sha384,
            b"sha512" | b"sha512digest" => Algorithm::Sha512,
            b"blake3" => Algorithm::Blake3,
            _ => return None,
        })
    }

    /// This algorithm's bit in a set.
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Algorithms(u8);

impl Algorithms {
    /// Whether the algorithm is in the set.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// Adds an algorithm.
    pub const fn insert(&mut self, algorithm: Algorithm) {
        self.0 |= algorithm.bit();
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Algorithms) -> Algorithms {
        Algorithms(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Algorithms) -> Algorithms {
        Algorithms(self.0 & other.0)
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in the set, in the order of a line.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |&algorithm| self.contains(algorithm))
    }

    /// The member that is hardest to deceive.
    #[must_use]
    pub fn strongest(self) -> Option<Algorithm> {
        Algorithm::BY_STRENGTH.into_iter().find(|&algorithm| self.contains(algorithm))
    }

    /// The set as one byte for the wire: bit 0 is cksum, bit 7 is BLAKE3.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of a byte from the wire. Each bit has its algorithm, so every byte is a set.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Algorithms {
        Algorithms(bits)
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<T: IntoIterator<Item = Algorithm>>(algorithms: T) -> Algorithms {
        algorithms
            .into_iter()
            .fold(Algorithms::default(), |set, algorithm| Algorithms(set.0 | algorithm.bit()))
    }
}
