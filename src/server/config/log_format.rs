//! [`LogFormat`]: the line that is logged of each file.

use crate::config::value;
use crate::report::{Carried, Transfer};
use crate::sys::clock::Local;
use crate::sys::process;
use crate::vis::shown;
use serde::{Deserialize, Deserializer};

/// A text with escapes, as rsyncd.conf has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A value, at least so wide, with its digits in groups or in units if it is a number.
    Value {
        letter: char,
        width: usize,
        left: bool,
        easy: bool,
    },
}

/// What has a value.
const LETTERS: &str = "aBfGhlLmMnopPtuU";

/// What is the same for all files of a session.
#[derive(Debug, Clone, Copy)]
pub struct Where<'w> {
    /// The address of the client.
    pub address: &'w str,
    /// Its name, where that was looked up.
    pub host: Option<&'w str>,
    /// The user, if he has a name.
    pub user: &'w str,
    /// The module.
    pub module: &'w str,
    /// The directory of that.
    pub root: &'w str,
    /// Where in it the round's tree is.
    pub below: &'w str,
}

impl Default for LogFormat {
    fn default() -> LogFormat {
        LogFormat::parse("%o %h [%a] %m (%u) %f %l")
            .unwrap_or(LogFormat { text: String::new(), pieces: Vec::new() })
    }
}

impl LogFormat {
    /// Reads a text in which `%` and a letter stands for a value; between the two there may be a width, to the left with
    /// `-`, and `'` for numbers that are easy to read. `%%` is a `%`.
    fn parse(text: &str) -> Option<LogFormat> {
        let mut pieces = vec![Piece::Text(String::new())];
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let mut plain = |c| match pieces.last_mut() {
                Some(Piece::Text(text)) => text.push(c),
                _ => pieces.push(Piece::Text(c.to_string())),
            };
            if c != '%' {
                plain(c);
                continue;
            }
            let left = rest.next_if_eq(&'-').is_some();
            let mut easy = rest.next_if_eq(&'\'').is_some();
            let mut width = 0_usize;
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                width = width.checked_mul(10)?.checked_add(usize::try_from(digit.to_digit(10)?).ok()?)?;
            }
            easy |= rest.next_if_eq(&'\'').is_some();
            match rest.next()? {
                '%' if width == 0 && !left && !easy => plain('%'),
                letter if LETTERS.contains(letter) && width < 256 => {
                    pieces.push(Piece::Value { letter, width, left, easy });
                }
                _ => return None,
            }
        }
        Some(LogFormat { text: text.to_owned(), pieces })
    }

    /// The line of one file.
    #[must_use]
    pub fn line(&self, at: &Where<'_>, file: &Transfer<'_>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value { letter, width, left, easy } => {
                    let value = value_of(*letter, *easy, at, file);
                    out.push_str(&if *left {
                        format!("{value:<width$}")
                    } else {
                        format!("{value:>width$}")
                    });
                }
            }
        }
        out
    }
}

fn value_of(letter: char, easy: bool, at: &Where<'_>, file: &Transfer<'_>) -> String {
    let path = shown(file.path.as_bytes());
    let or_default = |id: Option<u32>| id.map_or("DEFAULT".to_owned(), |id| id.to_string());
    match letter {
        'a' => at.address.to_owned(),
        'B' => file.mode.map_or("---------".to_owned(), permissions),
        'f' if at.below.is_empty() => path,
        'f' => format!("{}/{path}", at.below),
        'n' => path,
        'G' => or_default(file.gid),
        'U' => or_default(file.uid),
        'h' => at.host.unwrap_or("UNDETERMINED").to_owned(),
        'l' if easy => grouped(file.size),
        'l' => file.size.to_string(),
        'L' => file.target.map_or(String::new(), |target| format!(" -> {}", shown(target))),
        'm' => at.module.to_owned(),
        'M' => file.time.and_then(Local::at).map_or(String::new(), |time| time.numeric().replace(' ', "-")),
        'o' => match file.what {
            Carried::Sent => "send",
            Carried::Received => "recv",
            Carried::Removed => "del.",
        }
        .to_owned(),
        'p' => process::id().to_string(),
        'P' => at.root.to_owned(),
        't' => Local::now().numeric(),
        _ => at.user.to_owned(),
    }
}

/// As ls(1) shows them.
fn permissions(mode: u32) -> String {
    let bit = |at: u32, letter: char| if mode >> at & 1 == 1 { letter } else { '-' };
    let mut letters: Vec<char> = (0..9)
        .rev()
        .map(|at| bit(at, ['x', 'w', 'r'].get(at as usize % 3).copied().unwrap_or('-')))
        .collect();
    for (special, place, with, without) in [(11, 2, 's', 'S'), (10, 5, 's', 'S'), (9, 8, 't', 'T')] {
        if let Some(letter) = letters.get_mut(place).filter(|_| mode >> special & 1 == 1) {
            *letter = if *letter == 'x' { with } else { without };
        }
    }
    letters.into_iter().collect()
}

/// Thousands with commas between them.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for LogFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let letters: Vec<_> = LETTERS.chars().map(|letter| format!("%{letter}")).collect();
        let expected = format!("a text with no other escapes than %% {}", letters.join(" "));
        value::expect(deserializer, &expected, LogFormat::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;

    #[test]
    fn rd_61_escapes() {
        let at =
            Where { address: "10.0.0.1", host: None, user: "ann", module: "m", root: "/srv/m", below: "sub" };
        let path = RelPath::new(&b"d/a\nb"[..]).unwrap();
        let file = Transfer {
            what: Carried::Received,
            path,
            size: 1_234_567,
            mode: Some(0o4755),
            uid: Some(7),
            gid: None,
            time: None,
            target: None,
        };
        for (text, expected) in [
            ("%o %h [%a] %m (%u) %f %l", "recv UNDETERMINED [10.0.0.1] m (ann) sub/d/a\\012b 1234567"),
            ("%n|%P|%B|%U:%G|%L", "d/a\\012b|/srv/m|rwsr-xr-x|7:DEFAULT|"),
            ("%'l|%12l|%-9l|", "1,234,567|     1234567|1234567  |"),
            ("100%%", "100%"),
        ] {
            assert_eq!(LogFormat::parse(text).unwrap().line(&at, &file), expected, "{text}");
        }
        assert_eq!(LogFormat::default().to_string(), "%o %h [%a] %m (%u) %f %l");
        for bad in ["%", "%x", "%5%", "%b", "%999l"] {
            assert!(LogFormat::parse(bad).is_none(), "{bad}");
        }
    }
}
