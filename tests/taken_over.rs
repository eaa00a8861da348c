//! A session that was taken over: what it has of its server, and what it can do with its broker, which keeps its place. Its
//! way there is taken from it as root can; what whoever has it in his hands would do, the test does.

use crate::common::gate::{GREETING, Gate};
use crate::common::starter::until;
use crate::common::{Inetd, Site, assert_exit, ended_within, is_root, output_within};
use rustix::net::sockopt::socket_type;
use rustix::net::{SendFlags, Shutdown, SocketType};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A site whose module has one place, and a hook behind it that says how the session ended.
fn site() -> Site {
    let site = Site::new();
    let (hook, said) = (site.path("hook"), site.path("said"));
    let text = format!(
        "#!/bin/sh\necho $SMSYNC_EXIT_STATUS $(test -d /proc/$SMSYNC_PID && grep -c State:.Z /proc/$SMSYNC_PID/status) \
         >{said}.new && mv {said}.new {said}\nexit 3\n",
        said = said.display()
    );
    fs::write(&hook, text).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let more = format!("max connections = 1\npost-xfer exec = {}\n[ro]", hook.display());
    let conf = site.server_conf("").replace("[ro]", &more);
    site.write_private("smsyncd.conf", &conf);
    for name in ["a", "b"] {
        fs::write(site.src().join(name), vec![7; 4 << 20]).unwrap();
    }
    site
}

fn push(site: &Site, remote: &str) -> Command {
    let mut command = site.smsync();
    command.arg("push").arg(site.src()).arg(remote).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Which file this is.
fn which(path: &Path) -> (u64, u64) {
    let stat = fs::metadata(path).unwrap();
    (stat.dev(), stat.ino())
}

/// A session in the middle of a push.
struct Session {
    gate: Gate,
    client: Child,
    process: u32,
}

fn session(site: &Site, inetd: &Inetd) -> Session {
    let gate = Gate::to(inetd.port);
    // In the middle of the contents.
    gate.up.hold_after(GREETING + (1 << 20));
    let client = push(site, &gate.remote("m")).spawn().unwrap();
    gate.up.wait_held();
    until("the session", || !inetd.ids().is_empty());
    Session { gate, client, process: inetd.ids()[0] }
}

impl Session {
    fn runs(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    }

    /// The numbers of what it has open, and which files these are.
    fn open(&self) -> Vec<(i32, (u64, u64))> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.process)).unwrap();
        let number = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let open = open.map(|entry| entry.unwrap().path());
        open.map(|path| (number(&path), which(&path))).collect()
    }

    /// Its way to its broker.
    fn broker(&self) -> OwnedFd {
        let session = Pid::from_raw(self.process.cast_signed()).unwrap();
        let session = pidfd_open(session, PidfdFlags::empty()).unwrap();
        let mut open = self.open().into_iter();
        let way = open.find_map(|(number, _)| {
            let taken = pidfd_getfd(&session, number, PidfdGetfdFlags::empty()).unwrap();
            socket_type(&taken).is_ok_and(|kind| kind == SocketType::SEQPACKET).then_some(taken)
        });
        way.expect("a way to its broker")
    }

    /// Its client gets no answer any more.
    fn fails(self) {
        self.gate.up.release();
        let output = ended_within(self.client, LIMIT);
        assert!(!output.status.success(), "{output:?}");
    }
}

/// What the hook behind the session was told; and it came when the session had ended.
fn told(site: &Site) -> String {
    let said = site.path("said");
    until("the hook", || said.exists());
    let said = fs::read_to_string(said).unwrap();
    let (status, ended) = said.trim_end().split_once(' ').unwrap_or((said.trim_end(), "1"));
    assert_eq!(ended, "1", "the hook ran while the session did");
    status.to_owned()
}

