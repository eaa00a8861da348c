//! `Noise_NNpsk0_25519_{AESGCM,ChaChaPoly}_SHA256`: the handshake that proves the secret, and the records after it.
//!
//! Names and steps are those of the Noise Protocol Framework, revision 34, so that it can be read beside the code:
//! `-> psk, e` and `<- e, ee`, both with an empty payload. Secrets and chaining keys are wiped when dropped; what
//! `ring` keeps inside itself, and what a move leaves on the stack, cannot be from safe Rust.

mod cipher;
mod symmetric;

pub use cipher::{Cipher, TAG};

use crate::limits;
use crate::secret::Secret;
use cipher::Key;
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use symmetric::Symmetric;

/// Bytes of each handshake message: the ephemeral public key and the tag of the empty payload.
pub const MESSAGE: usize = 32 + TAG;

/// Why a handshake or a record went wrong. None of them says more to a peer than that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoiseError {
    /// The system gives no random bytes.
    Random,
    /// A handshake message does not open: the two sides differ in the secret, the prologue or the message.
    Handshake,
    /// The peer's public key is one that makes the shared key predictable.
    Point,
    /// A record does not open: altered, cut short, repeated or out of order.
    Record,
    /// A record is longer than [`limits::RECORD`].
    TooLong,
    /// An earlier record of this direction failed, or its counter is used up.
    Over,
    /// The cryptographic library refused what it never refuses.
    Cipher,
}

impl std::fmt::Display for NoiseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NoiseError::Random => "the system gives no random bytes",
            NoiseError::Handshake => "the handshake does not open: wrong secret, or altered on the way",
            NoiseError::Point => "the peer's public key is not acceptable",
            NoiseError::Record => "a record does not open: altered, cut short, repeated or out of order",
            NoiseError::TooLong => "a record is too long",
            NoiseError::Over => "the encrypted stream ended at an earlier failure",
            NoiseError::Cipher => "the cryptographic library failed",
        })
    }
}

impl std::error::Error for NoiseError {}

/// The client between its message and the answer.
pub struct Initiator {
    symmetric: Symmetric,
    private: EphemeralPrivateKey,
}

impl Initiator {
    /// Makes the first message. Both sides must give the same `prologue`, or it does not open.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn start(
        cipher: Cipher,
        prologue: &[u8],
        psk: &Secret,
    ) -> Result<(Initiator, [u8; MESSAGE]), NoiseError> {
        let (private, e) = ephemeral()?;
        let mut symmetric = Symmetric::first(cipher, prologue, psk.bytes(), &e);
        let tag = symmetric.seal(&mut [])?;
        Ok((Initiator { symmetric, private }, join(&e, &tag)))
    }

    /// Takes the server's answer, which proves that it holds the secret.
    ///
    /// # Errors
    /// When the answer does not open or its key is not acceptable.
    pub fn finish(self, message2: &[u8; MESSAGE]) -> Result<Transport, NoiseError> {
        let Initiator { mut symmetric, private } = self;
        let (e, mut tag) = split(message2);
        symmetric.second(&e);
        agree(private, &e, &mut symmetric)?;
        symmetric.open(&mut tag)?;
        let [sending, receiving] = symmetric.split()?;
        Ok(Transport::new(sending, receiving, symmetric.hash()))
    }
}

/// The server's whole handshake: takes the client's message and makes the answer. That message may be an old one played
/// again: who sent it is known only when the client's first record opens.
///
/// # Errors
/// When the message does not open, which costs a few hashes and no public-key work; or when its key is not acceptable.
pub fn respond(
    cipher: Cipher,
    prologue: &[u8],
    psk: &Secret,
    message1: &[u8; MESSAGE],
) -> Result<([u8; MESSAGE], Transport), NoiseError> {
    let (peer, mut tag) = split(message1);
    let mut symmetric = Symmetric::first(cipher, prologue, psk.bytes(), &peer);
    symmetric.open(&mut tag)?;
    let (private, e) = ephemeral()?;
    symmetric.second(&e);
    agree(private, &peer, &mut symmetric)?;
    let tag = symmetric.seal(&mut [])?;
    let [receiving, sending] = symmetric.split()?;
    Ok((join(&e, &tag), Transport::new(sending, receiving, symmetric.hash())))
}

/// What a handshake leaves: a key for each direction, which share nothing and may go to different threads.
pub struct Transport {
    /// Protects what this side sends.
    pub seal: Sealer,
    /// Opens what the other side sent.
    pub open: Opener,
    /// The same 32 bytes on both sides and in no other session.
    pub handshake_hash: [u8; 32],
}

