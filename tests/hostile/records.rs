//! Records that were changed, cut, swapped, repeated or made up on their way: whoever holds the network holds no more.

use super::peer::{Peer, frame};
use super::target::{Evil, attack, connect, ended, run, site, snapshot};
use crate::common::Site;
use smsync::exit::Exit;
use smsync::report::Report;
use smsync::spec::Time;
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags};
use std::fs;
use std::io::{Read, Write};
use std::time::Duration;

const SPEC: &str = "#mtree\n. type=dir\n./keep type=file size=4 time=7.000000000\n";
/// A damaged length makes both sides wait for each other; then the script gives up.
const WAIT: Duration = Duration::from_millis(300);

fn file() -> [Message<'static>; 4] {
    let digest = *blake3::hash(b"new\n").as_bytes();
    let begin = Message::File { index: 1, size: 4, time: Time { sec: 7, nsec: 0 } };
    [begin, Message::Data(b"new\n"), Message::FileEnd { digest }, Message::FilesEnd]
}

fn spec_end() -> Message<'static> {
    Message::SpecEnd {
        digest: *blake3::hash(SPEC.as_bytes()).as_bytes(),
        entries: 2,
        whole: true,
        skipped: 0,
        holes: 0,
    }
}

/// A record's bytes on their way.
type Wire = Vec<Vec<u8>>;

/// A push of the file `keep`, record by record, through `network`; which may do with those of each turn what it likes.
/// Gives back whether the last turn was reached.
fn push(peer: &mut Peer, network: &dyn Fn(usize, Wire) -> Wire) -> bool {
    let packed = zstd::encode_all(SPEC.as_bytes(), 1).unwrap();
    let mut round = smsync::wire::message::Round::new(
        Direction::Push,
        Flags::DELETE,
        smsync::spec::Keywords::TRANSFER,
        smsync::path::Scope::default(),
    );
    round.keeping.force = true;
    let open = Message::Open { module: "m".into(), path: smsync::path::RelPath::ROOT };
    let first = [open, Message::Round(round), Message::Spec(&packed), spec_end()];
    let turn = |peer: &mut Peer, number, messages: &[Message<'_>]| {
        let records = messages.iter().map(|message| peer.sealed(&frame(message))).collect();
        for bytes in network(number, records) {
            peer.send(&bytes);
        }
    };
    peer.socket.set_read_timeout(Some(WAIT)).unwrap();
    turn(peer, 0, &first);
    // An earlier attack may have left something in the stage, of which the digest is asked first.
    let mut asked = false;
    loop {
        match peer
            .hear()
            .map(|heard| (heard.message() == Message::AskEnd, heard.message() == Message::WantEnd))
        {
            Some((true, _)) if !asked => {
                asked = true;
                peer.say(&[Message::DigestsEnd]);
            }
            Some((_, true)) => break,
            Some(_) => {}
            None => return false,
        }
    }
    turn(peer, 1, &file());
    if !peer.hears(&Message::Report(Report::default())) {
        return false;
    }
    turn(peer, 2, &[Message::Bye]);
    true
}

fn untouched(_: usize, records: Wire) -> Wire {
    records
}

/// Puts the module back as it was.
fn reset(site: &Site) {
    fs::remove_dir_all(site.dst()).unwrap();
    fs::create_dir(site.dst()).unwrap();
    fs::write(site.dst().join("keep"), "old\n").unwrap();
}

