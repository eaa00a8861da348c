//! What is made of a text that was sealed is sealed if, and only if, it would be without that, and is the same then.

use super::*;
use crate::sys::{Dir, Spool};
use std::io::Write;

fn written(text: &[u8]) -> Digested {
    let dir = tempfile::tempdir().unwrap();
    let mut written = Digested::new(Spool::create(&Dir::open_root(dir.path()).unwrap()).unwrap());
    written.write_all(text).unwrap();
    written
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// In what the second text differs, where lines that stay do so in their order.
fn renewal(old: &str, new: &str) -> Renewal {
    let (mut renewal, mut old, mut at) = (Renewal::default(), lines(old).into_iter().peekable(), 0);
    for line in lines(new) {
        let stays = old.clone().any(|there| there == line);
        while stays && let Some(gone) = old.next_if(|there| *there != line) {
            renewal.went(gone.trim_end().as_bytes());
        }
        if old.next_if_eq(&line).is_none() {
            renewal.came(at..at + line.len() as u64);
        }
        at += line.len() as u64;
    }
    old.for_each(|gone| renewal.went(gone.trim_end().as_bytes()));
    renewal
}

/// Seals the second text by the first, and finds it as it is without that; gives back whether all of it was parsed.
#[track_caller]
fn whole(old: &str, new: &str) -> bool {
    let base = written(old.as_bytes());
    let digest = base.digest();
    let known = Spec::seal(base.into_spool()).unwrap().known(digest);
    let renewal = renewal(old, new);
    let sealed = Spec::seal_renewed(written(new.as_bytes()), &known, &renewal);
    match (sealed, Spec::seal(written(new.as_bytes()).into_spool())) {
        (Ok(sealed), Ok(spec)) => {
            assert!(sealed.iter().eq(spec.iter()), "{old}{new}");
            assert_eq!((sealed.census(), sealed.keywords()), (spec.census(), spec.keywords()), "{old}{new}");
        }
        (Err(sealed), Err(spec)) => assert_eq!(sealed.to_string(), spec.to_string(), "{old}{new}"),
        (sealed, spec) => panic!("{sealed:?} and {spec:?} of {old}{new}"),
    }
    said(new.as_bytes(), &known, &renewal).is_none()
}

const OLD: &str = "#mtree
. type=dir
./a type=dir mode=0755
./a/f type=file size=7 time=1.000000000
./a/l type=link link=x
./b type=dir
./b/c type=dir
./b/c/f type=file size=8 time=1.000000000
./d type=file size=9 time=1.000000000
";

#[test]
fn little_that_is_new_is_all_that_is_parsed() {
    for (from, to) in [
        ("size=7", "size=8"),
        ("./a/f type=file size=7 time=1.000000000\n", ""),
        ("./b/c/f type=file size=8 time=1.000000000\n", ""),
        ("./b/c type=dir\n./b/c/f type=file size=8 time=1.000000000\n", ""),
        ("./b type=dir\n./b/c type=dir\n./b/c/f type=file size=8 time=1.000000000\n", ""),
        ("./d", "./c type=fifo\n./d"),
        ("./b type", "./aa type=dir\n./aa/x type=dir\n./aa/x/y type=fifo\n./b type"),
        ("time=1.000000000\n./a/l", "time=1.000000000 xattr.user.a=YQ==\n./a/l"),
        (". type=dir\n", ". type=dir mode=0700\n"),
        ("./b/c type=dir\n", "./b/c type=dir mode=0700\n"),
        ("./d type=file size=9 time=1.000000000\n", "./d type=file size=9 time=1.000000000\n./z type=fifo\n"),
    ] {
        let new = OLD.replacen(from, to, 1);
        assert!(new != OLD && !whole(OLD, &new), "{new}");
    }
    // That what is gone may be all that said something of it is found by parsing all.
    assert!(whole(OLD, &OLD.replace("./a type=dir mode=0755", "./a type=dir")));
    assert!(whole(OLD, &OLD.replace("./a/l type=link link=x\n", "")));
}

#[test]
fn what_is_amiss_is_found() {
    for (from, to) in [
        // What is below stays, and the directory is gone, or none any more.
        ("./b/c type=dir\n", ""),
        ("./b/c type=dir\n", "./b/c type=fifo\n"),
        ("./b/c type=dir\n", "./b/b type=dir\n"),
        (". type=dir\n", ". type=fifo\n"),
        (". type=dir\n", ""),
        // What is new is not in place, or below nothing, or not canonical.
        ("./b type=dir\n", "./a/a type=fifo\n./b type=dir\n"),
        ("./b type=dir\n", "./b type=dir\n./b type=dir mode=0700\n"),
        ("./b type=dir\n", "./b type=dir\n./b type=dir\n"),
        ("./d type", "./c/x type=fifo\n./d type"),
        ("./d type", "./a/f/x type=fifo\n./d type"),
        ("./b type=dir\n", "./a/l/x type=fifo\n./b type=dir\n"),
        ("./d type", "./../d type"),
        ("./d type", "./c type=nothing\n./d type"),
        ("./d type", "\n./d type"),
        ("./d type=file size=9 time=1.000000000\n", "./d type=file size=9 time=1.000000000\n./z"),
        ("./d type=file size=9 time=1.000000000\n", "./d type=file size=9 time=1.000000000\n\n"),
        // The first line is no entry, wherever it stands.
        ("#mtree\n", ""),
        ("#mtree\n", "#mtree\n#mtree\n"),
        ("#mtree\n", "#mtree \n"),
        ("./d type", "#mtree\n./d type"),
    ] {
        let new = OLD.replacen(from, to, 1);
        assert!(new != OLD);
        whole(OLD, &new);
        assert!(Spec::seal(written(new.as_bytes()).into_spool()).is_err(), "{new}");
    }
    for new in ["", "#mtree\n", "x", "\n"] {
        whole(OLD, new);
    }
}

#[test]
fn any_text_is_sealed_by_any_other_as_without_it() {
    let paths = ["", "/a", "/a/b", "/a/b/c", "/a/d", "/a-b", "/a-b/x", "/e", "/e/f", "/g"];
    let mut bits: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |of: u64| {
        bits = bits.rotate_left(23).wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        (bits >> 40) % of
    };
    let (mut fast, mut refused) = (0, 0);
    for _ in 0..3000 {
        // A sound one, and one that may have lost what it needs, or had it changed.
        let mut old = String::from("#mtree\n. type=dir\n");
        let mut new = old.clone();
        for path in &paths[1..] {
            let dir = if matches!(*path, "/a" | "/a/b" | "/a-b" | "/e") { "dir" } else { "fifo" };
            old.push_str(&format!(".{path} type={dir}\n"));
            match next(12) {
                0 => {}
                1 => new.push_str(&format!(".{path} type=fifo\n")),
                2 => new.push_str(&format!(".{path} type=dir\n")),
                3 => new.push_str(&format!(".{path} type={dir} mode=0700\n")),
                4 => new.push_str(&format!(".{path}0 type=fifo\n.{path} type={dir}\n")),
                _ => new.push_str(&format!(".{path} type={dir}\n")),
            }
        }
        fast += u32::from(!whole(&old, &new));
        refused += u32::from(Spec::seal(written(new.as_bytes()).into_spool()).is_err());
    }
    assert!(fast > 500 && (500..2500).contains(&refused), "{fast} {refused}");
}
