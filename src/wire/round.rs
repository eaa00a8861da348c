//! What one round is, and the bytes of it: smsync(4), MESSAGES.

use crate::limits;
use crate::path::{Filter, Item, RelPath, Scope};
use crate::spec::Keywords;
use crate::terms::{Backup, Chmod, Comparison, Guise, Keeping, Limit, OwnerMap, Taking};
use crate::wire::WireError;
use crate::wire::codec::{Reader, put_bytes};
use crate::wire::scope::{NO_RULE, count, in_order, paths, put_paths, put_rule, rule, scope_count};

/// What a client asks for with a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u32);

impl Flags {
    /// Nothing.
    pub const NONE: Flags = Flags(0);
    /// Compare and report; change nothing.
    pub const DRY_RUN: Flags = Flags(1);
    /// Remove what the sender does not have.
    pub const DELETE: Flags = Flags(1 << 1);
    /// Name each change.
    pub const ITEMIZE: Flags = Flags(1 << 2);
    /// Send contents compressed where that makes them smaller.
    pub const COMPRESS: Flags = Flags(1 << 3);
    /// Send of a large file what the receiver's older one has not.
    pub const DELTA: Flags = Flags(1 << 4);
    const ALL: u32 = 31;

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together when `wanted`.
    #[must_use]
    pub const fn with(self, other: Flags, wanted: bool) -> Flags {
        if wanted { Flags(self.0 | other.0) } else { self }
    }
}

/// Which way the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Push,
    /// From the server to the client.
    Pull,
}

/// What one round is: sent by the client, never more than a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Which way the files go.
    pub direction: Direction,
    /// What is asked for.
    pub flags: Flags,
    /// What the sender's specification is to say.
    pub keywords: Keywords,
    /// Which part of the tree.
    pub scope: Scope,
    /// Which differences count, at the receiver.
    pub comparison: Comparison,
    /// In what guise the sender shows its tree.
    pub guise: Guise,
    /// Whether the sender is to remove what the receiver has then.
    pub remove_source: bool,
    /// What of it the sender takes.
    pub taking: Taking,
    /// What may be removed, and what is kept.
    pub keeping: Keeping,
}

impl Round {
    /// With nothing else asked for.
    #[must_use]
    pub fn new(direction: Direction, flags: Flags, keywords: Keywords, scope: Scope) -> Round {
        Round {
            direction,
            flags,
            keywords,
            scope,
            comparison: Comparison::default(),
            guise: Guise::default(),
            remove_source: false,
            taking: Taking::default(),
            keeping: Keeping::default(),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.direction {
            Direction::Push => 1,
            Direction::Pull => 2,
        });
        out.extend_from_slice(&self.flags.0.to_be_bytes());
        out.extend_from_slice(&self.keywords.bits().to_be_bytes());
        put_paths(out, self.scope.only());
        let items = self.scope.filter().items();
        out.extend_from_slice(&count(items.len()));
        items.iter().for_each(|item| put_rule(out, item.traits(), item.text()));
        out.push(self.comparison.bits());
        out.extend_from_slice(&self.comparison.window.to_be_bytes());
        let Guise { users, groups, chmod } = &self.guise;
        put_bytes(out, users.text());
        put_bytes(out, groups.text());
        put_bytes(out, chmod.text());
        out.extend_from_slice(&u16::try_from(chmod.umask()).unwrap_or_default().to_be_bytes());
        out.push(self.remove_source.into());
        out.push(self.taking.choices());
        out.extend_from_slice(&self.taking.min_size.to_be_bytes());
        out.extend_from_slice(&self.taking.max_size.to_be_bytes());
        encode_keeping(&self.keeping, out);
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Round, WireError> {
        let direction = match body.u8()? {
            1 => Direction::Push,
            2 => Direction::Pull,
            _ => return Err(WireError::Malformed("an unknown direction")),
        };
        let flags = body.u32()?;
        if flags & !Flags::ALL != 0 {
            return Err(WireError::Malformed("an unknown flag"));
        }
        let keywords = Keywords::from_bits(body.u32()?).ok_or(WireError::Malformed("an unknown keyword"))?;
        let only = paths(body)?;
        let mut items = Vec::new();
        for _ in 0..scope_count(body)? {
            let (traits, text) = rule(body)?;
            items.push(Item::new(traits, text).ok_or(NO_RULE)?);
        }
        let scope = in_order(only, Filter::new(items))?;
        let comparison = Comparison::from_bits(body.u8()?, body.u32()?)
            .ok_or(WireError::Malformed("an unknown comparison"))?;
        let guise = decode_guise(body)?;
        let remove_source = body.bool()?;
        let taking = Taking::new(body.u8()?, body.u64()?, body.u64()?)
            .ok_or(WireError::Malformed("an unknown way to take files"))?;
        let keeping = decode_keeping(body)?;
        let flags = Flags(flags);
        Ok(Round { direction, flags, keywords, scope, comparison, guise, remove_source, taking, keeping })
    }
}

fn decode_guise(body: &mut Reader<'_>) -> Result<Guise, WireError> {
    let mut map = || {
        OwnerMap::new(body.bytes(limits::MAPPING)?).ok_or(WireError::Malformed("owners are mapped to nobody"))
    };
    let (users, groups) = (map()?, map()?);
    let text = body.bytes(limits::MAPPING)?;
    let chmod = Chmod::new(text, body.u16()?.into()).ok_or(WireError::Malformed("no change of a mode"))?;
    Ok(Guise { users, groups, chmod })
}

fn encode_keeping(keeping: &Keeping, out: &mut Vec<u8>) {
    let (kind, most) = match keeping.limit {
        Limit::Guard => (0, 0),
        Limit::Count(most) => (1, most),
        Limit::Percent(most) => (2, most.into()),
    };
    out.push(kind);
    out.extend_from_slice(&most.to_be_bytes());
    out.push(keeping.force.into());
    out.push(keeping.backup.is_some().into());
    put_bytes(out, keeping.backup.as_ref().map_or(&[], |backup| backup.dir().as_bytes()));
    put_bytes(out, keeping.backup.as_ref().map_or(&[], Backup::suffix));
    out.extend_from_slice(&u16::try_from(keeping.link_dest.len()).unwrap_or(u16::MAX).to_be_bytes());
    keeping.link_dest.iter().for_each(|path| put_bytes(out, path.as_bytes()));
}

fn decode_keeping(body: &mut Reader<'_>) -> Result<Keeping, WireError> {
    let limit = match (body.u8()?, body.u64()?) {
        (0, 0) => Limit::Guard,
        (1, most) => Limit::Count(most),
        (2, most) => match u8::try_from(most) {
            Ok(most @ 0..=100) => Limit::Percent(most),
            _ => return Err(WireError::Malformed("a percentage is out of range")),
        },
        _ => return Err(WireError::Malformed("an unknown limit")),
    };
    let force = body.bool()?;
    let backed_up = body.bool()?;
    let (dir, suffix) = (body.path()?.into_owned(), body.bytes(limits::NAME)?.to_vec());
    let backup = if backed_up {
        Some(Backup::new(dir, suffix).ok_or(WireError::Malformed("a backup without a name of its own"))?)
    } else if dir.is_root() && suffix.is_empty() {
        None
    } else {
        return Err(WireError::Malformed("the place of no backup"));
    };
    let count = body.u16()?;
    if usize::from(count) > limits::LINK_DEST {
        return Err(WireError::Malformed("too many trees to link from"));
    }
    let link_dest = (0..count).map(|_| body.path().map(RelPath::into_owned)).collect::<Result<_, _>>()?;
    Ok(Keeping { limit, force, backup, link_dest })
}
