//! Peers that say nothing, too little at a time, or never take what they asked for.

use super::peer::{Peer, frame, prologue};
use super::target::{Evil, Outcome, connect, ended, inside, run, site, site_with};
use crate::common::Site;
use smsync::path::RelPath;
use smsync::report::Report;
use smsync::secret::Secret;
use smsync::spec::Time;
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags};
use smsync::wire::noise::{Cipher, Initiator};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const SPEC: &str = "#mtree\n. type=dir\n./a type=file size=5 time=7.000000000\n";

/// What a client says first: what is in clear, and the first message of the handshake.
fn greeting(secret: &str) -> Vec<u8> {
    let prologue = prologue(1, Cipher::AesGcm.wire(), b"");
    let (_, first) = Initiator::start(Cipher::AesGcm, &prologue, &Secret::parse(secret).unwrap()).unwrap();
    [&prologue[..], &first].concat()
}

/// Sends a byte a second until the other side has had enough.
fn trickle(socket: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if socket.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(SECOND);
    }
}

/// How long an smsyncd lasts for a client that follows the script and then waits for it to end.
fn lasts(site: &Site, script: impl FnOnce(TcpStream) + Send) -> (Duration, i32) {
    let (socket, mut child) = connect(site);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let held = socket.try_clone().unwrap();
        scope.spawn(move || script(socket));
        let code = ended(&mut child);
        let took = begun.elapsed();
        // Whatever the script waits for will not come.
        let _ = held.shutdown(std::net::Shutdown::Both);
        (took, code)
    })
}

#[test]
fn the_greeting_is_over_after_ten_seconds_whatever_comes() {
    let site = site();
    let greeting = &greeting(&site.secret);
    let wait = |mut socket: TcpStream| drop(socket.read(&mut [0; 1000]));
    type Script<'s> = Box<dyn FnOnce(TcpStream) + Send + 's>;
    let sent = |bytes: usize| -> Script<'_> {
        Box::new(move |mut socket| {
            socket.write_all(&greeting[..bytes]).unwrap();
            std::thread::sleep(11 * SECOND);
            wait(socket);
        })
    };
    let scripts: Vec<Script<'_>> = vec![
        sent(0),
        sent(3),
        sent(10),
        sent(30),
        sent(greeting.len()),
        Box::new(|mut socket| trickle(&mut socket, greeting)),
        // The first record too: its sender may be playing back what he recorded.
        Box::new(|mut socket| {
            socket.write_all(greeting).unwrap();
            trickle(&mut socket, &[0, 0, 1, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
        }),
        Box::new(|mut socket| {
            socket.write_all(greeting).unwrap();
            trickle(&mut socket, &[0; 3]);
            socket.write_all(&[17]).unwrap();
            trickle(&mut socket, &[7; 16]);
        }),
    ];
    std::thread::scope(|scope| {
        let running: Vec<_> =
            scripts.into_iter().map(|script| scope.spawn(|| lasts(&site, script))).collect();
        for (number, running) in running.into_iter().enumerate() {
            let (took, code) = running.join().unwrap();
            assert_eq!(code, 69, "script {number}");
            // Who was greeted is told why, and has two seconds to read it.
            assert!((9 * SECOND..15 * SECOND).contains(&took), "script {number}: {took:?}");
        }
    });
    assert!(!site.log().contains("our bug") && !site.log().contains("opens"));
}

/// Follows the script and then says nothing, until smsyncd is tired of it.
fn silent(site: &Site, script: impl FnOnce(&mut Peer)) -> (Duration, Outcome) {
    let (socket, mut child) = connect(site);
    let mut peer = Peer::client(socket, &site.secret);
    script(&mut peer);
    let begun = Instant::now();
    let mut abort = None;
    while let Some(heard) = peer.hear() {
        if let Message::Abort { exit, text } = heard.message() {
            abort = Some((exit, text.into_owned()));
        }
    }
    let took = begun.elapsed();
    drop(peer);
    (took, Outcome { code: ended(&mut child), abort, log: String::new() })
}

