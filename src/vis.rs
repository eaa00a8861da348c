//! vis(3) encoding of names: the one form we write, and every form mtree(8)'s relatives write.

use std::borrow::Cow;

/// Why a word is not a vis(3) encoding we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisError {
    /// A backslash starts no known escape.
    Escape,
    /// The word decodes to a name with a NUL byte.
    Nul,
    /// The word is valid, but not in the canonical form.
    NotCanonical,
}

impl std::fmt::Display for VisError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            VisError::Escape => "bad vis(3) escape",
            VisError::Nul => "a name holds a NUL byte",
            VisError::NotCanonical => "a name is not in canonical vis(3) form",
        })
    }
}

impl std::error::Error for VisError {}

/// Whether the canonical form writes this byte as itself. The set is what mtree(8), bsdtar and go-mtree all read
/// back alike: printable ASCII but space, `#`, `\`, `=` and the pattern characters.
const fn plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'#' | b'\\' | b'*' | b'?' | b'[' | b'=')
}

/// Whether the canonical form is the name itself. Nearly every name is so, and many bytes are looked at together.
fn is_plain(name: &[u8]) -> bool {
    name.chunks(32).all(|piece| piece.iter().fold(true, |all, &byte| all & plain(byte)))
}

/// Appends the canonical encoding: `\ooo`, three octal digits, for every byte that is not plain.
pub fn encode(name: &[u8], out: &mut Vec<u8>) {
    if is_plain(name) {
        out.extend_from_slice(name);
        return;
    }
    out.reserve(name.len());
    let mut rest = name;
    while let Some(at) = rest.iter().position(|&byte| !plain(byte)) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        if let Some((&byte, tail)) = tail.split_first() {
            out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]);
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
}

/// The name as text for people: canonical encoding, so that nothing a peer chose can drive a terminal or forge a line.
#[must_use]
pub fn shown(name: &[u8]) -> String {
    let mut out = Vec::new();
    // A person reads spaces and patterns better as they are; only what could confuse a terminal or a log is encoded.
    for &byte in name {
        if matches!(byte, b' '..=b'~') && byte != b'\\' { out.push(byte) } else { encode(&[byte], &mut out) }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a character could drive a terminal, forge a line, or change how its neighbours read: control characters, line
/// separators, direction marks, and whatever else Unicode shows as nothing (its `Default_Ignorable_Code_Point`), such as
/// the tags, which can hide whole sentences in a name.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Text from a peer or the system, made fit for a terminal or a log line: valid UTF-8 stays, what [`is_hidden`] becomes
/// `\ooo`.
#[must_use]
pub fn shown_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            out.push_str(&shown(c.encode_utf8(&mut [0; 4]).as_bytes()));
        } else {
            out.push(c);
        }
    }
    out
}

/// JSON made fit for a terminal: what [`is_hidden`] is escaped as JSON does it, which leaves the values as they are. It
/// has such characters in its texts only, if it is written without white space.
#[must_use]
pub fn shown_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Decodes a word that must be in canonical form; borrows it when nothing was encoded.
///
/// # Errors
/// Anything [`encode`] would not have written.
pub fn decode_canonical(word: &[u8]) -> Result<Cow<'_, [u8]>, VisError> {
    if is_plain(word) {
        return Ok(Cow::Borrowed(word));
    }
    let first = word.iter().take_while(|&&byte| plain(byte)).count();
    let (head, mut rest) = word.split_at(first);
    let mut out = Vec::with_capacity(word.len());
    out.extend_from_slice(head);
    while let Some((&byte, tail)) = rest.split_first() {
        if plain(byte) {
            out.push(byte);
            rest = tail;
            continue;
        }
        let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] = rest else {
            return Err(VisError::NotCanonical);
        };
        let value = (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0');
        if value == 0 {
            return Err(VisError::Nul);
        }
        if plain(value) {
            return Err(VisError::NotCanonical);
        }
        out.push(value);
        rest = tail;
    }
    Ok(Cow::Owned(out))
}

/// One escape of any dialect, or one plain byte: the decoded byte (`None` for `\$` and an escaped line end, which stand
/// for nothing) and the rest. The set is libnbcompat's unvis(3), plus go-mtree's `\xHH` and `\"`, plus `\#`.
///
/// # Errors
/// A backslash that starts no known escape.
pub fn decode_one(word: &[u8]) -> Result<(Option<u8>, &[u8]), VisError> {
    let (byte, rest) = match word {
        [b'\\', tail @ ..] => return decode_escape(tail),
        [byte, rest @ ..] => (*byte, rest),
        [] => return Err(VisError::Escape),
    };
    Ok((Some(byte), rest))
}

