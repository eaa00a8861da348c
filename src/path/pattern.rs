//! One pattern, by the rules of rsync(1), PATTERN MATCHING RULES.

use std::borrow::Cow;

/// A pattern that paths are matched against.
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
    /// The bytes before its first wildcard, and those behind its last one: most paths are told by them.
    head: Vec<u8>,
    tail: Vec<u8>,
    shape: Shape,
}

/// What can be decided by head and tail alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// There is no wildcard.
    Literal,
    /// One `*`, in a pattern that is matched against a name.
    OneStar,
    /// Anything else.
    Other,
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
    /// `[…]`: one byte of a set.
    Class(Box<Set>),
    /// What rsync never matches: a class without an end, a `\` before nothing.
    Never,
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Set([u64; 4]);

impl Set {
    fn add(&mut self, low: u8, high: u8) {
        for byte in low..=high {
            if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
    }

    fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }
}

/// What a token makes of the next byte.
enum Fit {
    Stays,
    Passes,
    Fails,
}

impl Token {
    fn fit(&self, byte: u8) -> Fit {
        let one = |fits| if fits { Fit::Passes } else { Fit::Fails };
        match self {
            Token::Byte(expected) => one(*expected == byte),
            Token::Any => one(byte != b'/'),
            Token::Class(set) => one(byte != b'/' && set.has(byte)),
            Token::Star if byte == b'/' => Fit::Fails,
            Token::Star | Token::DoubleStar => Fit::Stays,
            Token::Never => Fit::Fails,
        }
    }

    fn literal(&self) -> Option<u8> {
        if let Token::Byte(byte) = self { Some(*byte) } else { None }
    }
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
        let double = body.windows(2).any(|pair| pair == b"**");
        let slashes = body.iter().filter(|byte| **byte == b'/').count();
        let mut tokens = tokens(body);
        let separators = tokens.iter().filter(|token| **token == Token::Byte(b'/')).count();
        if !anchored && !double && separators < slashes {
            // As many names are looked at as there are slashes, and one in a class matches none.
            tokens = vec![Token::Never];
        }
        let whole = anchored || slashes > 0 || double;
        let head: Vec<u8> = tokens.iter().map_while(Token::literal).collect();
        let mut tail: Vec<u8> = tokens.iter().rev().map_while(Token::literal).collect();
        tail.reverse();
        let shape = if head.len() == tokens.len() {
            Shape::Literal
        } else if !whole && head.len() + tail.len() + 1 == tokens.len() && tokens.contains(&Token::Star) {
            Shape::OneStar
        } else {
            Shape::Other
        };
        Some(Pattern {
            text: text.to_vec(),
            tokens,
            anchored,
            directory,
            whole,
            starts_anywhere: !anchored && body.starts_with(b"**"),
            ends_anywhere: body.ends_with(b"***"),
            head,
            tail,
            shape,
        })
    }

    /// The text it was made from.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether it begins at the root of the transfer, or of what it was read in.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// With which bytes the last name of a path that it matches begins and ends, if that is certain, and whether it is that
    /// of a directory.
    pub(super) fn gate(&self) -> (Option<u8>, Option<u8>, bool) {
        let first = self.head.first().filter(|_| !self.whole);
        (first.copied(), self.tail.last().copied(), self.directory)
    }

    /// Whether it matches this path, relative to the root of the transfer.
    #[must_use]
    pub fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        let name = path.iter().rposition(|&byte| byte == b'/').and_then(|at| path.get(at + 1..));
        self.matches_named(path, name.unwrap_or(path), is_dir)
    }

    /// The same of a path of which this is the last name: many patterns are held against one path.
    pub(super) fn matches_named(&self, path: &[u8], name: &[u8], is_dir: bool) -> bool {
        if self.directory && !is_dir {
            return false;
        }
        if !self.whole {
            return self.matches_name(name);
        }
        let behind = path.strip_suffix(&self.tail[..]);
        if self.shape == Shape::Literal {
            return behind.is_some_and(|rest| rest.is_empty() || !self.anchored && rest.ends_with(b"/"));
        }
        // A `/` stands before the path, or behind it, for some.
        let after = behind.is_some() || self.starts_anywhere && self.tail.strip_prefix(b"/") == Some(path);
        let before = !self.anchored || path.starts_with(&self.head) || self.ends_anywhere && is_dir;
        if !after || !before {
            return false;
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

    fn matches_name(&self, name: &[u8]) -> bool {
        match self.shape {
            Shape::Literal => name == self.head,
            _ => {
                let fits = name.len() >= self.head.len() + self.tail.len()
                    && name.starts_with(&self.head)
                    && name.ends_with(&self.tail);
                fits && (self.shape == Shape::OneStar || self.accepts(name))
            }
        }
    }

    /// Runs all ways to match at once, so that no pattern costs more than its length times that of the text. One that is
    /// matched against whole paths and not anchored begins at each component.
    fn accepts(&self, text: &[u8]) -> bool {
        let begins = |byte| byte == b'/' && self.whole && !self.anchored;
        let words = self.tokens.len() / 64 + 1;
        let mut both = [0_u64; 2 * SMALL];
        let mut large = Vec::new();
        let states = if words <= SMALL {
            &mut both[..]
        } else {
            large.resize(2 * words, 0);
            &mut large[..]
        };
        let (mut states, mut next) = states.split_at_mut(words.max(SMALL));
        self.mark(states, 0);
        for &byte in text {
            next.fill(0);
            if begins(byte) {
                self.mark(next, 0);
            }
            for (word, bits) in states.iter().enumerate() {
                let mut bits = *bits;
                while bits != 0 {
                    let at = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    match self.tokens.get(at).map(|token| token.fit(byte)) {
                        Some(Fit::Stays) => self.mark(next, at),
                        Some(Fit::Passes) => self.mark(next, at + 1),
                        Some(Fit::Fails) | None => {}
                    }
                }
            }
            std::mem::swap(&mut states, &mut next);
        }
        let end = self.tokens.len();
        states.get(end / 64).is_some_and(|word| word >> (end % 64) & 1 == 1)
    }

    /// Marks a state, and those behind stars, which may stand for nothing.
    fn mark(&self, states: &mut [u64], mut at: usize) {
        while let Some(word) = states.get_mut(at / 64) {
            *word |= 1 << (at % 64);
            if !matches!(self.tokens.get(at), Some(Token::Star | Token::DoubleStar)) {
                return;
            }
            at += 1;
        }
    }
}

/// Words of states that need no memory of their own: patterns of up to 127 tokens.
const SMALL: usize = 2;

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
            (b'\\', []) if escapes => Token::Never,
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
                Some((set, tail)) => {
                    rest = tail;
                    Token::Class(Box::new(set))
                }
                None => Token::Never,
            },
            _ => Token::Byte(byte),
        });
    }
    tokens
}

