//! The classic form of mtree(5): a `/set` for each directory, names below it, and `..` back up.

use super::form::{Node, name};
use std::collections::HashMap;
use std::io::{self, Write};

/// Where values begin, and how long a line may be, as `mtree -c` has them.
const INDENT: usize = 15;
const LINE: usize = 80;

/// What `/set` may say: what many neighbours have in common.
const SET: [&[u8]; 7] = [b"type", b"uname", b"uid", b"gname", b"gid", b"mode", b"nlink"];

/// Writes the entries.
///
/// # Errors
/// The output failed.
pub(super) fn write(nodes: &[Node<'_>], mut out: impl Write) -> io::Result<()> {
    out.write_all(b"#mtree\n")?;
    let nodes: Vec<Node<'_>> = nodes.iter().map(one_owner).collect();
    let mut classic = Classic { nodes: &nodes, out: &mut out, set: Vec::new() };
    classic.directory(0)?;
    out.flush()
}

/// Of an owner only the name if there is one, else the number: on a line by itself each replaces what `/set` said of the
/// other.
fn one_owner<'s>(node: &Node<'s>) -> Node<'s> {
    let has = |keyword: &[u8]| node.words.iter().any(|word| name(word) == keyword);
    let (user, group) = (has(b"uname"), has(b"gname"));
    let kept = |word: &&&[u8]| match name(word) {
        b"uid" => !user,
        b"gid" => !group,
        _ => true,
    };
    Node { words: node.words.iter().filter(kept).copied().collect(), ..*node }
}

struct Classic<'c, W: Write> {
    nodes: &'c [Node<'c>],
    out: &'c mut W,
    /// What the last `/set` said.
    set: Vec<&'c [u8]>,
}

impl<'c, W: Write> Classic<'c, W> {
    fn children(&self, directory: usize) -> impl Iterator<Item = (usize, &'c Node<'c>)> + use<'c, W> {
        let nodes = self.nodes;
        let last = nodes.get(directory).map_or(0, |node| node.end);
        let next = move |at: usize| nodes.get(at).filter(|_| at < last).map(|node| (at, node));
        std::iter::successors(next(directory + 1), move |(_, node)| next(node.end))
    }

    /// Writes a directory and all that is below it: first what is no directory, as mtree(8) has it.
    fn directory(&mut self, at: usize) -> io::Result<()> {
        let Some(node) = self.nodes.get(at) else { return Ok(()) };
        let comment = [&b"\n# "[..], node.path, b"\n"].concat();
        self.out.write_all(&comment)?;
        self.set(at)?;
        self.entry(node, 0)?;
        let leaves: Vec<_> = self.children(at).filter(|(_, node)| !node.is_dir).collect();
        for (_, leaf) in leaves {
            self.entry(leaf, 4)?;
        }
        let below: Vec<_> = self.children(at).filter(|(_, node)| node.is_dir).collect();
        for (at, _) in below {
            self.directory(at)?;
        }
        if at > 0 {
            self.out.write_all(comment.get(1..).unwrap_or_default())?;
            self.out.write_all(b"..\n\n")?;
        }
        Ok(())
    }

    /// Says what most of the directory's entries have in common, unless that was said before.
    fn set(&mut self, at: usize) -> io::Result<()> {
        let leaves = self.children(at).any(|(_, node)| !node.is_dir);
        let counted = |node: &Node<'_>| !leaves || !node.is_dir;
        let mut set: Vec<&'c [u8]> = Vec::new();
        for keyword in SET {
            let mut counts: HashMap<&[u8], usize> = HashMap::new();
            let nodes = self.children(at).map(|(_, node)| node).filter(|node| counted(node));
            let words = nodes.filter_map(|node| node.words.iter().find(|word| name(word) == keyword));
            words.for_each(|word| *counts.entry(word).or_default() += 1);
            // Of values that are as frequent, always the same.
            set.extend(counts.into_iter().max_by_key(|(word, count)| (*count, *word)).map(|(word, _)| word));
        }
        // An owner is either a name or a number.
        for (number, by_name) in [(b"uid", b"uname"), (b"gid", b"gname")] {
            if set.iter().any(|word| name(word) == by_name) {
                set.retain(|word| name(word) != number);
            }
        }
        if set.is_empty() || set == self.set {
            return Ok(());
        }
        // What this one does not say would stay as the last one said it.
        if !self.set.is_empty() {
            self.out.write_all(b"/unset all\n")?;
        }
        self.out.write_all(&[&b"/set "[..], &set.join(&b' '), b"\n"].concat())?;
        self.set = set;
        Ok(())
    }

    /// Writes what an entry has that was not set for all.
    fn entry(&mut self, node: &Node<'_>, indent: usize) -> io::Result<()> {
        let last = node.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let mut line = vec![b' '; indent];
        line.extend_from_slice(last);
        let mut column = if line.len() > INDENT { LINE } else { INDENT };
        line.resize(line.len().max(INDENT), b' ');
        for word in node.words.iter().filter(|word| !self.set.contains(word)) {
            if column + word.len() > LINE - 3 {
                line.extend_from_slice(b" \\\n");
                line.extend_from_slice(&[b' '; INDENT]);
                column = INDENT;
            }
            line.push(b' ');
            line.extend_from_slice(word);
            column += word.len() + 1;
        }
        line.push(b'\n');
        self.out.write_all(&line)
    }
}
