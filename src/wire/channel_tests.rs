//! The channel against a peer that floods, trickles, is silent or speaks out of turn.

use super::*;
use crate::secret::Secret;
use crate::wire::noise::{self, Cipher, Initiator};
use crate::wire::record::HEADER;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::sync_channel;
use std::thread;

const MS: Duration = Duration::from_millis(1);
/// Long enough not to be met by chance.
const PATIENT: Patience = Patience::Silence(Duration::from_secs(20));

fn keys() -> (Transport, Transport) {
    let secret = Secret::generate().unwrap();
    let (initiator, first) = Initiator::start(Cipher::AesGcm, b"test", &secret).unwrap();
    let (second, server) = noise::respond(Cipher::AesGcm, b"test", &secret, &first).unwrap();
    (initiator.finish(&second).unwrap(), server)
}

/// Two ends over a socket, of which a little fills the buffers.
fn pair(patience: Patience) -> (Channel, Channel) {
    let (one, other) = UnixStream::pair().unwrap();
    let (client, server) = keys();
    let channel = |socket: UnixStream, keys| Channel::new(Stream::new(socket.into()), keys, patience);
    (channel(one, client), channel(other, server))
}

/// One end and, at the other, the bare socket with its keys.
fn against(patience: Patience) -> (Channel, UnixStream, Transport) {
    let (one, other) = UnixStream::pair().unwrap();
    let (client, server) = keys();
    (Channel::new(Stream::new(one.into()), client, patience), other, server)
}

