//! The calls of a listener: bind, accept, and sleep until a connection or a signal comes.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::stdio::{Kind, classify};

/// A stream socket that listens at this address and port alone, where so many connections may wait.
///
/// # Errors
/// Whatever the system says: the port is in use, privileged, or the address is not this host's.
pub fn bind(address: IpAddr, port: u16, backlog: u32) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, or none because the administrator wants none.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // A restart must not wait for old connections to be forgotten.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::new(address, port))?;
    rustix::net::listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// Whether [`bind`] failed for the wildcard address because this host lacks that family of addresses: it is not compiled
/// in, or it is switched off.
#[must_use]
pub fn family_missing(error: &io::Error) -> bool {
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Makes a socket somebody else bound fit for [`accept`].
///
/// # Errors
/// It does not listen.
pub fn adopt(socket: OwnedFd) -> io::Result<OwnedFd> {
    if classify(&socket) != Kind::Listening {
        return Err(io::Error::other("a socket handed down does not listen"));
    }
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Where a listening socket is bound; none for a unix socket.
#[must_use]
pub fn address(socket: &OwnedFd) -> Option<SocketAddr> {
    rustix::net::getsockname(socket).ok().and_then(|any| SocketAddr::try_from(any).ok())
}

/// What came of [`accept`].
#[derive(Debug)]
pub enum Accepted {
    /// A connection.
    Connection(OwnedFd),
    /// None waits, or the one that did is gone.
    Nothing,
    /// The system cannot give us one now; it goes on waiting, so trying again at once would spin.
    Exhausted(io::Error),
}

/// Takes one waiting connection.
#[must_use]
pub fn accept(listener: &OwnedFd) -> Accepted {
    match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
        Ok(connection) => Accepted::Connection(connection),
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::PERM) => {
            Accepted::Nothing
        }
        Err(error) => Accepted::Exhausted(error.into()),
    }
}

/// What a listener is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End (SIGTERM, SIGINT).
    End,
    /// Look at the configuration again (SIGHUP).
    Reload,
    /// A process we started has ended (SIGCHLD).
    Child,
}

/// The signals of a listener, which come through a descriptor instead of interrupting.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// From now on these signals wait until [`Signals::next`] fetches them. Call before any thread is started.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn block() -> io::Result<Signals> {
        let set = [Number::SIGTERM, Number::SIGINT, Number::SIGHUP, Number::SIGCHLD]
            .into_iter()
            .collect::<SigSet>();
        set.thread_block()?;
        Ok(Signals(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next signal that came, if any.
    #[must_use]
    pub fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok().flatten()?;
        match i32::try_from(info.ssi_signo).map(Number::try_from) {
            Ok(Ok(Number::SIGHUP)) => Some(Signal::Reload),
            Ok(Ok(Number::SIGCHLD)) => Some(Signal::Child),
            _ => Some(Signal::End),
        }
    }
}

/// Sleeps until a signal came, a connection waits at one of the listeners, or the time is over.
///
/// # Errors
/// The system is out of memory.
pub fn wait(signals: &Signals, listeners: &[OwnedFd], time: Option<Duration>) -> io::Result<()> {
    let time = time.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    let watched = listeners.iter().map(AsFd::as_fd).chain([signals.0.as_fd()]);
    let mut polled: Vec<_> = watched.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    match rustix::event::poll(&mut polled, time.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    fn waiting(listener: &OwnedFd) -> Accepted {
        // On loopback a connection is there as soon as connect returns, but the kernel does not promise it.
        for _ in 0..100 {
            match accept(listener) {
                Accepted::Nothing => std::thread::sleep(Duration::from_millis(10)),
                other => return other,
            }
        }
        Accepted::Nothing
    }

    #[test]
    fn both_families_at_one_port() {
        let v6 = bind(Ipv6Addr::LOCALHOST.into(), 0, 8).unwrap();
        let port = address(&v6).unwrap().port();
        drop(v6);
        let v6 = bind(Ipv6Addr::UNSPECIFIED.into(), port, 8).unwrap();
        let v4 = bind(Ipv4Addr::UNSPECIFIED.into(), port, 8).unwrap();
        for (listener, ip) in [(&v6, IpAddr::from(Ipv6Addr::LOCALHOST)), (&v4, Ipv4Addr::LOCALHOST.into())] {
            let client = TcpStream::connect((ip, port)).unwrap();
            let Accepted::Connection(connection) = waiting(listener) else { panic!("{ip}") };
            let expected = Kind::Connected(crate::sys::stdio::Peer::Inet(client.local_addr().unwrap()));
            assert_eq!(classify(connection), expected);
            assert!(matches!(accept(listener), Accepted::Nothing));
        }
    }

    #[test]
    fn a_port_is_taken_once() {
        let first = bind(Ipv4Addr::LOCALHOST.into(), 0, 8).unwrap();
        let again = bind(Ipv4Addr::LOCALHOST.into(), address(&first).unwrap().port(), 8);
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // 192.0.2.0/24 is for documentation (RFC 5737): no host has it.
        let strange = bind(Ipv4Addr::new(192, 0, 2, 1).into(), 0, 8);
        assert_eq!(strange.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn adopts_only_listeners() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let adopted = adopt(listener.into()).unwrap();
        assert!(matches!(waiting(&adopted), Accepted::Connection(_)));
        assert!(matches!(accept(&adopted), Accepted::Nothing), "accept must not wait");
        assert!(adopt(client.into()).is_err());
    }
}
