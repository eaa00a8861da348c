//! The bytes of a doubt and of a refusal: smsync(4), MESSAGES.

use crate::report::{Doubt, Refusal, Why};
use crate::wire::WireError;
use crate::wire::codec::{Reader, put_bytes};

pub(super) fn encode_doubt(doubt: &Doubt, out: &mut Vec<u8>) {
    out.push(doubt.why as u8);
    put_bytes(out, doubt.path.as_bytes());
}

pub(super) fn decode_doubt(body: &mut Reader<'_>) -> Result<Doubt, WireError> {
    let why = Why::from_wire(body.u8()?).filter(|why| why.is_doubt());
    let why = why.ok_or(WireError::Malformed("an unknown doubt"))?;
    Ok(Doubt { why, path: body.path()?.into_owned() })
}

pub(super) fn encode(refusal: &Refusal, out: &mut Vec<u8>) {
    out.push(refusal.why as u8);
    out.extend_from_slice(&refusal.removals.to_be_bytes());
    out.extend_from_slice(&refusal.entries.to_be_bytes());
    put_bytes(out, refusal.path.as_bytes());
}

pub(super) fn decode(body: &mut Reader<'_>) -> Result<Refusal, WireError> {
    let why = Why::from_wire(body.u8()?).ok_or(WireError::Malformed("an unknown reason"))?;
    let (removals, entries) = (body.u64()?, body.u64()?);
    Ok(Refusal { why, removals, entries, path: body.path()?.into_owned() })
}
