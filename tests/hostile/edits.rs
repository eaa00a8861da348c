//! Differences from a kept specification that lead astray: each ends the session, and nothing changes.

use super::peer::Peer;
use super::target::{assert_clean_push, attack, session, site};
use crate::baselines::specs;
use smsync::exit::Exit;
use smsync::path::RelPath;
use smsync::report::{Doubt, Why};
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags};

/// A specification large enough to be kept, of empty directories.
fn kept() -> String {
    let lines = (0..200).map(|at| format!("./d{at:03} type=dir mode=0755 time=7.000000000\n"));
    format!("#mtree\n. type=dir\n{}", lines.collect::<String>())
}

fn digest(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

fn end(text: &str) -> Message<'static> {
    let entries = u32::try_from(text.lines().count() - 1).unwrap();
    Message::SpecEnd { digest: digest(text), entries, whole: true, skipped: 0, holes: 0 }
}

/// Begins a push that is told by its difference from what is kept.
fn edits(peer: &mut Peer, base: [u8; 32], edits: &[u8], end: Message<'_>) {
    peer.open_path("m", "");
    peer.round(Direction::Push, Flags::NONE);
    let packed = zstd::encode_all(edits, 1).unwrap();
    peer.say(&[Message::Baseline { digest: base }]);
    packed.chunks(100_000).for_each(|piece| peer.say(&[Message::Edits(piece)]));
    peer.say(&[end]);
}

#[test]
fn edits_that_lead_astray_end_the_session() {
    let site = site();
    let text = kept();
    let first = session(&site, |peer| {
        peer.push(&text);
        assert!(peer.hears(&Message::Report(Default::default())));
        peer.say(&[Message::Bye]);
    });
    assert_eq!(first.code, 0, "{first:?}");
    let more = "more lines than the baseline has";
    let number = "an edit of no number of lines";
    let line = [b"=202\n+".to_vec(), vec![b'x'; 2 << 20], b"\n".to_vec()].concat();
    let table: Vec<(&[u8], &str)> = vec![
        (b"=203\n", more),
        (b"-203\n", more),
        (b"=200\n-3\n", more),
        (b"=16000001\n", more),
        (b"=16000002\n", number),
        (b"=4294967296\n", number),
        (b"=99999999999999999999999\n", number),
        (b"=0\n", number),
        (b"=-1\n", number),
        (b"=+1\n", number),
        (b"=01\n", number),
        (b"=\n", number),
        (b"-\n", number),
        (b"= 1\n", number),
        (b"=1 \n", number),
        (b"\n", "no edit"),
        (b"*1\n", "no edit"),
        (b"=202\n+./x", "an edit without an end"),
        (b"=202", "an edit without an end"),
        (&line, "an edit that is too long"),
        (b"=202\n+./x type=dir\n", "not the one that was sent"),
        (b"=201\n", "not the one that was sent"),
        (b"", "not the one that was sent"),
    ];
    for (script, words) in table {
        let outcome = attack(&site, |peer| edits(peer, digest(&text), script, end(&text)));
        outcome.assert(Exit::Protocol, words);
    }
    // Out of order, though the digest is right.
    let wrong = text.replace("./d100 ", "./e100 ");
    let script = "=102\n-1\n+./e100 type=dir mode=0755 time=7.000000000\n=99\n";
    let outcome = attack(&site, |peer| edits(peer, digest(&text), script.as_bytes(), end(&wrong)));
    outcome.assert(Exit::Protocol, "doubled or not in tree order");
    // A name that leads out of the tree.
    let wrong = format!("{text}./x type=dir\n./x/../y type=dir\n");
    let script = "=202\n+./x type=dir\n+./x/../y type=dir\n";
    let outcome = attack(&site, |peer| edits(peer, digest(&text), script.as_bytes(), end(&wrong)));
    outcome.assert(Exit::Protocol, "'.' or '..'");
    // Another number of entries than there are.
    let says = Message::SpecEnd { digest: digest(&text), entries: 7, whole: true, skipped: 0, holes: 0 };
    let outcome = attack(&site, |peer| edits(peer, digest(&text), b"=202\n", says.clone()));
    outcome.assert(Exit::Protocol, "another number of entries");
    assert_clean_push(&site);
}

