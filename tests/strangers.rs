//! Connections that never prove a secret: however many there are, whoever knows one gets through.

use crate::common::starter::{Starter, free_port, until};
use crate::common::walk::{differences, walk};
use crate::common::{Site, assert_exit, output_within};
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Connections of strangers at once; `make soak` sets it to a thousand.
fn strangers() -> usize {
    std::env::var("SMSYNC_STRANGERS").map_or(300, |number| number.parse().unwrap())
}

/// Clients that know the secret, at once.
const CLIENTS: usize = 8;

/// Ends the strangers, also when the test fails.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// While strangers hold every place they can get, and come again as soon as one is ended, clients come through.
#[track_caller]
fn are_no_obstacle(site: &Site, log: &str, port: u16) {
    let (over, came) = (AtomicBool::new(false), AtomicUsize::new(0));
    fs::write(site.src().join("f"), "contents").unwrap();
    let said = || fs::read_to_string(site.path(log)).unwrap_or_default();
    std::thread::scope(|scope| {
        let _end = Over(&over);
        for _ in 0..strangers() {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let mut stranger = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    stranger.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                    came.fetch_add(1, Ordering::SeqCst);
                    // Waits to be ended, or for the end of the test.
                    let mut waits = || {
                        let read = stranger.read(&mut [0]);
                        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
                    };
                    while !over.load(Ordering::SeqCst) && waits() {
                        std::thread::yield_now();
                    }
                }
            });
        }
        until("the flood", || {
            came.load(Ordering::SeqCst) >= strangers() && said().contains("ended a greeting")
        });
        let pull = |number: usize| {
            let copy = site.path(format!("copy{number}"));
            fs::create_dir(&copy).unwrap();
            let mut command = site.smsync();
            command.args(["pull", &format!("127.0.0.1:{port}::m")]).arg(copy);
            output_within(&mut command, Duration::from_secs(60))
        };
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || pull(number))).collect();
        let outputs: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        for output in outputs {
            assert_exit(&output.unwrap(), 0);
        }
    });
    // Whoever had to go is counted.
    let status = site.smsyncd().args(["--status", "--json"]).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status["refused"]["strangers"].as_u64().is_some_and(|count| count > 0), "{status}");
}

#[test]
fn strangers_at_our_own_listener() {
    let site = Site::new();
    let port = free_port();
    let mut command = site.smsyncd();
    let _listener =
        Starter::start(&site, "", command.args(["-f", "-p", &port.to_string(), "--address", "127.0.0.1"]));
    until("the listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    are_no_obstacle(&site, "starter.log", port);
}

/// Under inetd no process knows of the others.
#[test]
fn strangers_under_inetd() {
    let site = Site::new();
    let inetd = site.serve();
    are_no_obstacle(&site, "log", inetd.port);
    // What they held is free again.
    let output = site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]);
    assert_exit(&output, 0);
    assert_eq!(differences(&walk(&site.src()), &walk(&site.dst())), "");
}