/// The bytes of a record with these messages.
fn sealed(keys: &mut Transport, messages: &[Message<'_>]) -> Vec<u8> {
    let mut batch = Batch::new();
    assert!(messages.iter().all(|message| batch.push(message)));
    let mut plaintext = batch.plaintext().to_vec();
    let tag = keys.seal.seal(&mut plaintext).unwrap();
    let length = u32::try_from(plaintext.len() + tag.len()).unwrap();
    [&length.to_be_bytes()[..], &plaintext, &tag].concat()
}

fn say(channel: &mut Channel, messages: &[Message<'_>]) -> Result<(), WireError> {
    let mut speaker = channel.speak();
    messages.iter().try_for_each(|message| speaker.say(message))?;
    speaker.end()
}

#[track_caller]
fn assert_broken(error: Result<(), WireError>) {
    assert!(matches!(error, Err(WireError::Violation("it spoke out of turn"))), "{error:?}");
}

#[test]
fn lengths_of_records_are_bounded() {
    let longest = u32::try_from(limits::RECORD + noise::TAG).unwrap();
    for length in [0, 1, 15, 16, longest + 1, u32::MAX] {
        let (mut channel, mut peer, _) = against(PATIENT);
        peer.write_all(&length.to_be_bytes()).unwrap();
        let error = channel.listen().message().unwrap_err();
        assert!(matches!(error, WireError::Malformed(_)), "{length}: {error:?}");
    }
    for contents in [0, limits::RECORD - 5] {
        let (mut channel, mut peer, mut keys) = against(PATIENT);
        let contents = vec![0; contents];
        let bytes = sealed(&mut keys, &[Message::Data(&contents)]);
        let writer = thread::spawn(move || peer.write_all(&bytes).map(|()| peer));
        assert_eq!(channel.listen().message().unwrap(), Message::Data(&contents));
        writer.join().unwrap().unwrap();
    }
}

#[test]
fn only_alive_and_abort_come_out_of_turn() {
    let (mut channel, mut peer, mut keys) = against(PATIENT);
    for _ in 0..3 {
        peer.write_all(&sealed(&mut keys, &[Message::Alive, Message::Alive])).unwrap();
        say(&mut channel, &[Message::Bye]).unwrap();
    }
    peer.write_all(&sealed(&mut keys, &[Message::Alive, Message::Bye])).unwrap();
    assert_broken(say(&mut channel, &[Message::Bye]));

    let (mut channel, mut peer, mut keys) = against(PATIENT);
    let abort = Message::Abort { exit: Exit::Io, text: "full".into() };
    peer.write_all(&sealed(&mut keys, &[abort])).unwrap();
    let error = say(&mut channel, &[Message::Bye]);
    assert!(matches!(error, Err(WireError::Aborted { exit: Exit::Io, .. })), "{error:?}");
}

#[test]
fn what_follows_the_end_of_a_turn_in_its_record_is_out_of_turn() {
    let (mut channel, mut peer, mut keys) = against(PATIENT);
    peer.write_all(&sealed(&mut keys, &[Message::WantEnd, Message::Alive])).unwrap();
    assert_eq!(channel.listen().message().unwrap(), Message::WantEnd);
    say(&mut channel, &[Message::FilesEnd]).unwrap();
    peer.write_all(&sealed(&mut keys, &[Message::WantEnd, Message::Bye])).unwrap();
    assert_eq!(channel.listen().message().unwrap(), Message::WantEnd);
    assert_broken(say(&mut channel, &[Message::FilesEnd]));
}

#[test]
fn alive_does_not_swallow_what_stands_beside_it() {
    let (mut channel, mut peer, mut keys) = against(PATIENT);
    peer.write_all(&sealed(&mut keys, &[Message::Alive])).unwrap();
    peer.write_all(&sealed(&mut keys, &[Message::Alive, Message::AskEnd, Message::Alive])).unwrap();
    peer.write_all(&sealed(&mut keys, &[Message::WantEnd])).unwrap();
    assert_eq!(channel.listen().message().unwrap(), Message::AskEnd);
    assert_eq!(channel.listen().message().unwrap(), Message::WantEnd);
}

#[test]
fn while_we_work_in_its_turn_the_peer_may_go_on() {
    let (mut channel, mut peer, mut keys) = against(PATIENT);
    peer.write_all(&sealed(&mut keys, &[Message::Data(b"1")])).unwrap();
    assert_eq!(channel.listen().message().unwrap(), Message::Data(b"1"));
    peer.write_all(&sealed(&mut keys, &[Message::Data(b"2")])).unwrap();
    // Quiet for so long that Alive is due at once.
    channel.sent = Instant::now().checked_sub(limits::ALIVE).unwrap();
    let (done, worker) = sync_channel(1);
    let work = thread::spawn(move || {
        thread::sleep(100 * MS);
        done.send(()).unwrap();
    });
    channel.listen().await_worker(&worker).unwrap();
    work.join().unwrap();
    assert_eq!(channel.listen().message().unwrap(), Message::Data(b"2"));
    let mut heard = sealed(&mut keys, &[Message::Alive]);
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(keys.open.open(&mut heard[HEADER..]).unwrap(), [26, 0, 0, 0, 0]);
}

#[test]
fn a_flood_of_alive_does_not_keep_us_from_speaking() {
    let (mut channel, mut peer, mut keys) = against(PATIENT);
    let mut reader = peer.try_clone().unwrap();
    let flood = thread::spawn(move || while peer.write_all(&sealed(&mut keys, &[Message::Alive])).is_ok() {});
    let (first, said) = sync_channel(1);
    let read = thread::spawn(move || {
        reader.read_exact(&mut [0; 100]).unwrap();
        first.send(()).unwrap();
        reader.shutdown(std::net::Shutdown::Both).unwrap();
    });
    // A quarter of a MiB is more than the socket holds: it must be written while the flood comes in.
    let contents = vec![0; 1000];
    let _ = say(&mut channel, &[Message::Data(&contents)]);
    said.recv_timeout(Duration::from_secs(10)).expect("nothing was said");
    read.join().unwrap();
    flood.join().unwrap();
}

#[test]
fn abort_reaches_who_is_blocked_on_a_full_socket() {
    let (mut speaker, mut listener) = pair(PATIENT);
    let blocked = thread::spawn(move || {
        let contents = vec![0; limits::RECORD - 5];
        loop {
            if let Err(error) = say(&mut speaker, &[Message::Data(&contents)]) {
                return error;
            }
        }
    });
    assert!(matches!(listener.listen().message(), Ok(Message::Data(_))));
    thread::sleep(100 * MS);
    assert!(!blocked.is_finished(), "the socket must be full");
    listener.abort(Exit::Io, "no space left");
    let error = blocked.join().unwrap();
    assert!(
        matches!(&error, WireError::Aborted { exit: Exit::Io, text } if text == "no space left"),
        "{error:?}"
    );
}

/// How long it took.
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed(), done)
}

#[test]
fn silence_ends_and_alive_puts_it_off() {
    let (mut channel, mut peer, mut keys) = against(Patience::Silence(200 * MS));
    let (took, error) = timed(|| channel.listen().message().map(drop));
    assert!(matches!(error, Err(WireError::Silent)), "{error:?}");
    assert!((200 * MS..2000 * MS).contains(&took), "{took:?}");

    let bytes = sealed(&mut keys, &[Message::Alive]);
    let alive = thread::spawn(move || {
        thread::sleep(150 * MS);
        peer.write_all(&bytes).map(|()| peer)
    });
    let (took, error) = timed(|| channel.listen().message().map(drop));
    assert!(matches!(error, Err(WireError::Silent)), "{error:?}");
    assert!((350 * MS..3000 * MS).contains(&took), "{took:?}");
    alive.join().unwrap().unwrap();
}

