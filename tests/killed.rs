//! Programs that are killed, and that meet: nothing is lost, nobody waits, and the next run goes on where one ended.

use crate::common::gate::{GREETING, Gate};
use crate::common::walk::{differences, walk};
use crate::common::{Inetd, Site, assert_exit, ended_within, output_within};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
/// What happens at once takes less, also on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// More than the buffers between two programs hold.
const LARGE: usize = 48 << 20;

const FILES: usize = 2000;
/// Threads of a receiver that write: those of small files, and the one of large ones.
const WRITERS: u64 = smsync::limits::HANDS as u64 + 1;

/// A push of many files, with a hole of a gibibyte among them, and of a large one, which comes last.
struct Push {
    inetd: Inetd,
    gate: Gate,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Push {
    fn new() -> Push {
        let site = Site::in_memory();
        for number in 0..FILES {
            let dir = site.src().join(format!("d{}", number % 20));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(format!("{number}")), format!("file {number}")).unwrap();
        }
        let hole = OpenOptions::new().write(true).create_new(true).open(site.src().join("hole")).unwrap();
        hole.set_len(1 << 30).unwrap();
        let noise: Vec<u8> = (0..LARGE).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        fs::write(site.src().join("large"), noise).unwrap();
        let inetd = site.serve();
        let gate = Gate::to(inetd.port);
        Push { site, inetd, gate }
    }

    fn command(&self, remote: &str) -> Command {
        let mut command = self.site.smsync();
        command.args(["--json", "push", "--delete", "--force-delete"]).arg(self.site.src()).arg(remote);
        command
    }

    /// Begins, and stops where the large file is being sent.
    fn start(&self) -> Child {
        self.gate.up.hold_after(LARGE as u64 / 2);
        let mut command = self.command(&self.gate.remote("m"));
        let client = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.gate.up.wait_held();
        // What passed the gate may still be on its way to the disk.
        let deadline = Instant::now() + LIMIT;
        while !self.site.dst().join(".smsync").exists() || staged(&self.site).count() < FILES {
            assert!(Instant::now() < deadline, "the server does not write what came");
            std::thread::sleep(Duration::from_millis(10));
        }
        client
    }

    /// The next push makes everything equal, and sends only what did not arrive.
    #[track_caller]
    fn assert_goes_on(&self) {
        assert_eq!(walk(&self.site.dst()).len(), 0, "something shows before all arrived");
        let staged = staged(&self.site).count();
        assert!(staged > FILES / 2, "{staged} files were staged");
        let output = output_within(&mut self.command(&self.inetd.remote("m")), LIMIT);
        assert_exit(&output, 0);
        assert_eq!(differences(&walk(&self.site.src()), &walk(&self.site.dst())), "");
        assert!(fs::metadata(self.site.dst().join("hole")).unwrap().blocks() < 1000, "the hole is filled");
        assert!(!self.site.dst().join(".smsync").exists());
        let (files, resumed) = sums(&output);
        assert_eq!(files + resumed, FILES as u64 + 2);
        // What was being written when the end came is not taken over: one by each thread that writes.
        let begun = staged as u64 - resumed;
        assert!(begun <= WRITERS, "{staged} files were staged, {resumed} taken over");
    }
}

/// The files in the stage.
fn staged(site: &Site) -> impl Iterator<Item = PathBuf> {
    let stage = site.dst().join(".smsync");
    let files = walk(&stage).into_iter().filter(|(_, node)| node.is_file());
    files.map(move |(path, _)| stage.join(path))
}

fn sums(output: &Output) -> (u64, u64) {
    let text = String::from_utf8_lossy(&output.stdout);
    let sums: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    (sums["files"].as_u64().unwrap(), sums["resumed"].as_u64().unwrap())
}

fn signal(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
}

#[test]
fn a_client_that_is_killed() {
    let push = Push::new();
    let mut client = push.start();
    client.kill().unwrap();
    client.wait().unwrap();
    push.gate.up.release();
    let server = push.inetd.ended_within(AT_ONCE);
    assert_eq!(server[0].code(), Some(69), "{}", push.site.log());
    push.assert_goes_on();
}

#[test]
fn a_server_that_is_killed() {
    let push = Push::new();
    let client = push.start();
    signal(push.inetd.ids()[0], Signal::KILL);
    push.inetd.ended_within(AT_ONCE);
    push.gate.up.release();
    let output = ended_within(client, AT_ONCE);
    assert_exit(&output, 69);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("smsync: 127.0.0.1") && said.lines().count() == 1, "{said}");
    // Its lock is free at once: the next one does not find it.
    push.assert_goes_on();
}

