//! Nothing is lost: the receiver is stopped, or fails, at each call that changes anything, one after the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)] // a test

mod common;

use common::walk::{Node, Tree, differences, names, walk};
use common::{Inetd, Site, assert_exit, output_within, scenario};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No session of this scenario takes longer, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Who is the receiver, and so meets the faults.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Push,
    Pull,
}

/// A site on which the scenario is played again and again.
struct Play {
    site: Site,
    way: Way,
    /// Where in the module the tree is.
    below: &'static str,
    /// Serves without faults.
    sound: Inetd,
    old: Tree,
    new: Tree,
    beside: Tree,
}

impl Play {
    fn new(way: Way, durable: &str) -> Play {
        Play::below(way, durable, "")
    }

    fn below(way: Way, durable: &str, below: &'static str) -> Play {
        let site = Site::in_memory();
        site.write_private("smsyncd.conf", &site.server_conf(&format!("durable = {durable}")));
        fs::create_dir_all(site.path("beside/dir")).unwrap();
        fs::write(site.path("beside/dir/f"), "nothing of ours").unwrap();
        fs::create_dir_all(site.dst().join(below)).unwrap();
        let sound = site.serve();
        let mut play =
            Play { sound, way, below, old: Tree::new(), new: Tree::new(), beside: Tree::new(), site };
        scenario::new(&play.sender());
        play.rewind();
        (play.old, play.new) = (walk(&play.receiver()), walk(&play.sender()));
        play.beside = walk(&play.site.path("beside"));
        play
    }

    /// The tree that is sent: the module of a pull, and what is here of a push.
    fn sender(&self) -> PathBuf {
        if self.way == Way::Push { self.site.src() } else { self.site.dst().join(self.below) }
    }

    fn receiver(&self) -> PathBuf {
        if self.way == Way::Push { self.site.dst().join(self.below) } else { self.site.src() }
    }

    /// Where new files wait: at the module's root, and of a pull at the destination.
    fn stage(&self) -> PathBuf {
        if self.way == Way::Push { self.site.dst().join(".smsync") } else { self.site.src().join(".smsync") }
    }

    /// Makes the receiver's tree the old one again.
    fn rewind(&self) {
        scenario::clear(&self.receiver());
        scenario::old(&self.receiver());
        let _ = fs::remove_file(self.site.path("fired"));
    }

    /// One session; with a fault, the receiver is told of it.
    fn run(&self, options: &[&str], fault: Option<&str>) -> Output {
        let fired = self.site.path("fired");
        let told: Vec<(&str, &str)> = fault
            .map(|fault| [("SMSYNC_FAULT", fault), ("SMSYNC_FAULT_FIRED", fired.to_str().unwrap())])
            .into_iter()
            .flatten()
            .collect();
        let faulty = fault.filter(|_| self.way == Way::Push).map(|_| self.site.serve_with(&told));
        let inetd = faulty.as_ref().unwrap_or(&self.sound);
        let (remote, src) = (inetd.remote(&format!("m/{}", self.below)), self.site.src());
        let mut command = self.site.smsync();
        command.args(options);
        match self.way {
            Way::Push => command.args(["push", "--delete"]).arg(src).arg(remote),
            Way::Pull => command.args(["pull", "--delete"]).arg(remote).arg(src).envs(told),
        };
        let output = output_within(&mut command, LIMIT);
        inetd.ended_within(LIMIT);
        output
    }

    /// Which call met the fault, if one did.
    fn fired(&self) -> Option<String> {
        fs::read_to_string(self.site.path("fired")).ok()
    }

    /// Everything in the receiver's tree is wholly old or wholly new, and nothing else was touched. What is `away` may
    /// be neither.
    #[track_caller]
    fn assert_unmixed(&self, since: i64, away: &[&str], point: &str) {
        let now = walk(&self.receiver());
        let paths = now.keys().chain(self.old.keys()).chain(self.new.keys());
        let mixed: Vec<String> = paths
            .filter(|path| !allowed(self.old.get(*path), self.new.get(*path), now.get(*path), since))
            .filter(|path| now.contains_key(*path) || !away.iter().any(|away| path.starts_with(away)))
            .map(|path| format!("{path:?}: {:?}", now.get(path)))
            .collect();
        assert!(mixed.is_empty(), "{point}: neither old nor new:\n{}", mixed.join("\n"));
        assert_eq!(
            differences(&self.beside, &walk(&self.site.path("beside"))),
            "",
            "{point}: beside the tree"
        );
        assert_eq!(differences(&self.new, &walk(&self.sender())), "", "{point}: at the sender");
        if let Some((first, _)) = self.below.split_once('/') {
            let mut there = names(&self.site.dst());
            there.retain(|name| name != ".smsync");
            assert_eq!(there, [first], "{point}: in the module");
        }
        assert!(!self.site.log().contains("our bug"), "{point}: {}", self.site.log());
    }

