//! The host's syslog: what the `syslog` crate sends, with local time, reconnecting, and never waiting.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

pub use syslog::Severity;
use syslog::{LogFormat, Logger, LoggerBackend};

use super::clock::Local;

/// Where syslogd listens.
const SOCKET: &str = "/dev/log";

/// What our records are known by.
pub const TAG: &str = "smsyncd";

/// The facility of daemons: RFC 5424, table 1.
pub const DAEMON: u8 = 3;

/// A way to syslogd, made anew whenever it was restarted.
pub struct Syslog {
    path: PathBuf,
    form: Form,
    logger: Option<Logger<LoggerBackend, Form>>,
    /// Whether no other socket can be had any more.
    confined: bool,
}

/// RFC 3164 with the host's own time, which is what syslogd expects; the crate's form has UTC.
#[derive(Clone)]
struct Form {
    /// Its number in RFC 5424, 0 to 23.
    facility: u8,
    pid: u32,
    tag: String,
}

impl LogFormat<&str> for Form {
    fn format<W: Write>(&self, out: &mut W, severity: Severity, text: &str) -> syslog::Result<()> {
        let priority = u32::from(self.facility) << 3 | severity as u32;
        let record = format!("<{priority}>{} {}[{}]: {text}", Local::now().rfc3164(), self.tag, self.pid);
        // One write is one datagram.
        out.write_all(record.as_bytes()).map_err(syslog::Error::Write)
    }
}

impl Syslog {
    /// The host's syslogd, to which we are known by this tag. That none runs is no error: it may come.
    #[must_use]
    pub fn new(facility: u8, tag: &str) -> Syslog {
        Syslog::at(Path::new(SOCKET), facility, tag)
    }

    /// A syslogd with its datagram socket at `path`.
    #[must_use]
    pub fn at(path: &Path, facility: u8, tag: &str) -> Syslog {
        let form = Form { facility, pid: std::process::id(), tag: tag.to_owned() };
        Syslog { path: path.to_owned(), logger: connect(path, form.clone()).ok(), form, confined: false }
    }

    /// From now on the socket stays what it is: a syslogd that is started anew is not reached by it.
    pub fn confine(&mut self) {
        self.confined = true;
    }

    /// The socket that it has now, if it has one.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        match &self.logger.as_ref()?.backend {
            LoggerBackend::Unix(socket) => Some(socket.as_raw_fd()),
            _ => None,
        }
    }

    /// Sends one record of one line, and says whether syslogd has it. A full socket loses the record.
    pub fn send(&mut self, severity: Severity, line: &str) -> bool {
        if let Some(logger) = &mut self.logger {
            match logger.formatter.format(&mut logger.backend, severity, line) {
                Ok(()) => return true,
                Err(syslog::Error::Write(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return false;
                }
                Err(_) => {}
            }
        }
        if self.confined {
            return false;
        }
        self.logger = connect(&self.path, self.form.clone()).ok();
        let Some(logger) = &mut self.logger else { return false };
        logger.formatter.format(&mut logger.backend, severity, line).is_ok()
    }
}

/// A socket that gives up instead of waiting: a syslogd that hangs must not hold up a transfer.
fn connect(path: &Path, form: Form) -> io::Result<Logger<LoggerBackend, Form>> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(Logger::new(LoggerBackend::Unix(socket), form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(daemon: &UnixDatagram) -> String {
        daemon.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let mut record = [0; 2048];
        let length = daemon.recv(&mut record).unwrap();
        String::from_utf8(record[..length].to_vec()).unwrap()
    }

    #[test]
    fn sends_rfc3164() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::at(&path, DAEMON, TAG);
        assert!(syslog.send(Severity::LOG_ERR, "100%s of it"));
        let record = received(&daemon);
        // RFC 3164 4.1.1: daemon is facility 3, error is severity 3.
        let (head, text) = (record.get(..19).unwrap(), record.get(19..).unwrap());
        assert!(head.starts_with("<27>") && head.get(4..).unwrap().split(':').count() == 3, "{record}");
        assert_eq!(text, format!(" smsyncd[{}]: 100%s of it", std::process::id()));
    }

    #[test]
    fn finds_a_restarted_or_late_syslogd() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut syslog = Syslog::at(&path, 23, TAG);
        assert!(!syslog.send(Severity::LOG_INFO, "nobody is there"));
        let daemon = UnixDatagram::bind(&path).unwrap();
        assert!(syslog.send(Severity::LOG_INFO, "one"));
        assert!(received(&daemon).ends_with(": one"));

        // A process that another test is about to start has it too, until it is another program.
        daemon.shutdown(std::net::Shutdown::Both).unwrap();
        assert!(!syslog.send(Severity::LOG_INFO, "nobody is there"));
        std::fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        assert!(syslog.send(Severity::LOG_INFO, "two"));
        assert!(received(&daemon).ends_with(": two"));

        // Restarted between two records: the second still arrives.
        // A process that another test is about to start has it too, until it is another program.
        daemon.shutdown(std::net::Shutdown::Both).unwrap();
        std::fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        assert!(syslog.send(Severity::LOG_INFO, "three"));
        assert!(received(&daemon).ends_with(": three"));

        // Who is confined has this one socket.
        syslog.confine();
        assert!(syslog.send(Severity::LOG_INFO, "four"));
        assert!(received(&daemon).ends_with(": four"));
        // A process that another test is about to start has it too, until it is another program.
        daemon.shutdown(std::net::Shutdown::Both).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _daemon = UnixDatagram::bind(&path).unwrap();
        assert!(!syslog.send(Severity::LOG_INFO, "five"));
    }

    #[test]
    fn never_waits_for_a_syslogd_that_hangs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::at(&path, DAEMON, TAG);
        // The queue of a unix datagram socket holds net.unix.max_dgram_qlen records, 10 to 512 by default.
        let sent = (0..100_000).take_while(|_| syslog.send(Severity::LOG_DEBUG, "x")).count();
        assert!(sent < 100_000);
        received(&daemon);
        assert!(syslog.send(Severity::LOG_DEBUG, "room again"));
    }
}
