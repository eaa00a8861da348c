//! [`RelPath`]: the only way a path from a peer, a spec or the command line gets into the program.

use crate::limits;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A path below a root, `a/b/c`; the root itself is empty. Checked: no component is empty, `.`, `..`, longer than
/// [`limits::NAME`] or holds NUL; at most [`limits::PATH`] bytes and [`limits::DEPTH`] components.
///
/// Ordered as a tree is walked: a directory, all that is below it, then its next sibling. That is byte order with `/`
/// below every other byte.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelPath<'a>(Cow<'a, [u8]>);

/// Why bytes are not a [`RelPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// A component is empty: `//`, a leading or a trailing `/`.
    Empty,
    /// A component is `.` or `..`.
    Dots,
    /// A component is longer than [`limits::NAME`].
    NameTooLong,
    /// The path is longer than [`limits::PATH`].
    TooLong,
    /// The path has more than [`limits::DEPTH`] components.
    TooDeep,
    /// A byte is NUL.
    Nul,
}

impl std::fmt::Display for PathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PathError::Empty => "a path has an empty component",
            PathError::Dots => "a path has a component '.' or '..'",
            PathError::NameTooLong => "a name is longer than 255 bytes",
            PathError::TooLong => "a path is longer than 4095 bytes",
            PathError::TooDeep => "a path is deeper than 256 components",
            PathError::Nul => "a path holds a NUL byte",
        })
    }
}

impl std::error::Error for PathError {}

/// Checks one component.
fn check_name(name: &[u8]) -> Result<(), PathError> {
    match name {
        b"" => Err(PathError::Empty),
        b"." | b".." => Err(PathError::Dots),
        _ if name.len() > limits::NAME => Err(PathError::NameTooLong),
        _ if name.contains(&0) => Err(PathError::Nul),
        _ => Ok(()),
    }
}

impl<'a> RelPath<'a> {
    /// The root itself.
    pub const ROOT: RelPath<'static> = RelPath(Cow::Borrowed(b""));

    /// Takes the decoded bytes of a path below a root, without a leading `./`.
    ///
    /// # Errors
    /// When the bytes break one of the rules above.
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Ok(RelPath(bytes));
        }
        if bytes.len() > limits::PATH {
            return Err(PathError::TooLong);
        }
        let mut depth = 0;
        for name in bytes.split(|&byte| byte == b'/') {
            check_name(name)?;
            depth += 1;
        }
        if depth > limits::DEPTH { Err(PathError::TooDeep) } else { Ok(RelPath(bytes)) }
    }

    /// This path with one more component.
    ///
    /// # Errors
    /// When the name is not a component, or the whole grows too long or too deep.
    pub fn join(&self, name: &[u8]) -> Result<RelPath<'static>, PathError> {
        check_name(name)?;
        if name.contains(&b'/') {
            return Err(PathError::Empty);
        }
        if self.is_root() {
            return Ok(RelPath(Cow::Owned(name.to_vec())));
        }
        // What is checked already is not checked again: a scan joins every name of a tree.
        if self.0.len() + 1 + name.len() > limits::PATH {
            return Err(PathError::TooLong);
        }
        if self.components().count() >= limits::DEPTH {
            return Err(PathError::TooDeep);
        }
        Ok(RelPath(Cow::Owned([&self.0, &b"/"[..], name].concat())))
    }

    /// The bytes, empty for the root.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names from the root down.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// The path of the directory that holds this one, and the name in it; `None` for the root.
    #[must_use]
    pub fn split_last(&self) -> Option<(RelPath<'_>, &[u8])> {
        if self.is_root() {
            return None;
        }
        match self.0.iter().rposition(|&byte| byte == b'/') {
            None => Some((RelPath::ROOT, &self.0)),
            Some(at) => {
                let (parent, name) = self.0.split_at(at);
                Some((RelPath(Cow::Borrowed(parent)), name.get(1..).unwrap_or_default()))
            }
        }
    }

    /// The path one component longer than `ancestor` on the way to this one; this one when it is not below.
    #[must_use]
    pub fn next_below(&self, ancestor: &RelPath<'_>) -> RelPath<'_> {
        let begin = if ancestor.is_root() { 0 } else { ancestor.as_bytes().len() + 1 };
        let rest = self.0.get(begin..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'/').map_or(self.0.len(), |length| begin + length);
        RelPath(Cow::Borrowed(self.0.get(..end).unwrap_or(&self.0)))
    }

    /// Whether this is `ancestor` or below it.
    #[must_use]
    pub fn is_within(&self, ancestor: &RelPath<'_>) -> bool {
        ancestor.is_root()
            || self.0.strip_prefix(ancestor.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    }

    /// The same path, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> RelPath<'static> {
        RelPath(Cow::Owned(self.0.into_owned()))
    }

    /// The same path, borrowing from this one.
    #[must_use]
    pub fn borrowed(&self) -> RelPath<'_> {
        RelPath(Cow::Borrowed(&self.0))
    }
}

impl Ord for RelPath<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // NUL cannot occur, so its place below every byte is free for '/'.
        let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
        match self.0.iter().zip(other.0.iter()).find(|(a, b)| a != b) {
            Some((&a, &b)) => rank(a).cmp(&rank(b)),
            None => self.0.len().cmp(&other.0.len()),
        }
    }
}

impl PartialOrd for RelPath<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As people and logs see it: `.` for the root, otherwise the path, escaped.
impl std::fmt::Display for RelPath<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_root() { f.write_str(".") } else { f.write_str(&crate::vis::shown(&self.0)) }
    }
}

impl std::fmt::Debug for RelPath<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath<'_> {
        RelPath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn order_is_the_order_of_a_walk() {
        let walk = ["", "a", "a/b", "a/b/c", "a/b-c", "a\u{1}", "a b", "a-b", "a0", "b"];
        for pair in walk.windows(2) {
            assert!(path(pair[0]) < path(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn refuses_what_could_leave_the_root() {
        let long = "x".repeat(256);
        let far = "x/".repeat(2048);
        let deep = vec!["d"; 257].join("/");
        let table = [
            ("/etc", PathError::Empty),
            ("a//b", PathError::Empty),
            ("a/", PathError::Empty),
            (".", PathError::Dots),
            ("a/../b", PathError::Dots),
            ("..", PathError::Dots),
            (&long, PathError::NameTooLong),
            (&far, PathError::TooLong),
            (&deep, PathError::TooDeep),
            ("a\0b", PathError::Nul),
        ];
        for (text, error) in table {
            assert_eq!(RelPath::new(text.as_bytes()).unwrap_err(), error, "{text}");
        }
        assert!(RelPath::new(vec!["d"; 256].join("/").into_bytes()).is_ok());
    }

    #[test]
    fn within_is_by_component() {
        assert!(path("a/b").is_within(&path("a")));
        assert!(path("a").is_within(&path("a")));
        assert!(!path("ab").is_within(&path("a")));
        assert!(path("x").is_within(&RelPath::ROOT));
    }

    #[test]
    fn splits_and_joins() {
        assert_eq!(path("a/b/c").split_last(), Some((path("a/b"), &b"c"[..])));
        assert_eq!(path("a").split_last(), Some((RelPath::ROOT, &b"a"[..])));
        assert_eq!(RelPath::ROOT.split_last(), None);
        assert_eq!(path("a").join(b"b").unwrap(), path("a/b"));
        assert!(path("a").join(b"..").is_err());
        assert!(path("a").join(b"x/y").is_err());
    }
}
