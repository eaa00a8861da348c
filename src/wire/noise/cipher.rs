//! [`Cipher`]: the two AEADs as Noise uses them.

use super::NoiseError;
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::error::Unspecified;
use zeroize::Zeroizing;

/// Bytes of the tag that ends every record.
pub const TAG: usize = 16;

/// Which cipher protects the records; the client names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cipher {
    /// AES-256-GCM: the faster one where the processor has AES.
    AesGcm = 1,
    /// ChaCha20-Poly1305.
    ChaChaPoly = 2,
}

impl Cipher {
    /// Both.
    pub const ALL: [Cipher; 2] = [Cipher::AesGcm, Cipher::ChaChaPoly];

    /// The number in the greeting.
    #[must_use]
    pub const fn wire(self) -> u8 {
        self as u8
    }

    /// The cipher with this number in the greeting.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Cipher> {
        Cipher::ALL.into_iter().find(|cipher| cipher.wire() == number)
    }

    /// The word in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cipher::AesGcm => "aesgcm",
            Cipher::ChaChaPoly => "chachapoly",
        }
    }

    /// The cipher a configuration names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Cipher> {
        Cipher::ALL.into_iter().find(|cipher| cipher.name() == name)
    }

    /// The full name of the Noise protocol with this cipher.
    #[must_use]
    pub const fn protocol(self) -> &'static str {
        match self {
            Cipher::AesGcm => "Noise_NNpsk0_25519_AESGCM_SHA256",
            Cipher::ChaChaPoly => "Noise_NNpsk0_25519_ChaChaPoly_SHA256",
        }
    }
}

/// A key of one cipher, ready for use.
pub(super) struct Key {
    cipher: Cipher,
    key: LessSafeKey,
}

impl Key {
    pub(super) fn new(cipher: Cipher, bytes: &[u8; 32]) -> Result<Key, NoiseError> {
        let algorithm = match cipher {
            Cipher::AesGcm => &aead::AES_256_GCM,
            Cipher::ChaChaPoly => &aead::CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, bytes).map(LessSafeKey::new).map_err(|_| NoiseError::Cipher)?;
        Ok(Key { cipher, key })
    }

    /// ENCRYPT in place; the tag comes back by value. The caller uses no counter twice.
    pub(super) fn seal(
        &self,
        counter: u64,
        associated: &[u8],
        plaintext: &mut [u8],
    ) -> Result<[u8; TAG], NoiseError> {
        self.key
            .seal_in_place_separate_tag(self.nonce(counter), Aad::from(associated), plaintext)
            .ok()
            .and_then(|tag| tag.as_ref().try_into().ok())
            .ok_or(NoiseError::Cipher)
    }

    /// DECRYPT in place, ciphertext and tag; returns the plaintext part.
    pub(super) fn open<'a>(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Unspecified> {
        self.key.open_in_place(self.nonce(counter), Aad::from(associated), sealed)
    }

    /// REKEY: the key that follows this one, made with the largest counter, which serves for nothing else.
    pub(super) fn next(&self) -> Result<Key, NoiseError> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.seal(u64::MAX, &[], bytes.as_mut())?;
        Key::new(self.cipher, &bytes)
    }

    /// Four zero bytes, then the counter in the byte order Noise gives to each cipher.
    fn nonce(&self, counter: u64) -> Nonce {
        let [a, b, c, d, e, f, g, h] = match self.cipher {
            Cipher::AesGcm => counter.to_be_bytes(),
            Cipher::ChaChaPoly => counter.to_le_bytes(),
        };
        Nonce::assume_unique_for_key([0, 0, 0, 0, a, b, c, d, e, f, g, h])
    }
}
