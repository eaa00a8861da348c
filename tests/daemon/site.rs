//! A server with users, whose configuration changes from connection to connection, whatever starts its processes.

use crate::common::starter::{Starter, free_port, until};
use crate::common::{Site, assert_exit, keygen};
use std::fs;
use std::net::TcpStream;
use std::process::Output;
use std::sync::atomic::{AtomicU8, Ordering};

static LISTENERS: AtomicU8 = AtomicU8::new(1);

/// What starts the processes of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    Listener,
    Xinetd,
    Inetd,
}

/// Makes each of these functions a test under each of what starts smsyncd.
macro_rules! rows {
    ($($row:ident),+ $(,)?) => {
        $crate::daemon::site::rows!(listener Listener: $($row)+);
        $crate::daemon::site::rows!(xinetd Xinetd: $($row)+);
        $crate::daemon::site::rows!(inetd Inetd: $($row)+);
    };
    ($starter:ident $by:ident: $($row:ident)+) => {
        mod $starter {
            use crate::daemon::site::{By, Daemon};
            $(#[test]
            fn $row() {
                super::$row(&Daemon::start(By::$by));
            })+
        }
    };
}
pub(crate) use rows;

/// A site with a server of its own, and clients of several users.
pub struct Daemon {
    pub port: u16,
    /// What starts its processes.
    pub by: By,
    /// The address it listens on: of no other test's, so that nobody takes the port meanwhile.
    pub address: String,
    secrets: Vec<(&'static str, String)>,
    starter: Option<Starter>,
    /// Behind those who use it: it goes last.
    pub site: Site,
}

impl Daemon {
    pub fn start(by: By) -> Daemon {
        let site = Site::new();
        let secrets: Vec<_> = ["ann", "bob", "eve"].into_iter().map(|user| (user, keygen())).collect();
        let port = free_port();
        let number = LISTENERS.fetch_add(1, Ordering::Relaxed);
        let address = format!("127.{}.{number}.1", 1 + std::process::id() % 250);
        for (user, secret) in &secrets {
            let text = format!("user = {user}\nsecret = {secret}\nport = {port}\n");
            site.write_private(&format!("{user}.conf"), &text);
        }
        let nobody = format!("secret = {}\nport = {port}\n", site.secret);
        site.write_private("nobody.conf", &nobody);
        let mut daemon = Daemon { site, port, by, address, secrets, starter: None };
        let lines: Vec<_> =
            daemon.secrets.iter().map(|(user, secret)| format!("{user}:{secret}\n")).collect();
        daemon.site.write_private("secrets", &lines.concat());
        daemon.configure("", "");
        let (site, address) = (&daemon.site, &daemon.address);
        daemon.starter = Some(match by {
            By::Listener => {
                let mut command = site.smsyncd();
                command.args(["-f", "--address", address, "-p", &port.to_string()]);
                Starter::start(site, "", &mut command)
            }
            By::Xinetd => Starter::xinetd(site, address, port),
            By::Inetd => Starter::inetd(site, address, port),
        });
        until("the server", || TcpStream::connect((&*daemon.address, port)).is_ok());
        fs::write(daemon.site.src().join("f"), "contents").unwrap();
        daemon
    }

    /// The server's configuration from now on: these global lines, and a module `m` that may be written with these.
    pub fn configure(&self, globals: &str, module: &str) {
        let at = |name| self.site.path(name).display().to_string();
        self.site.write_private(
            "smsyncd.conf",
            &format!(
                "secret = {}\nsecrets file = {}\nstate dir = {}\nspool dir = {}\nlog file = {}\n{globals}\n\
                 [m]\npath = {}\nread only = no\n{module}\n",
                self.site.secret,
                at("secrets"),
                at("state"),
                at("spool"),
                at("log"),
                at("dst"),
            ),
        );
    }

    pub fn run(&self, user: &str, arguments: &[&str]) -> Output {
        let mut command = std::process::Command::new(crate::common::SMSYNC);
        // The tests write the address that every listener has, for short.
        let arguments = arguments.iter().map(|argument| match argument.strip_prefix("127.0.0.1") {
            Some(rest) => format!("{}{rest}", self.address),
            None => (*argument).to_owned(),
        });
        command.arg("-C").arg(self.site.path(format!("{user}.conf"))).args(arguments);
        command.env("XDG_STATE_HOME", self.site.path("client-state")).env("TMPDIR", self.site.path("spool"));
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }

    pub fn secret(&self, user: &str) -> &str {
        &self.secrets.iter().find(|(name, _)| *name == user).unwrap().1
    }

    pub fn push(&self, user: &str, module: &str) -> Output {
        self.run(user, &["push", self.site.src().to_str().unwrap(), &format!("127.0.0.1::{module}")])
    }

    pub fn pull(&self, user: &str, module: &str) -> Output {
        let to = self.site.path("copy");
        fs::create_dir_all(&to).unwrap();
        self.run(user, &["pull", &format!("127.0.0.1::{module}"), to.to_str().unwrap()])
    }

    /// What was logged: with a listener in the foreground to its standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.site.path("starter.log")).unwrap() + &self.site.log()
    }

    /// The names of the modules that a user is shown.
    pub fn listed(&self, user: &str) -> Vec<String> {
        let output = self.run(user, &["list", "127.0.0.1"]);
        assert_exit(&output, 0);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    }

    /// Whether nothing was written into the module.
    pub fn untouched(&self) -> bool {
        fs::read_dir(self.site.dst()).unwrap().next().is_none()
    }
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