    #[track_caller]
    fn assert_new(&self, point: &str) {
        let (sender, receiver) = (self.sender(), self.receiver());
        assert_eq!(differences(&self.new, &walk(&receiver)), "", "{point}: the trees differ");
        assert!(!self.stage().exists(), "{point}: the stage is still there");
        assert_eq!(Node::of(&sender), Node::of(&receiver), "{point}: the roots differ");
    }

    /// The files whose contents the receiver lacks, and how many of them lie finished in its stage.
    fn lacking(&self) -> (u64, u64) {
        let have = walk(&self.receiver());
        // Other names of a file are not sent.
        let firsts = self.new.iter().filter(|(path, node)| node.is_file() && node.first == **path);
        let lacking: Vec<&Node> = firsts
            .filter(|(path, node)| have.get(*path).is_none_or(|have| have.what != node.what))
            .map(|(_, node)| node)
            .collect();
        let stage = self.stage();
        let staged: Vec<Node> = if stage.exists() {
            names(&stage).iter().filter_map(|name| Node::of(&stage.join(name))).collect()
        } else {
            Vec::new()
        };
        // A file gets its time when everything else is done.
        let waits =
            |node: &Node| staged.iter().any(|have| (&have.what, have.time) == (&node.what, node.time));
        let finished = lacking.iter().filter(|node| waits(node));
        (lacking.len() as u64, finished.count() as u64)
    }

    /// An undisturbed run makes the trees equal and sends only what is missing; gives back how many files it took over.
    #[track_caller]
    fn assert_converges(&self, point: &str) -> u64 {
        let (lacking, finished) = self.lacking();
        let output = self.run(&["--json"], None);
        assert_exit(&output, 0);
        self.assert_new(point);
        let sums = String::from_utf8(output.stdout).unwrap();
        let sums: serde_json::Value = serde_json::from_str(sums.lines().last().unwrap()).unwrap();
        let (files, resumed) = (sums["files"].as_u64().unwrap(), sums["resumed"].as_u64().unwrap());
        assert_eq!(files + resumed, lacking, "{point}: {sums}");
        assert!(resumed >= finished, "{point}: {finished} files were finished, {resumed} were taken over");
        resumed
    }

    /// Plays the scenario with this fault at the 1st, 2nd, 3rd … point, until there are no more.
    fn at_each_point(&self, fault: &str, judge: impl Fn(&Output, &str)) {
        let (mut calls, mut taken_over) = (BTreeMap::<String, u32>::new(), 0);
        for number in 1.. {
            self.rewind();
            let since = now();
            let output = self.run(&[], Some(&format!("{fault}:{number}")));
            let Some(call) = self.fired() else {
                assert_exit(&output, 0);
                self.assert_new("without a fault");
                break;
            };
            let point = format!("{:?} {fault}:{number} ({call})", self.way);
            self.assert_unmixed(since, &[], &point);
            judge(&output, &point);
            taken_over += u64::from(self.assert_converges(&point) > 0);
            *calls.entry(call).or_default() += 1;
        }
        let points: u32 = calls.values().sum();
        println!("{:?} {fault}: {points} points {calls:?}, files taken over after {taken_over}", self.way);
        assert!(points > 100, "only {points} points were tried");
        assert!(fault != "abort" || taken_over > 20, "files were taken over after {taken_over} points only");
    }

    /// The receiver dies at each point.
    fn dies(&self) {
        self.at_each_point("abort", |output, point| {
            assert!(!output.status.success(), "{point}: success");
            let said = String::from_utf8_lossy(&output.stderr);
            if self.way == Way::Push {
                assert_eq!(output.status.code(), Some(69), "{point}: {said}");
                assert!(said.starts_with("smsync: ") && said.lines().count() == 1, "{point}: {said}");
            }
        });
    }

