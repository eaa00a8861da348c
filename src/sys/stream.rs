//! The connection: a stream socket that never blocks longer than it is told.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// A connected stream socket.
#[derive(Debug)]
pub struct Stream(OwnedFd);

/// What a socket is ready for.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// There is something to read, or the end.
    pub read: bool,
    /// There is room to write.
    pub write: bool,
}

impl Stream {
    /// Takes a connected socket and sets what every connection of ours needs: no delay of small records, keepalive, and
    /// an end to what was sent and not acknowledged for two minutes. A socket that is not TCP has none of these.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Stream {
        use rustix::net::sockopt;
        let seconds = Duration::from_secs;
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        let _ = sockopt::set_socket_keepalive(&socket, true);
        let _ = sockopt::set_tcp_keepidle(&socket, seconds(30));
        let _ = sockopt::set_tcp_keepintvl(&socket, seconds(10));
        let _ = sockopt::set_tcp_keepcnt(&socket, 3);
        let _ = sockopt::set_tcp_user_timeout(&socket, 120_000);
        Stream(socket)
    }

    /// Connects to the address within `limit`, from `local` if that is given.
    ///
    /// # Errors
    /// As connect(2), or TimedOut.
    pub fn connect(address: &SocketAddr, local: Option<&SocketAddr>, limit: Duration) -> io::Result<Stream> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        if let Some(local) = local {
            bind(&socket, local)?;
        }
        let stream = Stream(socket);
        match connect(&stream.0, address) {
            Ok(()) => {}
            Err(rustix::io::Errno::INPROGRESS) => {
                stream.wait(false, true, Instant::now() + limit)?;
                sockopt::socket_error(&stream.0)??;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Stream::new(stream.0))
    }

    /// Whether the other end is on this host, as far as its address tells.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let peer = rustix::net::getpeername(&self.0).ok().flatten();
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
    }

    /// Reads what is there; `None` when nothing is. Zero bytes are the end of the stream.
    ///
    /// # Errors
    /// The connection broke.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            return match rustix::net::recv(&self.0, &mut *buf, RecvFlags::DONTWAIT) {
                Ok((read, _)) => Ok(Some(read)),
                Err(rustix::io::Errno::AGAIN) => Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Writes what there is room for; zero when there is none.
    ///
    /// # Errors
    /// The connection broke.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        loop {
            return match rustix::net::send(&self.0, buf, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(written) => Ok(written),
                Err(rustix::io::Errno::AGAIN) => Ok(0),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Waits until the socket is ready for what is asked, or the deadline is over.
    ///
    /// # Errors
    /// TimedOut from the deadline on, ready or not: who never stops sending does not extend it.
    pub fn wait(&self, read: bool, write: bool, deadline: Instant) -> io::Result<Ready> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, read);
        events.set(PollFlags::OUT, write);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            let mut fds = [PollFd::new(&self.0, events)];
            match poll(&mut fds, Some(&left)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let now = fds.first().map_or(PollFlags::empty(), |fd| fd.revents());
            let broken = now.intersects(PollFlags::ERR | PollFlags::HUP);
            return Ok(Ready {
                read: broken || now.intersects(PollFlags::IN),
                write: broken || now.intersects(PollFlags::OUT),
            });
        }
    }

    /// Says that nothing more will be written.
    pub fn end_writing(&self) {
        // A connection that is already gone needs no end.
        let _ = rustix::net::shutdown(self.0.as_fd(), Shutdown::Write);
    }
}

/// The addresses of a host and port.
///
/// # Errors
/// The name is unknown, or the resolver does not answer.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    use std::net::ToSocketAddrs;
    Ok((host, port).to_socket_addrs()?.collect())
}
