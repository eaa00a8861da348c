//! A relay on loopback that counts bytes, and can make the way long: it delays each direction and limits none.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes from the client to the server and back.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wire {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

/// Relays connections to one port. What TCP itself would do on a long way (slow start, windows) it does not show.
pub(crate) struct Relay {
    pub(crate) port: u16,
    over: Arc<AtomicBool>,
    counts: Arc<[AtomicU64; 2]>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// To the server at this port, with half of a round trip before each byte arrives.
    pub(crate) fn start(server: u16, delay: Duration) -> Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let over = Arc::new(AtomicBool::new(false));
        let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let thread = std::thread::spawn({
            let (over, counts) = (over.clone(), counts.clone());
            move || {
                std::thread::scope(|scope| {
                    for client in listener.incoming() {
                        if over.load(Ordering::SeqCst) {
                            return;
                        }
                        let counts = &counts;
                        // What breaks here breaks the connection, and both programs say so.
                        let relay = |client: TcpStream| connection(&client, server, delay, counts);
                        scope.spawn(move || client.and_then(relay));
                    }
                });
            }
        });
        Ok(Relay { port, over, counts, thread: Some(thread) })
    }

    /// Waits for the end of the connections, and gives back what passed.
    pub(crate) fn end(mut self) -> Wire {
        self.stop();
        let [up, down] = &*self.counts;
        Wire { up: up.load(Ordering::SeqCst), down: down.load(Ordering::SeqCst) }
    }

    fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.over.store(true, Ordering::SeqCst);
            // Wakes the accept.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
            let _ = thread.join();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
    }
}

fn connection(
    client: &TcpStream,
    server: u16,
    delay: Duration,
    counts: &Arc<[AtomicU64; 2]>,
) -> std::io::Result<()> {
    // A connection takes a round trip to be made, which loopback did in no time.
    std::thread::sleep(2 * delay);
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let [up, down] = &**counts;
    std::thread::scope(|scope| {
        scope.spawn(|| direction(client, &server, delay, up));
        direction(&server, client, delay, down);
    });
    Ok(())
}

/// Passes on what comes, until its end or until nobody takes it.
fn direction(from: &TcpStream, to: &TcpStream, delay: Duration, count: &AtomicU64) {
    // A long way holds as much as is sent in that time; a short one need not.
    let (sender, receiver) = sync_channel(if delay.is_zero() { 16 } else { 4096 });
    std::thread::scope(|scope| {
        scope.spawn(move || {
            late(receiver, to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut from = from;
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            count.fetch_add(read as u64, Ordering::SeqCst);
            let piece = buffer.get(..read).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + delay, piece)).is_err() {
                break;
            }
        }
        drop(sender);
    });
}

/// Writes each piece when it is due.
fn late(pieces: Receiver<(Instant, Vec<u8>)>, mut to: &TcpStream) {
    for (due, piece) in pieces {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            return;
        }
    }
}
