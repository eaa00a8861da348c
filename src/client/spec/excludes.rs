//! A file of patterns as `mtree -X` reads it, turned into patterns that leave the same paths out.

use crate::path::Pattern;

/// The patterns of a file: one a line, `#` starts a comment unless a `\` stands before it.
pub(super) fn patterns(text: &[u8]) -> Vec<Pattern> {
    let lines = text.split(|byte| *byte == b'\n').map(without_comment).filter(|line| !line.is_empty());
    lines.filter_map(|line| Pattern::new(&as_ours(&line)?)).collect()
}

fn without_comment(line: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'#', _) => break,
            (b'\\', [b'#', tail @ ..]) => {
                kept.push(b'#');
                rest = tail;
            }
            (b'\\', [next, tail @ ..]) => {
                kept.extend([b'\\', *next]);
                rest = tail;
            }
            _ => kept.push(byte),
        }
    }
    kept
}

/// A pattern of fnmatch(3) with FNM_PATHNAME, which mtree(8) holds against each name and, when it has a `/`, against the
/// path with `./` before it. `None` for one that matches nothing.
fn as_ours(glob: &[u8]) -> Option<Vec<u8>> {
    let glob = single_stars(glob);
    if !glob.contains(&b'/') {
        return Some(plain(&glob));
    }
    let at = glob.iter().position(|byte| *byte == b'/')?;
    let (first, rest) = glob.split_at(at);
    // The first component of every path is `.`; and none ends in a `/`.
    let starts = matches!(first, b"." | b"*" | b"?" | b"\\." | b"[.]");
    (starts && !rest.ends_with(b"/")).then(|| plain(rest))
}

/// Two stars are one to fnmatch(3), and something else to rsync.
fn single_stars(glob: &[u8]) -> Vec<u8> {
    let (mut text, mut rest, mut class) = (Vec::new(), glob, false);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'\\', [next, tail @ ..]) => {
                text.extend([b'\\', *next]);
                rest = tail;
            }
            (b'*', _) if !class && text.last() == Some(&b'*') && !text.ends_with(b"\\*") => {}
            _ => {
                class = byte == b'[' || class && byte != b']';
                text.push(byte);
            }
        }
    }
    text
}

/// Without a wildcard a backslash is itself to rsync, and never to fnmatch(3).
fn plain(glob: &[u8]) -> Vec<u8> {
    if glob.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
        return glob.to_vec();
    }
    let mut escaped = false;
    let kept = glob.iter().filter(|byte| {
        escaped = **byte == b'\\' && !escaped;
        !escaped
    });
    kept.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_paths_are_left_out() {
        let text = b"# comment\n*.o\n./top\n*/sub/x?\n/never\nsub/never\n**z# all z\n\\#odd\n./a**b\na\\[b\n./dir/\n";
        let patterns = patterns(text);
        for (path, left_out) in [
            ("x.o", true),
            ("d/x.o", true),
            ("top", true),
            ("d/top", false),
            ("sub/xy", true),
            ("d/sub/xy", false),
            ("never", false),
            ("sub/never", false),
            ("d/yz", true),
            ("#odd", true),
            ("acb", true),
            ("a/b", false),
            ("d/acb", false),
            ("a[b", true),
            ("dir", false),
        ] {
            let matches = patterns.iter().any(|pattern| pattern.matches(path.as_bytes(), false));
            assert_eq!(matches, left_out, "{path}");
        }
    }
}
