//! Lines of a specification taken apart into words: comments, continuations, blanks.

use crate::vis;
use std::borrow::Cow;

/// A word that is a path when it stands last.
fn is_path(word: &[u8]) -> bool {
    word == b"." || word.starts_with(b"./")
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// One logical line: at least one word, each still encoded.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    /// The number of its first physical line, counted from 1.
    pub(super) number: u64,
    words: Vec<Cow<'a, [u8]>>,
    /// Whether the last word goes on where the next physical line starts.
    cut: bool,
}

impl<'a> Line<'a> {
    /// The path (or `..`, or a command) and the keywords. The path stands first, but last in what `mtree -D` writes;
    /// no keyword can look like a path, so a line tells by itself which it is. (`link= ./x` is a value cut in two.)
    pub(super) fn split(&self) -> (&[u8], &[Cow<'a, [u8]>]) {
        match self.words.as_slice() {
            [words @ .., before, path] if is_path(path) && !before.ends_with(b"=") => {
                (path, self.words.get(..=words.len()).unwrap_or_default())
            }
            [path, words @ ..] => (path, words),
            [] => (&[], &[]),
        }
    }

    /// Takes one physical line; whether the next one belongs to it too.
    fn take(&mut self, text: &'a [u8]) -> bool {
        let mut joins = std::mem::take(&mut self.cut);
        // Vertical tabs and form feeds separate no words, but a line of nothing else is empty to mtree(8).
        if text.iter().all(|byte| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)) {
            return false;
        }
        let mut rest = text;
        loop {
            let start = rest.iter().take_while(|byte| is_blank(byte)).count();
            joins &= start == 0;
            rest = rest.get(start..).unwrap_or_default();
            if matches!(rest.first(), None | Some(b'#')) {
                return false;
            }
            let (word, tail) = rest.split_at(rest.iter().position(is_blank).unwrap_or(rest.len()));
            let goes_on = tail.is_empty() && ends_open(word);
            let word = if goes_on { word.get(..word.len() - 1).unwrap_or_default() } else { word };
            match self.words.last_mut() {
                Some(last) if joins => last.to_mut().extend_from_slice(word),
                _ if word.is_empty() => {}
                _ => self.words.push(Cow::Borrowed(word)),
            }
            if goes_on {
                self.cut = joins || !word.is_empty();
                return true;
            }
            joins = false;
            rest = tail;
        }
    }
}

/// Whether a backslash at the end of a line is one by itself, and not the last byte of an escape such as `\M^\`.
fn ends_open(word: &[u8]) -> bool {
    let mut rest = word;
    while rest.len() > 1 {
        rest = match vis::decode_one(rest) {
            Ok((_, tail)) => tail,
            Err(_) => rest.get(1..).unwrap_or_default(),
        };
    }
    rest == b"\\"
}

/// The logical lines of a text, without the empty ones.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    number: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Lines<'a> {
        Lines { rest: text, number: 0 }
    }

    /// The number of the last physical line that was taken.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next physical line, without its end.
    fn physical(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        let (line, tail) = self.rest.split_at(end);
        self.rest = tail.get(1..).unwrap_or_default();
        self.number += 1;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        while !self.rest.is_empty() {
            let mut line = Line { number: self.number + 1, ..Line::default() };
            while self.physical().is_some_and(|text| line.take(text)) {}
            if !line.words.is_empty() {
                return Some(line);
            }
        }
        None
    }
}
