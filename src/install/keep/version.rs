//! How old versions are called: by the name of their file and the time when another took its place.

use crate::digest::{Content, hex};
use crate::limits;

/// Digits of the digest that stands for a name which has no room.
const DIGITS: usize = 32;

/// What stands before and behind the time in the names of all versions of one file, and of no other.
#[derive(Debug)]
pub(super) struct Named<'n> {
    before: &'n [u8],
    behind: Vec<u8>,
}

impl<'n> Named<'n> {
    /// Of the file of this name, where the time and the `~` before it take so many bytes.
    pub(super) fn new(name: &'n [u8], time: usize) -> Named<'n> {
        if name.len().saturating_add(time) <= limits::NAME {
            return Named { before: name, behind: Vec::new() };
        }
        // Other names may begin like this one, but none has its digest; and at the end, since there stands the time of a
        // file that merely has a name like that.
        let digest = hex(&Content::of(name));
        let behind: Vec<u8> = b"~".iter().chain(&digest).take(DIGITS + 1).copied().collect();
        let room = limits::NAME.saturating_sub(time.saturating_add(behind.len()));
        Named { before: beginning(name, room), behind }
    }

    /// The version of this time, which begins with a `~`.
    pub(super) fn at(&self, time: &[u8]) -> Vec<u8> {
        [self.before, time, &self.behind].concat()
    }

    /// Whether this is a version of it, with a time of so many bytes.
    pub(super) fn has(&self, version: &[u8], time: usize) -> bool {
        let between = version.strip_prefix(self.before).and_then(|rest| rest.strip_suffix(&self.behind[..]));
        between.is_some_and(|between| {
            let mut rest = between.iter().skip(1);
            between.len() == time
                && between.starts_with(b"~")
                && rest.all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'.' | b'Z'))
        })
    }
}

/// As much of the beginning of a name as fits into `room`, without a part of a character.
fn beginning(name: &[u8], room: usize) -> &[u8] {
    let mut end = room.min(name.len());
    if let Ok(text) = std::str::from_utf8(name) {
        while !text.is_char_boundary(end) {
            end -= 1;
        }
    }
    name.get(..end).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &[u8] = b"~20261122T004500.123456Z";
    const LATER: &[u8] = b"~20271122T004500.123456Z";

    fn named(name: &[u8]) -> Named<'_> {
        Named::new(name, TIME.len())
    }

    #[test]
    fn a_name_with_room_stands_whole_before_the_time() {
        for length in [1, 100, 231] {
            let name = vec![b'n'; length];
            assert_eq!(named(&name).at(TIME), [&name, TIME].concat());
        }
    }

    #[test]
    fn a_name_without_room_is_cut_and_has_a_digest() {
        for length in 232..=255 {
            let name = vec![b'n'; length];
            let version = named(&name).at(TIME);
            assert_eq!(version.len(), limits::NAME);
            let digest = blake3::hash(&name).to_hex();
            let expected = [&name[..198], TIME, b"~", &digest.as_bytes()[..32]].concat();
            assert_eq!(version, expected, "{length}");
        }
        // Between characters where it has some, and anywhere else.
        let text = "n".to_owned() + &"\u{20ac}".repeat(80);
        assert!(named(text.as_bytes()).at(TIME).starts_with(&[&text.as_bytes()[..196], TIME].concat()));
        let bytes = [&[0xff], text.as_bytes()].concat();
        assert!(named(&bytes).at(TIME).starts_with(&[&bytes[..198], TIME].concat()));
    }

    #[test]
    fn versions_are_of_one_name_only() {
        let long = "n".repeat(250);
        let alike = "n".repeat(250) + "x";
        let like_cut = String::from_utf8(named(long.as_bytes()).at(TIME)).unwrap();
        let as_version = &like_cut[..231];
        let names: [&str; 8] =
            [&long, &alike, "n", &long[..231], &long[..198], &like_cut, as_version, "n~20261122"];
        for of in names {
            for time in [TIME, LATER] {
                let version = named(of.as_bytes()).at(time);
                for name in names {
                    assert_eq!(named(name.as_bytes()).has(&version, TIME.len()), name == of, "{name} {of}");
                }
            }
        }
        for other in
            [&long[..], &like_cut[1..], "n~", "n~20261122T004500.123456", "n~20261122T004500.12345xZ"]
        {
            assert!(
                !names.iter().any(|name| named(name.as_bytes()).has(other.as_bytes(), TIME.len())),
                "{other}"
            );
        }
    }
}
