//! Specifications that both sides agreed on, kept in the state directory: the next one is told by its difference.

mod file;
mod redone;
mod told;

use crate::digest::{self, Content};
use crate::exit::Exit;
use crate::limits;
use crate::report::Report;
use crate::spec::Spec;
use crate::sys::Dir;
use crate::wire::message::Round;
use crate::wire::{Flags, Message};
use file::damaged;
use std::io;
use std::sync::{Mutex, PoisonError};

pub(super) use file::Baseline;
pub(super) use told::{LEVEL, Packing, Told};

/// The specifications that are kept of rounds that are alike: of one user, one tree, one scope and one way to describe
/// it.
#[derive(Debug)]
pub struct Baselines<'b> {
    place: Option<(&'b Dir, Vec<u8>)>,
    /// Where is put what is told in this round.
    spool: Option<&'b Dir>,
    /// How many of them.
    most: usize,
    /// The one from which a sender tells the difference.
    base: Option<[u8; 32]>,
    /// What was told in this round.
    told: Mutex<Told>,
}

/// What the names of all of them begin with.
const NAME: &[u8] = b"spec-";
/// Digits of a digest in a name. What is in the file tells the whole.
const DIGITS: usize = 32;

impl<'b> Baselines<'b> {
    /// At a client. `names` tell apart all that the round does not tell.
    #[must_use]
    pub fn of_client((state, spool): (&'b Dir, &'b Dir), names: &[Vec<u8>], round: &Round) -> Baselines<'b> {
        let prefix = prefix(names, round);
        let newest = state.newest(&prefix).into_iter().next();
        let newest = newest.and_then(|newest| Baseline::open(state, &newest.name).ok());
        let base = newest.map(|baseline| baseline.known.digest());
        let spool = keeps(round).then_some(spool);
        Baselines { place: Some((state, prefix)), spool, most: 1, base, ..Baselines::none() }
    }

    /// At a server, to which several clients may come; `base` is what the client has that asked.
    #[must_use]
    pub fn of_server(
        (state, spool): (&'b Dir, &'b Dir),
        names: &[Vec<u8>],
        round: &Round,
        base: Option<[u8; 32]>,
    ) -> Baselines<'b> {
        let (place, most) = (Some((state, prefix(names, round))), limits::BASELINES_ALIKE);
        Baselines { place, spool: keeps(round).then_some(spool), most, base, ..Baselines::none() }
    }

    /// Where nothing can be kept.
    #[must_use]
    pub fn none() -> Baselines<'b> {
        Baselines { place: None, spool: None, most: 0, base: None, told: Mutex::default() }
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
        let found = Baseline::open(state, &name).and_then(|baseline| {
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

    /// For what is told in this round: edits of the one of this digest, or all.
    pub(super) fn tell(&self, base: Option<[u8; 32]>) -> Told {
        self.spool.map_or_else(Told::default, |spool| Told::begin(spool, base))
    }

    /// Notes what was told in this round.
    pub(super) fn note(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Keeps the specification of this digest after a round that ended well. That it cannot be written is no failure: the
    /// next one is sent as a whole.
    pub fn after(&self, round: &Round, spec: &Spec, digest: [u8; 32], report: &Report) {
        let Some((state, prefix)) = &self.place else { return };
        let well = report.exit() == Exit::Ok && keeps(round);
        if !well || (spec.bytes().len() as u64) < limits::BASELINE {
            return;
        }
        let name = name(prefix, &digest);
        // What is there already was the last one too: a round that has nothing to do writes nothing.
        if Baseline::open(state, &name).is_ok() {
            return;
        }
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        let kept = told.end().is_some_and(|(base, packed)| match base {
            None => file::write_packed(state, &name, packed.bytes(), (spec, digest)).is_ok(),
            Some(base) => {
                let baseline = Baseline::open(state, &self::name(prefix, &base));
                let baseline = baseline.ok().filter(|baseline| baseline.known.digest() == base);
                baseline.is_some_and(|baseline| {
                    baseline.extend(state, &name, packed.bytes(), (spec, digest)).unwrap_or(false)
                })
            }
        });
        if kept || file::write(state, &name, spec, digest).is_ok() {
            state.forget_oldest(prefix, self.most, u64::MAX);
            state.forget_oldest(NAME, limits::BASELINES, limits::BASELINE_BYTES);
        }
    }
}

/// Whether what such a round tells may be kept.
fn keeps(round: &Round) -> bool {
    !round.flags.has(Flags::DRY_RUN)
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