#[test]
fn silence_is_suffered_no_longer_than_the_configuration_says() {
    let site = site_with("timeout = 1\n");
    let digest = *blake3::hash(SPEC.as_bytes()).as_bytes();
    let packed = zstd::encode_all(SPEC.as_bytes(), 1).unwrap();
    let pull = |peer: &mut Peer| {
        peer.open_path("m", "");
        peer.round(Direction::Pull, Flags::NONE);
        peer.hear_until(&Message::SpecEnd { digest, entries: 0, whole: true, skipped: 0, holes: 0 });
    };
    let push = |peer: &mut Peer| {
        peer.open_path("m", "");
        peer.round(Direction::Push, Flags::NONE);
    };
    let wanted = |peer: &mut Peer| {
        peer.push(SPEC);
        peer.wants();
    };
    let file = Message::File { index: 1, size: 5, time: Time { sec: 7, nsec: 0 } };
    let part = frame(&Message::Data(b"hello"));
    let scripts: [&dyn Fn(&mut Peer); 10] = [
        &|peer| peer.open_path("m", ""),
        &push,
        &|peer| {
            push(peer);
            peer.say(&[Message::Spec(&packed)]);
        },
        &wanted,
        &|peer| {
            wanted(peer);
            peer.say(std::slice::from_ref(&file));
        },
        &|peer| {
            wanted(peer);
            peer.say(std::slice::from_ref(&file));
            let record = peer.sealed(&part);
            peer.send(&record[..record.len() - 1]);
        },
        &|peer| {
            push(peer);
            peer.offer("#mtree\n. type=dir\n");
            peer.hear_until(&Message::Report(Report::default()));
        },
        &pull,
        &|peer| {
            pull(peer);
            peer.say(&[Message::Want { first: 3, count: 1 }]);
        },
        &|peer| {
            pull(peer);
            peer.say(&[Message::WantEnd]);
            peer.hear_until(&Message::FilesEnd);
        },
    ];
    for (number, script) in scripts.into_iter().enumerate() {
        let (took, outcome) = silent(&site, script);
        assert_eq!(outcome.code, 69, "script {number}: {outcome:?}");
        let (_, reason) = outcome.abort.expect("silence is no reason to be silent");
        assert!(reason.contains("silent for too long"), "script {number}: {reason}");
        assert!((SECOND - SECOND / 10..5 * SECOND).contains(&took), "script {number}: {took:?}");
    }
    // Alive puts it off.
    let (took, outcome) = silent(&site, |peer| {
        peer.open_path("m", "");
        let begun = Instant::now();
        while begun.elapsed() < 3 * SECOND {
            peer.say(&[Message::Alive]);
            std::thread::sleep(SECOND / 3);
        }
    });
    assert!(took > SECOND / 2 && outcome.code == 69, "{took:?} {outcome:?}");
}

#[test]
fn who_does_not_take_what_he_asked_for_is_silent() {
    let site = site_with("timeout = 1\n");
    fs::write(inside(&site, "keep"), vec![7; 64 << 20]).unwrap();
    let (socket, mut child) = connect(&site);
    let mut peer = Peer::client(socket, &site.secret);
    peer.open_path("m", "keep");
    peer.round(Direction::Pull, Flags::NONE);
    peer.hear_until(&Message::SpecEnd { digest: [0; 32], entries: 0, whole: true, skipped: 0, holes: 0 });
    peer.say(&[Message::Want { first: 1, count: 1 }, Message::WantEnd]);
    let begun = Instant::now();
    assert_eq!(ended(&mut child), 69);
    assert!((SECOND..9 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

/// What smsync says of a server, and how long it bears with it.
fn bears(site: &Site, script: impl FnOnce(&mut Peer) + Send + 'static) -> (Duration, String) {
    let evil = Evil::start(site, script);
    let (src, remote) = (site.src(), evil.remote(""));
    let begun = Instant::now();
    let output = run(site.smsync().args(["push", "--timeout", "1", src.to_str().unwrap(), &remote]));
    let took = begun.elapsed();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    evil.join();
    (took, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_client_bears_with_silence_as_long_as_it_is_told() {
    let site = site();
    fs::write(site.src().join("large"), vec![7; 64 << 20]).unwrap();
    let until_closed = |peer: &mut Peer| while peer.hear().is_some() {};
    let ask = |peer: &mut Peer| {
        let end = Message::SpecEnd { digest: [0; 32], entries: 0, whole: true, skipped: 0, holes: 0 };
        peer.hear_until(&end);
        peer.say(&[
            Message::Welcome { single: RelPath::ROOT },
            Message::Want { first: 2, count: 1 },
            Message::WantEnd,
        ]);
    };
    let (took, said) = bears(&site, until_closed);
    assert!(said.contains("silent for too long") && took < 8 * SECOND, "{took:?} {said}");
    // It asks for a file and takes none of it.
    let (took, said) = bears(&site, move |peer| {
        ask(peer);
        std::thread::sleep(4 * SECOND);
    });
    assert!(said.contains("silent for too long") && took < 9 * SECOND, "{took:?} {said}");
    // It takes the file slowly, which is no silence; and leaves.
    let (took, said) = bears(&site, move |peer| {
        ask(peer);
        let mut piece = vec![0; 1 << 20];
        for _ in 0..15 {
            peer.socket.read_exact(&mut piece).unwrap();
            std::thread::sleep(SECOND / 5);
        }
    });
    assert!(!said.contains("silent") && took > 3 * SECOND, "{took:?} {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
