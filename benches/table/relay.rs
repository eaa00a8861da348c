//! A relay on loopback that counts bytes, and can make the way long: it delays each direction and limits none. It stands
//! behind the port that clients know, because what smsync remembers of a destination is of that host and port.

use anyhow::{Result, anyhow};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes from the client to the server and back.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wire {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

/// What stands between clients and servers. What TCP itself would do on a long way (slow start, windows) it does not show.
pub(crate) struct Relay {
    /// Half of a round trip, before each byte arrives.
    delay: Duration,
    counts: Arc<[AtomicU64; 2]>,
    connections: Mutex<Vec<JoinHandle<()>>>,
}

impl Relay {
    pub(crate) fn new(delay: Duration) -> Relay {
        Relay { delay, counts: Arc::default(), connections: Mutex::default() }
    }

    /// Stands between a client and its server: gives back the socket for the server.
    pub(crate) fn join(&self, client: TcpStream) -> Result<TcpStream> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // A connection takes a round trip to be made, which loopback did in no time.
        std::thread::sleep(2 * self.delay);
        let server = TcpStream::connect(listener.local_addr()?)?;
        let (accepted, _) = listener.accept()?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (delay, counts) = (self.delay, self.counts.clone());
        let connection = std::thread::spawn(move || {
            let [up, down] = &*counts;
            std::thread::scope(|scope| {
                scope.spawn(|| direction(&client, &server, delay, up));
                direction(&server, &client, delay, down);
            });
        });
        self.connections.lock().map_err(|_| anyhow!("a thread panicked"))?.push(connection);
        Ok(accepted)
    }

    /// Waits for the end of the connections, and gives back what passed.
    pub(crate) fn end(&self) -> Result<Wire> {
        for connection in self.connections.lock().map_err(|_| anyhow!("a thread panicked"))?.drain(..) {
            // What breaks there breaks the connection, and both programs say so.
            let _ = connection.join();
        }
        let [up, down] = &*self.counts;
        Ok(Wire { up: up.load(Ordering::SeqCst), down: down.load(Ordering::SeqCst) })
    }
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