impl Transport {
    fn new(sending: Key, receiving: Key, handshake_hash: [u8; 32]) -> Transport {
        let direction = |key| Some(Direction { key, records: 0, records_per_key: limits::RECORDS_PER_KEY });
        Transport { seal: Sealer(direction(sending)), open: Opener(direction(receiving)), handshake_hash }
    }
}

/// The sending direction.
pub struct Sealer(Option<Direction>);

impl Sealer {
    /// Encrypts the next record in place and returns the tag to send after it.
    ///
    /// # Errors
    /// When the record is longer than [`limits::RECORD`]; every later call fails too.
    pub fn seal(&mut self, plaintext: &mut [u8]) -> Result<[u8; TAG], NoiseError> {
        let sealed = self.0.as_mut().ok_or(NoiseError::Over)?.seal(plaintext);
        if sealed.is_err() {
            self.0 = None;
        }
        sealed
    }
}

/// The receiving direction.
pub struct Opener(Option<Direction>);

impl Opener {
    /// Decrypts the next record, ciphertext and tag, in place and returns the plaintext part of the buffer.
    ///
    /// # Errors
    /// When it is not the very record the peer sealed next; every later call fails too.
    pub fn open<'a>(&mut self, ciphertext_and_tag: &'a mut [u8]) -> Result<&'a mut [u8], NoiseError> {
        let opened = self.0.as_mut().ok_or(NoiseError::Over)?.open(ciphertext_and_tag);
        if opened.is_err() {
            self.0 = None;
        }
        opened
    }
}

/// Noise's CipherState after the handshake.
struct Direction {
    key: Key,
    /// Records so far, and so the counter of the next.
    records: u64,
    /// [`limits::RECORDS_PER_KEY`]; a field so that tests reach a new key after few records.
    records_per_key: u64,
}

impl Direction {
    fn seal(&mut self, plaintext: &mut [u8]) -> Result<[u8; TAG], NoiseError> {
        if plaintext.len() > limits::RECORD {
            return Err(NoiseError::TooLong);
        }
        let tag = self.key.seal(self.counter()?, &[], plaintext)?;
        self.advance()?;
        Ok(tag)
    }

    fn open<'a>(&mut self, sealed: &'a mut [u8]) -> Result<&'a mut [u8], NoiseError> {
        if sealed.len() > limits::RECORD + TAG {
            return Err(NoiseError::TooLong);
        }
        let plaintext = self.key.open(self.counter()?, &[], sealed).map_err(|_| NoiseError::Record)?;
        self.advance()?;
        Ok(plaintext)
    }

    /// The counter of the next record; the largest is REKEY's own.
    fn counter(&self) -> Result<u64, NoiseError> {
        if self.records == u64::MAX { Err(NoiseError::Over) } else { Ok(self.records) }
    }

    /// Counts a record, and goes on to the next key when this one has served long enough. The count itself goes on.
    fn advance(&mut self) -> Result<(), NoiseError> {
        self.records += 1;
        if self.records.is_multiple_of(self.records_per_key) {
            self.key = self.key.next()?;
        }
        Ok(())
    }
}

/// A new key pair for one handshake.
fn ephemeral() -> Result<(EphemeralPrivateKey, [u8; 32]), NoiseError> {
    let private =
        EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| NoiseError::Random)?;
    let public = private.compute_public_key().map_err(|_| NoiseError::Random)?;
    Ok((private, bytes32(public.as_ref())))
}

/// `ee`: mixes in what the two ephemeral keys have in common.
fn agree(private: EphemeralPrivateKey, peer: &[u8; 32], symmetric: &mut Symmetric) -> Result<(), NoiseError> {
    agree_ephemeral(private, &UnparsedPublicKey::new(&X25519, peer), |shared| symmetric.mix_key(shared))
        .map_err(|_| NoiseError::Point)
}

/// A handshake message from its two parts.
fn join(e: &[u8; 32], tag: &[u8; TAG]) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    message.iter_mut().zip(e.iter().chain(tag)).for_each(|(to, from)| *to = *from);
    message
}

/// The two parts of a handshake message.
fn split(message: &[u8; MESSAGE]) -> ([u8; 32], [u8; TAG]) {
    let (mut e, mut tag) = ([0; 32], [0; TAG]);
    e.iter_mut().chain(&mut tag).zip(message).for_each(|(to, from)| *to = *from);
    (e, tag)
}

/// The 32 bytes that `ring` gives as a slice: a SHA-256 value or an X25519 key, never another length.
fn bytes32(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests;
