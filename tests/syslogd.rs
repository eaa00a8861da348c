//! A syslogd that is started anew while smsyncd runs: the listener reaches it, and of a session that cannot it learns how
//! much is lost.

use crate::common::gate::Gate;
use crate::common::mounted::may_mount;
use crate::common::starter::{free_port, until};
use crate::common::{Site, assert_exit, ended_within};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// In a mount namespace of its own, in which /dev/log is what this site has in its place.
const SCRIPT: &str =
    "set -e; site=$1; shift; mkdir $site/dev; mount --rbind /dev $site/dev; mount -t tmpfs tmpfs /dev
for name in null zero urandom; do : >/dev/$name; mount --bind $site/dev/$name /dev/$name; done
ln -s $site/devlog /dev/log; exec \"$@\"";

/// What stands for syslogd.
struct Syslogd(UnixDatagram, PathBuf);

impl Syslogd {
    fn start(site: &Site) -> Syslogd {
        let path = site.path("devlog");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Syslogd(socket, path)
    }

    /// Reads up to a record with this text.
    #[track_caller]
    fn has(&self, text: &str) {
        let (mut record, mut others) = ([0; 2048], Vec::new());
        loop {
            // What stops a process for a moment ends a call that waits for a limited time: signal(7).
            let length = match self.0.recv(&mut record) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                length => length.unwrap_or_else(|error| panic!("{text:?} is not in {others:?}: {error}")),
            };
            let record = String::from_utf8_lossy(&record[..length]).into_owned();
            if record.contains(text) {
                return;
            }
            others.push(record);
        }
    }
}

impl Drop for Syslogd {
    fn drop(&mut self) {
        // A process that another test is about to start has the socket too, until it is another program.
        self.0.shutdown(Shutdown::Both).unwrap();
        fs::remove_file(&self.1).unwrap();
    }
}

/// Ends the daemon, also when the test fails.
struct Daemon(Pid);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Twice is at once.
        let _ = kill_process(self.0, Signal::TERM).and_then(|()| kill_process(self.0, Signal::TERM));
    }
}

#[test]
fn a_syslogd_that_is_started_anew() {
    if !may_mount("a_syslogd_that_is_started_anew") {
        return; // only root can give it another /dev/log
    }
    let site = Site::new();
    let (port, pid_file) = (free_port(), site.path("pid"));
    let globals =
        format!("port = {port}\naddress = 127.0.0.1\nsyslog tag = ours\npid file = {}", pid_file.display());
    let conf = site.server_conf(&globals);
    let conf = conf.replace(&format!("log file = {}\n", site.path("log").display()), "");
    site.write_private("smsyncd.conf", &conf);
    fs::write(site.src().join("large"), vec![7; 8 << 20]).unwrap();

    let syslogd = Syslogd::start(&site);
    let smsyncd = site.smsyncd();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(site.path("")).arg(smsyncd.get_program());
    assert_exit(&command.args(smsyncd.get_args()).stdin(Stdio::null()).output().unwrap(), 0);
    let pid = fs::read_to_string(&pid_file).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    let daemon = Daemon(pid);
    syslogd.has(" ours[");
    drop(syslogd);
    let syslogd = Syslogd::start(&site);
    kill_process(pid, Signal::HUP).unwrap();
    syslogd.has("is good");

    let gate = Gate::to(port);
    gate.up.hold_after(4 << 20);
    let mut push = site.smsync();
    push.args(["push", "-W"]).arg(site.src()).arg(gate.remote("m"));
    let client = push.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    gate.up.wait_held();
    drop(syslogd);
    let syslogd = Syslogd::start(&site);
    gate.up.release();
    assert_exit(&ended_within(client, LIMIT), 0);
    syslogd.has("127.0.0.1 user \"\": module m: 1 log records were lost");
    drop(daemon);
    syslogd.has("ended");
    until("the end of the daemon", || !pid_file.exists());
}
