//! The two programs: how each is configured and started, with the benchmark as the inetd of both.

use crate::guard;
use crate::measure::{self, Measured, Usage};
use crate::relay::Relay;
use anyhow::{Context, Result, anyhow, bail};
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const SMSYNC: &str = env!("CARGO_BIN_EXE_smsync");
const SMSYNCD: &str = env!("CARGO_BIN_EXE_smsyncd");

/// What rsync is told to carry: what smsync always does.
pub(crate) const RSYNC_ALL: &str = "-aHAX";
/// What smsync is told to leave out, beside `rsync -a`.
pub(crate) const SMSYNC_LESS: &str = "-Rinode,resdevice,xattr";

/// What makes smsync send only what is new inside of a file, as rsync does anyway between hosts.
pub(crate) const DELTA: &str = "--delta";

/// Destinations: so many in memory, and one on a disk.
pub(crate) const DISK: usize = 8;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Rsync,
    Smsync,
}

impl Program {
    /// In the order of the table.
    pub(crate) const BOTH: [Program; 2] = [Program::Rsync, Program::Smsync];
}

/// How a client is to work.
#[derive(Clone, Copy, Default)]
pub(crate) struct How {
    /// Carry no more than `rsync -a` does: no hard links, ACLs and extended attributes.
    pub(crate) less: bool,
    /// Compare contents.
    pub(crate) checksum: bool,
    /// Let smsync's server flush as it does by default. Rsync's has nothing like it.
    pub(crate) flush: bool,
    /// Send only what is new inside of files.
    pub(crate) delta: bool,
}

/// Both programs with their configurations.
pub(crate) struct Programs {
    place: PathBuf,
    rsync: OsString,
    serial: AtomicU64,
    watched: AtomicBool,
}

impl Programs {
    /// Writes the configurations: the destinations in `place`, offered by both.
    pub(crate) fn new(place: &Path) -> Result<Programs> {
        let rsync = std::env::var_os("RSYNC").unwrap_or_else(|| "rsync".into());
        let (serial, watched) = (AtomicU64::new(0), AtomicBool::new(false));
        let programs = Programs { place: place.to_owned(), rsync, serial, watched };
        programs.forget()?;
        fs::create_dir(place.join("spool"))?;
        let (secret, at) = (programs.tool(Command::new(SMSYNC).arg("keygen"))?, place.display());
        let secret = secret.trim();
        let (mut theirs, mut ours) = (String::new(), String::new());
        for to in 0..=DISK {
            let path = programs.destination(to);
            let path = path.display();
            theirs.push_str(&format!("[m{to}]\npath = {path}\nread only = no\n"));
            for (name, durable) in [("m", "none"), ("f", "batch")] {
                let module = format!("[{name}{to}]\npath = {path}\nread only = no\ndurable = {durable}\n");
                ours.push_str(&module);
            }
        }
        private(
            &place.join("smsyncd.conf"),
            &format!(
                "secret = {secret}\nstate dir = {at}/state\nspool dir = {at}/spool\nlog file = {at}/smsyncd.log\n{ours}"
            ),
        )?;
        private(&place.join("smsync.conf"), &format!("secret = {secret}\n"))?;
        // Its own defaults, but for the owner: without it, a daemon of root's serves as nobody and cannot chown.
        let owner = if rustix::process::geteuid().is_root() { "uid = 0\ngid = 0\n" } else { "" };
        let text = format!("{owner}reverse lookup = no\nlog file = {at}/rsyncd.log\n{theirs}");
        fs::write(place.join("rsyncd.conf"), text)?;
        Ok(programs)
    }

    /// Where a destination is.
    pub(crate) fn destination(&self, to: usize) -> PathBuf {
        if to == DISK {
            self.place.join(guard::DISK).join("dst")
        } else {
            self.place.join(format!("dst-{to}"))
        }
    }

    /// Empties what smsync remembers in, on both sides.
    pub(crate) fn forget(&self) -> Result<()> {
        for name in ["state", "client"] {
            let path = self.place.join(name);
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
            fs::DirBuilder::new().mode(0o700).create(path)?;
        }
        Ok(())
    }

    /// Whether the anonymous memory of what is started from now on is to be sampled.
    pub(crate) fn watch(&self, watched: bool) {
        self.watched.store(watched, Ordering::SeqCst);
    }

    fn is_watching(&self) -> bool {
        self.watched.load(Ordering::SeqCst)
    }

    /// What each program says of its version.
    pub(crate) fn versions(&self) -> Result<[String; 2]> {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        Ok([
            first(self.tool(Command::new(&self.rsync).arg("--version"))?),
            first(self.tool(Command::new(SMSYNC).arg("--version"))?),
        ])
    }

    /// Runs something that is not measured; gives back what it says.
    fn tool(&self, command: &Command) -> Result<String> {
        Ok(measure::run(command, self.note(), false)?.1)
    }

