//! How the server is reached: time limits that hold, families of addresses, and the address we come from.

use crate::common::facts::traces;
use crate::common::starter::{Starter, until};
use crate::common::{Site, assert_exit};
use rustix::net::{AddressFamily, SocketType};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};

/// Runs a push that is to fail for want of an answer, within a second and what a busy host needs.
#[track_caller]
fn gives_up(site: &Site, options: &[&str], port: u16) -> Output {
    let (src, remote) = (site.src(), format!("127.0.0.1:{port}::m"));
    let started = Instant::now();
    let output = site.smsync().arg("push").args(options).arg(src).arg(remote).output().unwrap();
    let took = started.elapsed();
    assert_exit(&output, 69);
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(6), "{took:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{output:?}");
    output
}

#[test]
fn a_server_that_never_answers() {
    let site = Site::new();
    // The kernel takes the connection, and nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = gives_up(&site, &["--timeout", "1"], silent.local_addr().unwrap().port());
    assert!(String::from_utf8_lossy(&output.stderr).contains("silent for too long"), "{output:?}");
}

#[test]
fn a_server_that_falls_silent() {
    let site = Site::new();
    fs::write(site.src().join("f"), "contents").unwrap();
    let inetd = site.serve();
    let before = traces(&site.dst());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Lets the handshake through, 58 bytes and 55, and not a byte more.
            let (mut client, _) = listener.accept().unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", inetd.port)).unwrap();
            let (mut hello, mut answer) = ([0; 58], [0; 55]);
            client.read_exact(&mut hello).unwrap();
            server.write_all(&hello).unwrap();
            server.read_exact(&mut answer).unwrap();
            client.write_all(&answer).unwrap();
            let _ = client.read_to_end(&mut Vec::new());
        });
        gives_up(&site, &["--timeout", "1"], port)
    });
    assert!(String::from_utf8_lossy(&output.stderr).contains("silent for too long"), "{output:?}");
    assert_eq!(traces(&site.dst()), before);
    // The configuration says the same of every run.
    site.write_private("smsync.conf", &format!("secret = {}\ntimeout = 1\n", site.secret));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    gives_up(&site, &[], silent.local_addr().unwrap().port());
}

#[test]
fn a_server_that_takes_no_connection() {
    let site = Site::new();
    // A queue with room for one connection, which is taken: the kernel answers no other.
    let full = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&full, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = SocketAddr::try_from(rustix::net::getsockname(&full).unwrap()).unwrap();
    let mut taken = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        taken.push(stream);
        assert!(taken.len() < 16, "the queue is never full");
    }
    let output = gives_up(&site, &["--contimeout", "1"], address.port());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no connection within 1 s"), "{output:?}");
}

#[test]
fn families_and_addresses() {
    let site = Site::new();
    fs::write(site.src().join("f"), "contents").unwrap();
    let inetd = site.serve();
    let push = |options: &[&str], host: &str, port: u16, code: i32| {
        let (src, remote) = (site.src(), format!("{host}:{port}::m"));
        let output = site.smsync().arg("push").args(options).arg(src).arg(remote).output().unwrap();
        assert_exit(&output, code);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let port = inetd.port;
    push(&["-4"], "127.0.0.1", port, 0);
    assert!(push(&["-6"], "127.0.0.1", port, 69).contains("no address of the family"));
    // Where a name has several addresses, the next is tried.
    push(&[], "localhost", port, 0);
    push(&["-4"], "localhost", port, 0);
    push(&["--address", "127.0.0.2"], "127.0.0.1", port, 0);
    inetd.ended();
    assert!(site.log().lines().last().unwrap().contains(" 127.0.0.2 "), "{}", site.log());
    assert!(push(&["--address", "::1"], "127.0.0.1", port, 69).contains("no address of the family"));
    // An address of documentation: nobody's.
    assert!(
        push(&["--address", "192.0.2.1"], "127.0.0.1", port, 69).contains("Cannot assign requested address")
    );

    let Ok(six) = TcpListener::bind("[::1]:0") else {
        println!("skipped: this host has no IPv6");
        return;
    };
    let port = six.local_addr().unwrap().port();
    drop(six);
    let mut command = site.smsyncd();
    command.args(["-f", "--address", "::1", "-p", &port.to_string()]);
    let _listener = Starter::start(&site, "smsync", &mut command);
    until("the listener", || TcpStream::connect(("::1", port)).is_ok());
    push(&["-6"], "[::1]", port, 0);
    push(&["--address", "::1"], "[::1]", port, 0);
    assert!(push(&["-4"], "[::1]", port, 69).contains("no address of the family"));
}
