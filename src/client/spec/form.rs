//! The lines of a specification taken apart, to be written with other words or in another form.

use crate::spec::{Keyword, Keywords, Spec};
use std::io::{self, Write};

/// One entry, in the words of the canonical form.
#[derive(Debug, Clone)]
pub(super) struct Node<'s> {
    /// `.`, or `./` and the path below the root.
    pub(super) path: &'s [u8],
    /// The words after it that are wanted.
    pub(super) words: Vec<&'s [u8]>,
    pub(super) is_dir: bool,
    /// The number of the first entry behind it that is not below it.
    pub(super) end: usize,
}

/// The name of a word's keyword.
pub(super) fn name(word: &[u8]) -> &[u8] {
    let end = word.iter().position(|byte| matches!(byte, b'=' | b'.')).unwrap_or(word.len());
    word.get(..end).unwrap_or_default()
}

/// The entries with these keywords; of an owner that has no name here, the number for it. With `directories`, no others.
pub(super) fn nodes(spec: &Spec, keywords: Keywords, directories: bool) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node<'_>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for line in spec.bytes().split(|byte| *byte == b'\n') {
        let mut words = line.split(|byte| *byte == b' ');
        let path = words.next().unwrap_or_default();
        let all: Vec<&[u8]> = words.collect();
        let is_dir = all.first() == Some(&&b"type=dir"[..]);
        // Neither the signature nor what is behind the last line has any words.
        if all.is_empty() || directories && !is_dir {
            continue;
        }
        let depth = path.iter().filter(|byte| **byte == b'/').count();
        close(&mut nodes, &mut open, depth);
        open.push(nodes.len());
        nodes.push(Node { path, words: chosen(&all, keywords), is_dir, end: 0 });
    }
    close(&mut nodes, &mut open, 0);
    nodes
}

/// Ends what is open below this depth.
fn close(nodes: &mut [Node<'_>], open: &mut Vec<usize>, depth: usize) {
    let end = nodes.len();
    for at in open.drain(depth.min(open.len())..) {
        if let Some(node) = nodes.get_mut(at) {
            node.end = end;
        }
    }
}

fn chosen<'s>(words: &[&'s [u8]], keywords: Keywords) -> Vec<&'s [u8]> {
    let nameless = |keyword: Keyword| {
        keywords.contains(keyword) && !words.iter().any(|word| name(word) == keyword.name().as_bytes())
    };
    let wanted = |word: &&&[u8]| match Keyword::from_name(name(word)) {
        Some(Keyword::Type) => true,
        Some(Keyword::Uid) => keywords.contains(Keyword::Uid) || nameless(Keyword::Uname),
        Some(Keyword::Gid) => keywords.contains(Keyword::Gid) || nameless(Keyword::Gname),
        Some(keyword) => keywords.contains(keyword),
        None => false,
    };
    words.iter().filter(wanted).copied().collect()
}

/// Writes the entries with full paths.
///
/// # Errors
/// The output failed.
pub(super) fn write(nodes: &[Node<'_>], mut out: impl Write) -> io::Result<()> {
    out.write_all(b"#mtree\n")?;
    for node in nodes {
        out.write_all(node.path)?;
        for word in &node.words {
            out.write_all(b" ")?;
            out.write_all(word)?;
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}
