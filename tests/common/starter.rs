//! Programs that start smsyncd: each ends when its test does.

use super::{SMSYNCD, Site, is_root};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A port of this host on which nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a condition holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The name of the user who runs the tests.
fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().expect("the user has a name").name
}

/// Debian's inetd writes this file, wherever its configuration is.
const INETD_PID: &str = "/run/inetd.pid";

/// What was in it before any test: the host's own inetd has it back.
static INETD_PID_BEFORE: OnceLock<Option<Vec<u8>>> = OnceLock::new();

/// Our own listener of this site, and its port; its log is in `starter.log`.
pub fn listener(site: &Site) -> (Starter, u16) {
    let port = free_port();
    let mut command = site.smsyncd();
    command.args(["-f", "-p", &port.to_string(), "--address", "127.0.0.1"]);
    let starter = Starter::start(site, "", &mut command);
    until("the listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (starter, port)
}

/// A starter that runs; dropping it ends it.
pub struct Starter(Child);

impl Starter {
    #[track_caller]
    pub fn start(site: &Site, package: &str, command: &mut Command) -> Starter {
        let log = fs::File::create(site.path("starter.log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let program = command.get_program().to_owned();
        Starter(command.spawn().unwrap_or_else(|error| {
            panic!("{program:?}: {error}: install the Debian package {package} (tests/setup does)")
        }))
    }

    /// The real xinetd, with the stanza of the examples but for its limits, which are for hosts that nobody tests.
    #[track_caller]
    pub fn xinetd(site: &Site, address: &str, port: u16) -> Starter {
        let config = format!(
            "service smsync\n{{\n\ttype = UNLISTED\n\tbind = {address}\n\tport = {port}\n\tsocket_type = stream\n\
             \tprotocol = tcp\n\twait = no\n\tuser = {}\n\tserver = {SMSYNCD}\n\tserver_args = -c {}\n\
             \tflags = KEEPALIVE\n\tumask = 077\n\tcps = 1000 1\n\tinstances = UNLIMITED\n\
             \tper_source = UNLIMITED\n\tlog_type = FILE {}\n}}\n",
            user(),
            site.path("smsyncd.conf").display(),
            site.path("xinetd.log").display(),
        );
        let config = site.write_private("xinetd.conf", &config);
        // A Debian user without /usr/sbin in PATH has it all the same.
        let program =
            ["/usr/sbin/xinetd", "/usr/local/sbin/xinetd"].into_iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(program.unwrap_or("xinetd"));
        Starter::start(site, "xinetd", command.arg("-dontfork").arg("-f").arg(config))
    }

    /// The real inetd, with the line of inetd.conf(5) that the manual gives, but for an address, a port, and a
    /// configuration of our own.
    #[track_caller]
    pub fn inetd(site: &Site, address: &str, port: u16) -> Starter {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/sbin/inetd");
        let line = format!(
            "{address}:{port} stream tcp nowait.1000 {} {SMSYNCD} smsyncd -c {}\n",
            user(),
            site.path("smsyncd.conf").display()
        );
        let config = site.write_private("inetd.conf", &line);
        INETD_PID_BEFORE.get_or_init(|| fs::read(INETD_PID).ok().filter(|_| is_root()));
        Starter::start(site, "openbsd-inetd", Command::new(program).arg("-i").arg(config))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn end(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
        if let Some(text) = INETD_PID_BEFORE.get().and_then(Option::as_ref) {
            fs::write(INETD_PID, text).unwrap();
        }
    }
}
