//! Lines as people mean them: continued ones joined, comments and blank ones left out, each with its number.

use super::{At, ConfigErrors};

/// A line that says something.
#[derive(Debug)]
pub struct Line {
    /// Where it starts.
    pub at: At,
    /// What it says: UTF-8 without control characters but tabs, and without blanks at either end.
    pub text: String,
}

/// The lines of a file that say something. A `#` or `;` after blanks starts a comment, a `\` at the end goes on with
/// the next line, whatever that starts with; a byte order mark and carriage returns are ignored.
///
/// `begin` is where the file begins.
pub fn lines(bytes: &[u8], begin: At, errors: &mut ConfigErrors) -> Vec<Line> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (number, raw) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let raw = raw.trim_ascii_end();
        if open.is_none() && matches!(raw.trim_ascii_start(), [] | [b'#' | b';', ..]) {
            continue;
        }
        let (start, mut text) = open.take().unwrap_or((number, Vec::new()));
        match raw.strip_suffix(b"\\") {
            Some(part) => {
                text.extend_from_slice(part);
                open = Some((start, text));
            }
            None => {
                text.extend_from_slice(raw);
                lines.extend(checked(begin.line(start), text, errors));
            }
        }
    }
    lines.extend(open.and_then(|(start, text)| checked(begin.line(start), text, errors)));
    lines
}

/// A whole line, if it is text and says something.
fn checked(at: At, bytes: Vec<u8>, errors: &mut ConfigErrors) -> Option<Line> {
    let Ok(text) = String::from_utf8(bytes) else {
        errors.wrong(at, "the line is not UTF-8");
        return None;
    };
    let text = text.trim();
    if text.contains(|c: char| c.is_control() && c != '\t') {
        errors.wrong(at, "the line holds a control character");
        return None;
    }
    (!text.is_empty()).then(|| Line { at, text: text.to_owned() })
}