#[test]
fn a_bit_flipped_on_the_way_to_the_server_is_found() {
    let site = site();
    reset(&site);
    let session = |damage| {
        let (socket, mut child) = connect(&site);
        let bounds = match Peer::damaged_client(socket, &site.secret, damage) {
            Some(mut peer) => {
                push(&mut peer, &untouched);
                let _ = peer.finish();
                peer.sent.len()
            }
            None => 0,
        };
        (ended(&mut child), bounds)
    };
    // The control: as it was sent, it is carried out.
    let (code, length) = session(None);
    assert_eq!((code, fs::read(site.dst().join("keep")).unwrap().as_slice()), (0, &b"new\n"[..]));
    // Bye is a frame of 5 bytes; only when it is damaged was all else carried out before.
    let bye = length - (4 + 5 + 16);
    for at in 0..length {
        reset(&site);
        let before = snapshot(&site.dst());
        let (code, _) = session(Some((at, 1 << (at % 8))));
        assert!(!matches!(code, 0 | 70), "byte {at}: exit {code}");
        if at < bye {
            assert_eq!(snapshot(&site.dst()), before, "byte {at}: exit {code}");
        }
    }
    let log = site.log();
    assert!(!log.contains("our bug"), "{log}");
}

#[test]
fn a_bit_flipped_on_the_way_to_the_client_is_found() {
    let site = site();
    let serve = |peer: &mut Peer| {
        peer.socket.set_read_timeout(Some(WAIT)).unwrap();
        // Open and Round.
        if peer.hear().and_then(|_| peer.hear()).is_none() {
            return;
        }
        peer.say(&[Message::Welcome { single: smsync::path::RelPath::ROOT }]);
        peer.offer(SPEC);
        if peer.hears(&Message::WantEnd) {
            peer.say(&file());
            peer.hears(&Message::Bye);
        }
    };
    let pull = |damage| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = format!("127.0.0.1:{}::m", listener.local_addr().unwrap().port());
        let secret = site.secret.clone();
        let server = std::thread::spawn(move || {
            let mut peer = Peer::damaged_server(listener.accept().unwrap().0, &secret, damage);
            serve(&mut peer);
            let _ = peer.finish();
            peer.sent.len()
        });
        let output = run(site.smsync().args(["pull", &remote, site.path("pulled").to_str().unwrap()]));
        let length = server.join().unwrap();
        (output.status.code().unwrap(), length, String::from_utf8(output.stderr).unwrap())
    };
    let (code, length, said) = pull(None);
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(fs::read(site.path("pulled/keep")).unwrap(), b"new\n");
    for at in 0..length {
        fs::remove_dir_all(site.path("pulled")).unwrap();
        fs::create_dir(site.path("pulled")).unwrap();
        let before = snapshot(&site.path("pulled"));
        let (code, _, said) = pull(Some((at, 1 << (at % 8))));
        assert!(!matches!(code, 0 | 70), "byte {at}: exit {code}: {said}");
        assert_eq!(said.lines().count(), 1, "byte {at}: {said}");
        assert_eq!(snapshot(&site.path("pulled")), before, "byte {at}");
    }
}

#[test]
fn records_come_once_in_order_and_from_this_session() {
    let site = site();
    reset(&site);
    let (socket, mut child) = connect(&site);
    let mut peer = Peer::client(socket, &site.secret);
    assert!(push(&mut peer, &untouched));
    assert_eq!((peer.finish(), ended(&mut child)), (None, 0));
    let recorded = peer.sent;
    reset(&site);
    // What is done to record `at` of a turn.
    type Trick = fn(&mut Wire, usize, &[u8]);
    let tricks: [(&str, Trick); 8] = [
        ("dropped", |records, at, _| drop(records.remove(at))),
        ("repeated", |records, at, _| records.insert(at, records[at].clone())),
        ("swapped", |records, at, _| records.swap(at, at ^ 1)),
        ("cut", |records, at, _| {
            let half = records[at].len() / 2;
            records[at].truncate(half);
            records.truncate(at + 1);
        }),
        ("cut in its length", |records, at, _| {
            records[at].truncate(2);
            records.truncate(at + 1);
        }),
        ("cut before it", |records, at, _| records.truncate(at)),
        ("made up", |records, at, _| records.insert(at, [&[0, 0, 0, 40][..], &[7; 40]].concat())),
        ("of another session", |records, at, recorded| records.insert(at, recorded[58..].to_vec())),
    ];
    for (name, trick) in tricks {
        for (turn, count) in [(0, 4), (1, 4), (2, 1)] {
            for at in 0..count {
                if name == "swapped" && turn == 2 {
                    continue;
                }
                let before = snapshot(&site.dst());
                let (socket, mut child) = connect(&site);
                let mut peer = Peer::client(socket, &site.secret);
                push(&mut peer, &|number, mut records| {
                    if number == turn {
                        trick(&mut records, at, &recorded);
                    }
                    records
                });
                peer.finish();
                let code = ended(&mut child);
                // That Bye comes twice is not even looked at.
                let harmless = name == "repeated" && turn == 2;
                assert!(matches!(code, 69 | 76) || harmless && code == 0, "{name} {turn} {at}: exit {code}");
                // All was there when the last record of the files came for the second time.
                if turn < 2 && (name, turn, at) != ("repeated", 1, 3) {
                    assert_eq!(snapshot(&site.dst()), before, "{name} {turn} {at}");
                }
                reset(&site);
            }
        }
    }
}

