//! Comments that break in two, because the name in them holds a line end.

use super::decode_path;
use super::fault::{DialectError, DialectFault};
use crate::limits;

/// Refuses a classic specification of a directory whose name holds a line end.
///
/// mtree(8), libarchive and go-mtree write the path of a directory twice: as it is into a comment, then encoded as an
/// entry. A line end in the comment ends it, and the rest of the name becomes lines of the specification, with words
/// that whoever made the directory has chosen. They cannot be told from the lines that were meant; but it can be told
/// that there are any, for right after them the same name is there encoded.
pub(super) fn check(text: &[u8]) -> Result<(), DialectError> {
    let (mut line, mut rest) = (0, text);
    while !rest.is_empty() {
        line += 1;
        let (first, next) = split_line(rest);
        // FreeBSD can indent comments.
        let mark = first.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if first.get(mark..).is_some_and(|comment| comment.starts_with(b"# ")) {
            let name = first.iter().rposition(|&byte| byte == b'/').map_or(mark + 2, |at| at + 1);
            if is_broken(rest.get(name..).unwrap_or_default()) {
                return Err(DialectError { line, fault: DialectFault::Comment });
            }
        }
        rest = next;
    }
    Ok(())
}

/// Whether a name with a line end in it starts here, and is the name of the next entry.
fn is_broken(text: &[u8]) -> bool {
    let ends = text.iter().take(limits::NAME + 1).enumerate().filter(|(_, byte)| **byte == b'\n');
    // A whole comment ends at the first.
    ends.skip(1).any(|(end, _)| {
        let (name, after) = text.split_at(end);
        decode_path(next_path(after)).is_ok_and(|path| path == name)
    })
}

/// The path of the next entry, still encoded; empty when none follows.
fn next_path(mut text: &[u8]) -> &[u8] {
    while !text.is_empty() {
        let (line, next) = split_line(text);
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
        match words.next() {
            None | Some(b"/set" | b"/unset") => text = next,
            Some(path) => return path,
        }
    }
    text
}

/// The first line without its end, and what follows.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
    let (line, tail) = text.split_at(end);
    (line, tail.get(1..).unwrap_or_default())
}
