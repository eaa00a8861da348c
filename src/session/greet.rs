//! The greeting: both sides prove the secret, and nothing but a user name is ever in clear.

use crate::limits;
use crate::secret::Secret;
use crate::session::Error;
use crate::sys::Stream;
use crate::wire::noise::{self, Cipher, Initiator, MESSAGE};
use crate::wire::{Channel, Patience, WireError};
use std::time::{Duration, Instant};

/// The version of the protocol.
pub const VERSION: u16 = 1;
const MAGIC: &[u8; 6] = b"smsync";

/// First byte of an answer that carries the second Noise message.
const ACCEPTED: u8 = 1;
/// Of the answer to a first message that does not open.
const DENIED: u8 = 0;
/// Of the answer to a version that is not spoken here.
const OTHER_VERSION: u8 = 2;
/// Of the answer of a server that knows no secret, since its configuration is wrong.
const BROKEN: u8 = 3;

/// What a client says of itself.
#[derive(Debug)]
pub struct Hello<'h> {
    /// Whose secret it is; empty for the one that has no name.
    pub user: &'h str,
    /// The secret.
    pub secret: &'h Secret,
    /// How records are sealed.
    pub cipher: Cipher,
}

/// Magic, version, cipher and user name: in clear, and bound by the handshake as its prologue.
fn prologue(version: u16, cipher: Cipher, user: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.push(cipher.wire());
    bytes.push(u8::try_from(user.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(user);
    bytes
}

fn write_all(stream: &Stream, mut bytes: &[u8], deadline: Instant) -> Result<(), WireError> {
    while !bytes.is_empty() {
        let written = stream.try_write(bytes)?;
        bytes = bytes.get(written..).unwrap_or_default();
        if written == 0 {
            stream.wait(false, true, deadline)?;
        }
    }
    Ok(())
}

fn read_array<const N: usize>(stream: &Stream, deadline: Instant) -> Result<[u8; N], WireError> {
    let mut bytes = [0; N];
    read_exact(stream, &mut bytes, deadline)?;
    Ok(bytes)
}

fn read_exact(stream: &Stream, mut space: &mut [u8], deadline: Instant) -> Result<(), WireError> {
    while !space.is_empty() {
        match stream.try_read(space)? {
            None => drop(stream.wait(true, false, deadline)?),
            Some(0) => return Err(WireError::Closed),
            Some(read) => space = space.get_mut(read..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Greets as the client. `idle`: how long the server may be silent afterwards.
///
/// # Errors
/// The server is none, does not know the secret, or was not done by the deadline.
pub fn greet_client(
    stream: Stream,
    hello: &Hello<'_>,
    deadline: Instant,
    idle: Duration,
) -> Result<Channel, Error> {
    let prologue = prologue(VERSION, hello.cipher, hello.user.as_bytes());
    let (initiator, message1) =
        Initiator::start(hello.cipher, &prologue, hello.secret).map_err(WireError::from)?;
    write_all(&stream, &[&prologue[..], &message1].concat(), deadline)?;
    let [a, b, c, d, e, f, kind] = read_array(&stream, deadline)?;
    match (kind, [a, b, c, d, e, f] == *MAGIC) {
        (ACCEPTED, true) => {}
        (DENIED, true) => return Err(Error::Denied),
        (OTHER_VERSION, true) => {
            return Err(Error::Version(u16::from_be_bytes(read_array(&stream, deadline)?)));
        }
        (BROKEN, true) => return Err(Error::Broken),
        _ => return Err(Error::Stranger),
    }
    let message2: [u8; MESSAGE] = read_array(&stream, deadline)?;
    // A server that cannot answer does not know the secret either.
    let transport = initiator.finish(&message2).map_err(|_| Error::Denied)?;
    Ok(Channel::new(stream, transport, Patience::Silence(idle)))
}

/// Greets as the server; gives back the channel and the user that the client says it is, who may have as many secrets as
/// [`limits::SECRETS`]. Nothing is proven before the
/// client's first record opens: a recorded first message can be replayed, but not gone on with.
///
/// # Errors
/// The client is none, does not know the secret, or was not done by the deadline.
pub fn greet_server<'s>(
    stream: Stream,
    secrets_of: &dyn Fn(&str) -> &'s [Secret],
    deadline: Instant,
) -> Result<(Channel, String), Error> {
    let magic: [u8; 6] = read_array(&stream, deadline)?;
    if magic != *MAGIC {
        return Err(Error::Stranger);
    }
    let version = u16::from_be_bytes(read_array(&stream, deadline)?);
    if version != VERSION {
        let answer = [&MAGIC[..], &[OTHER_VERSION], &VERSION.to_be_bytes()].concat();
        write_all(&stream, &answer, deadline)?;
        return Err(Error::Version(version));
    }
    let [cipher, length] = read_array(&stream, deadline)?;
    let length = usize::from(length);
    if length > limits::USER {
        return Err(WireError::Malformed("a user name is too long").into());
    }
    let mut user = vec![0; length];
    read_exact(&stream, &mut user, deadline)?;
    let message1: [u8; MESSAGE] = read_array(&stream, deadline)?;
    let user = String::from_utf8(user).map_err(|_| WireError::Malformed("a user name is not UTF-8"))?;
    let cipher = Cipher::from_wire(cipher).ok_or(WireError::Malformed("an unknown cipher"))?;
    // An unknown user fails at the same place in the same way: with secrets that nobody has, and as many.
    let nobodys = Secret::generate().map_err(|_| WireError::Seal)?;
    let prologue = prologue(VERSION, cipher, user.as_bytes());
    let known = secrets_of(&user);
    let tried = (0..limits::SECRETS).map(|at| known.get(at).unwrap_or(&nobodys));
    let mut opened = None;
    for secret in tried {
        let answer = noise::respond(cipher, &prologue, secret, &message1);
        opened = opened.or(answer.ok());
    }
    let Some((message2, transport)) = opened else {
        write_all(&stream, &[&MAGIC[..], &[DENIED]].concat(), deadline)?;
        stream.end_writing();
        return Err(Error::Denied);
    };
    write_all(&stream, &[&MAGIC[..], &[ACCEPTED], &message2[..]].concat(), deadline)?;
    // The deadline holds until the client has proven itself, and until more patience is had with it.
    Ok((Channel::new(stream, transport, Patience::Until(deadline)), user))
}

/// Tells a client that nobody can be served, and reads what it says meanwhile: TCP would throw the answer away.
///
/// # Errors
/// The client is none, or is not done by the deadline.
pub fn greet_broken(stream: &Stream, deadline: Instant) -> Result<(), Error> {
    if read_array(stream, deadline)? != *MAGIC {
        return Err(Error::Stranger);
    }
    write_all(stream, &[&MAGIC[..], &[BROKEN]].concat(), deadline)?;
    stream.end_writing();
    let mut rest = [0; 2 + 2 + limits::USER + MESSAGE];
    match read_exact(stream, &mut rest, deadline) {
        Ok(()) | Err(WireError::Closed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
