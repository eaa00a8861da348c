//! Twelve kinds of slow or silent client, all at the same time: each is ended at its limit, by the server's clock.

use super::peer::{Peer, frame, prologue};
use super::target::{connect, ended, inside, site_with};
use crate::common::Site;
use smsync::secret::Secret;
use smsync::spec::Time;
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags};
use smsync::wire::noise::{Cipher, Initiator};
use std::fs;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const SPEC: &str = "#mtree\n. type=dir\n./a type=file size=5 time=7.000000000\n";

/// What one of them does, with the secret in his hands. He gives back the connection, to hold it.
type Script = fn(TcpStream, &str) -> TcpStream;

/// Sends a byte every tenth of a second until the other side has had enough.
fn drip(socket: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if socket.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(SECOND / 10);
    }
}

fn greeting(secret: &str) -> Vec<u8> {
    let prologue = prologue(1, Cipher::AesGcm.wire(), b"");
    let (_, first) = Initiator::start(Cipher::AesGcm, &prologue, &Secret::parse(secret).unwrap()).unwrap();
    [&prologue[..], &first].concat()
}

/// Sends this much of the greeting, and no more.
fn greets(mut socket: TcpStream, secret: &str, bytes: usize) -> TcpStream {
    socket.write_all(&greeting(secret)[..bytes]).unwrap();
    socket
}

/// One who has proven his secret, and opens the module.
fn opened(socket: TcpStream, secret: &str) -> Peer {
    let mut peer = Peer::client(socket, secret);
    peer.open_path("m", "");
    peer
}

/// Who is asked for a file.
fn wanted(socket: TcpStream, secret: &str) -> Peer {
    let mut peer = Peer::client(socket, secret);
    peer.push(SPEC);
    peer.wants();
    peer
}

/// Who was told what there is to pull.
fn pulls(socket: TcpStream, secret: &str) -> Peer {
    let mut peer = opened(socket, secret);
    peer.round(Direction::Pull, Flags::NONE);
    peer.hear_until(&Message::SpecEnd { digest: [0; 32], entries: 0, whole: true, skipped: 0, holes: 0 });
    peer
}

const FILE: Message<'_> = Message::File { index: 1, size: 5, time: Time { sec: 7, nsec: 0 } };

/// The limit by which each is ended, and another that would be too late.
const GREETING: &str = "handshake timeout = 2\ntimeout = 60\n";
const SESSION: &str = "handshake timeout = 60\ntimeout = 2\n";

const KINDS: [(&str, &str, Script); 12] = [
    ("says nothing", GREETING, |socket, _| socket),
    ("stops in what is in clear", GREETING, |socket, secret| greets(socket, secret, 7)),
    ("stops in the message of the handshake", GREETING, |socket, secret| greets(socket, secret, 30)),
    ("greets byte by byte", GREETING, |mut socket, secret| {
        drip(&mut socket, &greeting(secret));
        socket
    }),
    ("greets and says no more", GREETING, |socket, secret| greets(socket, secret, 58)),
    ("sends the first record byte by byte", GREETING, |socket, secret| {
        let mut peer = Peer::client(socket, secret);
        let record = peer.sealed(&frame(&Message::Alive).repeat(20));
        drip(&mut peer.socket, &record);
        peer.socket
    }),
    ("opens a module and says no more", SESSION, |socket, secret| opened(socket, secret).socket),
    ("stops in his specification", SESSION, |socket, secret| {
        let mut peer = opened(socket, secret);
        peer.round(Direction::Push, Flags::NONE);
        peer.say(&[Message::Spec(&zstd::encode_all(SPEC.as_bytes(), 1).unwrap())]);
        peer.socket
    }),
    ("stops in a record", SESSION, |socket, secret| {
        let mut peer = wanted(socket, secret);
        peer.say(&[FILE]);
        let record = peer.sealed(&frame(&Message::Data(b"hello")));
        peer.send(&record[..record.len() - 1]);
        peer.socket
    }),
    ("sends a record byte by byte", SESSION, |socket, secret| {
        let mut peer = wanted(socket, secret);
        peer.say(&[FILE]);
        let record = peer.sealed(&frame(&Message::Alive).repeat(100));
        drip(&mut peer.socket, &record);
        peer.socket
    }),
    ("asks for a file and does not take it", SESSION, |socket, secret| {
        let mut peer = pulls(socket, secret);
        peer.say(&[Message::Want { first: 1, count: 1 }, Message::WantEnd]);
        peer.socket
    }),
    ("takes what there is and never says what he wants", SESSION, |socket, secret| {
        pulls(socket, secret).socket
    }),
];

/// How long the server bore with this one, from its start, and how it ended.
fn borne(site: &Site, script: Script) -> (Duration, i32) {
    let begun = Instant::now();
    let (socket, mut child) = connect(site);
    let (held, secret) = (socket.try_clone().unwrap(), site.secret.clone());
    std::thread::scope(|scope| {
        // What he gives back is open until the server has ended.
        let client = scope.spawn(|| script(socket, &secret));
        let code = ended(&mut child);
        let took = begun.elapsed();
        let _ = held.shutdown(Shutdown::Both);
        client.join().unwrap();
        (took, code)
    })
}

#[test]
fn twelve_kinds_of_slow_or_silent_clients_end_at_their_limits() {
    // One for each: pushes into one module wait for each other.
    let sites: Vec<Site> = KINDS.iter().map(|(_, limit, _)| site_with(limit)).collect();
    // Larger than what the system takes for a peer that does not.
    sites.iter().for_each(|site| fs::write(inside(site, "a"), vec![7; 16 << 20]).unwrap());
    std::thread::scope(|scope| {
        let running: Vec<_> = KINDS
            .iter()
            .zip(&sites)
            .map(|((what, _, script), site)| (what, scope.spawn(move || borne(site, *script))))
            .collect();
        for (what, running) in running {
            let (took, code) = running.join().unwrap();
            assert_eq!(code, 69, "who {what}");
            // It is told why, and has two seconds to read it; and twelve servers start on few processors.
            assert!((2 * SECOND..10 * SECOND).contains(&took), "who {what}: {took:?}");
        }
    });
    for site in sites {
        assert!(!site.log().contains("our bug"), "{}", site.log());
        // What was there is as it was, and none of it is left half done.
        assert_eq!(fs::metadata(inside(&site, "a")).unwrap().len(), 16 << 20);
    }
}