#[test]
fn a_bomb_of_edits_does_not_go_off() {
    let site = site();
    let text = kept();
    session(&site, |peer| {
        peer.push(&text);
        assert!(peer.hears(&Message::Report(Default::default())));
    });
    // Gigabytes of nothing: lines that are dropped and never there, and a line without an end.
    for script in [vec![b'+'; 64 << 20], b"+\n".repeat(16 << 20)] {
        let outcome = attack(&site, |peer| edits(peer, digest(&text), &script, end(&text)));
        assert_eq!(outcome.code, i32::from(Exit::Protocol.code()), "{outcome:?}");
    }
    assert_clean_push(&site);
}

/// Two decoders may make two texts of a frame that a peer made: none of its bytes is kept, but what our own encoder makes
/// of the text that was checked.
#[test]
fn what_is_kept_is_not_what_the_peer_compressed() {
    let site = site();
    let text = kept();
    // A window of 2^27 bytes, which a decoder looks at only if it does not decode all at once; the size; one raw block.
    let size = u32::try_from(text.len()).unwrap();
    let block = &(size << 3 | 1).to_le_bytes()[..3];
    let head = [&[0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x88][..], &size.to_le_bytes(), block].concat();
    let frame = [&head[..], text.as_bytes()].concat();
    let first = session(&site, |peer| {
        peer.open_path("m", "");
        peer.round(Direction::Push, Flags::NONE);
        peer.say(&[Message::Spec(&frame), end(&text)]);
        assert!(peer.hears(&Message::Report(Default::default())));
        peer.say(&[Message::Bye]);
    });
    assert_eq!(first.code, 0, "{first:?}");
    let specs: Vec<_> = site.states().flat_map(|dir| specs(&dir)).collect();
    assert_eq!(specs.len(), 1, "{specs:?}");
    let bytes = std::fs::read(&specs[0]).unwrap();
    assert!(!bytes.windows(head.len()).any(|part| part == head) && bytes.len() < text.len());
    // And it is good for edits.
    let next = format!("{text}./e type=dir mode=0755 time=7.000000000\n");
    let script = b"=202\n+./e type=dir mode=0755 time=7.000000000\n";
    let second = session(&site, |peer| {
        edits(peer, digest(&text), script, end(&next));
        assert!(peer.hears(&Message::Report(Default::default())));
        peer.say(&[Message::Bye]);
    });
    assert_eq!(second.code, 0, "{second:?}");
}

#[test]
fn what_is_not_kept_is_asked_for_once() {
    let site = site();
    let text = kept();
    let nowhere = [7; 32];
    // Whatever the edits of something unknown say, the whole is asked for, and taken.
    let outcome = session(&site, |peer| {
        edits(peer, nowhere, b"nonsense", end(&text));
        peer.hear_until(&Message::Whole);
        peer.offer(&text);
        assert!(peer.hears(&Message::Report(Default::default())));
        peer.say(&[Message::Bye]);
    });
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let says = |then: fn(&mut Peer, &str)| {
        attack(&site, |peer| {
            edits(peer, nowhere, b"=1\n", end(&text));
            peer.hear_until(&Message::Whole);
            then(peer, &text);
        })
    };
    let other = "something else than a specification";
    says(|peer, text| peer.say(&[Message::Baseline { digest: [8; 32] }, end(text)]))
        .assert(Exit::Protocol, other);
    says(|peer, text| peer.say(&[Message::Baseline { digest: digest(text) }, end(text)]))
        .assert(Exit::Protocol, other);
    says(|peer, text| peer.say(&[Message::Edits(b""), end(text)]))
        .assert(Exit::Protocol, "edits of no specification");
    says(|peer, _| peer.say(&[Message::Doubt(Doubt { why: Why::Device, path: RelPath::ROOT })]))
        .assert(Exit::Protocol, other);
    let round = |messages: Vec<Message<'static>>| {
        attack(&site, |peer| {
            peer.open_path("m", "");
            peer.round(Direction::Push, Flags::NONE);
            peer.say(&messages);
        })
    };
    let two = "a specification in two ways";
    round(vec![Message::Baseline { digest: nowhere }, Message::Spec(b"")]).assert(Exit::Protocol, two);
    round(vec![Message::Baseline { digest: digest(&text) }, Message::Spec(b"")]).assert(Exit::Protocol, two);
    round(vec![Message::Edits(b"")]).assert(Exit::Protocol, "edits of no specification");
    round(vec![Message::Baseline { digest: nowhere }, Message::Baseline { digest: nowhere }])
        .assert(Exit::Protocol, other);
    assert_clean_push(&site);
}
