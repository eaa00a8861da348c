//! [`Hasher`] and [`Content`]: digests of contents that come in pieces.

use super::text::{digits, hex};
use super::{Algorithm, Algorithms, Digests};
use crc::{CRC_32_CKSUM, Crc, Table};
use md5::{Digest as _, Md5};
use ring::digest;
use ripemd::Ripemd160;
use std::borrow::Cow;

/// The CRC of cksum(1), with the tables that make it six times as fast as the small one.
static CKSUM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_CKSUM);

/// BLAKE3 of a content: the digest of the wire.
#[derive(Default, Debug)]
pub struct Content(blake3::Hasher);

impl Content {
    /// Pieces that end at a multiple of so many bytes of the content are digested fastest: these are as many of BLAKE3's
    /// chunks as the widest instructions take at once. What ends elsewhere takes a quarter longer.
    pub const STEP: u64 = 16 * 1024;

    /// Nothing hashed yet.
    #[must_use]
    pub fn new() -> Content {
        Content::default()
    }

    /// The digest of a content of which all is there.
    #[must_use]
    pub fn of(whole: &[u8]) -> [u8; 32] {
        *blake3::hash(whole).as_bytes()
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Bytes so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.0.count()
    }

    /// The digest of all pieces so far.
    #[must_use]
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// Computes any set of digests over one content.
pub struct Hasher(Vec<(Algorithm, State)>);

impl Hasher {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new(algorithms: Algorithms) -> Hasher {
        Hasher(algorithms.iter().map(|algorithm| (algorithm, State::new(algorithm))).collect())
    }

    /// The digests of a content of which all is there.
    #[must_use]
    pub fn of(algorithms: Algorithms, whole: &[u8]) -> Digests<'static> {
        let mut digests = Digests::default();
        for algorithm in algorithms.iter() {
            let text = match algorithm {
                // Without the state of a hash that may go on: two kilobytes, which small files do not fill.
                Algorithm::Blake3 => hex(&Content::of(whole)).to_vec(),
                _ => {
                    let mut state = State::new(algorithm);
                    state.update(whole);
                    state.finish()
                }
            };
            digests.put(algorithm, Cow::Owned(text));
        }
        digests
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.iter_mut().for_each(|(_, state)| state.update(piece));
    }

    /// The digests of all pieces.
    #[must_use]
    pub fn finish(self) -> Digests<'static> {
        let mut digests = Digests::default();
        for (algorithm, state) in self.0 {
            digests.put(algorithm, Cow::Owned(state.finish()));
        }
        digests
    }
}

/// One digest on its way.
enum State {
    Cksum { crc: crc::Digest<'static, u32, Table<16>>, length: u64 },
    Md5(Md5),
    Rmd160(Ripemd160),
    Sha(Box<digest::Context>),
    Blake3(Box<Content>),
}

impl State {
    fn new(algorithm: Algorithm) -> State {
        let sha = |algorithm| State::Sha(Box::new(digest::Context::new(algorithm)));
        match algorithm {
            Algorithm::Cksum => State::Cksum { crc: CKSUM.digest(), length: 0 },
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Rmd160 => State::Rmd160(Ripemd160::new()),
            Algorithm::Sha1 => sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::Sha256 => sha(&digest::SHA256),
            Algorithm::Sha384 => sha(&digest::SHA384),
            Algorithm::Sha512 => sha(&digest::SHA512),
            Algorithm::Blake3 => State::Blake3(Box::default()),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            State::Cksum { crc, length } => {
                crc.update(piece);
                *length += piece.len() as u64;
            }
            State::Md5(md5) => md5.update(piece),
            State::Rmd160(rmd160) => rmd160.update(piece),
            State::Sha(sha) => sha.update(piece),
            State::Blake3(content) => content.update(piece),
        }
    }

    /// The canonical text.
    fn finish(self) -> Vec<u8> {
        match self {
            State::Cksum { mut crc, mut length } => {
                // POSIX: the length follows the contents, its lowest byte first and without bytes beyond its highest.
                while length > 0 {
                    let [lowest, ..] = length.to_le_bytes();
                    crc.update(&[lowest]);
                    length >>= 8;
                }
                crc.finalize().to_string().into_bytes()
            }
            State::Md5(md5) => digits(&md5.finalize()).collect(),
            State::Rmd160(rmd160) => digits(&rmd160.finalize()).collect(),
            State::Sha(sha) => digits(sha.finish().as_ref()).collect(),
            State::Blake3(content) => digits(&content.finish()).collect(),
        }
    }
}
