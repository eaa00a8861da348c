//! What can be wrong with a foreign specification, and on which line.

use crate::path::PathError;
use crate::vis::VisError;

/// A line of a foreign specification that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectError {
    /// The line on which the entry starts, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: DialectFault,
}

/// What can be wrong with a line. Texts are fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialectFault {
    /// A name or link target does not decode.
    Vis(VisError),
    /// A path breaks a rule.
    Path(PathError),
    /// A `/` came out of an escape.
    Slash,
    /// A comment holds a line end of a directory's name.
    Comment,
    /// A line starts with `/` and is neither `/set` nor `/unset`.
    Command(String),
    /// `..` or a name after it leaves the root.
    Above,
    /// No dialect has this keyword.
    Keyword(String),
    /// This keyword has no value.
    NoValue(String),
    /// This keyword's value is malformed or out of range.
    Value(String),
    /// A device number in a format whose numbers are not ours.
    DeviceFormat(String),
    /// An entry has no type.
    NoType,
    /// An earlier line gives the path another type.
    Retyped,
    /// An entry is below something that is no directory.
    Orphan,
    /// `.` is no directory.
    Root,
    /// There is no entry at all.
    Empty,
    /// There are more entries than [`crate::limits::SPEC_ENTRIES`].
    TooMany,
}

impl std::fmt::Display for DialectFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DialectFault::Vis(error) => error.fmt(f),
            DialectFault::Path(error) => error.fmt(f),
            DialectFault::Slash => f.write_str("a name holds a '/' written as an escape"),
            DialectFault::Comment => f.write_str(
                "the name of a directory holds a line end, which breaks this comment in two; only forms without \
                 comments can say what is in such a tree",
            ),
            DialectFault::Command(word) => {
                write!(f, "'{word}' is neither '/set' nor '/unset' nor a path below '.'")
            }
            DialectFault::Above => f.write_str("'..' leads out of the tree"),
            DialectFault::Keyword(name) => write!(f, "unknown keyword '{name}'"),
            DialectFault::NoValue(name) => write!(f, "'{name}' has no value"),
            DialectFault::Value(name) => write!(f, "bad value of '{name}'"),
            DialectFault::DeviceFormat(name) => {
                write!(f, "device numbers of format '{name}' mean another device here")
            }
            DialectFault::NoType => f.write_str("an entry has no 'type'"),
            DialectFault::Retyped => f.write_str("an earlier line gives this path another type"),
            DialectFault::Orphan => f.write_str("an entry is below something that is no directory"),
            DialectFault::Root => f.write_str("'.' must be a directory"),
            DialectFault::Empty => f.write_str("there is no entry"),
            DialectFault::TooMany => f.write_str("there are too many entries"),
        }
    }
}

impl std::fmt::Display for DialectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

impl std::error::Error for DialectError {}
