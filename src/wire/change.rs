//! The bytes of a change: smsync(4), MESSAGES.

use crate::limits;
use crate::report::{Aspects, Change, Deed, Fate, KINDS};
use crate::wire::WireError;
use crate::wire::codec::{Reader, put_bytes};

pub(super) fn encode(change: &Change, out: &mut Vec<u8>) {
    let kind = KINDS.iter().zip(1..).find(|((kind, _), _)| *kind == change.kind);
    out.push(change.fate as u8);
    out.push(kind.map_or(0, |(_, number)| number));
    out.push(change.deed as u8);
    out.extend_from_slice(&change.aspects.bits().to_be_bytes());
    put_bytes(out, change.path.as_bytes());
    put_bytes(out, &change.target);
    for values in [&change.wanted, &change.found] {
        out.extend_from_slice(&u16::try_from(values.len()).unwrap_or(u16::MAX).to_be_bytes());
        values.iter().for_each(|value| put_bytes(out, value));
    }
}

pub(super) fn decode(body: &mut Reader<'_>) -> Result<Change, WireError> {
    let fate = Fate::from_wire(body.u8()?).ok_or(WireError::Malformed("an unknown fate"))?;
    let kind = usize::from(body.u8()?).checked_sub(1).and_then(|at| KINDS.get(at));
    let (kind, _) = *kind.ok_or(WireError::Malformed("an unknown type"))?;
    let deed = Deed::from_wire(body.u8()?).ok_or(WireError::Malformed("an unknown deed"))?;
    let aspects = Aspects::from_bits(body.u16()?).ok_or(WireError::Malformed("an unknown aspect"))?;
    let path = body.path()?.into_owned();
    let target = body.bytes(limits::LINK)?.into();
    let mut values = || -> Result<Vec<Box<[u8]>>, WireError> {
        if usize::from(body.u16()?) != aspects.iter().count() {
            return Err(WireError::Malformed("another number of values than of aspects"));
        }
        aspects.iter().map(|_| Ok(body.bytes(limits::LINK)?.into())).collect()
    };
    let (wanted, found) = (values()?, values()?);
    Ok(Change { path, fate, kind, deed, aspects, target, wanted, found })
}