    /// Each point fails with this error, once.
    fn fails(&self, errno: i32, words: &str) {
        self.at_each_point(&errno.to_string(), |output, point| {
            let said = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                // The receiver did without.
                Some(0) => self.assert_new(point),
                Some(1) => {
                    assert!(said.contains(": cannot ") && said.contains(words), "{point}: {said}");
                }
                Some(74) => {
                    let line = said.lines().last().unwrap();
                    assert!(line.contains("cannot ") && line.contains(words), "{point}: {said}");
                    assert!(line.contains("127.0.0.1"), "{point}: no host: {said}");
                    // What was being written is given up; nothing of it shows, and no disk is left full.
                    if line.contains("write into the stage") {
                        assert_eq!(differences(&self.old, &walk(&self.receiver())), "", "{point}: changed");
                    }
                    assert!(
                        line.contains("the stage '.smsync'") || !self.stage().exists(),
                        "{point}: a stage"
                    );
                }
                code => panic!("{point}: exit {code:?}: {said}"),
            }
        });
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed() - 1
}

/// Whether a path may look like this after an interruption. `since`: when it began.
fn allowed(old: Option<&Node>, new: Option<&Node>, now: Option<&Node>, since: i64) -> bool {
    let Some(now) = now else { return old.is_none() || new.is_none() };
    let known: Vec<&Node> = old.into_iter().chain(new).collect();
    let like = |node: &&Node| Node { first: node.first.clone(), ..now.clone() } == **node;
    if known.iter().any(like) {
        return true;
    }
    if now.is_dir() {
        let dirs: Vec<&&Node> = known.iter().filter(|node| node.is_dir()).collect();
        // One that is being made is ours alone, and gets its metadata when nothing more is done in it.
        let made = !old.is_some_and(Node::is_dir);
        let me = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        return !dirs.is_empty()
            && (made && now.mode == 0o700 || dirs.iter().any(|dir| dir.mode == now.mode))
            && (made && now.owner == me || dirs.iter().any(|dir| dir.owner == now.owner))
            && (made && now.xattrs.is_empty() || dirs.iter().any(|dir| dir.xattrs == now.xattrs))
            && (now.time.0 >= since || dirs.iter().any(|dir| dir.time == now.time));
    }
    // Where only metadata differ they are changed in place, one by one.
    let (Some(old), Some(new)) = (old, new) else { return false };
    old.what == new.what
        && now.what == new.what
        && [old.time, new.time].contains(&now.time)
        && [old.mode, new.mode].contains(&now.mode)
        && [old.owner, new.owner].contains(&now.owner)
        && [&old.xattrs, &new.xattrs].contains(&&now.xattrs)
        // The time comes last: by it the next run knows that there is nothing more to do.
        && (old.time == new.time || now.time == old.time)
}

#[test]
fn a_server_that_dies() {
    Play::new(Way::Push, "none").dies();
}

#[test]
fn a_server_that_dies_and_flushes() {
    Play::below(Way::Push, "batch", "below/here").dies();
}

#[test]
fn a_server_that_is_full() {
    Play::new(Way::Push, "file").fails(libc::ENOSPC, "No space left on device");
}

#[test]
fn a_server_whose_disk_is_broken() {
    Play::new(Way::Push, "batch").fails(libc::EIO, "I/O error");
}

#[test]
fn a_client_that_dies() {
    Play::new(Way::Pull, "none").dies();
}

#[test]
fn a_client_that_is_full() {
    Play::new(Way::Pull, "none").fails(libc::ENOSPC, "No space left on device");
}

#[test]
fn a_client_whose_disk_is_broken() {
    Play::new(Way::Pull, "none").fails(libc::EIO, "I/O error");
}

/// On a file system that cannot exchange two names, what changes its type between directory and something else may be
/// missing for a moment.
#[test]
fn a_server_that_dies_and_cannot_exchange() {
    let play = Play::new(Way::Push, "none");
    let away = ["file-dir", "dir-file", "dir-link", "link-dir"];
    let cannot = format!("{}:renameat2", libc::EINVAL);
    let output = play.run(&[], Some(&cannot));
    assert_exit(&output, 0);
    play.assert_new("without exchange");
    let mut gone = 0;
    for number in 1.. {
        play.rewind();
        let since = now();
        let point = format!("abort:{number},{cannot}");
        if play.run(&[], Some(&point)).status.success() {
            break;
        }
        // Before the burst nothing differs from the other tests.
        if !play.fired().is_some_and(|call| call.starts_with("renameat")) {
            continue;
        }
        play.assert_unmixed(since, &away, &point);
        gone += u32::from(away.iter().any(|path| fs::symlink_metadata(play.receiver().join(path)).is_err()));
        play.assert_converges(&point);
    }
    assert!(gone >= 4, "nothing was ever away: the fault was not met");
}
