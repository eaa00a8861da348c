//! One filter rule, by the rules of rsync(1), FILTER RULES: its traits, its pattern, and how it is read.

use crate::limits;
use crate::path::Pattern;
use std::sync::Arc;

/// Which side of a transfer asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It hides what is excluded.
    Sender,
    /// It protects what is excluded.
    Receiver,
}

/// What a rule is besides its pattern, as the sum of single traits; of the name of a file of rules, what the rules in it
/// are unless they say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traits(u16);

impl Traits {
    /// An exclude that neither side applies.
    pub const NONE: Traits = Traits(0);
    /// It includes; without, it excludes.
    pub const INCLUDE: Traits = Traits(1);
    /// The sender applies it.
    pub const SENDER: Traits = Traits(1 << 1);
    /// The receiver applies it.
    pub const RECEIVER: Traits = Traits(1 << 2);
    /// It is for what its pattern does not match.
    pub const NEGATED: Traits = Traits(1 << 3);
    /// It is no obstacle to removing the directory that holds what it matches.
    pub const PERISHABLE: Traits = Traits(1 << 4);
    /// Not a pattern, but the name of a file of rules that any directory may have.
    pub const FILE: Traits = Traits(1 << 5);
    /// The rules of such a file do not go for the directories below.
    pub const HERE_ONLY: Traits = Traits(1 << 6);
    /// Such a file holds patterns only.
    pub const BARE: Traits = Traits(1 << 7);
    /// Such a file is split at white space, not at line ends.
    pub const WORDS: Traits = Traits(1 << 8);
    /// The rules in such a file must not say for which side they are.
    pub const SIDED: Traits = Traits(1 << 9);
    /// Such a file is split at NUL, not at line ends.
    pub const NULS: Traits = Traits(1 << 10);
    /// Both sides.
    pub const BOTH: Traits = Traits::SENDER.and(Traits::RECEIVER);

    const OF_FILES: Traits =
        Traits::HERE_ONLY.and(Traits::BARE).and(Traits::WORDS).and(Traits::SIDED).and(Traits::NULS);
    const ALL: Traits = Traits(0x7ff);

    /// All of both.
    #[must_use]
    pub const fn and(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }

    /// Those that `other` does not have.
    #[must_use]
    pub const fn without(self, other: Traits) -> Traits {
        Traits(self.0 & !other.0)
    }

    /// Whether it has all of `other`.
    #[must_use]
    pub const fn has(self, other: Traits) -> bool {
        self.0 & other.0 == other.0
    }

    /// The number on the wire.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Those of this number.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Option<Traits> {
        if bits & !Traits::ALL.0 == 0 { Some(Traits(bits)) } else { None }
    }

    const fn sides(self) -> Traits {
        Traits(self.0 & Traits::BOTH.0)
    }
}

/// One rule: what its pattern matches is included or excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    traits: Traits,
    pattern: Pattern,
}

impl Rule {
    /// A rule of these traits; `None` when the text is no pattern, or the traits are those of a file of rules.
    #[must_use]
    pub fn new(traits: Traits, text: &[u8]) -> Option<Rule> {
        let file = Traits::FILE.and(Traits::OF_FILES);
        let plain = traits.without(file) == traits && text.len() <= limits::PATH;
        Some(Rule { traits, pattern: Pattern::new(text).filter(|_| plain)? })
    }

    /// Its traits.
    #[must_use]
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// Its pattern.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether this side applies it.
    #[must_use]
    pub fn is_for(&self, side: Side) -> bool {
        self.traits.has(match side {
            Side::Sender => Traits::SENDER,
            Side::Receiver => Traits::RECEIVER,
        })
    }

    /// Whether it decides about this path, of which the first `base` bytes lead to where its file is, and `name` is last.
    pub(super) fn decides(&self, path: &[u8], base: usize, name: &[u8], is_dir: bool) -> bool {
        let path = if self.pattern.is_anchored() { path.get(base..).unwrap_or_default() } else { path };
        self.pattern.matches_named(path, name, is_dir) != self.traits.has(Traits::NEGATED)
    }
}

