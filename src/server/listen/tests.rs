//! The listener with cat(1) or sh(1) in the place of smsyncd, driven one event at a time.

use super::*;
use crate::server::log::Destination;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Options for this port of the loopback address, and a log that can be read.
struct Trial {
    dir: tempfile::TempDir,
    options: Options,
    log: Log,
}

impl Trial {
    fn new(port: u16) -> Trial {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            port,
            backlog: 8,
            pid_file: Some(dir.path().join("pid")),
            config: "/nonexistent".into(),
            settings: |path| {
                Err(Unusable { reason: format!("{}: no such file", path.display()), stands_in: false })
            },
            foreground: true,
            debug: 0,
            supervisor: None,
            kept: Err(String::new()),
        };
        let log = Log::open(&Destination::File(dir.path().join("log")), 2).unwrap();
        Trial { dir, options, log }
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    fn listener(&self, program: &str, arguments: &[&str]) -> Listener<'_> {
        let sockets = bind(&self.options, &self.log).unwrap();
        let mut listener = Listener::new(&self.options, sockets, None, &self.log);
        let arguments = arguments.iter().map(OsString::from).collect();
        listener.program = Program::new(Path::new(program), arguments);
        listener
    }
}

fn connect(listener: &mut Listener<'_>) -> TcpStream {
    let client = TcpStream::connect(listen::address(&listener.sockets[0]).unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let before = listener.processes.len();
    until(|| {
        listener.accept();
        listener.processes.len() > before || listener.paused.is_some()
    });
    client
}

fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never happened");
}

fn echoes(client: &mut TcpStream) {
    client.write_all(b"ping").unwrap();
    let mut back = [0; 4];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"ping");
}

#[test]
fn one_process_for_each_connection() {
    let trial = Trial::new(0);
    let mut listener = trial.listener("/bin/cat", &[]);
    let (mut one, mut two) = (connect(&mut listener), connect(&mut listener));
    assert_eq!(listener.processes.len(), 2);
    echoes(&mut two);
    echoes(&mut one);
    one.shutdown(Shutdown::Write).unwrap();
    // End of file comes back only if nobody but the process holds the connection.
    assert_eq!(one.read(&mut [0]).unwrap(), 0);
    until(|| {
        listener.hear(Signal::Child);
        listener.processes.len() == 1
    });
    echoes(&mut two);
}

/// As many processes as there may be, of connections that come at several addresses at once. The next one waits.
#[test]
fn as_many_processes_as_the_limit_says() {
    let mut trial = Trial::new(0);
    trial.options.addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into()];
    let mut listener = trial.listener("/bin/cat", &[]);
    let addresses = [0, 1].map(|socket: usize| listen::address(&listener.sockets[socket]).unwrap());
    let mut clients: Vec<_> = (1..limits::PROCESSES).map(|_| connect(&mut listener)).collect();
    assert!(!listener.full());
    let mut pair = addresses.map(|address| TcpStream::connect(address).unwrap());
    until(|| {
        listener.accept();
        listener.full()
    });
    listener.accept();
    assert_eq!(listener.processes.len(), limits::PROCESSES);
    // One of both is served; the other is when another ends.
    drop(clients.pop());
    until(|| {
        listener.hear(Signal::Child);
        !listener.full()
    });
    until(|| {
        listener.accept();
        listener.full()
    });
    for client in &mut pair {
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        echoes(client);
    }
    drop((clients, pair));
    until(|| {
        listener.hear(Signal::Child);
        listener.processes.is_empty()
    });
}

#[test]
fn the_first_signal_lets_connections_finish() {
    let trial = Trial::new(0);
    let mut listener = trial.listener("/bin/cat", &[]);
    let address = listen::address(&listener.sockets[0]).unwrap();
    let mut client = connect(&mut listener);
    listener.hear(Signal::End);
    // Not at once: a process another test starts in this moment holds a copy of the socket until its exec.
    until(|| TcpStream::connect(address).is_err());
    echoes(&mut client);
    listener.on_time(Instant::now() + Duration::from_secs(3600));
    listener.hear(Signal::Child);
    assert_eq!(listener.processes.len(), 1);
    drop(client);
    until(|| {
        listener.hear(Signal::Child);
        listener.processes.is_empty()
    });
    assert!(trial.logged().contains("ending, 1 connections to finish"));
}