fn status(site: &Site, options: &[&str]) -> String {
    let output = site.smsyncd().arg("--status").args(options).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The place is free again.
fn is_free(site: &Site, inetd: &Inetd) {
    inetd.ended();
    assert_exit(&output_within(&mut push(site, &inetd.remote("m")), LIMIT), 0);
}

#[test]
fn whoever_asks_what_is_no_question_is_killed() {
    if !is_root() {
        return;
    }
    let site = site();
    let inetd = site.serve();
    let session = session(&site, &inetd);
    rustix::net::send(session.broker(), b"\xff", SendFlags::NOSIGNAL).unwrap();
    until("the end of the session", || !session.runs());
    session.fails();
    assert_eq!(told(&site), "-1");
    until("what became of the hook", || site.log().contains("'post-xfer exec' ended with exit code 3"));
    let status = status(&site, &["--json"]);
    assert!(
        status.contains("\"exit\":71,\"error\":\"its process was ended before it was done\""),
        "{status}"
    );
    let log = site.log();
    assert!(log.contains("module m: killed: it asked its broker what is no question"), "{log}");
    is_free(&site, &inetd);
}

#[test]
fn whoever_hangs_up_on_its_broker_keeps_its_place_until_it_is_killed() {
    if !is_root() {
        return;
    }
    let site = site();
    let inetd = site.serve();
    let session = session(&site, &inetd);
    rustix::net::shutdown(session.broker(), Shutdown::Write).unwrap();
    let there = status(&site, &[]);
    assert!(!session.runs() || there.contains("push to m"), "it works on unseen: {there}");
    until("the end of the session", || !session.runs());
    session.fails();
    assert_eq!(told(&site), "-1");
    assert!(site.log().contains("module m: killed: it went on without its broker"), "{}", site.log());
    is_free(&site, &inetd);
}

#[test]
fn without_its_broker_a_session_ends() {
    let site = site();
    let inetd = site.serve();
    let session = session(&site, &inetd);
    let children = format!("/proc/{0}/task/{0}/children", session.process);
    let children = fs::read_to_string(children).unwrap();
    let broker = children.split_whitespace().next().and_then(|id| Pid::from_raw(id.parse().unwrap()));
    kill_process(broker.expect("a broker"), Signal::KILL).unwrap();
    session.gate.up.release();
    // What the client was told until then stands.
    ended_within(session.client, LIMIT);
    let ended: Vec<_> = inetd.ended().iter().map(|status| status.code()).collect();
    assert_eq!(ended, [Some(70)]);
    assert!(site.log().contains("the broker of this process does not answer"), "{}", site.log());
}

/// What other sessions depend on is out of its hands.
#[test]
fn it_has_nothing_of_the_server_but_what_its_module_remembers() {
    if !is_root() {
        return;
    }
    let site = site();
    let inetd = site.serve();
    let session = session(&site, &inetd);
    let (state, kept) = (site.path("state"), site.path("state.kept"));
    let open = session.open();
    let number = |path: &Path| {
        let mut open = open.iter();
        open.find_map(|(number, file)| (*file == which(path)).then_some(*number))
    };
    assert_eq!((number(&state), number(&kept)), (None, None), "{open:?}");
    assert!(number(&state.join("module-m")).is_some(), "{open:?}");
    let in_it = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path());
    let in_it: Vec<_> = in_it.filter_map(|path| Some((number(&path)?, path))).collect();
    // What it has to lock the tree is the one file, to be read.
    let [(number, lock)] = &in_it[..] else { panic!("{in_it:?}") };
    assert!(lock.file_name().unwrap().to_str().unwrap().starts_with("lock-"), "{lock:?}");
    let flags = fs::read_to_string(format!("/proc/{}/fdinfo/{number}", session.process)).unwrap();
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
    assert_eq!(u32::from_str_radix(&flags, 8).unwrap() & 3, 0, "{flags}");
    session.gate.up.release();
    assert_exit(&ended_within(session.client, LIMIT), 0);
    inetd.ended();
    // Of what the server keeps nothing is there.
    let names: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["module-m"]);
}
