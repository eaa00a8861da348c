//! smsyncd as a daemon of a test: its configuration, its port, and what it says.

use super::SMSYNCD;
use rustix::process::{Pid, Signal};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A directory with a private configuration, and a port nobody listens on.
pub(crate) struct Place {
    pub dir: tempfile::TempDir,
    pub port: u16,
}

impl Place {
    pub(crate) fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let mut private = File::options();
        let mut file =
            private.write(true).create_new(true).mode(0o600).open(dir.path().join("conf")).unwrap();
        let secret = "secret = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        // Nothing is to be left in the directory of the host's own server.
        writeln!(file, "{secret}\nstate dir = {}", dir.path().join("state").display()).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Place { dir, port }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("conf")
    }

    /// smsyncd with this configuration and these further arguments.
    pub(crate) fn smsyncd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SMSYNCD);
        command.arg("-c").arg(self.config()).args(arguments);
        command
    }

    /// smsyncd at our port of the loopback address.
    pub(crate) fn daemon(&self) -> Command {
        let port = self.port.to_string();
        self.smsyncd(&["--address", "127.0.0.1", "-p", &port])
    }

    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The process ids of daemons with our configuration.
    pub(crate) fn running(&self) -> Vec<Pid> {
        let config = self.config().into_os_string().into_encoded_bytes();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = numbers.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(b"smsyncd\0") && line.split(|&byte| byte == 0).any(|word| word == config)
        });
        ours.filter_map(Pid::from_raw).collect()
    }
}

/// A listener in the foreground; dropping it ends it.
pub(crate) struct Foreground {
    pub child: Child,
    log: BufReader<UnixStream>,
}

impl Foreground {
    pub(crate) fn start(command: &mut Command) -> Foreground {
        // A socket, because waiting for what it says can be given up.
        let (log, theirs) = UnixStream::pair().unwrap();
        log.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let child = command.arg("-f").stdin(Stdio::null()).stderr(OwnedFd::from(theirs)).spawn().unwrap();
        Foreground { child, log: BufReader::new(log) }
    }

    /// Reads the log up to a record with this text.
    pub(crate) fn says(&mut self, text: &str) {
        let mut record = String::new();
        while !record.contains(text) {
            record.clear();
            assert_ne!(self.log.read_line(&mut record).unwrap(), 0, "it ended without saying {text:?}");
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What /proc says about the listener.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    pub(crate) fn exit(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
