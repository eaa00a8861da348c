//! What the tests share: a site with a server's and a client's configuration, an inetd of their own, trees, oracles.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

pub mod audit;
pub mod deeds;
pub mod dice;
pub mod edits;
pub mod facts;
pub mod forest;
pub mod gate;
pub mod mounted;
pub mod pair;
pub mod relay;
pub mod scenario;
mod site;
pub mod starter;
pub mod tree;
pub mod trees;
pub mod walk;

pub use site::Site;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const SMSYNC: &str = env!("CARGO_BIN_EXE_smsync");
pub const SMSYNCD: &str = env!("CARGO_BIN_EXE_smsyncd");

/// Whether the tests run as root: some things only root can do, and each test that needs them says so.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A new secret, as a user makes it.
pub fn keygen() -> String {
    let output = Command::new(SMSYNC).arg("keygen").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A little inetd: accepts on a free loopback port and starts a program for each connection.
pub struct Inetd {
    pub port: u16,
    over: Arc<AtomicBool>,
    children: Arc<Mutex<Vec<Child>>>,
    thread: Option<JoinHandle<()>>,
}

impl Inetd {
    /// Starts what this makes for each connection.
    pub fn start(program: impl Fn() -> Command + Send + 'static) -> Inetd {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        let children = Arc::new(Mutex::new(Vec::new()));
        let thread = std::thread::spawn({
            let (over, children) = (over.clone(), children.clone());
            move || {
                for connection in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let socket: OwnedFd = connection.unwrap().into();
                    // Locked before it runs: whoever is served by it can wait for it.
                    let mut children = children.lock().unwrap();
                    let copy = || Stdio::from(socket.try_clone().unwrap());
                    let child = program().stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
                    children.push(child);
                }
            }
        });
        Inetd { port, over, children, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT::MODULE`.
    pub fn remote(&self, module: &str) -> String {
        format!("127.0.0.1:{}::{module}", self.port)
    }

    /// Waits for every smsyncd started so far, but not longer than this.
    #[track_caller]
    pub fn ended_within(&self, limit: Duration) -> Vec<std::process::ExitStatus> {
        let deadline = Instant::now() + limit;
        let children: Vec<Child> = self.children.lock().unwrap().drain(..).collect();
        let wait = |mut child: Child| wait(&mut child, deadline).expect("smsyncd hangs");
        children.into_iter().map(wait).collect()
    }

    /// The process ids of those that were started and not waited for.
    pub fn ids(&self) -> Vec<u32> {
        self.children.lock().unwrap().iter().map(Child::id).collect()
    }

    /// Waits for every smsyncd started so far and gives back how they ended.
    pub fn ended(&self) -> Vec<std::process::ExitStatus> {
        self.children.lock().unwrap().drain(..).map(|mut child| child.wait().unwrap()).collect()
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the accept.
        drop(std::net::TcpStream::connect(("127.0.0.1", self.port)));
        self.thread.take().unwrap().join().unwrap();
        for mut child in self.children.lock().unwrap().drain(..) {
            // It ends by itself when its client is gone; if not, it is ours to end.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }
}

/// The first call that met a fault, by the file that says so; a confined process makes it before it knows.
pub fn fired(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()?.lines().next().map(str::to_owned)
}

/// Waits for the end of a process until the deadline, and kills it then.
pub fn wait(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Runs a program to its end, which must come within this time.
#[track_caller]
pub fn output_within(command: &mut Command, limit: Duration) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ended_within(child, limit)
}

/// Waits for the end of a program whose output is piped, which must come within this time.
#[track_caller]
pub fn ended_within(mut child: Child, limit: Duration) -> Output {
    fn read(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            from.read_to_end(&mut text).unwrap();
            text
        })
    }
    let (stdout, stderr) = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
    let status = wait(&mut child, Instant::now() + limit);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let status = status.unwrap_or_else(|| panic!("a program hangs: {}", String::from_utf8_lossy(&stderr)));
    Output { status, stdout, stderr }
}

/// Fails unless the program ended with this code; shows what it said.
#[track_caller]
pub fn assert_exit(output: &Output, code: i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
}

/// Runs a tool that a test needs, and fails with the name of its Debian package when it is missing.
#[track_caller]
pub fn tool(program: &str, package: &str, arguments: &[&OsStr]) -> Output {
    match Command::new(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => panic!("{program}: {error}: install the Debian package {package} (tests/setup does)"),
    }
}

/// What rsync would still have to do to make `dst` like `src`: nothing, if they are equal.
#[track_caller]
pub fn rsync_differences(src: &Path, dst: &Path) -> String {
    let (src, dst) = (format!("{}/", src.display()), format!("{}/", dst.display()));
    // The window of -1 compares nanoseconds too.
    let options = ["-naHAX", "-@-1", "--delete", "--itemize-changes", &src, &dst].map(OsStr::new);
    let output = tool("rsync", "rsync", &options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a tool with this on its standard input.
#[track_caller]
pub fn fed(program: &str, package: &str, arguments: &[&OsStr], input: &[u8]) -> Output {
    let pipes = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = pipes.unwrap_or_else(|error| {
        panic!("{program}: {error}: install the Debian package {package} (tests/setup does)")
    });
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // It may end without having read all.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// What mtree(8) says of a tree by a specification: nothing, if it is as specified.
#[track_caller]
pub fn mtree_verify(spec: &[u8], tree: &Path) -> String {
    let output = fed("mtree", "mtree-netbsd", &[OsStr::new("-p"), tree.as_os_str()], spec);
    let text = [&output.stdout[..], &output.stderr].concat();
    format!("{}{}", String::from_utf8_lossy(&text), if output.status.success() { "" } else { "it failed" })
}

/// The specification of a tree that mtree(8) writes, with every keyword it knows.
#[track_caller]
pub fn mtree_create(tree: &Path) -> Vec<u8> {
    let output = tool(
        "mtree",
        "mtree-netbsd",
        &["-c", "-k", "all", "-p"].map(OsStr::new).into_iter().chain([tree.as_os_str()]).collect::<Vec<_>>(),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The object with which `--json` ends, without its time and what went over the wire.
#[track_caller]
pub fn end_object(output: &Output) -> serde_json::Map<String, serde_json::Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let last = text.lines().last().unwrap_or_else(|| panic!("no output: {output:?}"));
    let mut object: serde_json::Map<_, _> = serde_json::from_str(last).unwrap();
    assert_eq!(object["event"], "end", "{text}");
    assert!(object.remove("seconds").unwrap().is_number());
    for name in ["wire_sent", "wire_received", "speedup"] {
        assert!(object.remove(name).is_none_or(|value| value.is_number()), "{text}");
    }
    object
}
