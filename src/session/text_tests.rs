//! Compressed text from a peer that wishes us to run out of disk, memory or sense.

use super::*;
use crate::exit::Exit;
use crate::sys::Dir;

const LIMIT: u64 = 100_000;

fn sink(bounds: Bounds) -> Sink {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    Sink::new(Spool::create(&Dir::open_root(dir.path()).unwrap()).unwrap(), bounds)
}

/// Of which little may come from nothing.
fn text() -> Text {
    Text::whole(Sink { granted: LIMIT, ..sink(Bounds::default()) }, Told::default()).unwrap()
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 1).unwrap()
}

fn digest(plain: &[u8]) -> [u8; 32] {
    *blake3::hash(plain).as_bytes()
}

/// Takes these pieces, and then the end.
fn taken(pieces: &[&[u8]], digest: &[u8; 32]) -> Result<Vec<u8>, Error> {
    let mut text = text();
    pieces.iter().try_for_each(|piece| text.take(piece))?;
    Ok(text.end(digest)?.text.into_spool().freeze().unwrap().bytes().to_vec())
}

#[track_caller]
fn assert_refused(done: Result<Vec<u8>, Error>, words: &str) {
    let error = done.map(|text| text.len()).unwrap_err();
    assert_eq!((error.exit(), error.to_string().contains(words)), (Exit::Protocol, true), "{error}");
}

#[test]
fn what_was_sent_arrives_in_any_pieces() {
    let plain = b"#mtree\n. type=dir\n".repeat(100);
    let packed = compressed(&plain);
    for size in [1, 7, packed.len()] {
        let pieces: Vec<_> = packed.chunks(size).collect();
        assert_eq!(taken(&pieces, &digest(&plain)).unwrap(), plain);
    }
    // Nothing at all is a text of no bytes; that it is no specification is found when it is sealed.
    assert_eq!(taken(&[], &digest(b"")).unwrap(), b"");
    // A frame behind a frame goes on with the text: the digest says where it ends.
    let two = [compressed(b"one"), compressed(b"two")].concat();
    assert_eq!(taken(&[&two], &digest(b"onetwo")).unwrap(), b"onetwo");
}

/// So many bytes go in, and not one more, which ends with this exit code and these words.
#[track_caller]
fn assert_holds(mut sink: Sink, limit: u64, exit: Exit, words: &str) {
    sink.write_all(&vec![b'x'; usize::try_from(limit).unwrap()]).unwrap();
    sink.write_all(b"x").unwrap_err();
    assert_eq!(sink.written(), limit);
    let error = sink.failed.unwrap();
    assert_eq!((error.exit(), error.to_string().contains(words)), (exit, true), "{error}");
}

#[test]
fn a_text_may_be_as_long_as_the_limit_and_not_a_byte_longer() {
    let few = Bounds { max_files: Some(3), free: None };
    assert_holds(
        sink(few),
        (1 << 20) + 3 * 16 * 1024,
        Exit::Refused,
        "than 3 entries can have ('max files')",
    );
    // What is described here takes as much once more, and what is kept half of that.
    let full = Bounds { max_files: Some(3), free: Some(LIMIT / 2 * 5 + 4) };
    assert_holds(sink(full), LIMIT, Exit::Io, "into the spool directory: No space");
    let granted = |bytes| {
        let mut sink = Sink { granted: LIMIT, ..sink(Bounds::default()) };
        sink.grant(bytes);
        sink
    };
    assert_holds(granted(0), LIMIT, Exit::Protocol, "too large");
    assert_holds(granted(7), LIMIT + 7, Exit::Protocol, "too large");
    assert_eq!(granted(u64::MAX).granted, limits::SPEC_BYTES);
}

/// Four gibibytes of memory, so only where `SMSYNC_SIZES` is set, as by `make soak`.
#[test]
fn gigabytes_of_a_specification() {
    if std::env::var_os("SMSYNC_SIZES").is_none() {
        return;
    }
    let mut sink = sink(Bounds::default());
    sink.grant(u64::MAX);
    let piece = vec![b'x'; 1 << 20];
    while limits::SPEC_BYTES - sink.written() > piece.len() as u64 {
        sink.write_all(&piece).unwrap();
    }
    let rest = usize::try_from(limits::SPEC_BYTES - sink.written()).unwrap();
    sink.write_all(&piece[..rest]).unwrap();
    assert_eq!(sink.written(), limits::SPEC_BYTES);
    sink.write_all(b"x").unwrap_err();
    assert!(sink.failed.unwrap().to_string().contains("too large"));
}

#[test]
fn a_bomb_does_not_go_off() {
    // 64 MiB of zeros in a few kilobytes.
    let bomb = compressed(&vec![0; 64 << 20]);
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let mut text = text();
    let error = text.take(&bomb).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    let (written, most) = (text.written(), LIMIT + bomb.len() as u64 * limits::SPEC_RATIO);
    assert!(written <= most, "{written}");
}

#[test]
fn what_is_no_compressed_text_is_refused() {
    let plain = b"#mtree\n. type=dir\n".repeat(100);
    let packed = compressed(&plain);
    let words = "does not decompress";
    assert_refused(taken(&[b"#mtree\n. type=dir\n"], &digest(b"")), words);
    assert_refused(taken(&[&packed, b"garbage"], &digest(&plain)), words);
    let other = "not the one that was sent";
    assert_refused(taken(&[&packed], &digest(b"")), other);
    assert_refused(taken(&[&packed[..packed.len() - 3]], &digest(&plain)), other);
    assert_refused(taken(&[], &digest(&plain)), other);
    for at in 0..packed.len() {
        let mut flipped = packed.clone();
        flipped[at] ^= 1;
        // A flag that is not looked at may leave the text what it is; else it is refused.
        if let Ok(text) = taken(&[&flipped], &digest(&plain)) {
            assert_eq!(text, plain);
        }
    }
}

#[test]
fn a_peer_does_not_choose_how_much_memory_we_take() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&[0; 1000]).unwrap();
    encoder.flush().unwrap();
    let greedy = encoder.finish().unwrap();
    assert_refused(taken(&[&greedy], &digest(&[0; 1000])), "does not decompress");
}