/// What stands in a list of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A rule.
    Rule(Arc<Rule>),
    /// A file of rules that any directory may have: in its place stand those of the directory at hand, and of those above.
    File(Traits, Box<[u8]>),
}

impl Item {
    /// The item of these traits and this text; `None` when they are neither a rule nor the name of a file.
    #[must_use]
    pub fn new(traits: Traits, text: &[u8]) -> Option<Item> {
        if !traits.has(Traits::FILE) {
            return Rule::new(traits, text).map(|rule| Item::Rule(Arc::new(rule)));
        }
        let named = !matches!(text, b"" | b"." | b"..") && !text.iter().any(|byte| matches!(byte, b'/' | 0));
        let sound = named && text.len() <= limits::NAME && !traits.has(Traits::NEGATED);
        sound.then(|| Item::File(traits, text.into()))
    }

    /// Its traits.
    #[must_use]
    pub fn traits(&self) -> Traits {
        match self {
            Item::Rule(rule) => rule.traits,
            Item::File(traits, _) => *traits,
        }
    }

    /// Its pattern, or the name of the file.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        match self {
            Item::Rule(rule) => rule.pattern.text(),
            Item::File(_, name) => name,
        }
    }
}

/// What a text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<'t> {
    /// One item.
    Item(Item),
    /// Everything before it is void.
    Clear,
    /// The rules of this file stand in its place; they are of these traits.
    Merge(Traits, &'t [u8]),
}

/// Why a text is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleError(pub &'static str);

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for RuleError {}

const LONG: [(&[u8], u8); 9] = [
    (b"exclude", b'-'),
    (b"include", b'+'),
    (b"merge", b'.'),
    (b"dir-merge", b':'),
    (b"hide", b'H'),
    (b"show", b'S'),
    (b"protect", b'P'),
    (b"risk", b'R'),
    (b"clear", b'!'),
];

/// The letter of a rule, and what follows it and the comma that may stand there.
fn letter(text: &[u8]) -> Option<(u8, &[u8])> {
    for (name, letter) in LONG {
        if let Some(rest) = text.strip_prefix(name) {
            match rest {
                [b',', rest @ ..] => return Some((letter, rest)),
                [] => return Some((letter, rest)),
                [next, ..] if next.is_ascii_whitespace() || *next == b'_' => return Some((letter, rest)),
                _ => {}
            }
        }
    }
    match text {
        [letter, b',', rest @ ..] | [letter, rest @ ..] => Some((*letter, rest)),
        [] => None,
    }
}

/// Reads one text as `--exclude` and `--include` take it, or a line of a file of such: a pattern, before which `+ ` or
/// `- ` may stand, or `!`.
///
/// # Errors
/// The text is no pattern.
pub fn plain(text: &[u8], traits: Traits) -> Result<Vec<Said<'_>>, RuleError> {
    match text {
        b"!" => Ok(vec![Said::Clear]),
        [b'-', b' ', rest @ ..] => item(traits.without(Traits::INCLUDE), rest),
        [b'+', b' ', rest @ ..] => item(traits.and(Traits::INCLUDE), rest),
        _ => item(traits, text),
    }
}

fn item<'t>(traits: Traits, text: &[u8]) -> Result<Vec<Said<'t>>, RuleError> {
    let rule = Item::new(traits.without(Traits::OF_FILES.and(Traits::FILE)), text);
    rule.map(|rule| vec![Said::Item(rule)]).ok_or(RuleError("there is no pattern"))
}

