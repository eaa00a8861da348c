//! Strangers: what it costs to turn them away, and what they learn by it.

use super::peer::prologue;
use super::target::{connect, ended, run, site};
use crate::common::{Site, keygen};
use smsync::secret::Secret;
use smsync::wire::noise::{Cipher, Initiator, MESSAGE};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::{Duration, Instant};

const DENIED: &[u8] = b"smsync\0";
const OTHER_VERSION: &[u8] = b"smsync\x02\0\x01";

/// What an smsyncd answers to these bytes and how it ends; whoever sent them says nothing more.
fn answer(site: &Site, bytes: &[u8]) -> (Vec<u8>, i32) {
    let (mut socket, mut child) = connect(site);
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // What was not read is why the connection may be reset.
    let _ = socket.read_to_end(&mut answer);
    (answer, ended(&mut child))
}

/// A first message of the handshake, with what goes before it.
fn first(prologue: &[u8], secret: &str) -> Vec<u8> {
    let secret = Secret::parse(secret).unwrap();
    let (_, message) = Initiator::start(Cipher::AesGcm, prologue, &secret).unwrap();
    [prologue, &message].concat()
}

#[test]
fn three_hundred_strangers_are_turned_away_at_once() {
    let site = site();
    let mut state = 0x0bad_cafe_0bad_cafe_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let begun = Instant::now();
    for number in 0..300u16 {
        let length = usize::try_from(random() % 200).unwrap();
        let mut bytes: Vec<u8> = (0..length).map(|_| random().to_be_bytes()[0]).collect();
        if number % 3 > 0 {
            bytes.splice(..0, prologue(1, 1 + u8::from(number % 2 == 0), b"root"));
        }
        let at = Instant::now();
        let (answer, code) = answer(&site, &bytes);
        assert!(answer.is_empty() || answer == DENIED || answer == OTHER_VERSION, "{bytes:?}: {answer:?}");
        assert!(matches!(code, 69 | 76 | 77), "{bytes:?}: exit {code}");
        assert!(at.elapsed() < Duration::from_secs(2), "{bytes:?}: {:?}", at.elapsed());
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    // One line for each and no more, without a word of theirs.
    let log = site.log();
    assert_eq!((log.lines().count(), log.contains("root"), log.contains("our bug")), (300, false, false));
}

#[test]
fn a_wrong_secret_and_an_unknown_user_learn_the_same() {
    let site = site();
    let secrets = site.write_private("secrets", &format!("ann:{}\n", keygen()));
    let globals = format!("secrets file = {}\n", secrets.display());
    site.write_private("smsyncd.conf", &site.server_conf(&globals));
    let mut seen = Vec::new();
    for user in [&b""[..], b"ann", b"nobody", b"ann\0", &[b'x'; 64]] {
        let prologue = prologue(1, 1, user);
        let bytes = first(&prologue, &keygen());
        seen.push(answer(&site, &bytes));
        // Changed on the way.
        let mut flipped = first(&prologue, &site.secret);
        *flipped.last_mut().unwrap() ^= 1;
        seen.push(answer(&site, &flipped));
        // A public key that makes the shared key predictable.
        seen.push(answer(&site, &[&prologue[..], &[0; MESSAGE]].concat()));
    }
    assert!(seen.iter().all(|seen| *seen == (DENIED.to_vec(), 77)), "{seen:?}");
    let log = site.log();
    let words = "not authenticated: wrong secret or unknown user";
    assert!(log.lines().all(|line| line.ends_with(words)), "{log}");
    // The control: the right one is answered.
    let (bytes, _) = answer(&site, &first(&prologue(1, 1, b""), &site.secret));
    assert_eq!((bytes.len(), bytes[6]), (7 + MESSAGE, 1));
}

#[test]
fn other_versions_are_told_ours_and_others_nothing() {
    let site = site();
    for version in [0, 2, 0x0101, u16::MAX] {
        let (bytes, code) = answer(&site, &first(&prologue(version, 1, b""), &site.secret));
        assert_eq!((bytes.as_slice(), code), (OTHER_VERSION, 76), "version {version}");
        // Nothing behind the version is waited for.
        let (bytes, _) = answer(&site, &prologue(version, 1, b"")[..8]);
        assert_eq!(bytes, OTHER_VERSION);
    }
    let long = [&prologue(1, 1, &[b'x'; 65])[..], &[0; MESSAGE]].concat();
    let garbled = [&prologue(1, 1, b"\xff\xfe")[..], &[0; MESSAGE]].concat();
    for bytes in
        [first(&prologue(1, 0, b""), &site.secret), first(&prologue(1, 3, b""), &site.secret), long, garbled]
    {
        assert_eq!(answer(&site, &bytes), (Vec::new(), 76));
    }
    for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"@RSYNCD: 31.0\n", b"SSH-2.0-x\r\n", b"SMSYNC\0\x01"] {
        assert_eq!(answer(&site, bytes), (Vec::new(), 76));
    }
    for bytes in [&b""[..], b"smsyn", b"smsync", b"smsync\0", b"smsync\0\x01\x01"] {
        assert_eq!(answer(&site, bytes), (Vec::new(), 69));
    }
}

#[test]
fn the_client_knows_who_is_no_server() {
    let site = site();
    let garbage = [&b"smsync\x01"[..], &[7; MESSAGE]].concat();
    let table: [(&[u8], i32, &str); 11] = [
        (b"", 69, "closed the connection"),
        (b"smsync", 69, "closed the connection"),
        (DENIED, 77, "not authenticated: wrong secret or unknown user"),
        (&garbage, 77, "not authenticated: wrong secret or unknown user"),
        (&garbage[..20], 69, "closed the connection"),
        (b"smsync\x02\0\x09", 76, "version 9 of the protocol"),
        (b"smsync\x02", 69, "closed the connection"),
        (b"smsync\x03", 69, "the server can serve nobody"),
        (b"smsync\x04", 76, "does not speak the smsync protocol"),
        (b"@RSYNCD: 31.0\n", 76, "does not speak the smsync protocol"),
        (b"\x1b[2J\x1b[2J", 76, "does not speak the smsync protocol"),
    ];
    for (bytes, code, words) in table {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = format!("127.0.0.1:{}::m", listener.local_addr().unwrap().port());
        let bytes = bytes.to_vec();
        let server = std::thread::spawn(move || {
            let mut socket = listener.accept().unwrap().0;
            socket.read_exact(&mut [0; 10 + MESSAGE]).unwrap();
            socket.write_all(&bytes).unwrap();
        });
        let output = run(site.smsync().args(["push", site.src().to_str().unwrap(), &remote]));
        server.join().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(code), 1), "{words}: {said}");
        assert!(said.contains(words) && said.contains(&remote), "'{words}' was not said: {said}");
    }
}