#[test]
fn a_recorded_session_leads_nowhere() {
    let site = site();
    reset(&site);
    let (socket, mut child) = connect(&site);
    let mut peer = Peer::client(socket, &site.secret);
    assert!(push(&mut peer, &untouched));
    assert_eq!((peer.finish(), ended(&mut child)), (None, 0));
    for word in [&b"keep"[..], b"new\n", b"#mtree", b"type="] {
        assert!(!peer.sent.windows(word.len()).any(|window| window == word), "in clear: {word:?}");
    }
    reset(&site);
    let before = snapshot(&site.dst());
    let logged = site.log().len();
    let (mut socket, mut child) = connect(&site);
    socket.write_all(&peer.sent).unwrap();
    let mut answer = Vec::new();
    // The answer to a first message that opens, which only who has its key can use; then the end, or a reset.
    let _ = socket.read_to_end(&mut answer);
    assert_eq!(ended(&mut child), 76);
    assert!(answer.len() <= 7 + 48, "{answer:?}");
    assert_eq!(snapshot(&site.dst()), before);
    let log = site.log().split_off(logged);
    assert!(log.contains("claimed user") && !log.contains("opens m"), "{log}");
}

#[test]
fn frames_and_lengths_stay_in_their_bounds() {
    let site = site();
    for length in [0u32, 1, 15, 16, 256 * 1024 + 17, 1 << 24, u32::MAX] {
        let outcome = attack(&site, |peer| peer.send(&length.to_be_bytes()));
        outcome.assert(Exit::Protocol, "length of a record is out of range");
    }
    let frames: [&[u8]; 6] = [
        &[1],
        &[1, 0, 0, 0],
        &[1, 0, 0, 0, 1],
        &[25, 255, 255, 255, 255],
        &[16, 0, 4, 0, 0],
        &[26, 0, 0, 0, 0, 1],
    ];
    for frame in frames {
        let outcome = attack(&site, |peer| peer.record(frame));
        outcome.assert(Exit::Protocol, "a frame is longer than its record");
    }
    // A flood of what wants no answer holds nobody up and fills nothing.
    let outcome = attack(&site, |peer| {
        let alive = frame(&Message::Alive).repeat(50_000);
        (0..20).for_each(|_| peer.record(&alive));
        peer.say(&[Message::List]);
        assert!(peer.hears(&Message::ModulesEnd));
    });
    assert_eq!((outcome.code, outcome.abort), (0, None));
}

#[test]
fn the_client_takes_no_lengths_that_are_none() {
    let site = site();
    for length in [0u32, 15, 16, 256 * 1024 + 17, u32::MAX] {
        let evil = Evil::start(&site, move |peer| {
            peer.send(&length.to_be_bytes());
            let reason = peer.finish();
            assert!(matches!(reason, Some((Exit::Protocol, _))), "{reason:?}");
        });
        let output = run(site.smsync().args(["list", &format!("127.0.0.1:{}", evil.port)]));
        assert_eq!(output.status.code(), Some(76));
        evil.join();
    }
}