/// Reads one rule as `--filter` takes it, or a file of rules has it, for which `file` says what its rules are unless they
/// say otherwise.
///
/// # Errors
/// It is none.
pub fn rule(text: &[u8], file: Traits) -> Result<Vec<Said<'_>>, RuleError> {
    if file.has(Traits::BARE) {
        return item(file, text);
    }
    let (letter, rest) = letter(text).ok_or(RuleError("there is no rule"))?;
    let kind = match letter {
        b'-' | b'+' | b'H' | b'S' | b'P' | b'R' | b'.' | b':' => letter,
        b'!' if rest.iter().all(|byte| matches!(byte, b' ' | b'_')) && rest.len() < 2 => {
            return Ok(vec![Said::Clear]);
        }
        b'!' => return Err(RuleError("'!' stands alone")),
        _ => return Err(RuleError("a rule begins with one of - + . : H S P R ! or its name")),
    };
    let merges = matches!(kind, b'.' | b':');
    let mut traits = file.without(Traits::BOTH).without(Traits::OF_FILES);
    let mut sides = match kind {
        b'H' | b'S' => Traits::SENDER,
        b'P' | b'R' => Traits::RECEIVER,
        _ => Traits::NONE,
    };
    let prefixed = sides != Traits::NONE;
    if matches!(kind, b'+' | b'S' | b'R') {
        traits = traits.and(Traits::INCLUDE);
    }
    let (mut itself, mut rest) = (false, rest);
    let text: &[u8] = loop {
        rest = match rest {
            [] => break b"",
            [b' ' | b'_', text @ ..] => break text,
            [modifier, rest @ ..] => {
                match modifier {
                    b'!' if !merges => traits = traits.and(Traits::NEGATED),
                    b'p' => traits = traits.and(Traits::PERISHABLE),
                    b's' if !prefixed => sides = sides.and(Traits::SENDER),
                    b'r' if !prefixed => sides = sides.and(Traits::RECEIVER),
                    b'-' if merges => traits = traits.and(Traits::BARE),
                    b'+' if merges => traits = traits.and(Traits::BARE).and(Traits::INCLUDE),
                    b'w' if merges => traits = traits.and(Traits::WORDS),
                    b'n' if merges => traits = traits.and(Traits::HERE_ONLY),
                    b'e' if merges => itself = true,
                    b'/' => {
                        return Err(RuleError("the modifier '/' is not known: begin the pattern with '/'"));
                    }
                    _ => return Err(RuleError("an unknown modifier")),
                }
                rest
            }
        };
    };
    if sides != Traits::NONE && file.has(Traits::SIDED) {
        return Err(RuleError("for which side it is says the file already"));
    }
    if !merges {
        return item(traits.and(if sides == Traits::NONE { file.sides() } else { sides }), text);
    }
    traits = traits.and(Traits(file.0 & Traits::NULS.0)).and(match sides {
        Traits::NONE => Traits(file.0 & Traits::BOTH.and(Traits::SIDED).0),
        sides => sides.and(Traits::SIDED),
    });
    let merged = match kind {
        b'.' if text.is_empty() => return Err(RuleError("there is no file")),
        b'.' => Said::Merge(traits, text),
        _ => {
            let file = Item::new(traits.and(Traits::FILE), text);
            Said::Item(file.ok_or(RuleError("the file of a directory is a name without '/'"))?)
        }
    };
    let name = text.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let itself = if itself { item(Traits::BOTH, name)? } else { Vec::new() };
    Ok(itself.into_iter().chain([merged]).collect())
}

/// The texts in a file of rules, with the number of the line that each is on.
pub fn texts(file: &[u8], traits: Traits) -> impl Iterator<Item = (usize, &[u8])> {
    let words = traits.has(Traits::WORDS);
    let ends = move |byte: &u8| match byte {
        0 => traits.has(Traits::NULS),
        b'\n' | b'\r' => !traits.has(Traits::NULS) || words,
        byte => words && byte.is_ascii_whitespace(),
    };
    let mut line = 1;
    file.split(ends)
        .scan(0, move |at, text| {
            let number = line;
            *at += text.len();
            line += text.iter().chain(file.get(*at)).filter(|byte| **byte == b'\n').count();
            *at += 1;
            Some((number, text))
        })
        .filter(move |(_, text)| !text.is_empty() && (words || !matches!(text.first(), Some(b'#' | b';'))))
}
