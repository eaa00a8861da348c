//! Specifications that both sides agreed on, kept in the state directory: the next one is told by its difference.

use crate::digest::{self, Content, Through};
use crate::exit::Exit;
use crate::limits;
use crate::report::Report;
use crate::spec::{Known, Spec};
use crate::sys::{Dir, Draft, File};
use crate::wire::message::Round;
use crate::wire::{Flags, Message};
use std::io::{self, BufRead, BufReader, Read, Write};

/// The specifications that are kept of rounds that are alike: of one user, one tree, one scope and one way to describe
/// it.
#[derive(Debug)]
pub struct Baselines<'b> {
    place: Option<(&'b Dir, Vec<u8>)>,
    /// How many of them.
    most: usize,
    /// The one from which a sender tells the difference.
    base: Option<[u8; 32]>,
}

/// A specification that is kept.
#[derive(Debug)]
pub(super) struct Baseline {
    file: File,
    /// Bytes of the compressed text at its beginning.
    length: u64,
    /// BLAKE3 of these.
    packed: [u8; 32],
    pub(super) known: Known,
}

/// What the names of all of them begin with.
const NAME: &[u8] = b"spec-";
/// Digits of a digest in a name. What is in the file tells the whole.
const DIGITS: usize = 32;
/// Who wrote a file: another version may have other rules for lines, and what it checked says nothing here.
const WRITER: &str = concat!("smsync ", env!("CARGO_PKG_VERSION"), "\n");
/// Bytes of the digest with which a file ends, and of each other one in it.
const DIGEST: usize = 32;
/// Compression of what is kept: it is to take less time than what it saves.
const LEVEL: i32 = 1;

impl<'b> Baselines<'b> {
    /// At a client. `names` tell apart all that the round does not tell.
    #[must_use]
    pub fn of_client(state: &'b Dir, names: &[Vec<u8>], round: &Round) -> Baselines<'b> {
        let prefix = prefix(names, round);
        let newest = state.newest(&prefix).into_iter().next();
        let newest = newest.and_then(|newest| Baseline::open(state, &newest.name).ok());
        let base = newest.map(|baseline| baseline.known.digest());
        Baselines { place: Some((state, prefix)), most: 1, base }
    }

    /// At a server, to which several clients may come; `base` is what the client has that asked.
    #[must_use]
    pub fn of_server(
        state: &'b Dir,
        names: &[Vec<u8>],
        round: &Round,
        base: Option<[u8; 32]>,
    ) -> Baselines<'b> {
        Baselines { place: Some((state, prefix(names, round))), most: limits::BASELINES_ALIKE, base }
    }

    /// Where nothing can be kept.
    #[must_use]
    pub const fn none() -> Baselines<'b> {
        Baselines { place: None, most: 0, base: None }
    }

    /// The digest of the one from which the difference is told.
    #[must_use]
    pub const fn base(&self) -> Option<[u8; 32]> {
        self.base
    }

    /// The one of this digest. One that is damaged is removed, and as good as none.
    pub(super) fn find(&self, digest: &[u8; 32]) -> Option<Baseline> {
        let (state, prefix) = self.place.as_ref()?;
        let name = name(prefix, digest);
        let found = Baseline::open(state, &name).and_then(|mut baseline| {
            baseline.check()?;
            if baseline.known.digest() == *digest { Ok(baseline) } else { Err(damaged()) }
        });
        match found {
            Ok(baseline) => Some(baseline),
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    let _ = state.remove(&name);
                }
                None
            }
        }
    }

    /// Keeps the specification of this digest after a round that ended well. That it cannot be written is no failure: the
    /// next one is sent as a whole.
    pub fn after(&self, round: &Round, spec: &Spec, digest: [u8; 32], report: &Report) {
        let Some((state, prefix)) = &self.place else { return };
        let well = report.exit() == Exit::Ok && !round.flags.has(Flags::DRY_RUN);
        if !well || (spec.bytes().len() as u64) < limits::BASELINE {
            return;
        }
        let name = name(prefix, &digest);
        // What is there already was the last one too: a round that has nothing to do writes nothing.
        if Baseline::open(state, &name).is_ok() {
            return;
        }
        if write(state, &name, spec, digest).is_ok() {
            state.forget_oldest(prefix, self.most, u64::MAX);
            state.forget_oldest(NAME, limits::BASELINES, limits::BASELINE_BYTES);
        }
    }
}

