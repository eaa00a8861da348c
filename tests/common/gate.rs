//! A gate between client and server that counts bytes, and holds them back where a test wants to look round.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many bytes the server's greeting has: everything after it answers the client's specification.
pub const GREETING: u64 = 6 + 1 + 48;

/// What the gate's sockets hold of what has not passed it.
const BUFFER: usize = 256 << 10;

/// One direction of the connections.
#[derive(Default)]
pub struct Way {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    passed: u64,
    /// No byte after this many passes.
    hold: Option<u64>,
    /// Whether one waits to pass.
    held: bool,
}

impl Way {
    /// Bytes that passed so far.
    pub fn passed(&self) -> u64 {
        self.state.lock().unwrap().passed
    }

    /// Lets this many bytes in all pass, and holds back the rest.
    pub fn hold_after(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap();
        (state.hold, state.held) = (Some(bytes), false);
        self.changed.notify_all();
    }

    /// Lets this many bytes more pass, and holds back the rest.
    pub fn hold_after_more(&self, bytes: u64) {
        self.hold_after(self.passed() + bytes);
    }

    pub fn release(&self) {
        self.state.lock().unwrap().hold = None;
        self.changed.notify_all();
    }

    /// Waits until bytes are held back.
    #[track_caller]
    pub fn wait_held(&self) {
        let state = self.state.lock().unwrap();
        let limit = Duration::from_secs(30);
        let (state, _) = self.changed.wait_timeout_while(state, limit, |state| !state.held).unwrap();
        assert!(state.held, "nothing more came through the gate");
    }

    /// Waits until some of `bytes` may pass; says how many.
    fn allow(&self, bytes: usize) -> usize {
        let mut state = self.state.lock().unwrap();
        loop {
            let room = state.hold.map_or(u64::MAX, |hold| hold.saturating_sub(state.passed));
            if room > 0 {
                let pass = bytes.min(usize::try_from(room).unwrap_or(usize::MAX));
                state.passed += pass as u64;
                return pass;
            }
            state.held = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap();
        }
    }

    fn copy(&self, from: &mut TcpStream, to: &mut TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let mut left = &buffer[..read];
            while !left.is_empty() {
                let (now, rest) = left.split_at(self.allow(left.len()));
                if to.write_all(now).is_err() {
                    // As a network would: the other end learns that this one is gone.
                    let _ = from.shutdown(Shutdown::Both);
                    return;
                }
                left = rest;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}

/// A gate before one server.
pub struct Gate {
    port: u16,
    /// From the client to the server.
    pub up: Arc<Way>,
    /// From the server to the client.
    pub down: Arc<Way>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gate {
    pub fn to(server: u16) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // The kernel would let it grow to 32 MiB and more, which a test took for held back.
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, BUFFER).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (up, down, over) = (Arc::<Way>::default(), Arc::<Way>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (up, down, over) = (up.clone(), down.clone(), over.clone());
            move || {
                for connection in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let client = connection.unwrap();
                    let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                    for (way, from, to) in [(&up, &client, &server), (&down, &server, &client)] {
                        let (way, mut from, mut to) =
                            (way.clone(), from.try_clone().unwrap(), to.try_clone().unwrap());
                        std::thread::spawn(move || way.copy(&mut from, &mut to));
                    }
                }
            }
        });
        Gate { port, up, down, over, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT::MODULE`, through the gate.
    pub fn remote(&self, module: &str) -> String {
        format!("127.0.0.1:{}::{module}", self.port)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.up.release();
        self.down.release();
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        self.thread.take().unwrap().join().unwrap();
    }
}
