//! One exclude pattern, by the rules of rsync(1), FILTER RULES.

use std::borrow::Cow;

/// A pattern that leaves paths out.
///
/// `/` at its start anchors it at the root of the transfer; `/` at its end lets it match directories only; one with a
/// `/` elsewhere, or with `**`, is matched against the whole path from any component on, every other against the last
/// name. `*` and `?` do not match `/`, `**` does, `[a-z]` is a class, `\` takes a wildcard literally. `**/` at its
/// start stands for the root too, and `/***` at its end for the directory itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Vec<u8>,
    tokens: Vec<Token>,
    anchored: bool,
    directory: bool,
    whole: bool,
    /// It starts with `**`: a `/` stands before every path.
    starts_anywhere: bool,
    /// It ends with `***`: a `/` stands behind a directory.
    ends_anywhere: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `?`: one byte but `/`.
    Any,
    /// `*`: any bytes but `/`.
    Star,
    /// `**`: any bytes.
    DoubleStar,
    /// `[…]`: one byte of these ranges, or of none of them; never `/`.
    Class {
        negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

impl Pattern {
    /// Reads a pattern. Every text but the empty one, `/` and `//` is one.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Pattern> {
        let anchored = text.starts_with(b"/");
        let body = text.strip_prefix(b"/").unwrap_or(text);
        let (body, directory) = body.strip_suffix(b"/").map_or((body, false), |body| (body, true));
        if body.is_empty() {
            return None;
        }
        let whole = anchored || body.contains(&b'/') || body.windows(2).any(|pair| pair == b"**");
        Some(Pattern {
            text: text.to_vec(),
            tokens: tokens(body),
            anchored,
            directory,
            whole,
            starts_anywhere: !anchored && body.starts_with(b"**"),
            ends_anywhere: body.ends_with(b"***"),
        })
    }

    /// The text it was made from.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether it matches this path, relative to the root of the transfer.
    #[must_use]
    pub fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        if self.directory && !is_dir {
            return false;
        }
        if !self.whole {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            return self.accepts(name);
        }
        let mut text = Cow::Borrowed(path);
        if self.starts_anywhere {
            text = [b"/", path].concat().into();
        }
        if self.ends_anywhere && is_dir {
            text.to_mut().push(b'/');
        }
        self.accepts(&text)
    }

    /// Runs all ways to match at once, so that no pattern costs more than its length times that of the text. One that is
    /// matched against whole paths and not anchored begins at each component.
    fn accepts(&self, text: &[u8]) -> bool {
        let begins = |byte| byte == b'/' && self.whole && !self.anchored;
        let (mut states, mut next) = (vec![false; self.tokens.len() + 1], vec![false; self.tokens.len() + 1]);
        mark(&mut states, &self.tokens, 0);
        for &byte in text {
            next.fill(false);
            if begins(byte) {
                mark(&mut next, &self.tokens, 0);
            }
            for (at, token) in self.tokens.iter().enumerate() {
                if states.get(at) != Some(&true) {
                    continue;
                }
                match token {
                    Token::DoubleStar => mark(&mut next, &self.tokens, at),
                    Token::Star if byte != b'/' => mark(&mut next, &self.tokens, at),
                    Token::Byte(expected) if *expected == byte => mark(&mut next, &self.tokens, at + 1),
                    Token::Any if byte != b'/' => mark(&mut next, &self.tokens, at + 1),
                    Token::Class { negated, ranges } if byte != b'/' => {
                        let inside = ranges.iter().any(|&(low, high)| (low..=high).contains(&byte));
                        if inside != *negated {
                            mark(&mut next, &self.tokens, at + 1);
                        }
                    }
                    _ => {}
                }
            }
            std::mem::swap(&mut states, &mut next);
        }
        states.last() == Some(&true)
    }
}

/// Marks a state, and those behind stars, which may stand for nothing.
fn mark(states: &mut [bool], tokens: &[Token], mut at: usize) {
    while let Some(state) = states.get_mut(at) {
        *state = true;
        if !matches!(tokens.get(at), Some(Token::Star | Token::DoubleStar)) {
            return;
        }
        at += 1;
    }
}

fn tokens(body: &[u8]) -> Vec<Token> {
    // As in rsync, a backslash is an escape only in a pattern that has a wildcard to escape.
    let escapes = body.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
    let mut tokens = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        tokens.push(match (byte, tail) {
            (b'\\', [escaped, tail @ ..]) if escapes => {
                rest = tail;
                Token::Byte(*escaped)
            }
            (b'*', [b'*', ..]) => {
                rest = tail
                    .iter()
                    .position(|&byte| byte != b'*')
                    .and_then(|at| tail.get(at..))
                    .unwrap_or_default();
                Token::DoubleStar
            }
            (b'*', _) => Token::Star,
            (b'?', _) => Token::Any,
            (b'[', _) => match class(tail) {
                Some((class, tail)) => {
                    rest = tail;
                    class
                }
                None => Token::Byte(b'['),
            },
            _ => Token::Byte(byte),
        });
    }
    tokens
}

