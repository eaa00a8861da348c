//! How the real smsyncd starts, listens, detaches and ends.

// clippy.toml allows these in tests; what the tests share is as much a test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal};

#[path = "listener/place.rs"]
mod place;
#[path = "listener/tried.rs"]
mod tried;

use place::{Foreground, Place};

const SMSYNCD: &str = env!("CARGO_BIN_EXE_smsyncd");

fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never happened");
}

/// A connection as a server sees it, and its peer.
fn connection() -> (TcpStream, OwnedFd) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    (peer, listener.accept().unwrap().0.into())
}

/// Runs it as inetd would, with the socket on 0, 1 and 2; its exit code, and what the peer read.
fn under_inetd(mut command: Command, mut peer: impl Read, socket: OwnedFd) -> (Option<i32>, Vec<u8>) {
    let mut child = {
        // The command holds the sockets too, so it goes before the peer reads to the end.
        command.stdin(socket.try_clone().unwrap()).stdout(socket.try_clone().unwrap()).stderr(socket);
        let child = command.spawn().unwrap();
        drop(command);
        child
    };
    let mut read = Vec::new();
    peer.read_to_end(&mut read).unwrap();
    (child.wait().unwrap().code(), read)
}

/// Ends our side of a connection; whoever serves it ends the other.
fn end(mut peer: TcpStream) {
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let end = peer.read_to_end(&mut Vec::new());
    assert!(!end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "it was never served");
}

