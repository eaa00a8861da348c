//! A folder with what a server and a client need, which goes with the value.

use super::{Inetd, SMSYNC, SMSYNCD, keygen};
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with both configurations, a source `src`, a module `m` at `dst` that may be written, and the same as `ro`.
pub struct Site {
    dir: TempDir,
    pub secret: String,
}

impl Site {
    pub fn new() -> Site {
        // Below /tmp or $TMPDIR: a root-owned sticky directory, which the private-file check lets pass.
        Site::of(tempfile::tempdir().unwrap())
    }

    /// The same in memory, where that can be had: for tests of hundreds of sessions that flush.
    pub fn in_memory() -> Site {
        Site::of(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn of(dir: TempDir) -> Site {
        let site = Site { dir, secret: keygen() };
        for name in ["src", "dst", "spool"] {
            fs::create_dir(site.path(name)).unwrap();
        }
        fs::DirBuilder::new().mode(0o700).create(site.path("state")).unwrap();
        site.write_private("smsyncd.conf", &site.server_conf(""));
        site.write_private("smsync.conf", &format!("secret = {}\n", site.secret));
        site
    }

    /// The text of the server's configuration, with these global lines more.
    pub fn server_conf(&self, globals: &str) -> String {
        let at = |name| self.path(name).display().to_string();
        format!(
            "secret = {}\nstate dir = {}\nspool dir = {}\nlog file = {}\n{globals}\n[m]\npath = {}\nread only = no\n\
             comment = a test\n[ro]\npath = {}\n[hidden]\npath = {}\nlist = no\n",
            self.secret,
            at("state"),
            at("spool"),
            at("log"),
            at("dst"),
            at("dst"),
            at("dst"),
        )
    }

    /// The same, where strace(1) is to say which paths the server works on: in a chroot, all it can name is `/`.
    pub fn traced_conf(&self, globals: &str) -> String {
        self.server_conf(&format!("use chroot = no\n{globals}"))
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn src(&self) -> PathBuf {
        self.path("src")
    }

    pub fn dst(&self) -> PathBuf {
        self.path("dst")
    }

    /// Writes a file with mode 0600.
    pub fn write_private(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        path
    }

    /// What the server remembers: a directory for each module and user.
    pub fn states(&self) -> impl Iterator<Item = PathBuf> + '_ {
        fs::read_dir(self.path("state")).unwrap().map(|entry| entry.unwrap().path())
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// smsync with this site's configuration; the arguments follow.
    pub fn smsync(&self) -> Command {
        let mut command = Command::new(SMSYNC);
        command.arg("-C").arg(self.path("smsync.conf"));
        command.env("XDG_STATE_HOME", self.path("client-state")).env("TMPDIR", self.path("spool"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs smsync to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.smsync().args(arguments).output().unwrap()
    }

    /// smsyncd with this site's configuration, to be given a connection.
    pub fn smsyncd(&self) -> Command {
        let mut command = Command::new(SMSYNCD);
        command.arg("-c").arg(self.path("smsyncd.conf"));
        command
    }

    /// Starts to serve connections, one process each, with the socket on 0, 1 and 2 as xinetd gives it.
    pub fn serve(&self) -> Inetd {
        self.serve_with(&[])
    }

    /// The same with variables in the environment of each smsyncd, for fault points.
    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Inetd {
        let environment: Vec<(String, String)> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = self.path("smsyncd.conf");
        Inetd::start(move || {
            let mut command = Command::new(SMSYNCD);
            command.arg("-c").arg(&config).envs(environment.iter().map(|(a, b)| (a, b)));
            command
        })
    }

    /// Lets an ordinary user remove directories that he may not write.
    fn unlock(&self) {
        let mut paths = vec![self.dir.path().to_owned()];
        while let Some(path) = paths.pop() {
            if fs::symlink_metadata(&path).is_ok_and(|stat| stat.is_dir()) {
                let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
                paths.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
        }
    }
}

/// Nothing is left behind: what still makes something there is about to end.
impl Drop for Site {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        self.unlock();
        while let Err(error) = fs::remove_dir_all(self.dir.path())
            && error.kind() != ErrorKind::NotFound
        {
            if Instant::now() > deadline {
                assert!(std::thread::panicking(), "{}: left behind: {error}", self.dir.path().display());
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
            self.unlock();
        }
    }
}
