//! What the confined process asks of its broker, and what it is answered: a datagram each, of few kinds.

use crate::limits;

/// A question. The confined process may be anybody's by now: there is nothing in it that could be run or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// The name of a user.
    UserName(u32),
    /// The name of a group.
    GroupName(u32),
    /// The number of the user of this name.
    UserId(Vec<u8>),
    /// The number of the group of this name.
    GroupId(Vec<u8>),
    /// The hook before the first round, which is a push or not. Once.
    Before {
        /// Whether it is a push.
        push: bool,
    },
    /// The hook after the last. Once.
    After(Outcome),
    /// What the server is to know of the session.
    Note(Vec<u8>),
}

/// How a session went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Its exit code; `None` if it was killed.
    pub exit: Option<u8>,
    /// Files transferred.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// There is none: no such name or number, no such hook, or not again.
    None,
    /// A number.
    Id(u32),
    /// A name.
    Name(Vec<u8>),
    /// How a hook ended.
    Ended(Ended),
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In which way.
    pub how: How,
    /// The beginning of what it printed, [`limits::TEXT`] bytes at most.
    pub said: Vec<u8>,
}

/// In which way a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With this code.
    Exit(u32),
    /// By this signal.
    Signal(u32),
    /// It was killed when its time was over.
    TimedOut,
    /// It could not be started: the number of the error.
    NotStarted(u32),
}

/// Bytes of the longest message: a kind, a few numbers, and a name, a text or a note.
pub(super) const LONGEST: usize = 64 + most(limits::OWNER, most(limits::TEXT, limits::NOTE));

const fn most(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

fn split<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    let (head, rest) = bytes.split_at_checked(N)?;
    Some((head.try_into().ok()?, rest))
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn name(bytes: &[u8]) -> Option<Vec<u8>> {
    let fits = (1..=limits::OWNER).contains(&bytes.len()) && !bytes.contains(&0);
    fits.then(|| bytes.to_vec())
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Request::UserName(id) => [&[0], &id.to_be_bytes()[..]].concat(),
            Request::GroupName(id) => [&[1], &id.to_be_bytes()[..]].concat(),
            Request::UserId(name) => [&[2], name.as_slice()].concat(),
            Request::GroupId(name) => [&[3], name.as_slice()].concat(),
            Request::Before { push } => vec![4, u8::from(*push)],
            Request::After(Outcome { exit, files, bytes }) => {
                let exit = [u8::from(exit.is_some()), exit.unwrap_or_default()];
                [&[5], &exit[..], &files.to_be_bytes(), &bytes.to_be_bytes()].concat()
            }
            Request::Note(note) => [&[6], note.as_slice()].concat(),
        }
    }

    /// `None` for what is no question.
    pub(super) fn decode(bytes: &[u8]) -> Option<Request> {
        let (kind, rest) = bytes.split_first()?;
        Some(match kind {
            0 => Request::UserName(number(rest)?),
            1 => Request::GroupName(number(rest)?),
            2 => Request::UserId(name(rest)?),
            3 => Request::GroupId(name(rest)?),
            4 => match rest {
                [0] => Request::Before { push: false },
                [1] => Request::Before { push: true },
                _ => return None,
            },
            5 => {
                let ([known, exit], rest) = split(rest)?;
                let (files, rest) = split(rest)?;
                let (bytes, rest) = split(rest)?;
                let exit = match known {
                    0 => None,
                    1 => Some(exit),
                    _ => return None,
                };
                let (files, bytes) = (u64::from_be_bytes(files), u64::from_be_bytes(bytes));
                rest.is_empty().then_some(Request::After(Outcome { exit, files, bytes }))?
            }
            6 => Request::Note((1..=limits::NOTE).contains(&rest.len()).then(|| rest.to_vec())?),
            _ => return None,
        })
    }
}

impl Reply {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Reply::None => vec![0],
            Reply::Id(id) => [&[1], &id.to_be_bytes()[..]].concat(),
            Reply::Name(name) => [&[2], name.as_slice()].concat(),
            Reply::Ended(Ended { how, said }) => {
                let (kind, number) = match how {
                    How::Exit(code) => (3, *code),
                    How::Signal(signal) => (4, *signal),
                    How::TimedOut => (5, 0),
                    How::NotStarted(errno) => (6, *errno),
                };
                [&[kind], &number.to_be_bytes()[..], said].concat()
            }
        }
    }

    /// `None` for what is no answer.
    pub(super) fn decode(bytes: &[u8]) -> Option<Reply> {
        let (kind, rest) = bytes.split_first()?;
        let ended = |how: fn(u32) -> How| {
            let (head, said) = rest.split_at_checked(4)?;
            Some(Reply::Ended(Ended { how: how(number(head)?), said: said.to_vec() }))
        };
        match kind {
            0 => rest.is_empty().then_some(Reply::None),
            1 => number(rest).map(Reply::Id),
            2 => name(rest).map(Reply::Name),
            3 => ended(How::Exit),
            4 => ended(How::Signal),
            5 => ended(|_| How::TimedOut),
            6 => ended(How::NotStarted),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let outcome = Outcome { exit: Some(77), files: u64::MAX, bytes: 5 };
        for request in [
            Request::UserName(0),
            Request::GroupName(u32::MAX),
            Request::UserId(b"ann".to_vec()),
            Request::GroupId(vec![b'g'; limits::OWNER]),
            Request::Before { push: true },
            Request::After(outcome),
            Request::After(Outcome::default()),
            Request::Note(vec![0; limits::NOTE]),
        ] {
            let bytes = request.encode();
            assert!(bytes.len() <= LONGEST);
            assert_eq!(Request::decode(&bytes), Some(request));
        }
        let said = vec![b'x'; limits::TEXT];
        for how in [How::Exit(1), How::Signal(9), How::TimedOut, How::NotStarted(2)] {
            let reply = Reply::Ended(Ended { how, said: said.clone() });
            assert!(reply.encode().len() <= LONGEST);
            assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        }
        for reply in [Reply::None, Reply::Id(7), Reply::Name(b"ann".to_vec())] {
            assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        }
    }

    #[test]
    fn nothing_else_is_a_question() {
        let long = [&[2][..], &vec![b'a'; limits::OWNER + 1]].concat();
        for bytes in [
            &b""[..],
            b"\0",
            b"\0\0\0\0\0\0",
            b"\x02",
            b"\x02a\0b",
            &long,
            b"\x04",
            b"\x04\x02",
            b"\x04\0\0",
            b"\x05\x01\0",
            &[5, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            b"\x06",
            &[6; limits::NOTE + 2],
            b"\xff/bin/sh",
        ] {
            assert_eq!(Request::decode(bytes), None, "{bytes:?}");
        }
    }
}