/// What follows `[`, up to its `]`; `None` when there is none.
fn class(text: &[u8]) -> Option<(Token, &[u8])> {
    let (negated, mut rest) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            [b']', tail @ ..] if !ranges.is_empty() => return Some((Token::Class { negated, ranges }, tail)),
            [b'[', b':', tail @ ..] => {
                let end = tail.windows(2).position(|pair| pair == b":]")?;
                ranges.extend_from_slice(posix(tail.get(..end)?)?);
                tail.get(end + 2..)?
            }
            [b'\\', byte, tail @ ..] => {
                ranges.push((*byte, *byte));
                tail
            }
            [low, b'-', high, tail @ ..] if *high != b']' => {
                ranges.push((*low, *high));
                tail
            }
            [byte, tail @ ..] => {
                ranges.push((*byte, *byte));
                tail
            }
            [] => return None,
        };
    }
}

/// The POSIX classes in the C locale.
fn posix(name: &[u8]) -> Option<&'static [(u8, u8)]> {
    Some(match name {
        b"alpha" => &[(b'a', b'z'), (b'A', b'Z')],
        b"digit" => &[(b'0', b'9')],
        b"alnum" => &[(b'a', b'z'), (b'A', b'Z'), (b'0', b'9')],
        b"upper" => &[(b'A', b'Z')],
        b"lower" => &[(b'a', b'z')],
        b"space" => &[(9, 13), (b' ', b' ')],
        b"blank" => &[(9, 9), (b' ', b' ')],
        b"punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        b"print" => &[(b' ', b'~')],
        b"graph" => &[(b'!', b'~')],
        b"cntrl" => &[(0, 31), (127, 127)],
        b"xdigit" => &[(b'0', b'9'), (b'a', b'f'), (b'A', b'F')],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_rsync_says() {
        // (pattern, path, is it a directory, does it match): the examples of rsync(1), PATTERN MATCHING RULES
        let table = [
            ("*.o", "a/b.o", false, true),
            ("*.o", "b.oo", false, false),
            ("/foo", "foo", false, true),
            ("/foo", "a/foo", false, false),
            ("foo", "a/foo", false, true),
            ("foo/", "foo", false, false),
            ("foo/", "a/foo", true, true),
            ("foo/*/bar", "x/foo/y/bar", false, true),
            ("foo/*/bar", "foo/y/z/bar", false, false),
            ("/foo/**/bar", "foo/y/z/bar", false, true),
            ("/foo/**/bar", "a/foo/y/bar", false, false),
            ("**/bar", "a/b/bar", false, true),
            ("**/bar", "bar", false, true),
            ("/**/bar", "bar", false, false),
            ("a**z", "b/axx/yz", false, true),
            ("?", "ab", false, false),
            ("[a-c]x", "bx", false, true),
            ("[!a-c]x", "bx", false, false),
            ("[]x]", "]", false, true),
            ("[[:digit:]]", "7", false, true),
            ("[", "[", false, true),
            ("\\*", "*", false, true),
            ("\\*", "a", false, false),
            ("back\\slash", "back\\slash", false, true),
            ("foo/***", "foo", true, true),
            ("foo/***", "a/foo", true, true),
            ("foo/***", "foo", false, false),
            ("foo/***", "foo/a/b", false, true),
        ];
        for (pattern, path, is_dir, expected) in table {
            let matched = Pattern::new(pattern.as_bytes()).unwrap().matches(path.as_bytes(), is_dir);
            assert_eq!(matched, expected, "{pattern} on {path}");
        }
        assert!(Pattern::new(b"").is_none() && Pattern::new(b"/").is_none());
    }

    #[test]
    fn no_pattern_is_expensive() {
        let pattern = Pattern::new("*a".repeat(200).as_bytes()).unwrap();
        assert!(!pattern.matches(&[b'a'; 199], false));
        assert!(pattern.matches(&[b'a'; 200], false));
        // The longest of both, begun at each of as many components as there can be: one that were tried anew at each
        // would cost minutes.
        let pattern = Pattern::new(&b"*a/".repeat(1365)).unwrap();
        let path = b"aaaaaaaaaaaaaaa/".repeat(255);
        assert!(!pattern.matches(&path, true));
    }
}
