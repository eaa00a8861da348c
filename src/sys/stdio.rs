//! What a server process inherits: the connection on its standard descriptors, and all it has to forget.
//!
//! inetd and xinetd put the connection on descriptors 0, 1 *and* 2, so whatever prints or panics would speak to the
//! peer; and a super-server passes on its own environment, signals, limits and open files.

use core::net::SocketAddr;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::sys::signal::SigSet;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::limits;
use crate::sys::notify::Supervisor;
use crate::sys::process;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A host. An IPv4 address that came in over IPv6 stands here as the IPv4 address it is.
    Inet(SocketAddr),
    /// A process of this host, over a unix socket.
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Inet(address) => write!(f, "{}", address.ip()),
            Peer::Local => f.write_str("a local process"),
        }
    }
}

/// What a descriptor is to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A connected stream socket.
    Connected(Peer),
    /// An internet stream socket without a peer: it left before we started.
    Gone,
    /// A socket that listens.
    Listening,
    /// Anything else: a terminal, a file, a pipe, /dev/null.
    Other,
}

/// What `main` finds at its start.
#[derive(Debug)]
pub struct Start {
    /// The command line, our own name first.
    pub arguments: Vec<OsString>,
    /// The working directory we were started in, which relative names on the command line mean.
    pub directory: PathBuf,
    /// What descriptor 0 was, or the one connection systemd handed down elsewhere.
    pub stdin: Kind,
    /// The connection, on a high descriptor. One to a local process is left on descriptor 0 until [`take`].
    pub connection: Option<OwnedFd>,
    /// Other sockets handed down by systemd(1), see sd_listen_fds(3).
    pub handed: Vec<OwnedFd>,
    /// Whether descriptor 2 reaches a reader: it is neither the connection nor /dev/null.
    pub stderr: bool,
    /// Who wants to know when we are ready.
    pub supervisor: Option<Supervisor>,
}

/// Forgets what was inherited and takes the connection off the standard descriptors. The first thing `main` does:
/// nothing may have opened a file, started a thread or printed before.
///
/// # Errors
/// More sockets handed down than [`limits::SOCKETS`], or the system refused a step. Nothing must be printed then.
pub(crate) fn start() -> io::Result<Start> {
    let arguments = std::env::args_os().collect();
    // A removed directory has no name, and then only absolute names can be meant.
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let supervisor = std::env::var_os("NOTIFY_SOCKET").as_ref().and_then(Supervisor::new);
    let mut handed = forget(handed_down()?);

    let mut stdin = classify(io::stdin());
    let stderr = !is_null(io::stderr())? && (stdin == Kind::Other || !same(io::stdin(), io::stderr())?);
    let mut connection = match stdin {
        Kind::Connected(Peer::Inet(_)) => Some(take()?),
        Kind::Gone | Kind::Listening => take().map(|_| None)?,
        // Whose standard input merely is a unix socket (a supervisor's, say) may still want the help text.
        Kind::Connected(Peer::Local) | Kind::Other => None,
    };
    // systemd's Accept=yes without StandardInput=socket.
    if let (Kind::Other, [one]) = (stdin, handed.as_slice()) {
        let kind = classify(one);
        if matches!(kind, Kind::Connected(_) | Kind::Gone) {
            (stdin, connection) = (kind, handed.pop());
        }
    }
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::chdir("/")?;
    // The memory holds secrets: no core file, and no tracing by others with our user id.
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    process::take_descriptors()?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    SigSet::empty().thread_set_mask()?;
    // The listener starts itself by another name, and killall(1) should still find it.
    rustix::thread::set_name(c"smsyncd")?;
    Ok(Start { arguments, directory, stdin, connection, handed, stderr, supervisor })
}

/// How many descriptors from 3 on systemd handed to this very process.
fn handed_down() -> io::Result<RawFd> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let ours = number("LISTEN_PID") == Some(std::process::id());
    let count = number("LISTEN_FDS").filter(|_| ours).unwrap_or(0);
    let known =
        RawFd::try_from(count).ok().filter(|_| usize::try_from(count).is_ok_and(|n| n <= limits::SOCKETS));
    known.ok_or_else(|| {
        io::Error::other(format!("{count} sockets were handed down, but at most {}", limits::SOCKETS))
    })
}

/// Clears the environment, sets every signal to its default but ignores SIGPIPE, and closes every descriptor above 2
/// except the first `handed`, which are returned. Debug builds keep the fault points' variables.
fn forget(handed: RawFd) -> Vec<OwnedFd> {
    let faults =
        |name: &OsString| cfg!(debug_assertions) && name.as_encoded_bytes().starts_with(b"SMSYNC_FAULT");
    let kept: Vec<_> = std::env::vars_os().filter(|(name, _)| faults(name)).collect();
    let mut sockets = Vec::new();
    // SAFETY: `start` alone calls this, and `server::main` calls that first of all. So there is one thread, which reads
    // and changes the environment and the signals alone; and no value owns a descriptor above 2 yet, so each of them
    // gets exactly one owner here (once fcntl has shown that it is open) or is closed. Rust's own handlers of SIGSEGV and
    // SIGBUS, which report a stack overflow, stay; numbers that are no signals are refused by signal(2).
    #[allow(unsafe_code)]
    unsafe {
        libc::clearenv();
        for (name, value) in kept {
            std::env::set_var(name, value);
        }
        for signal in (1..=libc::SIGRTMAX()).filter(|signal| ![libc::SIGSEGV, libc::SIGBUS].contains(signal))
        {
            libc::signal(signal, if signal == libc::SIGPIPE { libc::SIG_IGN } else { libc::SIG_DFL });
        }
        for number in 3..3 + handed {
            if libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) == 0 {
                sockets.push(OwnedFd::from_raw_fd(number));
            }
        }
        if libc::syscall(libc::SYS_close_range, 3 + handed, RawFd::MAX, 0) != 0 {
            // Before Linux 5.9.
            for number in 3 + handed..limits::DESCRIPTORS {
                libc::close(number);
            }
        }
    }
    sockets
}

