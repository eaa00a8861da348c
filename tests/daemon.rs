//! What an administrator moves over from rsyncd.conf(5), under smsyncd's own listener.
//!
//! | row | what | test |
//! |---|---|---|
//! | RD-08 | the configuration is read for each connection | every test: the listener is started once |
//! | RD-21, RD-26 | `[global]` and files that are included | `config::tests`, `rd_26_a_module_of_an_included_file` |
//! | RD-28 | what is unknown or doubled is an error | `listener::a_bad_configuration_is_refused_with_every_error` |
//! | RD-30, RD-31, RD-35 | `address`, `port`, `pid file` | `listener` |
//! | RD-40, RD-42, RD-43 | `path`, `comment`, `list` | `rd_43_a_listing_names_what_may_be_opened` |
//! | RD-44, RD-45 | `read only`, `write only` | `rd_44_45_one_way_only` |
//! | RD-67, RD-68 | `auth users`, `secrets file` | `rd_67_*`, `rd_68_two_secrets_are_good_at_once` |
//! | RD-71, RD-72, RD-73 | `hosts allow`, `hosts deny`, `reverse lookup` | `rd_71_72_*`, `config::hosts` |
//! | RD-77 | `timeout` | `hostile::silence` |
//! | RD-90 | `handshake timeout` | `rd_90_who_does_not_greet_in_time_is_given_up` |
//! | RD-92 | `require marker` | `rd_92_without_its_marker_a_module_is_left_alone` |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod common;

use common::starter::{Starter, free_port, until};
use common::{Site, assert_exit, keygen};
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::process::Output;
use std::time::{Duration, Instant};