/// What follows `[`, and what is behind its `]`; `None` when there is none, or an unknown class: nothing matches then.
fn class(text: &[u8]) -> Option<(Set, &[u8])> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let mut set = Set::default();
    // What a `-` would begin a range with.
    let mut low = None;
    loop {
        let byte = *text.get(at)?;
        low = match (byte, low) {
            (b'\\', _) => {
                at += 1;
                let escaped = *text.get(at)?;
                set.add(escaped, escaped);
                Some(escaped)
            }
            (b'-', Some(low)) if text.get(at + 1).is_some_and(|next| *next != b']') => {
                at += 1;
                at += usize::from(text.get(at) == Some(&b'\\'));
                set.add(low, *text.get(at)?);
                None
            }
            (b'[', _) if text.get(at + 1) == Some(&b':') => {
                let inside = text.get(at + 2..)?;
                let end = inside.iter().position(|&byte| byte == b']')?;
                match inside.get(..end).and_then(|inside| inside.strip_suffix(b":")) {
                    Some(name) => {
                        posix(name)?.iter().for_each(|(low, high)| set.add(*low, *high));
                        at += 2 + end;
                        None
                    }
                    None => {
                        set.add(b'[', b'[');
                        Some(b'[')
                    }
                }
            }
            _ => {
                set.add(byte, byte);
                Some(byte)
            }
        };
        at += 1;
        if *text.get(at)? == b']' {
            break;
        }
    }
    if negated {
        set.0.iter_mut().for_each(|word| *word = !*word);
    }
    Some((set, text.get(at + 1..)?))
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
#[path = "pattern_tests.rs"]
mod tests;
