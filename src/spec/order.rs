//! The one order of a specification: `.` first, each path once, each below a directory that was named before it.

use crate::path::RelPath;
use crate::spec::Kind;

/// How a path can be out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderError {
    /// The first path is not `.`, or `.` is not a directory.
    Root,
    /// The path stands twice, or after one that it should stand before.
    Unsorted,
    /// The path is below something that was not named, or is no directory.
    Orphan,
}

impl std::fmt::Display for OrderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            OrderError::Root => "the first entry must be the directory '.'",
            OrderError::Unsorted => "entries are doubled or not in tree order",
            OrderError::Orphan => "an entry is not below a directory of the specification",
        })
    }
}

impl std::error::Error for OrderError {}

/// Watches over the order of paths as they come.
#[derive(Debug, Default)]
pub(crate) struct Order {
    last: Vec<u8>,
    /// Lengths of those prefixes of `last` that are directories, the shortest (the root's, 0) first.
    dirs: Vec<usize>,
}

impl Order {
    /// Takes the next path.
    pub(crate) fn next(&mut self, path: &RelPath<'_>, kind: Kind) -> Result<(), OrderError> {
        let bytes = path.as_bytes();
        if self.dirs.is_empty() {
            if !path.is_root() || kind != Kind::Dir {
                return Err(OrderError::Root);
            }
            self.dirs.push(0);
            return Ok(());
        }
        // NUL cannot occur, so its place below every byte is free for '/'.
        let rank = |byte: Option<&u8>| byte.map(|&byte| if byte == b'/' { 0 } else { byte });
        let common = common(&self.last, bytes);
        if rank(bytes.get(common)) <= rank(self.last.get(common)) {
            return Err(OrderError::Unsorted);
        }
        let parent = bytes.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        while self.dirs.last().is_some_and(|&length| length > parent) {
            self.dirs.pop();
        }
        // The parent is a named directory if it is a prefix of the last path that was one.
        if self.dirs.last() != Some(&parent) || parent > common {
            return Err(OrderError::Orphan);
        }
        if kind == Kind::Dir {
            self.dirs.push(bytes.len());
        }
        self.last.truncate(common);
        self.last.extend_from_slice(bytes.get(common..).unwrap_or_default());
        Ok(())
    }
}

/// How many bytes two paths begin with that are the same.
fn common(a: &[u8], b: &[u8]) -> usize {
    let (words, others) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let whole = words.iter().zip(others).take_while(|(a, b)| a == b).count() * 8;
    let (a, b) = (a.get(whole..).unwrap_or_default(), b.get(whole..).unwrap_or_default());
    whole + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &[(&str, Kind)]) -> Result<(), OrderError> {
        let mut order = Order::default();
        list.iter().try_for_each(|(path, kind)| order.next(&RelPath::new(path.as_bytes()).unwrap(), *kind))
    }

    #[test]
    fn accepts_a_walk_and_nothing_else() {
        use Kind::{Dir, File, Link};
        assert_eq!(
            check(&[
                ("", Dir),
                ("a", Dir),
                ("a/b", Dir),
                ("a/b/c", File),
                ("a/d", File),
                ("a-b", Dir),
                ("a-b/x", File),
                ("ab", File)
            ]),
            Ok(())
        );
        assert_eq!(check(&[("a", File)]), Err(OrderError::Root));
        assert_eq!(check(&[("", File)]), Err(OrderError::Root));
        assert_eq!(check(&[("", Dir), ("", Dir)]), Err(OrderError::Unsorted));
        assert_eq!(check(&[("", Dir), ("b", File), ("a", File)]), Err(OrderError::Unsorted));
        assert_eq!(check(&[("", Dir), ("a", File), ("a", File)]), Err(OrderError::Unsorted));
        assert_eq!(check(&[("", Dir), ("a-b", Dir), ("a", Dir)]), Err(OrderError::Unsorted));
        assert_eq!(check(&[("", Dir), ("a/b", File)]), Err(OrderError::Orphan));
        assert_eq!(check(&[("", Dir), ("a", File), ("a/b", File)]), Err(OrderError::Orphan));
        assert_eq!(check(&[("", Dir), ("a", Link), ("a/b", File)]), Err(OrderError::Orphan));
        assert_eq!(check(&[("", Dir), ("a", Dir), ("b", File), ("c/d", File)]), Err(OrderError::Orphan));
        assert_eq!(check(&[("", Dir), ("aa", Dir), ("ab/c", File)]), Err(OrderError::Orphan));
    }
}
