//! Numbers and byte strings in a message: big-endian, lengths before bytes, every one checked.

use crate::limits;
use crate::path::RelPath;
use crate::spec::Time;
use crate::wire::WireError;
use std::borrow::Cow;

/// Takes a message apart.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

type Read<T> = Result<T, WireError>;

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (head, tail) =
            self.0.split_at_checked(length).ok_or(WireError::Malformed("a message is too short"))?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let bytes = self.take(N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| WireError::Malformed("a message is too short"))
    }

    pub(super) fn u8(&mut self) -> Read<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Read<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn hash(&mut self) -> Read<[u8; 32]> {
        self.array()
    }

    /// 0 or 1.
    pub(super) fn bool(&mut self) -> Read<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Malformed("a truth value is neither 0 nor 1")),
        }
    }

    /// A byte string of at most `limit` bytes, its length before it.
    pub(super) fn bytes(&mut self, limit: usize) -> Read<&'a [u8]> {
        let length = usize::from(self.u16()?);
        if length > limit {
            return Err(WireError::Malformed("a text is too long"));
        }
        self.take(length)
    }

    /// A byte string that is valid UTF-8.
    pub(super) fn text(&mut self, limit: usize) -> Read<Cow<'a, str>> {
        std::str::from_utf8(self.bytes(limit)?)
            .map(Cow::Borrowed)
            .map_err(|_| WireError::Malformed("a text is not UTF-8"))
    }

    /// A path below a root.
    pub(super) fn path(&mut self) -> Read<RelPath<'a>> {
        RelPath::new(self.bytes(limits::PATH)?).map_err(|_| WireError::Malformed("a path breaks the rules"))
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// That nothing is left.
    pub(super) fn end(self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Malformed("a message is too long")) }
    }
}

/// Appends a byte string, its length before it. What is longer than 65,535 bytes is cut; no caller has any such.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes.get(..length.into()).unwrap_or(bytes));
}

/// The size of a file, or a part of it.
pub(super) fn size(body: &mut Reader<'_>) -> Result<u64, WireError> {
    let size = body.u64()?;
    if size > limits::FILE_SIZE { Err(WireError::Malformed("a file is too large")) } else { Ok(size) }
}

/// A time of modification.
pub(super) fn time(body: &mut Reader<'_>) -> Result<Time, WireError> {
    let time = Time { sec: body.i64()?, nsec: body.u32()? };
    if time.nsec < 1_000_000_000 { Ok(time) } else { Err(WireError::Malformed("a time is out of range")) }
}

/// A number of errno(3).
pub(super) fn errno(body: &mut Reader<'_>) -> Result<i32, WireError> {
    match i32::try_from(body.u32()?) {
        Ok(errno @ 1..=4095) => Ok(errno),
        _ => Err(WireError::Malformed("an error number is out of range")),
    }
}