fn text_lines(bytes: &[u8]) -> Vec<&str> {
    text(bytes).lines().collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn nothing_is_printed_on_a_connection() {
    let place = Place::new();
    for (arguments, code) in [
        (&["--bogus"][..], 64),
        (&["-p", "0"], 64),
        (&["--inetd", "surplus"], 64),
        (&["-h"], 0),
        (&["-V"], 0),
        (&["--check"], 0),
    ] {
        let (peer, socket) = connection();
        assert_eq!(
            under_inetd(place.smsyncd(arguments), peer, socket),
            (Some(code), vec![]),
            "{arguments:?}"
        );
    }
    // A unix socket is not guessed to be a connection, but it is not printed on either.
    let (peer, socket) = UnixStream::pair().unwrap();
    assert_eq!(under_inetd(place.smsyncd(&["--bogus"]), peer, socket.into()), (Some(64), vec![]));
}

#[test]
fn only_a_connection_is_served_as_one() {
    let place = Place::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let wait_mode = place.smsyncd(&[]).stdin(OwnedFd::from(listener)).output().unwrap();
    assert_eq!(wait_mode.status.code(), Some(78));
    assert!(text(&wait_mode.stderr).contains("nowait"), "{wait_mode:?}");
    let null = place.smsyncd(&["--inetd"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(null.status.code(), Some(64), "{null:?}");
    let (peer, socket) = connection();
    // A peer that resets before we look has left no address behind.
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    let gone = place.smsyncd(&[]).stdin(socket).output().unwrap();
    assert_eq!(gone.status.code(), Some(69));
    assert!(text(&gone.stderr).contains("the peer left"), "{gone:?}");
}

#[test]
fn the_environment_changes_nothing() {
    let place = Place::new();
    let plain = place.smsyncd(&["-h"]).env_clear().output().unwrap();
    // clap would wrap its text at COLUMNS.
    let narrow = place.smsyncd(&["-h"]).env("COLUMNS", "20").env("RUST_BACKTRACE", "full").output().unwrap();
    assert_eq!((plain.status.code(), text(&plain.stdout)), (Some(0), text(&narrow.stdout)));
}

#[test]
fn inherits_nothing_from_its_starter() {
    let place = Place::new();
    let mut command = Command::new("sh");
    let script = "trap '' HUP TERM CHLD USR1; umask 0; cd /tmp; exec 3</dev/zero 9</dev/zero; ulimit -c unlimited; exec \"$@\"";
    command.args(["-c", script, "sh", SMSYNCD, "-c"]).arg(place.config());
    command.args(["--address", "127.0.0.1", "-p", &place.port.to_string()]);
    // Sockets for another process: descriptor 3 is none of ours.
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let mut daemon = Foreground::start(&mut command);
    daemon.says("listening on 127.0.0.1 port");
    let status = std::fs::read_to_string(daemon.proc("status")).unwrap();
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(field("Name:"), "smsyncd");
    assert_eq!(field("Umask:"), "0077");
    // SIGPIPE is number 13, so bit 12. Numbers 32 and 33 are the C library's own, and nobody else may touch them.
    assert_eq!(u64::from_str_radix(&field("SigIgn:"), 16).unwrap() & !(3 << 31), 1 << 12);
    let limits = std::fs::read_to_string(daemon.proc("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    // What is not dumpable belongs to root here, and only root may look further.
    if rustix::process::geteuid().is_root() {
        assert_eq!(std::fs::read_link(daemon.proc("cwd")).unwrap(), Path::new("/"));
        let files = std::fs::read_dir(daemon.proc("fd")).unwrap().flatten();
        let names: Vec<_> = files.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect();
        assert!(!names.contains(&"/dev/zero".into()), "{names:?}");
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit(), Some(0));
}

#[test]
fn the_listener_outlives_its_connections() {
    let place = Place::new();
    let mut daemon = Foreground::start(&mut place.daemon());
    daemon.says("listening on 127.0.0.1 port");
    for _ in 0..3 {
        end(place.connect().unwrap());
    }
    daemon.signal(Signal::HUP);
    daemon.says("conf is good");
    assert!(place.connect().is_ok());
    daemon.signal(Signal::INT);
    daemon.says("ending");
    until(|| place.connect().is_err());
    daemon.says("ended");
    assert_eq!(daemon.exit(), Some(0));
}

#[test]
fn lack_of_descriptors_is_sat_out() {
    let place = Place::new();
    let mut daemon = Foreground::start(&mut place.daemon());
    daemon.says("listening on 127.0.0.1 port");
    // Five are in use: 0 to 2, the listening socket and the signals.
    let few = Rlimit { current: Some(5), maximum: Some(1024) };
    rustix::process::prlimit(Some(daemon.pid()), Resource::Nofile, few).unwrap();
    let peer = place.connect().unwrap();
    daemon.says("cannot serve a connection");
    daemon.says("cannot serve a connection");
    let ticks = |stat: String| -> u64 {
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    };
    // utime and stime, in hundredths of a second: a loop would have used most of the two seconds this took.
    assert!(ticks(std::fs::read_to_string(daemon.proc("stat")).unwrap()) < 20);
    let many = Rlimit { current: Some(1024), maximum: Some(1024) };
    rustix::process::prlimit(Some(daemon.pid()), Resource::Nofile, many).unwrap();
    end(peer);
}

#[test]
fn detaches_and_is_ready_when_it_says_so() {
    let place = Place::new();
    // Output returns when nobody holds our pipes any more, so a daemon that kept them would hang this test.
    let Output { status, stdout, stderr } = place.daemon().stdin(Stdio::null()).output().unwrap();
    assert_eq!((status.code(), text(&stdout), text(&stderr)), (Some(0), "", ""));
    let peer = place.connect();
    let daemons = place.running();
    let alone = daemons.iter().find(|pid| rustix::process::getsid(Some(**pid)) == Ok(**pid));
    let again = place.daemon().stdin(Stdio::null()).output().unwrap();
    for pid in &daemons {
        let _ = rustix::process::kill_process(*pid, Signal::TERM);
    }
    peer.unwrap();
    assert!(alone.is_some(), "no daemon leads a session of its own: {daemons:?}");
    assert_eq!(again.status.code(), Some(71));
    let expected = format!("cannot listen on 127.0.0.1 port {}: another process listens there\n", place.port);
    assert!(text(&again.stderr).ends_with(&expected), "{again:?}");
    until(|| place.running().is_empty());
    assert!(place.connect().is_err());
}

#[test]
fn a_service_manager_is_told() {
    let place = Place::new();
    let path = place.dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let says = |expected: &str| {
        let mut said = [0; 200];
        let length = socket.recv(&mut said).unwrap();
        assert!(text(&said[..length]).starts_with(expected), "{}", text(&said[..length]));
    };
    let listener = Foreground::start(place.daemon().env("NOTIFY_SOCKET", &path));
    says("READY=1");
    place.connect().unwrap();
    listener.signal(Signal::HUP);
    says("RELOADING=1\nMONOTONIC_USEC=");
    says("READY=1");
    listener.signal(Signal::TERM);
    says("STOPPING=1");
    assert_eq!(listener.exit(), Some(0));
}

#[test]
fn a_name_is_relative_to_where_it_was_given() {
    let place = Place::new();
    let mut command = Command::new(SMSYNCD);
    command.args(["--check", "-c", "conf"]).current_dir(place.dir.path());
    let output = command.output().unwrap();
    let expected = format!(
        "secret = (set)\n# port = 4242\n# listen backlog = 1024\n# handshake timeout = 10\n\
         # syslog facility = daemon\n# syslog tag = smsyncd\nstate dir = {}\n# spool dir = /var/tmp\n",
        place.dir.path().join("state").display()
    );
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), out, err), (Some(0), expected.as_str(), ""));
}

#[test]
fn a_bad_configuration_is_refused_with_every_error() {
    let place = Place::new();
    std::fs::write(place.config(), "secret = correct horse\nport = none\n[m]\n").unwrap();
    let conf = place.config().display().to_string();
    let expected = [
        format!(
            "{conf}:1: secret: the secret is not base64: run `smsync keygen` and use the line it prints on both sides"
        ),
        format!("{conf}:2: port: 'none' is not a port from 1 to 65535"),
        format!("{conf}:3: 'path' is missing"),
    ];
    let check = place.smsyncd(&["--check"]).output().unwrap();
    let lines: Vec<_> = text(&check.stderr).lines().collect();
    assert_eq!((check.status.code(), text(&check.stdout)), (Some(78), ""));
    assert_eq!(lines, expected);
    // A daemon says the same in its log's form.
    let daemon = place.smsyncd(&["-f"]).stdin(Stdio::null()).output().unwrap();
    let lines: Vec<_> =
        text(&daemon.stderr).lines().filter_map(|line| Some(line.split_once("]: ")?.1)).collect();
    assert_eq!(daemon.status.code(), Some(78));
    assert_eq!(lines, expected);
    for arguments in [&["--check"][..], &[], &["--inetd"]] {
        let (peer, socket) = connection();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let end = under_inetd(place.smsyncd(arguments), peer, socket);
        assert_eq!(end, (Some(78), vec![]), "{arguments:?}");
    }
    // Who greets is told that it is so; whoever else is there learns nothing.
    for (greeting, answer) in [(&b"smsync\0\x01\x01\0"[..], &b"smsync\x03"[..]), (b"GET / ", b"")] {
        let (mut peer, socket) = connection();
        peer.write_all(greeting).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let end = under_inetd(place.smsyncd(&[]), peer, socket);
        assert_eq!(end, (Some(78), answer.to_vec()), "{greeting:?}");
    }
}

#[test]
fn a_connection_on_standard_input_is_served() {
    let place = Place::new();
    // Six bytes are enough to see that this is none of ours, which is how a session that began ends with 76.
    for arguments in [&[][..], &["--inetd"], &["-f", "-dd"], &["-p", "1", "--address", "127.0.0.1"]] {
        let (mut peer, socket) = connection();
        peer.write_all(b"GET / ").unwrap();
        let end = under_inetd(place.smsyncd(arguments), peer, socket);
        assert_eq!(end, (Some(76), vec![]), "{arguments:?}");
    }
    let (mut peer, socket) = UnixStream::pair().unwrap();
    peer.write_all(b"GET / ").unwrap();
    assert_eq!(under_inetd(place.smsyncd(&["--inetd"]), peer, socket.into()), (Some(76), vec![]));
}

/// systemd's own tool in the place of systemd, if this host has it.
fn activated(place: &Place, options: &[&str]) -> Option<Foreground> {
    let address = format!("127.0.0.1:{}", place.port);
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &address]).args(options).arg(SMSYNCD).arg("-c").arg(place.config());
    if Command::new("systemd-socket-activate").arg("--version").output().is_err() {
        return None;
    }
    Some(Foreground::start(&mut command))
}

#[test]
fn serves_sockets_systemd_hands_down() {
    let place = Place::new();
    let Some(mut daemon) = activated(&place, &[]) else { return };
    // It listens first and becomes smsyncd at the first connection.
    until(|| place.connect().is_ok());
    daemon.says("listening on 127.0.0.1 port");
    assert!(place.connect().is_ok());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit(), Some(0));
}

#[test]
fn serves_connections_systemd_hands_down() {
    for options in [&["--accept"][..], &["--accept", "--inetd"]] {
        let place = Place::new();
        let Some(_daemon) = activated(&place, options) else { return };
        until(|| place.connect().is_ok());
        end(place.connect().unwrap());
    }
}
