//! The broker: a process that is forked before the one that serves a connection confines itself, and does for it what
//! cannot be done from inside: names of users and groups, the administrator's hooks, and what the server is to know.
//!
//! It keeps what says that the session is there, and so it outlives it: asked for what it should not be asked, or not to be
//! asked any more, it kills it.

mod hook;
mod message;
mod service;

pub use hook::Hook;
pub use message::{Ended, How, Outcome};
pub use service::{Hooks, Notes};

use crate::limits;
use message::{LONGEST, Reply, Request};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The way to the broker.
#[derive(Debug)]
pub struct Broker {
    socket: Mutex<OwnedFd>,
}

/// The one of this process, if it has one.
static BROKER: OnceLock<Broker> = OnceLock::new();

/// Forks the broker. It has what this process has by then, but of its open files those that its notes need; and no more
/// than these hooks, and whoever takes its notes.
///
/// # Errors
/// There are other threads, there is a broker already, or no process or descriptor is left.
pub fn start(hooks: Hooks, notes: Box<dyn Notes>) -> io::Result<&'static Broker> {
    super::confine::one_thread()?;
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let mut kept = notes.descriptors();
    let session = pidfd_open(getpid(), PidfdFlags::empty())?;
    kept.extend([theirs.as_raw_fd(), session.as_raw_fd()]);
    kept.sort_unstable();
    // SAFETY: this process has one thread, as was just found out, so no lock is held by another and all memory is whole
    // in the child. The child closes every descriptor but 0, 1, 2, its socket, that of the session's process and
    // those of its notes; no value of it uses
    // another any more: it never returns from here, and ends without running what would close them again.
    #[allow(unsafe_code)]
    let child = unsafe {
        let child = libc::fork();
        if child == 0 {
            let mut from = 3;
            for own in kept {
                if own > from {
                    libc::syscall(libc::SYS_close_range, from, own - 1, 0);
                }
                from = from.max(own + 1);
            }
            libc::syscall(libc::SYS_close_range, from, i32::MAX, 0);
            // It ends with its session, and a service that is ended has its hook run first. What it runs has these signals
            // as ever: no handler outlives execve(2).
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::signal(signal, unmoved as *const () as libc::sighandler_t);
            }
        }
        child
    };
    match child {
        -1 => return Err(io::Error::last_os_error()),
        0 => end(service::serve(theirs, &session, hooks, notes)),
        _ => {}
    }
    drop(theirs);
    BROKER
        .set(Broker { socket: Mutex::new(ours) })
        .map_err(|_| io::Error::from(io::ErrorKind::AlreadyExists))?;
    running().ok_or_else(|| io::ErrorKind::NotFound.into())
}

extern "C" fn unmoved(_: i32) {}

/// Ends a forked process, without what the program does at its end.
pub(super) fn end(code: i32) -> ! {
    // SAFETY: the call ends the process at once and touches none of its memory.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(code)
    }
}

/// The broker of this process, if one was started.
pub fn running() -> Option<&'static Broker> {
    BROKER.get()
}

impl Broker {
    fn ask(&self, request: &Request) -> io::Result<Reply> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        rustix::net::send(&*socket, &request.encode(), SendFlags::NOSIGNAL)?;
        let mut reply = [0; LONGEST];
        let (length, _) =
            rustix::io::retry_on_intr(|| rustix::net::recv(&*socket, &mut reply[..], RecvFlags::empty()))?;
        let reply = reply.get(..length).and_then(Reply::decode);
        reply.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The number of a user or group. A broker that is gone knows none.
    fn id(&self, request: &Request) -> Option<u32> {
        match self.ask(request) {
            Ok(Reply::Id(id)) => Some(id),
            _ => None,
        }
    }

    fn name(&self, request: &Request) -> Option<Vec<u8>> {
        match self.ask(request) {
            Ok(Reply::Name(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn user_name(&self, uid: u32) -> Option<Vec<u8>> {
        self.name(&Request::UserName(uid))
    }

    pub(super) fn group_name(&self, gid: u32) -> Option<Vec<u8>> {
        self.name(&Request::GroupName(gid))
    }

    pub(super) fn user_id(&self, name: &[u8]) -> Option<u32> {
        self.id(&Request::UserId(name.to_vec()))
    }

    pub(super) fn group_id(&self, name: &[u8]) -> Option<u32> {
        self.id(&Request::GroupId(name.to_vec()))
    }

    /// Has the hook run that comes before a transfer; `None` if there is none.
    ///
    /// # Errors
    /// The broker is gone.
    pub fn before(&self, push: bool) -> io::Result<Option<Ended>> {
        self.hook(&Request::Before { push })
    }

    /// Has the hook run that comes after a transfer; `None` if there is none.
    ///
    /// # Errors
    /// The broker is gone.
    pub fn after(&self, outcome: Outcome) -> io::Result<Option<Ended>> {
        self.hook(&Request::After(outcome))
    }

    /// Has the server know this of the session: [`limits::NOTE`] bytes at most.
    ///
    /// # Errors
    /// It is longer, or the broker is gone.
    pub fn note(&self, note: &[u8]) -> io::Result<()> {
        if note.len() > limits::NOTE {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.ask(&Request::Note(note.to_vec())).map(drop)
    }

    fn hook(&self, request: &Request) -> io::Result<Option<Ended>> {
        match self.ask(request)? {
            Reply::Ended(ended) => Ok(Some(ended)),
            Reply::None => Ok(None),
            Reply::Id(_) | Reply::Name(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
