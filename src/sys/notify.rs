//! Telling the service manager how we are, sd_notify(3): a datagram to the socket that `$NOTIFY_SOCKET` names.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Who wants to know.
#[derive(Debug, Clone)]
pub struct Supervisor(SocketAddr);

impl Supervisor {
    /// At the socket of this name; `None` if it is none that sd_notify(3) would take.
    #[must_use]
    pub fn new(socket: &OsString) -> Option<Supervisor> {
        let address = match socket.as_encoded_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            [b'/', ..] => SocketAddr::from_pathname(socket),
            _ => return None,
        };
        address.ok().map(Supervisor)
    }

    /// Says it: assignments, one a line, as `READY=1`.
    ///
    /// # Errors
    /// Nobody is there to be told.
    pub fn tell(&self, state: &str) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        // A supervisor that does not read must not hold us up.
        socket.set_nonblocking(true)?;
        socket.send_to_addr(state.as_bytes(), &self.0).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_sockets_of_either_kind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("@smsync-test-{}", std::process::id());
        let abstract_one = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let sockets = [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&abstract_one).unwrap(), OsString::from(name)),
        ];
        for (socket, name) in sockets {
            Supervisor::new(&name).unwrap().tell("READY=1").unwrap();
            let mut text = [0; 20];
            assert_eq!(socket.recv(&mut text).unwrap(), 7);
            assert_eq!(&text[..7], b"READY=1");
        }
        for wrong in ["", "relative", "vsock:2:1234"] {
            assert!(Supervisor::new(&wrong.into()).is_none(), "{wrong}");
        }
    }
}
