//! [`Symmetric`]: what the two sides of a handshake have hashed so far, and the keys that follow from it.

use super::cipher::{Cipher, Key, TAG};
use super::{NoiseError, bytes32};
use ring::{digest, hmac};
use zeroize::Zeroizing;

/// Noise's SymmetricState during the handshake. The key sits beside it instead of a CipherState, because in these two
/// messages every key serves once, with the counter 0.
pub(super) struct Symmetric {
    cipher: Cipher,
    chaining_key: Zeroizing<[u8; 32]>,
    hash: [u8; 32],
    key: Zeroizing<[u8; 32]>,
}

impl Symmetric {
    /// The state on either side when all of message 1 but its payload is done: `-> psk, e`.
    pub(super) fn first(cipher: Cipher, prologue: &[u8], psk: &[u8; 32], e: &[u8; 32]) -> Symmetric {
        let name = cipher.protocol().as_bytes();
        // A name of 32 bytes stands for itself, and neither of ours is shorter.
        let hash =
            name.try_into().unwrap_or_else(|_| bytes32(digest::digest(&digest::SHA256, name).as_ref()));
        let key = Zeroizing::default();
        let mut symmetric = Symmetric { cipher, chaining_key: Zeroizing::new(hash), hash, key };
        symmetric.mix_hash(&[prologue]);
        symmetric.mix_key_and_hash(psk);
        symmetric.mix_hash(&[e]);
        symmetric.mix_key(e);
        symmetric
    }

    /// The state on either side when message 2 but its `ee` and payload is done: `<- e`.
    pub(super) fn second(&mut self, e: &[u8; 32]) {
        self.mix_hash(&[e]);
        self.mix_key(e);
    }

    /// MixKey, also of what the two ephemeral keys have in common: `ee`.
    pub(super) fn mix_key(&mut self, input: &[u8]) {
        [self.chaining_key, self.key] = hkdf(&self.chaining_key, input);
    }

    /// EncryptAndHash of a payload in place; returns its tag.
    pub(super) fn seal(&mut self, payload: &mut [u8]) -> Result<[u8; TAG], NoiseError> {
        let tag = Key::new(self.cipher, &self.key)?.seal(0, &self.hash, payload)?;
        self.mix_hash(&[payload, &tag]);
        Ok(tag)
    }

    /// DecryptAndHash of a payload and its tag in place.
    pub(super) fn open(&mut self, sealed: &mut [u8]) -> Result<(), NoiseError> {
        let before = self.hash;
        self.mix_hash(&[sealed]);
        Key::new(self.cipher, &self.key)?.open(0, &before, sealed).map_err(|_| NoiseError::Handshake)?;
        Ok(())
    }

    /// Split: the key of what the initiator sends, and of what the responder sends.
    pub(super) fn split(&self) -> Result<[Key; 2], NoiseError> {
        let [initiator, responder] = hkdf(&self.chaining_key, &[]);
        Ok([Key::new(self.cipher, &initiator)?, Key::new(self.cipher, &responder)?])
    }

    /// The handshake hash, once both messages are done.
    pub(super) fn hash(&self) -> [u8; 32] {
        self.hash
    }

    fn mix_hash(&mut self, parts: &[&[u8]]) {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.hash);
        parts.iter().for_each(|part| context.update(part));
        self.hash = bytes32(context.finish().as_ref());
    }

    fn mix_key_and_hash(&mut self, input: &[u8]) {
        let hashed;
        [self.chaining_key, hashed, self.key] = hkdf(&self.chaining_key, input);
        self.mix_hash(&[hashed.as_slice()]);
    }
}

/// Noise's HKDF with `N` outputs: each is the HMAC of the one before and of its own number, counted from 1.
fn hkdf<const N: usize>(chaining_key: &[u8; 32], input: &[u8]) -> [Zeroizing<[u8; 32]>; N] {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, chaining_key), input);
    let key = hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref());
    let (mut number, mut last) = (0, None);
    std::array::from_fn(|_| {
        let mut output = hmac::Context::with_key(&key);
        output.update(last.as_ref().map_or(&[], hmac::Tag::as_ref));
        number += 1;
        output.update(&[number]);
        Zeroizing::new(bytes32(last.insert(output.sign()).as_ref()))
    })
}
