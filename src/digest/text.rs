//! [`Digests`]: the digests of one file as a specification writes them.

use super::{Algorithm, Algorithms};
use std::borrow::Cow;

/// Digests of one file in their canonical text, at most one of each algorithm: lower-case hexadecimal, and decimal for
/// cksum. Most entries of most specifications have none, so none costs one word and no allocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digests<'a>(Option<Box<Texts<'a>>>);

/// One place for each algorithm; at least one is taken.
type Texts<'a> = [Option<Cow<'a, [u8]>>; Algorithm::ALL.len()];

/// A text that is not the canonical form of this algorithm's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestError(pub Algorithm);

impl std::fmt::Display for DigestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keyword = self.0.keyword();
        match hex_digits(self.0) {
            Some(digits) => write!(f, "{keyword} is not {digits} lower-case hexadecimal digits"),
            None => write!(f, "{keyword} is not a decimal number up to {} without leading zeros", u32::MAX),
        }
    }
}

impl std::error::Error for DigestError {}

impl<'a> Digests<'a> {
    /// The text of one algorithm.
    #[must_use]
    pub fn get(&self, algorithm: Algorithm) -> Option<&[u8]> {
        self.0.as_ref()?.get(algorithm as usize)?.as_deref()
    }

    /// Puts the text of one algorithm in, in place of any other.
    ///
    /// # Errors
    /// When the text is not the canonical form; nothing is changed then.
    pub fn set(&mut self, algorithm: Algorithm, text: impl Into<Cow<'a, [u8]>>) -> Result<(), DigestError> {
        let text = text.into();
        if !is_canonical(algorithm, &text) {
            return Err(DigestError(algorithm));
        }
        self.put(algorithm, text);
        Ok(())
    }

    /// Puts in a text that is canonical.
    pub(super) fn put(&mut self, algorithm: Algorithm, text: Cow<'a, [u8]>) {
        if let Some(place) = self.0.get_or_insert_default().get_mut(algorithm as usize) {
            *place = Some(text);
        }
    }

    /// Of a BLAKE3 alone.
    #[must_use]
    pub fn of_blake3(digest: &[u8; 32]) -> Digests<'static> {
        let mut digests = Digests::default();
        digests.put(Algorithm::Blake3, Cow::Owned(hex(digest).to_vec()));
        digests
    }

    /// The BLAKE3 among them.
    #[must_use]
    pub fn blake3(&self) -> Option<[u8; 32]> {
        let mut digest = [0; 32];
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        for (byte, digits) in digest.iter_mut().zip(self.get(Algorithm::Blake3)?.chunks_exact(2)) {
            let [high, low] = digits else { return None };
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(digest)
    }

    /// Which algorithms are there.
    #[must_use]
    pub fn algorithms(&self) -> Algorithms {
        self.iter().map(|(algorithm, _)| algorithm).collect()
    }

    /// The texts in the order of a line.
    pub fn iter(&self) -> impl Iterator<Item = (Algorithm, &[u8])> {
        let texts = self.0.iter().flat_map(|texts| texts.iter());
        Algorithm::ALL
            .into_iter()
            .zip(texts)
            .filter_map(|(algorithm, text)| Some((algorithm, text.as_deref()?)))
    }

    /// Whether every algorithm that both have says the same; `None` when they have none in common and so cannot say.
    #[must_use]
    pub fn agrees(&self, other: &Digests<'_>) -> Option<bool> {
        let mut shared =
            self.iter().filter_map(|(algorithm, text)| Some(other.get(algorithm)? == text)).peekable();
        shared.peek()?;
        Some(shared.all(|equal| equal))
    }

    /// The same digests, owning their texts.
    #[must_use]
    pub fn into_owned(self) -> Digests<'static> {
        Digests(
            self.0.map(|texts| Box::new(texts.map(|text| text.map(|text| Cow::Owned(text.into_owned()))))),
        )
    }
}

/// Hexadecimal digits of an algorithm's text; `None` for cksum, which is a number.
const fn hex_digits(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Cksum => None,
        Algorithm::Md5 => Some(32),
        Algorithm::Rmd160 | Algorithm::Sha1 => Some(40),
        Algorithm::Sha256 | Algorithm::Blake3 => Some(64),
        Algorithm::Sha384 => Some(96),
        Algorithm::Sha512 => Some(128),
    }
}

/// Whether a text is the canonical form.
fn is_canonical(algorithm: Algorithm, text: &[u8]) -> bool {
    match hex_digits(algorithm) {
        Some(digits) => {
            text.len() == digits && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        }
        // The first digit leaves room for neither a sign nor a leading zero.
        None => {
            matches!(text, b"0" | [b'1'..=b'9', ..])
                && std::str::from_utf8(text).is_ok_and(|text| text.parse::<u32>().is_ok())
        }
    }
}

/// The text of a 32-byte digest, as it stands in a specification.
#[must_use]
pub fn hex(digest: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    let (pairs, _) = text.as_chunks_mut();
    pairs.iter_mut().zip(digest).for_each(|(pair, byte)| *pair = pair_of(*byte));
    text
}

/// The digits of any number of bytes, lower-case.
pub(super) fn digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| pair_of(*byte))
}

/// Both digits of a byte.
fn pair_of(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|half| half + if half < 10 { b'0' } else { b'a' - 10 })
}