    /// A new file for what was used.
    fn note(&self) -> PathBuf {
        self.place.join(format!("used-{}", self.serial.fetch_add(1, Ordering::SeqCst)))
    }

    /// Makes an empty destination like the source, without either program.
    pub(crate) fn copy(&self, to: usize) -> Result<()> {
        let mut command = Command::new("cp");
        command.arg("-a").arg(self.place.join("src/.")).arg(self.destination(to));
        self.tool(&command).map(drop)
    }

    /// Fails unless a destination is like the source: names, attributes, sizes and times, or also contents.
    pub(crate) fn verify(&self, to: usize, contents: bool) -> Result<()> {
        let mut command = Command::new(&self.rsync);
        command.args([RSYNC_ALL, "-n", "--delete", "--itemize-changes"]).args(contents.then_some("-c"));
        command.arg(self.place.join("src/")).arg(self.destination(to));
        let differences = self.tool(&command)?;
        match differences.lines().next() {
            None => Ok(()),
            Some(line) => {
                bail!("the trees differ: {} lines, the first is {line}", differences.lines().count())
            }
        }
    }

    /// Pushes the source to a destination of the server at this port: the client's part.
    pub(crate) fn push(&self, program: Program, port: u16, to: usize, how: How) -> Result<Usage> {
        let mut command;
        match program {
            Program::Rsync => {
                command = Command::new(&self.rsync);
                command.arg(if how.less { "-a" } else { RSYNC_ALL }).args(["--numeric-ids", "--delete"]);
                command.args(how.checksum.then_some("-c")).args(how.delta.then_some("--no-whole-file"));
                command.arg(self.place.join("src/")).arg(format!("rsync://127.0.0.1:{port}/m{to}/"));
            }
            Program::Smsync => {
                command = Command::new(SMSYNC);
                command.arg("-C").arg(self.place.join("smsync.conf")).args(["-q", "push", "--delete"]);
                command.args(how.less.then_some(SMSYNC_LESS)).args(how.checksum.then_some("-c"));
                command.args(how.delta.then_some(DELTA)).arg(self.place.join("src"));
                let module = if how.flush { "f" } else { "m" };
                command.arg(format!("127.0.0.1:{port}::{module}{to}"));
                command
                    .env("XDG_STATE_HOME", self.place.join("client"))
                    .env("TMPDIR", self.place.join("spool"));
            }
        }
        Ok(measure::run(&command, self.note(), self.is_watching())?.0)
    }

    fn server(&self, program: Program) -> Command {
        let mut command;
        match program {
            Program::Rsync => {
                command = Command::new(&self.rsync);
                command.arg("--daemon").arg(format!("--config={}", self.place.join("rsyncd.conf").display()));
            }
            Program::Smsync => {
                command = Command::new(SMSYNCD);
                command.arg("-c").arg(self.place.join("smsyncd.conf"));
            }
        }
        command
    }
}

/// Writes a file that only its owner may read.
fn private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// An inetd for one of the programs, on a free port of loopback.
pub(crate) struct Inetd {
    pub(crate) port: u16,
    /// What stands between the clients and the servers of now.
    relay: Arc<Mutex<Option<Arc<Relay>>>>,
    over: Arc<AtomicBool>,
    served: Receiver<Result<Measured>>,
    thread: Option<JoinHandle<()>>,
}

impl Inetd {
    pub(crate) fn start(programs: &Arc<Programs>, program: Program) -> Result<Inetd> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let over = Arc::new(AtomicBool::new(false));
        let relay = Arc::<Mutex<Option<Arc<Relay>>>>::default();
        let (sender, served) = channel();
        let thread = std::thread::spawn({
            let (over, programs, relay) = (over.clone(), programs.clone(), relay.clone());
            move || {
                for connection in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let started = connection.map_err(Into::into).and_then(|connection| {
                        let between = relay.lock().map_err(|_| anyhow!("a thread panicked"))?.clone();
                        let connection = match between {
                            Some(relay) => relay.join(connection)?,
                            None => connection,
                        };
                        let socket = OwnedFd::from(connection);
                        // Both take the socket from 0; what they may say on 2 is for a log.
                        let streams = [socket.try_clone()?.into(), socket.into(), Stdio::null()];
                        let watched = programs.is_watching();
                        Measured::start(&programs.server(program), streams, programs.note(), watched)
                    });
                    if sender.send(started).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Inetd { port, relay, over, served, thread: Some(thread) })
    }

    /// Puts a relay between what comes from now on, or none.
    pub(crate) fn relay(&self, relay: Option<Arc<Relay>>) -> Result<()> {
        *self.relay.lock().map_err(|_| anyhow!("a thread panicked"))? = relay;
        Ok(())
    }

    /// Waits for the end of the server of one connection.
    pub(crate) fn end_of_one(&self) -> Result<Usage> {
        let started = self.served.recv_timeout(Duration::from_secs(10)).context("no connection came");
        Ok(started??.end()?.0)
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the accept.
        drop(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