/// A site with a listener of its own, and clients of several users.
struct Daemon {
    site: Site,
    port: u16,
    secrets: Vec<(&'static str, String)>,
    _listener: Starter,
}

impl Daemon {
    fn start() -> Daemon {
        let site = Site::new();
        let secrets: Vec<_> = ["ann", "bob", "eve"].into_iter().map(|user| (user, keygen())).collect();
        let port = free_port();
        for (user, secret) in &secrets {
            let text = format!("user = {user}\nsecret = {secret}\nport = {port}\n");
            site.write_private(&format!("{user}.conf"), &text);
        }
        let nobody = format!("secret = {}\nport = {port}\n", site.secret);
        site.write_private("nobody.conf", &nobody);
        let mut command = site.smsyncd();
        command.args(["-f", "--address", "127.0.0.1", "-p", &port.to_string()]);
        let listener = Starter::start(&site, "", &mut command);
        let daemon = Daemon { site, port, secrets, _listener: listener };
        let lines: Vec<_> =
            daemon.secrets.iter().map(|(user, secret)| format!("{user}:{secret}\n")).collect();
        daemon.site.write_private("secrets", &lines.concat());
        daemon.configure("", "");
        until("the listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        fs::write(daemon.site.src().join("f"), "contents").unwrap();
        daemon
    }

    /// The server's configuration from now on: these global lines, and a module `m` that may be written with these.
    fn configure(&self, globals: &str, module: &str) {
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

    fn run(&self, user: &str, arguments: &[&str]) -> Output {
        let mut command = std::process::Command::new(common::SMSYNC);
        command.arg("-C").arg(self.site.path(format!("{user}.conf"))).args(arguments);
        command.env("XDG_STATE_HOME", self.site.path("client-state")).env("TMPDIR", self.site.path("spool"));
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }

    fn push(&self, user: &str, module: &str) -> Output {
        self.run(user, &["push", self.site.src().to_str().unwrap(), &format!("127.0.0.1::{module}")])
    }

    fn pull(&self, user: &str, module: &str) -> Output {
        let to = self.site.path("copy");
        fs::create_dir_all(&to).unwrap();
        self.run(user, &["pull", &format!("127.0.0.1::{module}"), to.to_str().unwrap()])
    }

    /// The names of the modules that a user is shown.
    fn listed(&self, user: &str) -> Vec<String> {
        let output = self.run(user, &["list", "127.0.0.1"]);
        assert_exit(&output, 0);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    }

    /// Whether nothing was written into the module.
    fn untouched(&self) -> bool {
        fs::read_dir(self.site.dst()).unwrap().next().is_none()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn rd_67_a_rule_that_denies_denies() {
    let daemon = Daemon::start();
    daemon.configure("", "auth users = eve:deny, *");
    let unknown = said(&daemon.push("ann", "n")).replace("::n", "::m");
    assert!(unknown.contains("no such module, or not for you"), "{unknown}");
    for output in [daemon.push("eve", "m"), daemon.pull("eve", "m")] {
        assert_exit(&output, 77);
        // Nothing tells that the module is there.
        assert_eq!(said(&output), unknown);
    }
    assert!(daemon.untouched());
    until("the log", || daemon.site.log().matches("user \"eve\": may not open m").count() == 2);
    for user in ["ann", "nobody"] {
        assert_exit(&daemon.push(user, "m"), 0);
    }
    // Without a rule of its own nobody comes in.
    daemon.configure("", "auth users = ann");
    for user in ["bob", "eve", "nobody"] {
        assert_exit(&daemon.pull(user, "m"), 77);
    }
    assert_exit(&daemon.pull("ann", "m"), 0);
}

#[test]
fn rd_67_a_rule_gives_and_takes_the_right_to_write() {
    let daemon = Daemon::start();
    daemon.configure("", "auth users = ann:ro bob:rw *");
    assert_exit(&daemon.push("ann", "m"), 77);
    assert!(daemon.untouched());
    assert_exit(&daemon.pull("ann", "m"), 0);
    let path = daemon.site.dst();
    daemon.configure("", &format!("[r]\npath = {}\nauth users = ann bob:rw", path.display()));
    assert_exit(&daemon.push("ann", "r"), 77);
    assert!(daemon.untouched());
    assert_exit(&daemon.push("bob", "r"), 0);
    assert!(!daemon.untouched());
}

#[test]
fn rd_68_two_secrets_are_good_at_once() {
    let daemon = Daemon::start();
    let (old, new, other) = (keygen(), keygen(), keygen());
    daemon.site.write_private("secrets", &format!("ann:{old}\nann:{new}\n"));
    daemon.configure("", "auth users = ann");
    for (secret, code) in [(&old, 0), (&new, 0), (&other, 77)] {
        let text = format!("user = ann\nsecret = {secret}\nport = {}\n", daemon.port);
        daemon.site.write_private("ann.conf", &text);
        assert_exit(&daemon.pull("ann", "m"), code);
    }
    // So has who has no name.
    let text = format!("secret = {new}\nport = {}\n", daemon.port);
    daemon.site.write_private("nobody.conf", &text);
    let path = daemon.site.path("smsyncd.conf");
    let text = fs::read_to_string(&path).unwrap().replace("auth users = ann", "");
    let one = format!("secret = {}\n", daemon.site.secret);
    assert_exit(&daemon.pull("nobody", "m"), 77);
    daemon.site.write_private("smsyncd.conf", &text.replace(&one, &format!("secret = {old} {new}\n")));
    assert_exit(&daemon.pull("nobody", "m"), 0);
}

#[test]
fn rd_71_72_hosts_come_in_by_their_address() {
    let daemon = Daemon::start();
    for (lines, code) in [
        ("hosts deny = *", 77),
        ("hosts deny = 127.0.0.0/8", 77),
        ("hosts allow = 10.0.0.0/8 ::1", 77),
        ("hosts allow = 127.0.0.0/255.0.0.0\nhosts deny = *", 0),
        ("hosts allow = ::ffff:127.0.0.1\nhosts deny = 0.0.0.0/0", 0),
        ("hosts deny = ::/0", 0),
        // RD-73: by name only where names are looked up, and a name of another is none.
        ("reverse lookup = yes\nhosts allow = *.invalid", 77),
        ("reverse lookup = yes\nhosts deny = *.invalid", 0),
        ("reverse lookup = yes\nhosts allow = [a-z]*\nhosts deny = *", 0),
    ] {
        daemon.configure("", lines);
        let output = daemon.pull("ann", "m");
        assert_eq!(output.status.code(), Some(code), "{lines}: {}", said(&output));
        assert_eq!(daemon.listed("ann").len(), usize::from(code == 0), "{lines}");
    }
}

#[test]
fn rd_43_a_listing_names_what_may_be_opened() {
    let daemon = Daemon::start();
    let path = daemon.site.dst().display().to_string();
    let modules = [
        "auth users = ann".to_owned(),
        format!("[secret]\npath = {path}\nlist = no"),
        format!("[all]\npath = {path}\ncomment = for all"),
        format!("[far]\npath = {path}\nhosts allow = 10.0.0.0/8"),
        format!("[not-eve]\npath = {path}\nauth users = eve:deny *"),
    ];
    daemon.configure("", &modules.join("\n"));
    assert_eq!(daemon.listed("ann"), ["m", "all", "not-eve"]);
    assert_eq!(daemon.listed("eve"), ["all"]);
    assert_eq!(daemon.listed("nobody"), ["all", "not-eve"]);
    // Whoever knows its name may open what is not shown.
    assert_exit(&daemon.pull("eve", "secret"), 0);
}

#[test]
fn rd_44_45_one_way_only() {
    let daemon = Daemon::start();
    daemon.configure("", "write only = yes");
    let refused = daemon.pull("ann", "m");
    assert_exit(&refused, 77);
    assert!(said(&refused).contains("the module is write only"), "{}", said(&refused));
    assert_exit(&daemon.push("ann", "m"), 0);
    let path = daemon.site.dst().display().to_string();
    daemon.configure("", &format!("[r]\npath = {path}"));
    let refused = daemon.push("ann", "r");
    assert_exit(&refused, 77);
    assert!(said(&refused).contains("the module is read only"), "{}", said(&refused));
    assert_exit(&daemon.pull("ann", "r"), 0);
}

#[test]
fn rd_26_a_module_of_an_included_file() {
    let daemon = Daemon::start();
    let path = daemon.site.dst().display().to_string();
    let included = daemon.site.write_private("more.conf", &format!("[more]\npath = {path}\n"));
    daemon.configure(&format!("&include {}", included.display()), "");
    assert_exit(&daemon.pull("ann", "more"), 0);
    common::tree::chmod(&included, 0o644);
    assert_exit(&daemon.pull("ann", "m"), 69);
    let check = daemon.site.smsyncd().arg("--check").output().unwrap();
    assert_exit(&check, 78);
    assert!(said(&check).contains("more.conf is not for its owner alone (mode 0644)"), "{}", said(&check));
}

#[test]
fn rd_90_who_does_not_greet_in_time_is_given_up() {
    let daemon = Daemon::start();
    daemon.configure("handshake timeout = 1", "");
    let begun = Instant::now();
    let mut silent = TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn rd_92_without_its_marker_a_module_is_left_alone() {
    let daemon = Daemon::start();
    daemon.configure("", "require marker = state/.mounted");
    for output in [daemon.push("ann", "m"), daemon.pull("ann", "m")] {
        assert_exit(&output, 74);
        assert!(said(&output).contains("state/.mounted, which must be in the module"), "{}", said(&output));
    }
    assert!(daemon.untouched());
    fs::create_dir(daemon.site.dst().join("state")).unwrap();
    fs::write(daemon.site.dst().join("state/.mounted"), "").unwrap();
    assert_exit(&daemon.push("ann", "m"), 0);
}
