//! What is kept of a specification is that, in however many parts.

use super::*;
use crate::session::edits;
use crate::spec::Digested;
use crate::sys::Spool;

/// A text of so many files, some of them of another size.
fn text(files: u32, other: impl Fn(u32) -> bool) -> Vec<u8> {
    let mut text = b"#mtree\n. type=dir\n".to_vec();
    for at in 0..files {
        // No two lines are much alike.
        let time = at.wrapping_mul(0x9e37_79b9);
        let size = time % 100_000 + u32::from(other(at));
        text.extend_from_slice(
            format!("./n{at:05} type=file size={size} time={time}.000000000\n").as_bytes(),
        );
    }
    text
}

fn sealed(dir: &Dir, text: &[u8]) -> (Spec, [u8; 32]) {
    let mut spool = Digested::new(Spool::create(dir).unwrap());
    spool.write_all(text).unwrap();
    let digest = spool.digest();
    (Spec::seal(spool.into_spool()).unwrap(), digest)
}

/// Keeps a text under this name.
fn keep(dir: &Dir, name: &[u8], text: &[u8]) -> Baseline {
    let (spec, digest) = sealed(dir, text);
    write(dir, name, &spec, digest).unwrap();
    Baseline::open(dir, name).unwrap()
}

fn read(baseline: &Baseline) -> Vec<u8> {
    let mut text = Vec::new();
    baseline.check().unwrap();
    baseline.text().unwrap().read_to_end(&mut text).unwrap();
    text
}

/// What makes a text of the one that is kept, compressed.
fn packed(baseline: &Baseline, now: &[u8]) -> Vec<u8> {
    let mut edits = Vec::new();
    edits::write(&mut baseline.text().unwrap(), now, &mut edits).unwrap();
    zstd::encode_all(&edits[..], LEVEL).unwrap()
}

#[test]
fn a_text_that_is_compressed_already_is_kept_as_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Dir::open_root(temporary.path()).unwrap();
    let text = text(3000, |_| false);
    let one = keep(&dir, b"0", &text);
    // At a level that nobody compresses at here.
    let packed = zstd::encode_all(&text[..], 19).unwrap();
    let (spec, digest) = sealed(&dir, &text);
    write_packed(&dir, b"1", &packed, (&spec, digest)).unwrap();
    let other = Baseline::open(&dir, b"1").unwrap();
    assert_eq!((read(&one), read(&other)), (text.clone(), text));
    assert_eq!(one.known, other.known);
    assert!(dir.recall(b"1", 1 << 20).unwrap().starts_with(&packed));
}

#[test]
fn a_text_is_kept_with_what_became_of_it() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Dir::open_root(temporary.path()).unwrap();
    let first = text(3000, |_| false);
    assert_eq!(read(&keep(&dir, b"0", &first)), first);
    let mut before = first;
    for round in 1..limits::BASELINE_PARTS + 3 {
        // Some go, some come, some change.
        let files = 3000 + u32::try_from(round * round % 7).unwrap();
        let now = text(files, |at| at % 100 == u32::try_from(round * round % 11).unwrap());
        let baseline = Baseline::open(&dir, (round - 1).to_string().as_bytes()).unwrap();
        assert_eq!(read(&baseline), before);
        let packed = packed(&baseline, &now);
        let (spec, digest) = sealed(&dir, &now);
        let name = round.to_string();
        let extended = baseline.extend(&dir, name.as_bytes(), &packed, (&spec, digest)).unwrap();
        assert_eq!(extended, round != limits::BASELINE_PARTS, "round {round}");
        if !extended {
            assert!(dir.stat(name.as_bytes()).is_err());
            keep(&dir, name.as_bytes(), &now);
        }
        let baseline = Baseline::open(&dir, name.as_bytes()).unwrap();
        assert_eq!(baseline.known, spec.known(digest));
        assert_eq!(read(&baseline), now, "round {round}");
        before = now;
    }
}

#[test]
fn many_edits_are_not_kept_as_such() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Dir::open_root(temporary.path()).unwrap();
    let baseline = keep(&dir, b"0", &text(1000, |_| false));
    let now = text(1000, |at| at % 2 == 0);
    let packed = packed(&baseline, &now);
    let (spec, digest) = sealed(&dir, &now);
    assert!(!baseline.extend(&dir, b"1", &packed, (&spec, digest)).unwrap());
    assert!(dir.stat(b"1").is_err());
}

#[test]
fn edits_that_do_not_fit_are_damage() {
    for edits in ["=4\n", "-4\n", "=2\n=2\n", "=0\n", "x\n", "=\n", "=1", "-x\n"] {
        let mut redone = Redone::new(&b"a\nb\nc\n"[..], edits.as_bytes());
        let mut out = Vec::new();
        let read = redone.read_to_end(&mut out);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData, "{edits:?}");
    }
    let mut out = Vec::new();
    Redone::new(&b"a\nb\nc\n"[..], &b"+x\n=1\n-1\n+y\n+z\n=1\n+e"[..]).read_to_end(&mut out).unwrap();
    assert_eq!(out, b"x\na\ny\nz\nc\ne");
}
