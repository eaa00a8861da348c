//! The scope of a round in bytes: rules, what files of rules say, and paths, of which there may be more than one message holds.

use crate::limits;
use crate::path::{Filter, Local, RelPath, Rule, Scope, Traits};
use crate::wire::codec::{Reader, put_bytes};
use crate::wire::message::{Message, Round};
use crate::wire::{Speaker, WireError};

pub(super) const NO_RULE: WireError = WireError::Malformed("a rule is none");

pub(super) fn put_rule(out: &mut Vec<u8>, traits: Traits, text: &[u8]) {
    out.extend_from_slice(&traits.bits().to_be_bytes());
    put_bytes(out, text);
}

pub(super) fn rule<'a>(body: &mut Reader<'a>) -> Result<(Traits, &'a [u8]), WireError> {
    let traits = Traits::from_bits(body.u16()?).ok_or(NO_RULE)?;
    Ok((traits, body.bytes(limits::PATH)?))
}

/// The body of `Rules`.
pub(super) fn put_local(out: &mut Vec<u8>, local: &Local) {
    out.extend_from_slice(&count(local.file));
    put_bytes(out, local.directory.as_bytes());
    out.push(local.clears.into());
    out.extend_from_slice(&count(local.rules.len()));
    local.rules.iter().for_each(|rule| put_rule(out, rule.traits(), rule.pattern().text()));
}

pub(super) fn local(body: &mut Reader<'_>) -> Result<Local, WireError> {
    let file = body.u16()?.into();
    let directory = body.path()?.into_owned();
    let clears = body.bool()?;
    let mut rules = Vec::new();
    for _ in 0..body.u16()? {
        let (traits, text) = rule(body)?;
        rules.push(Rule::new(traits, text).ok_or(NO_RULE)?.into());
    }
    Ok(Local { directory, file, clears, rules })
}

/// A count on the wire.
pub(super) fn count(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

pub(super) fn scope_count(body: &mut Reader<'_>) -> Result<u16, WireError> {
    let count = body.u16()?;
    if usize::from(count) > limits::SCOPE {
        Err(WireError::Malformed("a scope is too large"))
    } else {
        Ok(count)
    }
}

pub(super) fn put_paths(out: &mut Vec<u8>, paths: &[RelPath<'_>]) {
    out.extend_from_slice(&count(paths.len()));
    paths.iter().for_each(|path| put_bytes(out, path.as_bytes()));
}

pub(super) fn paths(body: &mut Reader<'_>) -> Result<Vec<RelPath<'static>>, WireError> {
    (0..scope_count(body)?).map(|_| Ok(body.path()?.into_owned())).collect()
}

/// The scope of these paths, which are in order: one scope, one way to write it.
pub(super) fn in_order(only: Vec<RelPath<'static>>, filter: Filter) -> Result<Scope, WireError> {
    let risen = only.windows(2).all(|pair| match pair {
        [a, b] => a < b && !b.is_within(a),
        _ => true,
    });
    // A scope that is the whole names no path.
    let whole = only.first().is_some_and(RelPath::is_root);
    if risen && !whole {
        Ok(Scope::new(only, filter))
    } else {
        Err(WireError::Malformed("a scope is not in order"))
    }
}

/// Bytes of the paths that one message holds.
fn weight(path: &RelPath<'_>) -> usize {
    path.as_bytes().len() + 2
}

/// Says a round, and before it the paths of its scope when they are too many for one message.
///
/// # Errors
/// The connection broke.
pub fn say_round(speaker: &mut Speaker<'_>, round: Round) -> Result<(), WireError> {
    let only = round.scope.only();
    let room = limits::RECORD / 4;
    if only.len() <= limits::SCOPE && only.iter().map(weight).sum::<usize>() <= room {
        return speaker.say(&Message::Round(round));
    }
    let mut rest = only;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(limits::SCOPE).take_while(|path| {
            bytes += weight(path);
            bytes <= room
        });
        let (now, later) = rest.split_at(fits.count().max(1).min(rest.len()));
        speaker.say(&Message::Paths(now.to_vec()))?;
        rest = later;
    }
    let scope = Scope::new(Vec::new(), round.scope.filter().clone());
    speaker.say(&Message::Round(Round { scope, ..round }))
}

/// The paths that came before their round.
#[derive(Debug, Default)]
pub struct Ahead {
    paths: Vec<RelPath<'static>>,
    bytes: usize,
}

impl Ahead {
    /// Takes some more.
    ///
    /// # Errors
    /// They are too many.
    pub fn take(&mut self, paths: Vec<RelPath<'static>>) -> Result<(), WireError> {
        self.bytes += paths.iter().map(weight).sum::<usize>();
        self.paths.extend(paths);
        if self.paths.len() > limits::PATHS || self.bytes > limits::PATHS_BYTES {
            return Err(WireError::Violation("a scope of too many paths"));
        }
        Ok(())
    }

    /// The round that they belong to, with them.
    ///
    /// # Errors
    /// They are not in order.
    pub fn join(&mut self, round: Round) -> Result<Round, WireError> {
        let Ahead { mut paths, .. } = std::mem::take(self);
        if paths.is_empty() {
            return Ok(round);
        }
        paths.extend(round.scope.only().iter().cloned());
        let scope = in_order(paths, round.scope.filter().clone())?;
        Ok(Round { scope, ..round })
    }
}
