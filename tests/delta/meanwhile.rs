//! What happens to the older file while a new one is made of it, and to who makes it.

use super::{assert_equal, both, noise, transfer};
use crate::common::dice::Dice;
use crate::common::gate::Gate;
use crate::common::pair::Pair;
use crate::common::walk::walk;
use crate::common::{assert_exit, ended_within};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// A push that stands where the server has copied the first part of its file, and waits for what is new.
struct Held {
    pair: Pair,
    gate: Gate,
    client: Child,
    old: Vec<u8>,
}

const PART: usize = 2 << 20;

impl Held {
    fn new(seed: u64) -> Held {
        let mut dice = Dice::new(seed);
        let old = noise(&mut dice, 3 * PART);
        let new = [&old[..PART], &noise(&mut dice, 3 * PART), &old[PART..]].concat();
        let pair = Pair::new();
        both(&pair, &old, &new);
        let gate = Gate::to(pair.inetd.port);
        gate.up.hold_after(PART as u64);
        let mut command = pair.site.smsync();
        command.args(["push", "--delta"]).arg(pair.site.src()).arg(gate.remote("m"));
        let client = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        gate.up.wait_held();
        let held = Held { pair, gate, client, old };
        let deadline = Instant::now() + LIMIT;
        while held.staged() <= PART as u64 {
            assert!(Instant::now() < deadline, "the server does not write what came");
            std::thread::sleep(Duration::from_millis(10));
        }
        held
    }

    fn file(&self) -> std::path::PathBuf {
        self.pair.site.dst().join("f")
    }

    /// Bytes that are in the stage.
    fn staged(&self) -> u64 {
        let stage = self.pair.site.dst().join(".smsync");
        if !stage.exists() {
            return 0;
        }
        let files = walk(&stage).into_iter().filter(|(_, node)| node.is_file());
        files.map(|(path, _)| fs::metadata(stage.join(path)).map_or(0, |stat| stat.len())).sum()
    }

    /// Lets it go on, and what follows make both sides equal.
    #[track_caller]
    fn end(self, exit: i32, there: Option<&[u8]>) {
        let Held { pair, gate, client, .. } = self;
        gate.up.release();
        let output = ended_within(client, LIMIT);
        pair.inetd.ended();
        assert_exit(&output, exit);
        if let Some(there) = there {
            assert!(fs::read(pair.site.dst().join("f")).unwrap() == there, "what is there is something else");
            assert_exit(&transfer(&pair, false, &["--delta"]).0, 0);
        }
        assert_equal(&pair, "in the end");
    }
}

fn overwrite(path: &Path, at: usize, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at as u64).unwrap();
}

/// The older file is written to while it is copied: then it stays as it is, that is said, and the next run sends what
/// differs.
#[test]
fn an_older_file_that_changes_meanwhile() {
    let held = Held::new(18);
    overwrite(&held.file(), 2 * PART, b"changed");
    let mut there = held.old.clone();
    there[2 * PART..2 * PART + 7].copy_from_slice(b"changed");
    held.end(1, Some(&there));
}

#[test]
fn an_older_file_that_is_cut_short_meanwhile() {
    let held = Held::new(19);
    fs::OpenOptions::new().write(true).open(held.file()).unwrap().set_len(PART as u64 + 1).unwrap();
    let there = held.old[..=PART].to_vec();
    held.end(1, Some(&there));
}

/// What was copied before it changed is right.
#[test]
fn an_older_file_that_changes_where_it_was_copied() {
    let held = Held::new(20);
    overwrite(&held.file(), 0, b"changed");
    held.end(0, None);
}

/// Another file in its place: the one that is open is still the same.
#[test]
fn an_older_file_that_is_replaced_meanwhile() {
    let held = Held::new(21);
    let other = held.pair.site.path("other");
    fs::write(&other, "another").unwrap();
    fs::rename(&other, held.file()).unwrap();
    held.end(0, None);
}

/// The older file stays, and the next run goes on with what was made of it.
#[test]
fn a_server_that_is_killed_meanwhile() {
    let held = Held::new(22);
    let id = Pid::from_raw(held.pair.inetd.ids()[0].cast_signed()).unwrap();
    kill_process(id, Signal::KILL).unwrap();
    assert!(held.staged() > PART as u64);
    let there = held.old.clone();
    held.end(69, Some(&there));
}