#[test]
fn the_second_signal_ends_them_and_time_kills_them() {
    let trial = Trial::new(0);
    // Where the word is "stay", the process does not listen to SIGTERM.
    let script = "read word; if [ \"$word\" = stay ]; then trap '' TERM; fi; echo; read word";
    let mut listener = trial.listener("/bin/sh", &["-c", script]);
    let clients = ["stay\n", "go\n"].map(|word| {
        let mut client = connect(&mut listener);
        client.write_all(word.as_bytes()).unwrap();
        client.read_exact(&mut [0]).unwrap();
        client
    });
    listener.hear(Signal::End);
    listener.hear(Signal::End);
    until(|| {
        listener.hear(Signal::Child);
        listener.processes.len() == 1
    });
    listener.on_time(Instant::now());
    std::thread::sleep(Duration::from_millis(100));
    listener.hear(Signal::Child);
    assert_eq!(listener.processes.len(), 1, "killed before its time");
    listener.on_time(Instant::now() + limits::END);
    until(|| {
        listener.hear(Signal::Child);
        listener.processes.is_empty()
    });
    drop(clients);
    let logged = trial.logged();
    assert!(logged.contains("by signal 15") && logged.contains("by signal 9"), "{logged}");
}

#[test]
fn pauses_when_the_system_has_no_more() {
    let trial = Trial::new(0);
    let mut listener = trial.listener("/nonexistent", &[]);
    let mut client = connect(&mut listener);
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the connection must not hang");
    assert!(listener.full());
    listener.on_time(Instant::now());
    assert!(listener.full());
    listener.program = Program::new(Path::new("/bin/cat"), vec![]);
    listener.on_time(Instant::now() + limits::PAUSE);
    assert!(!listener.full());
    echoes(&mut connect(&mut listener));
    assert!(trial.logged().contains("cannot serve a connection"));
}

#[test]
fn a_reload_says_what_connections_will_find() {
    let mut trial = Trial::new(0);
    trial.listener("/bin/cat", &[]).hear(Signal::Reload);
    assert!(trial.logged().contains("connections will be refused: /nonexistent: no such file"));
    trial.options.settings = |_| {
        Ok(Settings {
            log: Destination::Stderr,
            addresses: vec![],
            port: 1,
            backlog: 8,
            pid_file: None,
            kept: Err(String::new()),
        })
    };
    std::fs::rename(trial.dir.path().join("log"), trial.dir.path().join("log.1")).unwrap();
    trial.listener("/bin/cat", &[]).hear(Signal::Reload);
    assert!(trial.logged().contains("configuration /nonexistent is good"), "the log was rotated");
}

#[test]
fn serves_until_the_signal() {
    let trial = Trial::new(0);
    let (listener, signals) = prepare(&trial.options, vec![], None, &trial.log).unwrap().unwrap();
    let pid = std::fs::read_to_string(trial.dir.path().join("pid")).unwrap();
    assert_eq!(pid, format!("{}\n", std::process::id()));
    // To this thread alone, which has it blocked now.
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(listener.serve(&signals), Exit::Ok);
    assert!(!trial.dir.path().join("pid").exists());
}

#[test]
fn what_cannot_be_had_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut trial = Trial::new(port);
    assert_eq!(run(&trial.options, vec![], None, &trial.log), Exit::System);
    let expected = format!("cannot listen on 127.0.0.1 port {port}: another process listens there");
    assert!(trial.logged().contains(&expected));

    trial.options.addresses = vec!["192.0.2.1".parse().unwrap()];
    assert_eq!(run(&trial.options, vec![], None, &trial.log), Exit::System);
    assert!(trial.logged().contains("192.0.2.1 port"));
    assert!(trial.logged().contains("this host has no such address"));

    let _held = PidFile::take(&trial.dir.path().join("pid")).unwrap();
    assert_eq!(run(&trial.options, vec![], None, &trial.log), Exit::TryAgain);
    assert!(trial.logged().contains(&format!("pid: already running as pid {}", std::process::id())));
}

#[test]
fn every_address_of_this_host_by_default() {
    let mut trial = Trial::new(0);
    trial.options.addresses.clear();
    let addresses = bind(&trial.options, &trial.log).unwrap().iter().map(listen::address).collect::<Vec<_>>();
    assert!(addresses.iter().flatten().any(|address| address.ip() == IpAddr::from(Ipv4Addr::UNSPECIFIED)));
    let v6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(addresses.len(), if v6 { 2 } else { 1 });
}

#[test]
fn the_starter_hears_why_there_is_no_daemon() {
    let trial = Trial::new(0);
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let useless = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let exit = run(&trial.options, vec![useless.into()], Some(Starter::new(theirs.into())), &trial.log);
    assert_eq!(exit, Exit::System);
    let mut answer = String::new();
    ours.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "\u{47}cannot listen: a socket handed down does not listen");
    assert!(trial.logged().contains("a socket handed down does not listen"));
}
