//! A peer that says whatever a test wants: the real handshake, then any messages, records or bytes.

use smsync::exit::Exit;
use smsync::path::{RelPath, Scope};
use smsync::report::{Aspects, Change, Deed, Fate};
use smsync::secret::Secret;
use smsync::spec::Keywords;
use smsync::sys::FileKind;
use smsync::terms::Keeping;
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags, Round};
use smsync::wire::noise::{self, Cipher, Initiator, MESSAGE, Opener, Sealer, Transport};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// No test waits longer than this for a word of the other side.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One end of a connection, the keys in its hands.
pub struct Peer {
    pub socket: TcpStream,
    seal: Sealer,
    open: Opener,
    /// Messages that arrived and were not looked at: kind and body.
    arrived: Vec<Heard>,
    /// Every byte that was sent, before it was damaged.
    pub sent: Vec<u8>,
    /// Which byte is damaged on its way, counted from the first, and which bits of it.
    damage: Option<(usize, u8)>,
}

/// A message that arrived.
#[derive(Debug, Clone)]
pub struct Heard {
    kind: u8,
    body: Vec<u8>,
}

impl Heard {
    pub fn message(&self) -> Message<'_> {
        Message::decode(self.kind, &self.body).unwrap()
    }
}

/// What a client says in clear before the handshake.
pub fn prologue(version: u16, cipher: u8, user: &[u8]) -> Vec<u8> {
    let length = u8::try_from(user.len()).unwrap();
    [b"smsync", &version.to_be_bytes()[..], &[cipher, length], user].concat()
}

/// A change of a file of which nothing more is said.
pub fn change(path: RelPath<'static>, fate: Fate) -> Change {
    Change {
        path,
        fate,
        kind: FileKind::File,
        deed: Deed::Sent,
        aspects: Aspects::NONE,
        target: Box::default(),
        wanted: Vec::new(),
        found: Vec::new(),
    }
}

/// One message as a frame.
pub fn frame(message: &Message<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    message.encode(&mut body);
    raw_frame(message.kind(), &body)
}

/// A frame of any kind.
pub fn raw_frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// Bytes that begin at an offset of the stream, with the damage that falls among them.
fn damaged(bytes: &[u8], offset: usize, damage: Option<(usize, u8)>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((at, mask)) = damage
        && let Some(byte) = at.checked_sub(offset).and_then(|at| bytes.get_mut(at))
    {
        *byte ^= mask;
    }
    bytes
}

impl Peer {
    fn new(socket: TcpStream, keys: Transport) -> Peer {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let Transport { seal, open, .. } = keys;
        Peer { socket, seal, open, arrived: Vec::new(), sent: Vec::new(), damage: None }
    }

    /// Greets as a client does.
    #[track_caller]
    pub fn client(socket: TcpStream, secret: &str) -> Peer {
        Peer::damaged_client(socket, secret, None).expect("the greeting is refused")
    }

    /// The same, but one byte is damaged on its way; `None` when the greeting fails.
    pub fn damaged_client(mut socket: TcpStream, secret: &str, damage: Option<(usize, u8)>) -> Option<Peer> {
        let prologue = prologue(1, Cipher::AesGcm.wire(), b"");
        let secret = Secret::parse(secret).unwrap();
        let (initiator, first) = Initiator::start(Cipher::AesGcm, &prologue, &secret).unwrap();
        let greeting = [&prologue[..], &first].concat();
        socket.write_all(&damaged(&greeting, 0, damage)).unwrap();
        let mut answer = [0; 7 + MESSAGE];
        socket.read_exact(&mut answer).ok()?;
        assert_eq!(answer[..7], *b"smsync\x01");
        let second: [u8; MESSAGE] = answer[7..].try_into().unwrap();
        let keys = initiator.finish(&second).unwrap();
        Some(Peer { sent: greeting, damage, ..Peer::new(socket, keys) })
    }

    /// Greets as a server does.
    pub fn server(socket: TcpStream, secret: &str) -> Peer {
        Peer::damaged_server(socket, secret, None)
    }

    /// The same, but one byte is damaged on its way.
    pub fn damaged_server(mut socket: TcpStream, secret: &str, damage: Option<(usize, u8)>) -> Peer {
        let mut head = [0; 10];
        socket.read_exact(&mut head).unwrap();
        let mut user = vec![0; head[9].into()];
        socket.read_exact(&mut user).unwrap();
        let mut first = [0; MESSAGE];
        socket.read_exact(&mut first).unwrap();
        let secret = Secret::parse(secret).unwrap();
        let cipher = Cipher::from_wire(head[8]).unwrap();
        let (second, keys) = noise::respond(cipher, &[&head[..], &user].concat(), &secret, &first).unwrap();
        let greeting = [&b"smsync\x01"[..], &second].concat();
        socket.write_all(&damaged(&greeting, 0, damage)).unwrap();
        Peer { sent: greeting, damage, ..Peer::new(socket, keys) }
    }