/// What the names of rounds that are alike begin with.
fn prefix(names: &[Vec<u8>], round: &Round) -> Vec<u8> {
    let Round { direction, keywords, scope, guise, taking, .. } = round;
    // All that the text depends on, and nothing of what becomes of it.
    let text = Round::new(*direction, Flags::NONE, *keywords, scope.clone());
    let text = Message::Round(Round { guise: guise.clone(), taking: *taking, ..text });
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend_from_slice(&(name.len() as u64).to_be_bytes());
        bytes.extend_from_slice(name);
    }
    text.encode(&mut bytes);
    let mut hash = Content::new();
    hash.update(&bytes);
    let hash = digest::hex(&hash.finish());
    [NAME, hash.get(..DIGITS).unwrap_or_default(), b"-"].concat()
}

fn name(prefix: &[u8], digest: &[u8; 32]) -> Vec<u8> {
    [prefix, digest::hex(digest).get(..DIGITS).unwrap_or_default()].concat()
}

/// A file is the compressed text, its digest, what is known of the text, who wrote it, and the digest of these three.
fn write(state: &Dir, name: &[u8], spec: &Spec, digest: [u8; 32]) -> io::Result<()> {
    let packed = Through::new(Draft::begin(state, name)?);
    let mut encoder = zstd::stream::write::Encoder::new(packed, LEVEL)?;
    encoder.write_all(spec.bytes())?;
    let (mut out, packed) = encoder.finish()?.finish();
    let mut end = packed.to_vec();
    end.extend_from_slice(&spec.known(digest).to_bytes());
    end.extend_from_slice(WRITER.as_bytes());
    let mut hash = Content::new();
    hash.update(&end);
    end.extend_from_slice(&hash.finish());
    out.write_all(&end)?;
    out.keep(name)
}

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl Baseline {
    /// Reads the end of a file, which tells what is in it.
    fn open(state: &Dir, name: &[u8]) -> io::Result<Baseline> {
        let (mut file, stat) = state.open_file(name)?;
        let end = DIGEST + Known::BYTES + WRITER.len() + DIGEST;
        let length = stat.size.checked_sub(end as u64).ok_or_else(damaged)?;
        file.seek(length)?;
        let mut end = vec![0; end];
        file.read_exact(&mut end)?;
        let (said, hash) = end.split_last_chunk::<DIGEST>().ok_or_else(damaged)?;
        let mut content = Content::new();
        content.update(said);
        let said = said.strip_suffix(WRITER.as_bytes()).filter(|_| content.finish() == *hash);
        let (packed, known) = said.and_then(<[u8]>::split_first_chunk::<DIGEST>).ok_or_else(damaged)?;
        // The directory is ours alone, only sealed texts are written there, and the digests tell damage.
        let known = Known::from_bytes(known).ok_or_else(damaged)?;
        Ok(Baseline { file, length, packed: *packed, known })
    }

    /// Reads all of it once: what is damaged is not to be found out when half of it is used.
    fn check(&mut self) -> io::Result<()> {
        self.file.seek(0)?;
        let mut content = Content::new();
        let mut buffer = vec![0; limits::RECORD];
        let mut packed = (&self.file).take(self.length);
        loop {
            match packed.read(&mut buffer)? {
                0 => break,
                read => content.update(buffer.get(..read).unwrap_or_default()),
            }
        }
        if content.finish() == self.packed { Ok(()) } else { Err(damaged()) }
    }

    /// Its text, to be read once.
    pub(super) fn text(self) -> io::Result<impl BufRead + Send> {
        self.file.seek(0)?;
        let mut decoder = zstd::stream::read::Decoder::new(self.file.take(self.length))?;
        decoder.window_log_max(limits::SPEC_WINDOW)?;
        Ok(BufReader::with_capacity(limits::RECORD, decoder))
    }
}