/// What this descriptor is. A datagram or unconnected unix socket is nothing to us.
#[must_use]
pub fn classify(fd: impl AsFd) -> Kind {
    let fd = fd.as_fd();
    if sockopt::socket_type(fd) != Ok(SocketType::STREAM) {
        return Kind::Other;
    }
    if sockopt::socket_acceptconn(fd) == Ok(true) {
        return Kind::Listening;
    }
    let peer = rustix::net::getpeername(fd);
    match sockopt::socket_domain(fd) {
        Ok(AddressFamily::UNIX) if peer.is_ok() => Kind::Connected(Peer::Local),
        Ok(AddressFamily::INET | AddressFamily::INET6) => {
            let address = peer.ok().flatten().and_then(|any| SocketAddr::try_from(any).ok());
            address.map_or(Kind::Gone, |address| Kind::Connected(Peer::Inet(canonical(address))))
        }
        _ => Kind::Other,
    }
}

/// An IPv4 address that came in over IPv6, as IPv4: so that one rule of access means it either way.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => {
            SocketAddr::new(address.ip().to_canonical(), v6.port())
        }
        other => other,
    }
}

/// Moves descriptor 0 to a high one and puts /dev/null on 0, 1 and, if it is the same socket, 2.
///
/// # Errors
/// No descriptor is left, or there is no /dev/null.
pub fn take() -> io::Result<OwnedFd> {
    let connection = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let stderr_too = same(&connection, io::stderr())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    if stderr_too {
        rustix::stdio::dup2_stderr(&null)?;
    }
    Ok(connection)
}

/// Whether two descriptors are one file.
fn same(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Whether this descriptor is /dev/null, which the kernel numbers 1,3 everywhere.
fn is_null(fd: impl AsFd) -> io::Result<bool> {
    let stat = rustix::fs::fstat(fd)?;
    let character = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    Ok(character && stat.st_rdev == rustix::fs::makedev(1, 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    #[test]
    fn tells_sockets_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (served, peer) = listener.accept().unwrap();
        assert_eq!(classify(&served), Kind::Connected(Peer::Inet(peer)));
        assert_eq!(classify(&listener), Kind::Listening);
        let (one, other) = UnixStream::pair().unwrap();
        assert_eq!(classify(&one), Kind::Connected(Peer::Local));
        drop(other);
        assert_eq!(classify(&one), Kind::Connected(Peer::Local), "end of file is for the session to see");
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(classify(UnixListener::bind(dir.path().join("s")).unwrap()), Kind::Listening);

        // The peer closes its side: half a connection is one still. Only a reset leaves no peer.
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(classify(&served), Kind::Connected(Peer::Inet(peer)));
    }

    #[test]
    fn a_peer_that_left_is_not_invented() {
        let fresh = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        assert_eq!(classify(&fresh), Kind::Gone);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (served, _) = listener.accept().unwrap();
        // Closed with a linger time of zero, a connection is reset.
        sockopt::set_socket_linger(&client, Some(std::time::Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(classify(&served), Kind::Gone);
    }

    #[test]
    fn the_rest_is_nothing() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(is_null(&file).unwrap());
        assert_eq!(classify(&file), Kind::Other);
        let zero = std::fs::File::open("/dev/zero").unwrap();
        assert!(!is_null(&zero).unwrap());
        assert_eq!(classify(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()), Kind::Other);
        assert_eq!(classify(UnixDatagram::unbound().unwrap()), Kind::Other);
        let fresh = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        assert_eq!(classify(fresh), Kind::Other);
    }

    #[test]
    fn ipv4_over_ipv6_is_ipv4() {
        for (given, expected) in [
            ("[::ffff:10.1.2.3]:77", "10.1.2.3:77"),
            ("[2001:db8::1]:77", "[2001:db8::1]:77"),
            ("[fe80::1%3]:77", "[fe80::1%3]:77"),
            ("10.1.2.3:77", "10.1.2.3:77"),
        ] {
            assert_eq!(canonical(given.parse().unwrap()), expected.parse().unwrap());
        }
    }

    #[test]
    fn one_file_is_the_same_by_any_descriptor() {
        let (one, other) = UnixStream::pair().unwrap();
        assert!(same(&one, one.try_clone().unwrap()).unwrap());
        assert!(!same(&one, &other).unwrap());
    }
}