    /// Seals a record with any plaintext.
    pub fn sealed(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut body = plaintext.to_vec();
        let tag = self.seal.seal(&mut body).unwrap();
        body.extend_from_slice(&tag);
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    /// Sends bytes as they are. Whom they end the connection for does not matter here.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(&damaged(bytes, self.sent.len(), self.damage));
        self.sent.extend_from_slice(bytes);
    }

    /// Sends a record with any plaintext.
    pub fn record(&mut self, plaintext: &[u8]) {
        let bytes = self.sealed(plaintext);
        self.send(&bytes);
    }

    /// Says these messages in one record.
    pub fn say(&mut self, messages: &[Message<'_>]) {
        let plaintext: Vec<u8> = messages.iter().flat_map(frame).collect();
        self.record(&plaintext);
    }

    /// The next message but `Alive`; `None` at the end of the connection.
    pub fn hear(&mut self) -> Option<Heard> {
        while self.arrived.is_empty() {
            let mut header = [0; 4];
            self.socket.read_exact(&mut header).ok()?;
            let mut body = vec![0; u32::from_be_bytes(header).try_into().unwrap()];
            self.socket.read_exact(&mut body).ok()?;
            let mut rest: &[u8] = self.open.open(&mut body).unwrap();
            while let [kind, a, b, c, d, tail @ ..] = rest {
                let (body, tail) = tail.split_at(u32::from_be_bytes([*a, *b, *c, *d]).try_into().unwrap());
                self.arrived.push(Heard { kind: *kind, body: body.to_vec() });
                rest = tail;
            }
            self.arrived.retain(|heard| heard.message() != Message::Alive);
        }
        Some(self.arrived.remove(0))
    }

    /// Whether a message of this kind comes before the connection ends or is silent.
    pub fn hears(&mut self, last: &Message<'_>) -> bool {
        std::iter::from_fn(|| self.hear()).any(|heard| heard.kind == last.kind())
    }

    /// Everything up to a message of this kind; fails when it does not come.
    #[track_caller]
    pub fn hear_until(&mut self, last: &Message<'_>) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            let heard = self.hear();
            let heard =
                heard.unwrap_or_else(|| panic!("the connection ended before {last:?}; came: {all:?}"));
            let over = heard.kind == last.kind();
            all.push(heard);
            if over {
                return all;
            }
        }
    }

    /// What the other side wants of what was offered. It may ask for digests before, and is told none: an earlier attack may
    /// have left something of which it does.
    pub fn wants(&mut self) -> Vec<Heard> {
        let mut wants = Vec::new();
        while let Some(heard) = self.hear() {
            match heard.message() {
                Message::AskEnd => self.say(&[Message::DigestsEnd]),
                Message::WantEnd => break,
                _ => wants.push(heard),
            }
        }
        wants
    }

    /// Ends writing, and gives back the reason with which the other side gave up, if it did.
    pub fn finish(&mut self) -> Option<(Exit, String)> {
        let _ = self.socket.shutdown(Shutdown::Write);
        while let Some(heard) = self.hear() {
            if let Message::Abort { exit, text } = heard.message() {
                return Some((exit, text.into_owned()));
            }
        }
        None
    }

    /// Asks for the module and a path in it.
    pub fn open_path(&mut self, module: &str, path: &str) {
        let path = RelPath::new(path.as_bytes()).unwrap();
        self.say(&[Message::Open { module: module.into(), path }]);
    }

    /// Asks for a round over the whole tree.
    pub fn round(&mut self, direction: Direction, flags: Flags) {
        self.scoped_round(direction, flags, Scope::default());
    }

    pub fn scoped_round(&mut self, direction: Direction, flags: Flags, scope: Scope) {
        // Most of them have little to remove, and all of it.
        let keeping = Keeping { force: true, ..Keeping::default() };
        let round = Round::new(direction, flags, Keywords::TRANSFER, scope);
        self.say(&[Message::Round(Round { keeping, ..round })]);
    }

    /// Says what we have.
    pub fn offer(&mut self, text: &str) {
        let entries = u32::try_from(text.lines().filter(|line| !line.starts_with('#')).count()).unwrap();
        self.offer_as(text.as_bytes(), *blake3::hash(text.as_bytes()).as_bytes(), entries);
    }

    pub fn offer_as(&mut self, text: &[u8], digest: [u8; 32], entries: u32) {
        let packed = zstd::encode_all(text, 1).unwrap();
        packed.chunks(100_000).for_each(|piece| self.say(&[Message::Spec(piece)]));
        // As if nothing of it took any room: a receiver believes that, and goes on.
        self.say(&[Message::SpecEnd { digest, entries, whole: true, skipped: 0, holes: u64::MAX }]);
    }

    /// Begins a push of this specification into module `m`.
    pub fn push(&mut self, text: &str) {
        self.open_path("m", "");
        self.round(Direction::Push, Flags::NONE);
        self.offer(text);
    }
}
