//! A relay between client and server that keeps what both say.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What passed on one connection.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Recording {
    pub from_client: Vec<u8>,
    pub from_server: Vec<u8>,
}

/// Passes connections on to a port of this host, one after the other.
pub struct Relay {
    pub port: u16,
    over: Arc<AtomicBool>,
    recordings: Arc<Mutex<Vec<Recording>>>,
    thread: Option<JoinHandle<()>>,
}

/// Passes one direction on to its end, at so many bytes a second if that is said.
fn pass(mut from: TcpStream, mut to: TcpStream, pace: Option<u32>) -> Vec<u8> {
    // A twentieth of a second at a time.
    let (mut all, mut buffer) = (Vec::new(), vec![0; pace.map_or(64 * 1024, |pace| pace as usize / 20)]);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        all.extend_from_slice(&buffer[..read]);
        if let Some(pace) = pace {
            std::thread::sleep(Duration::from_secs(1) * read as u32 / pace);
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    all
}

impl Relay {
    pub fn to(port: u16) -> Relay {
        Relay::at_pace(port, None)
    }

    /// One that is a line of so many bytes a second, each way.
    pub fn paced(port: u16, pace: u32) -> Relay {
        Relay::at_pace(port, Some(pace))
    }

    fn at_pace(port: u16, pace: Option<u32>) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        let recordings = Arc::new(Mutex::new(Vec::new()));
        let thread = std::thread::spawn({
            let (over, recordings) = (over.clone(), recordings.clone());
            move || {
                for client in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let client = client.unwrap();
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    let there = std::thread::spawn(move || pass(from, to, pace));
                    let from_server = pass(server, client, pace);
                    let from_client = there.join().unwrap();
                    recordings.lock().unwrap().push(Recording { from_client, from_server });
                }
            }
        });
        Relay { port: own, over, recordings, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT::MODULE`.
    pub fn remote(&self, module: &str) -> String {
        format!("127.0.0.1:{}::{module}", self.port)
    }

    /// Ends, and gives back what passed, in the order of the connections.
    pub fn end(mut self) -> Vec<Recording> {
        self.stop();
        std::mem::take(&mut self.recordings.lock().unwrap())
    }

    fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.over.store(true, Ordering::SeqCst);
            drop(TcpStream::connect(("127.0.0.1", self.port)));
            thread.join().unwrap();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Fails unless these bytes are a server's part of a session and nothing else: its greeting (magic, 1, a message of 48
/// bytes), then records of a four-byte length each, to the last byte.
#[track_caller]
pub fn assert_only_protocol(from_server: &[u8]) {
    let rest = from_server.strip_prefix(b"smsync\x01").expect("the greeting");
    let mut rest = rest.get(48..).expect("the second message of the handshake");
    assert!(!rest.is_empty(), "no record");
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        assert!(length > 16 && length <= 256 * 1024 + 16, "no record of {length} bytes");
        rest = tail.get(length..).expect("a whole record");
    }
    assert!(rest.is_empty(), "bytes after the last record: {rest:?}");
}