/// What follows a backslash.
fn decode_escape(tail: &[u8]) -> Result<(Option<u8>, &[u8]), VisError> {
    let simple = |byte: u8, rest| Ok((Some(byte), rest));
    match tail {
        [b'0'..=b'7', ..] => {
            let digits = tail.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            let (octal, rest) = tail.split_at(digits);
            let value = octal.iter().fold(0u16, |value, digit| value << 3 | u16::from(digit - b'0'));
            Ok((Some(u8::try_from(value & 0xff).unwrap_or_default()), rest))
        }
        [b'M', b'-', b'\\', rest @ ..] => simple(b'\\' | 0x80, rest),
        [b'M', b'-', byte, rest @ ..] => simple(byte | 0x80, rest),
        [b'M', b'^', byte, rest @ ..] => simple(control(*byte) | 0x80, rest),
        [b'^', byte, rest @ ..] => simple(control(*byte), rest),
        [b'x', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => simple(high << 4 | low, rest),
            _ => Err(VisError::Escape),
        },
        [b'$' | b'\n', rest @ ..] => Ok((None, rest)),
        [byte, rest @ ..] => simple(
            match byte {
                b'\\' | b'#' | b'"' => *byte,
                b'n' => b'\n',
                b'r' => b'\r',
                b'b' => 8,
                b'a' => 7,
                b'v' => 11,
                b't' => b'\t',
                b'f' => 12,
                b's' => b' ',
                b'E' => 27,
                _ => return Err(VisError::Escape),
            },
            rest,
        ),
        [] => Err(VisError::Escape),
    }
}

/// `^?` is DEL, every other `^x` the control character of x.
const fn control(byte: u8) -> u8 {
    if byte == b'?' { 0x7f } else { byte & 0x1f }
}

/// The value of one hexadecimal digit.
const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Decodes a word of any dialect.
///
/// # Errors
/// An unknown escape, or a NUL byte in the result.
pub fn decode(word: &[u8]) -> Result<Vec<u8>, VisError> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let (byte, tail) = decode_one(rest)?;
        if byte == Some(0) {
            return Err(VisError::Nul);
        }
        out.extend(byte);
        rest = tail;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_goes_round() {
        for a in 1..=255u8 {
            for b in [1, b'\\', b'#', b'0', b' ', b'M', b'-', b'^', 0xa3, 255] {
                let name = [a, b];
                let mut word = Vec::new();
                encode(&name, &mut word);
                assert_eq!(decode_canonical(&word).unwrap().as_ref(), name);
                assert_eq!(decode(&word).unwrap(), name);
            }
        }
    }

    #[test]
    fn only_the_canonical_form_is_canonical() {
        for word in ["\\141", "\\s", "\\n", "\\40", "a b", "a#b", "\\M-a", "*", "\\", "\\400", "caf\u{e9}"] {
            assert!(decode_canonical(word.as_bytes()).is_err(), "{word}");
        }
        assert_eq!(decode_canonical(b"\\000"), Err(VisError::Nul));
    }

    #[test]
    fn reads_what_netbsd_writes() {
        let table: &[(&str, &[u8])] = &[
            ("sp\\sace", b"sp ace"),
            ("\\#hash", b"#hash"),
            ("back\\\\slash", b"back\\slash"),
            ("S\\M-C\\M-#o", b"S\xc3\xa3o"),
            ("\\M^\\#", b"\x9c#"),
            ("\\M-\\x", b"\xdcx"),
            ("\\^[\\^?\\M^?", b"\x1b\x7f\xff"),
            ("\\240", b"\xa0"),
            ("\\a\\b\\t\\n\\v\\f\\r\\E", b"\x07\x08\t\n\x0b\x0c\r\x1b"),
            ("\\x41\\\"", b"A\""),
        ];
        for (word, name) in table {
            assert_eq!(decode(word.as_bytes()).as_deref(), Ok(*name), "{word}");
        }
        for word in ["\\z", "a\\", "\\x4", "\\M", "\\8"] {
            assert!(decode(word.as_bytes()).is_err(), "{word}");
        }
    }

    #[test]
    fn shown_names_cannot_drive_a_terminal() {
        assert_eq!(shown(b"a b\x1b[2J\n\\"), "a b\\033[2J\\012\\134");
        assert_eq!(shown_text("Zo\u{eb}\u{202e}\n"), "Zo\u{eb}\\342\\200\\256\\012");
    }
    #[test]
    fn what_shows_as_nothing_is_shown() {
        for c in "\u{7f}\u{85}\u{9b}\u{ad}\u{200b}\u{2028}\u{202e}\u{2060}\u{2069}\u{fe0f}\u{feff}\u{e0041}\u{e007f}".chars()
        {
            let name = format!("a{c}b");
            assert!(shown_text(&name).is_ascii(), "{c:?}");
            let json = shown_json(&serde_json::to_string(&name).unwrap());
            assert!(json.is_ascii() && !json.contains(is_hidden), "{c:?}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name);
        }
        assert_eq!(shown_json("\"\u{e0041}\u{9b}\""), "\"\\udb40\\udc41\\u009b\"");
        for plain in ["Zo\u{eb} \u{65e5}\u{672c}", "\u{1f600}"] {
            assert_eq!((shown_text(plain), shown_json(plain)), (plain.into(), plain.into()));
        }
    }
}