#[test]
fn nobody_is_silent_while_it_is_not_his_turn() {
    let (mut channel, mut peer, mut keys) = against(Patience::Silence(300 * MS));
    channel.speak().say(&Message::AskEnd).unwrap();
    channel.while_working(|| thread::sleep(500 * MS)).unwrap();
    say(&mut channel, &[Message::WantEnd]).unwrap();
    let answer = thread::spawn(move || {
        thread::sleep(50 * MS);
        peer.write_all(&sealed(&mut keys, &[Message::FilesEnd])).map(|()| peer)
    });
    assert_eq!(channel.listen().message().unwrap(), Message::FilesEnd);
    answer.join().unwrap().unwrap();
}

#[test]
fn who_takes_nothing_is_silent() {
    let (mut channel, _peer, _) = against(Patience::Silence(200 * MS));
    let contents = vec![0; limits::RECORD - 5];
    let (took, error) = timed(|| {
        loop {
            if let Err(error) = say(&mut channel, &[Message::Data(&contents)]) {
                return error;
            }
        }
    });
    assert!(matches!(error, WireError::Silent), "{error:?}");
    assert!(took < 4000 * MS, "{took:?}");
}

#[test]
fn a_trickle_extends_no_deadline() {
    let (mut channel, mut peer, mut keys) = against(Patience::Until(Instant::now() + 300 * MS));
    let trickle = thread::spawn(move || {
        for byte in sealed(&mut keys, &[Message::Data(&[0; 100])]) {
            thread::sleep(20 * MS);
            if peer.write_all(&[byte]).is_err() {
                break;
            }
        }
    });
    let (took, error) = timed(|| channel.listen().message().map(drop));
    assert!(matches!(error, Err(WireError::Silent)), "{error:?}");
    assert!((250 * MS..1800 * MS).contains(&took), "{took:?}");
    drop(channel);
    trickle.join().unwrap();
}

/// Over TCP, which throws away what was sent when a socket is closed with something unread.
fn over_tcp() -> (Channel, TcpStream, Transport) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (client, server) = keys();
    let (socket, _) = listener.accept().unwrap();
    (Channel::new(Stream::new(socket.into()), client, PATIENT), peer, server)
}

#[test]
fn the_reason_arrives_though_the_peer_was_speaking() {
    let (mut channel, mut peer, mut keys) = over_tcp();
    let contents = vec![0; limits::RECORD - 5];
    for _ in 0..4 {
        peer.write_all(&sealed(&mut keys, &[Message::Data(&contents)])).unwrap();
    }
    let reason = "\u{eb}".repeat(limits::TEXT);
    let giving_up = thread::spawn(move || channel.abort(Exit::Refused, &reason));
    let mut header = [0; HEADER];
    peer.read_exact(&mut header).unwrap();
    let mut body = vec![0; u32::from_be_bytes(header).try_into().unwrap()];
    peer.read_exact(&mut body).unwrap();
    let error = Record::of(keys.open.open(&mut body).unwrap()).message().map(drop);
    let Err(WireError::Aborted { exit: Exit::Refused, text }) = error else { panic!("{error:?}") };
    // Cut between two characters, and said to be no more than it may be.
    assert!((limits::TEXT - 8..=limits::TEXT).contains(&text.len()) && text.chars().all(|c| c == '\u{eb}'));
    assert_eq!(peer.read(&mut header).unwrap(), 0, "nothing follows it");
    drop(peer);
    giving_up.join().unwrap();
}

#[test]
fn a_flood_does_not_keep_us_from_giving_up() {
    let (mut channel, mut peer, _) = over_tcp();
    let flood = thread::spawn(move || while peer.write_all(&[0; 65536]).is_ok() {});
    let (took, ()) = timed(|| channel.abort(Exit::Protocol, "enough"));
    assert!((limits::DRAIN..limits::DRAIN + 3000 * MS).contains(&took), "{took:?}");
    drop(channel);
    flood.join().unwrap();
}

#[test]
fn the_last_word_is_found_behind_other_records() {
    let (mut channel, mut peer, mut keys) = against(PATIENT);
    peer.write_all(&sealed(&mut keys, &[Message::Bye])).unwrap();
    let abort = Message::Abort { exit: Exit::Refused, text: "read only".into() };
    peer.write_all(&sealed(&mut keys, &[Message::Alive, abort])).unwrap();
    let error = channel.last_word(WireError::Closed);
    assert!(matches!(&error, WireError::Aborted { text, .. } if text == "read only"), "{error:?}");

    // Who only goes on and on gives no reason.
    let (mut channel, mut peer, mut keys) = against(PATIENT);
    let flood = thread::spawn(move || while peer.write_all(&sealed(&mut keys, &[Message::Alive])).is_ok() {});
    let (took, error) = timed(|| channel.last_word(WireError::Closed));
    assert!(matches!(error, WireError::Closed) && took < limits::DRAIN + 3000 * MS, "{error:?} {took:?}");
    drop(channel);
    flood.join().unwrap();
}
