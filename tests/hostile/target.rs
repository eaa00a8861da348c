//! What is attacked: a site with things that must not change, one smsyncd for one connection, one smsync against a peer.

use super::peer::{PATIENCE, Peer};
use crate::common::{Site, assert_exit, rsync_differences};
use smsync::exit::Exit;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How a session with smsyncd ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub abort: Option<(Exit, String)>,
    /// What smsyncd wrote into its log meanwhile.
    pub log: String,
}

/// A site whose module holds a file, a directory, and a link that leads out to `beside`.
pub fn site() -> Site {
    site_with("")
}

/// The same with these lines more in the server's configuration.
pub fn site_with(globals: &str) -> Site {
    let site = Site::new();
    site.write_private("smsyncd.conf", &site.server_conf(globals));
    fs::create_dir_all(site.path("beside/dir")).unwrap();
    fs::write(site.path("beside/secret"), "nobody may see or change this\n").unwrap();
    fs::create_dir_all(site.dst().join("dir")).unwrap();
    fs::write(site.dst().join("keep"), "old\n").unwrap();
    fs::write(site.dst().join("dir/inner"), "old too\n").unwrap();
    std::os::unix::fs::symlink("../beside", site.dst().join("link")).unwrap();
    fs::write(site.src().join("clean"), "clean\n").unwrap();
    site
}

/// Everything below a directory that an attack could change: paths, types, owners, modes, times, contents.
pub fn snapshot(root: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(path) = ahead.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        let contents = match stat.file_type() {
            kind if kind.is_file() => format!("{:?}", fs::read(&path).unwrap()),
            kind if kind.is_symlink() => format!("{:?}", fs::read_link(&path).unwrap()),
            _ => String::new(),
        };
        let (mode, owner, links) = (stat.mode(), (stat.uid(), stat.gid()), stat.nlink());
        let time = (stat.mtime(), stat.mtime_nsec());
        all.push(format!("{} {mode:o} {owner:?} {time:?} {contents}", path.display()));
        if stat.is_dir() {
            // What waits in the stage is not visible; a directory more shows in the number of links.
            let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            ahead.extend(entries.filter(|path| !path.ends_with(".smsync")));
        } else {
            all.push(format!("{links} links"));
        }
    }
    all.sort();
    all
}

/// Connects to an smsyncd that is started for this connection as inetd does it.
pub fn connect(site: &Site) -> (TcpStream, Child) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket: OwnedFd = listener.accept().unwrap().0.into();
    let copy = || Stdio::from(socket.try_clone().unwrap());
    let child = site.smsyncd().stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
    (client, child)
}

/// Waits for a process that has no reason to go on.
#[track_caller]
pub fn ended(child: &mut Child) -> i32 {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().expect("ended by a signal");
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the process does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Does something to an smsyncd as a client that knows the secret; what is in the module and beside it must stay.
#[track_caller]
pub fn attack(site: &Site, script: impl FnOnce(&mut Peer)) -> Outcome {
    let before = [snapshot(&site.dst()), snapshot(&site.path("beside"))];
    let outcome = session(site, script);
    let after = [snapshot(&site.dst()), snapshot(&site.path("beside"))];
    assert_eq!(before, after, "the trees changed: {outcome:?}");
    outcome
}

/// A session with an smsyncd, whatever it does.
#[track_caller]
pub fn session(site: &Site, script: impl FnOnce(&mut Peer)) -> Outcome {
    let logged = site.log().len();
    let (socket, mut child) = connect(site);
    let mut peer = Peer::client(socket, &site.secret);
    script(&mut peer);
    let abort = peer.finish();
    let code = ended(&mut child);
    Outcome { code, abort, log: site.log().split_off(logged) }
}

impl Outcome {
    /// Fails unless smsyncd ended like this and both told the client and logged these words.
    #[track_caller]
    pub fn assert(&self, exit: Exit, words: &str) {
        let (told, text) = self.abort.as_ref().unwrap_or_else(|| panic!("no reason was given: {self:?}"));
        assert_eq!((*told, self.code), (exit, exit.code().into()), "{self:?}");
        assert!(text.contains(words), "'{words}' was not said: {self:?}");
        assert!(self.log.contains(words), "'{words}' was not logged: {self:?}");
        self.assert_sound();
    }

    /// Fails if there is a sign of a bug of ours.
    #[track_caller]
    pub fn assert_sound(&self) {
        assert!(self.code != 70 && !self.log.contains("our bug"), "{self:?}");
    }
}

/// What an attack left behind must not be in the way: a clean push makes the trees equal, and the stage is gone.
#[track_caller]
pub fn assert_clean_push(site: &Site) {
    let inetd = site.serve();
    let output =
        site.run(&["push", "--delete", "--force-delete", site.src().to_str().unwrap(), &inetd.remote("m")]);
    assert_exit(&output, 0);
    assert_eq!(rsync_differences(&site.src(), &site.dst()), "");
    assert!(!site.dst().join(".smsync").exists());
}

/// A server that follows a script, for one connection.
pub struct Evil {
    pub port: u16,
    thread: JoinHandle<()>,
}

impl Evil {
    pub fn start(site: &Site, script: impl FnOnce(&mut Peer) + Send + 'static) -> Evil {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let secret = site.secret.clone();
        let thread = std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let mut peer = Peer::server(socket, &secret);
            script(&mut peer);
        });
        Evil { port, thread }
    }

    pub fn remote(&self, path: &str) -> String {
        format!("127.0.0.1:{}::m{path}", self.port)
    }

    /// Fails when an assertion of the script did.
    #[track_caller]
    pub fn join(self) {
        self.thread.join().expect("the script failed");
    }
}

/// Runs smsync to its end, which must not be far.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let drain = |mut from: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut all = Vec::new();
            from.read_to_end(&mut all).unwrap();
            all
        })
    };
    let stdout = drain(Box::new(child.stdout.take().unwrap()));
    let stderr = drain(Box::new(child.stderr.take().unwrap()));
    ended(&mut child);
    let status = child.wait().unwrap();
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Where a file of the module is.
pub fn inside(site: &Site, name: &str) -> PathBuf {
    site.dst().join(name)
}
