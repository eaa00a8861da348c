//! Becoming a daemon without fork(2): a second process of this program gets the bound sockets and reports when it serves.
//!
//! The two share a unix socket, the new process's descriptor 0. The starter sends the listening sockets along with one
//! byte; the daemon answers with its exit code, 0 meaning "ready", and the reason if it is another, and closes.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

use super::process::{Ending, Program};
use crate::limits;

/// What became of a daemon that was started.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It serves.
    Ready,
    /// It gave up with this exit code, for this reason.
    Failed(u8, String),
    /// It ended without a word.
    Died(Ending),
}

/// Starts a daemon with these sockets and waits until it serves or ends.
///
/// # Errors
/// It cannot be started, or there are more than [`limits::SOCKETS`].
pub fn start(program: &Program, sockets: &[OwnedFd]) -> io::Result<Outcome> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(limits::SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other(format!("more than {} sockets", limits::SOCKETS)));
    }
    let (ours, theirs) = UnixStream::pair()?;
    let process = program.background(theirs.into())?;
    match rustix::net::sendmsg(&ours, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL) {
        Ok(_) | Err(Errno::PIPE) => {}
        Err(error) => return Err(error.into()),
    }

    let (mut code, mut reason) = ([0], Vec::new());
    if (&ours).read_exact(&mut code).is_err() {
        return Ok(Outcome::Died(process.wait()?));
    }
    let [code] = code;
    if code == 0 {
        return Ok(Outcome::Ready);
    }
    // Half a reason is better than none.
    let _ = (&ours).take(limits::TEXT as u64).read_to_end(&mut reason);
    Ok(Outcome::Failed(code, String::from_utf8_lossy(&reason).into_owned()))
}

/// The daemon's end of the channel to its starter.
#[derive(Debug)]
pub struct Starter(UnixStream);

impl Starter {
    /// The channel found on descriptor 0.
    #[must_use]
    pub fn new(channel: OwnedFd) -> Starter {
        Starter(channel.into())
    }

    /// Receives the listening sockets.
    ///
    /// # Errors
    /// The starter is gone, or this is no such channel.
    pub fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(limits::SOCKETS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        rustix::net::recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut byte)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let mut sockets = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                sockets.extend(rights);
            }
        }
        if sockets.is_empty() {
            return Err(io::Error::other("the starting process handed down no socket"));
        }
        Ok(sockets)
    }

    /// Leaves the starter's session and terminal.
    ///
    /// # Errors
    /// This process already leads one.
    pub fn leave(&self) -> io::Result<()> {
        rustix::process::setsid().map(drop).map_err(io::Error::from)
    }

    /// Tells the starter that we serve.
    ///
    /// # Errors
    /// The starter is gone.
    pub fn ready(&self) -> io::Result<()> {
        (&self.0).write_all(&[0])
    }

    /// Tells the starter why we do not.
    pub fn failed(&self, code: u8, reason: &str) {
        let answer: Vec<u8> = std::iter::once(code).chain(reason.bytes().take(limits::TEXT)).collect();
        // Without a starter nobody is left to be told.
        let _ = (&self.0).write_all(&answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::path::Path;

    fn shell(script: &str) -> Program {
        Program::new(Path::new("/bin/sh"), ["-c", script].map(OsString::from).to_vec())
    }

    fn listener() -> OwnedFd {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().into()
    }

    #[test]
    fn the_daemon_answers() {
        let sockets = [listener()];
        assert_eq!(start(&shell("printf '\\0' >&0"), &sockets).unwrap(), Outcome::Ready);
        let refused = start(&shell("printf '\\113already running' >&0"), &sockets).unwrap();
        assert_eq!(refused, Outcome::Failed(75, "already running".into()));
        assert_eq!(start(&shell("exit 7"), &sockets).unwrap(), Outcome::Died(Ending::Exit(7)));
        assert_eq!(start(&shell("kill -9 $$"), &sockets).unwrap(), Outcome::Died(Ending::Signal(9)));
    }

    #[test]
    fn the_sockets_arrive() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let bound = [listener(), listener()];
        let fds: Vec<_> = bound.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        rustix::net::sendmsg(&ours, &[IoSlice::new(b"2")], &mut control, SendFlags::empty()).unwrap();
        let starter = Starter::new(theirs.into());
        let received = starter.sockets().unwrap();
        let addresses =
            |sockets: &[OwnedFd]| sockets.iter().map(crate::sys::listen::address).collect::<Vec<_>>();
        assert_eq!(addresses(&received), addresses(&bound));
        starter.failed(71, "no");
        drop(starter);
        let mut answer = Vec::new();
        (&ours).read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"\x47no");
    }

    #[test]
    fn a_starter_that_is_gone_hands_down_nothing() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        let starter = Starter::new(theirs.into());
        assert!(starter.sockets().is_err());
        assert!(starter.ready().is_err());
    }
}