#[test]
fn two_pushes_into_one_module() {
    let push = Push::new();
    let first = push.start();
    let started = Instant::now();
    let second = output_within(&mut push.command(&push.inetd.remote("m")), LIMIT);
    assert_exit(&second, 75);
    assert!(started.elapsed() < AT_ONCE, "it waited");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("another transfer into this tree is running"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    push.gate.up.release();
    assert_exit(&ended_within(first, LIMIT), 0);
    assert_eq!(differences(&walk(&push.site.src()), &walk(&push.site.dst())), "");
}

/// A server that stands still holds the lock, and its client gives up; when it is killed the lock is free.
#[test]
fn a_server_that_stands_still() {
    let push = Push::new();
    let server = || push.inetd.ids()[0];
    push.gate.down.hold_after(GREETING);
    let mut command = push.command(&push.gate.remote("m"));
    let client =
        command.args(["--timeout", "2"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    push.gate.down.wait_held();
    signal(server(), Signal::STOP);
    push.gate.down.release();
    let output = ended_within(client, 4 * AT_ONCE);
    assert!([69, 75].contains(&output.status.code().unwrap()), "{output:?}");
    let second = output_within(&mut push.command(&push.inetd.remote("m")), LIMIT);
    assert_exit(&second, 75);
    signal(server(), Signal::KILL);
    push.inetd.ended_within(AT_ONCE);
    let third = output_within(&mut push.command(&push.inetd.remote("m")), LIMIT);
    assert_exit(&third, 0);
    assert_eq!(differences(&walk(&push.site.src()), &walk(&push.site.dst())), "");
}

/// Bytes of the file of which a run is killed near its end.
const HUGE: usize = 200 << 20;
/// What is held back of it: more than sockets hold, which would deliver it after the death of the client.
const HELD: usize = 16 << 20;
/// What is on its way into the stage.
const ON_ITS_WAY: usize = 4 << 20;

/// A push of one large file after some small ones, killed when nearly all of it was sent: gives back what the next push
/// sent, after `between`.
fn nearly_all(client_dies: bool, between: impl Fn(&Site)) -> (Site, usize) {
    let site = Site::in_memory();
    for number in 0..100 {
        fs::write(site.src().join(format!("{number}")), format!("file {number}")).unwrap();
    }
    let mut noise: Vec<u8> = (0..HUGE).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    // Nothing that repeats may pass for what belongs elsewhere.
    noise
        .chunks_mut(4096)
        .zip(0u32..)
        .for_each(|(chunk, number)| chunk[..4].copy_from_slice(&number.to_le_bytes()));
    fs::write(site.src().join("huge"), noise).unwrap();
    let inetd = site.serve();
    let gate = Gate::to(inetd.port);
    gate.up.hold_after((HUGE - HELD) as u64);
    let push = |remote: String| {
        let mut command = site.smsync();
        command.args(["--json", "push"]).arg(site.src()).arg(remote);
        command
    };
    let mut client = push(gate.remote("m")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    gate.up.wait_held();
    if client_dies {
        client.kill().unwrap();
        client.wait().unwrap();
        gate.up.release();
        inetd.ended_within(LIMIT);
    } else {
        // Not before it has written what came.
        let staged = || {
            let entries = fs::read_dir(site.dst().join(".smsync")).unwrap();
            entries.map(|entry| entry.unwrap().metadata().unwrap().len()).max().unwrap()
        };
        let deadline = Instant::now() + LIMIT;
        while staged() < (HUGE - HELD - ON_ITS_WAY) as u64 {
            assert!(Instant::now() < deadline, "{} bytes were staged", staged());
            std::thread::sleep(Duration::from_millis(10));
        }
        signal(inetd.ids()[0], Signal::KILL);
        inetd.ended_within(AT_ONCE);
        gate.up.release();
        ended_within(client, AT_ONCE);
    }
    assert_eq!(walk(&site.dst()).len(), 0, "something shows before all arrived");
    between(&site);
    let output = output_within(&mut push(inetd.remote("m")), LIMIT);
    assert_exit(&output, 0);
    assert_eq!(differences(&walk(&site.src()), &walk(&site.dst())), "");
    assert!(!site.dst().join(".smsync").exists());
    let text = String::from_utf8_lossy(&output.stdout);
    let sums: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let sent = usize::try_from(sums["bytes"].as_u64().unwrap()).unwrap();
    (site, sent)
}

#[test]
fn a_copy_killed_near_its_end_goes_on_there() {
    for client_dies in [false, true] {
        let (_, sent) = nearly_all(client_dies, |_| {});
        assert!((1..=HELD + ON_ITS_WAY).contains(&sent), "{client_dies}: {sent} bytes were sent again");
    }
}

/// What is in the stage is believed only when the sender has the same.
#[test]
fn a_beginning_that_is_not_the_right_one_is_sent_again() {
    let (_, sent) = nearly_all(false, |site| {
        let huge = staged(site).max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        let file = OpenOptions::new().write(true).open(huge).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"x", 100 << 20).unwrap();
    });
    assert!(sent >= HUGE, "{sent}");
    // And when the source is another file by now, that one arrives.
    let (site, sent) = nearly_all(true, |site| {
        let file = OpenOptions::new().write(true).open(site.src().join("huge")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"another beginning", 0).unwrap();
    });
    assert!(sent >= HUGE, "{sent}");
    assert!(fs::read(site.dst().join("huge")).unwrap().starts_with(b"another beginning"));
}
