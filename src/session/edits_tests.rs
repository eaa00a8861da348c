//! Edits: what is written makes the new text of the old one, whatever the two are.

use super::*;
use crate::session::text::Bounds;
use crate::spec::Digested;
use crate::sys::{Dir, Spool};

/// A text of these names, each with a number behind it.
fn text(names: &[(u32, u32)]) -> Vec<u8> {
    let mut text = b"#mtree\n. type=dir\n".to_vec();
    for (name, size) in names {
        text.extend_from_slice(format!("./n{name:04} type=file size={size} time=0.000000000\n").as_bytes());
    }
    text
}

fn script(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut script = Vec::new();
    write(&mut &*old, new, &mut script).unwrap();
    script
}

/// Applies a script that comes in pieces of this size.
fn applied(old: &[u8], script: &[u8], size: usize) -> Vec<u8> {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let spool = Spool::create(&Dir::open_root(dir.path()).unwrap()).unwrap();
    // A reader of few bytes: lines of the baseline are longer than what is read of them at once.
    let base = io::BufReader::with_capacity(7, io::Cursor::new(old.to_vec()));
    let mut edited = Edited::new(base, Sink::new(spool, Bounds::default()));
    script.chunks(size).for_each(|piece| edited.write_all(piece).unwrap());
    edited.flush().unwrap();
    let text: Digested = edited.end().unwrap().0.into_text();
    text.into_spool().freeze().unwrap().bytes().to_vec()
}

#[test]
fn little_is_said_of_little() {
    let old = text(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
    let said = |new: &[(u32, u32)]| String::from_utf8(script(&old, &text(new))).unwrap();
    let line = |name, size| format!("+./n{name:04} type=file size={size} time=0.000000000\n");
    assert_eq!(said(&[(1, 1), (2, 2), (3, 3), (4, 4)]), "=6\n");
    assert_eq!(said(&[]), "=2\n-4\n");
    assert_eq!(said(&[(2, 2), (4, 4)]), "=2\n-1\n=1\n-1\n=1\n");
    assert_eq!(said(&[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]), format!("=2\n{}=4\n", line(0, 0)));
    assert_eq!(said(&[(1, 1), (2, 9), (3, 9), (4, 4)]), {
        format!("=3\n-1\n{}-1\n{}=1\n", line(2, 9), line(3, 9))
    });
    let mut none = Vec::new();
    write_none(6, &mut none).unwrap();
    assert_eq!(none, b"=6\n");
}

#[test]
fn any_text_is_made_of_any_other() {
    // A walk through pairs of sets of names and sizes, the bits of a number that goes round.
    let mut bits: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut names = || {
        bits = bits.rotate_left(23).wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        let there = |at: &u32| bits >> at & 1 == 1;
        (0..32).filter(there).map(|at| (at, u32::try_from(bits >> (at + 8) & 3).unwrap())).collect::<Vec<_>>()
    };
    for _ in 0..300 {
        let (old, new) = (text(&names()), text(&names()));
        let script = script(&old, &new);
        for size in [1, 5, script.len()] {
            assert_eq!(applied(&old, &script, size), new);
        }
    }
    // What is no specification at all is told too.
    for (old, new) in [("", "x"), ("x\ny\n", "y\nx\n"), ("a", ""), ("a\nb\n", "a\n\nb\n")] {
        let script = script(old.as_bytes(), new.as_bytes());
        assert!(script.len() < 100, "{old:?} {new:?}");
    }
}
