//! A site on which the scenario is played again and again, and how its trees may look in between.
#![allow(dead_code)] // each of the tests that use it leaves something out

use crate::common::walk::{Node, Tree, differences, names, walk};
use crate::common::{Inetd, Site, assert_exit, fired, output_within, scenario};
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No session of this scenario takes longer, even on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Who is the receiver, and so meets the faults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Push,
    Pull,
}

/// A site on which the scenario is played again and again.
pub(crate) struct Play {
    pub(crate) way: Way,
    /// Where in the module the tree is.
    pub(crate) below: &'static str,
    /// Serves without faults.
    pub(crate) sound: Inetd,
    pub(crate) old: Tree,
    pub(crate) new: Tree,
    pub(crate) beside: Tree,
    /// Behind those who use it: it goes last.
    pub(crate) site: Site,
}

impl Play {
    pub(crate) fn new(way: Way, durable: &str) -> Play {
        Play::on(Site::in_memory(), way, durable, "")
    }

    /// On this site, with the tree there in the module.
    pub(crate) fn on(site: Site, way: Way, durable: &str, below: &'static str) -> Play {
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
    pub(crate) fn sender(&self) -> PathBuf {
        if self.way == Way::Push { self.site.src() } else { self.site.dst().join(self.below) }
    }

    pub(crate) fn receiver(&self) -> PathBuf {
        if self.way == Way::Push { self.site.dst().join(self.below) } else { self.site.src() }
    }

    /// Where new files wait: at the module's root, and of a pull at the destination.
    pub(crate) fn stage(&self) -> PathBuf {
        if self.way == Way::Push { self.site.dst().join(".smsync") } else { self.site.src().join(".smsync") }
    }

    /// Makes the receiver's tree the old one again.
    pub(crate) fn rewind(&self) {
        scenario::clear(&self.receiver());
        scenario::old(&self.receiver());
        let _ = fs::remove_file(self.site.path("fired"));
    }

    /// One session; with a fault, the receiver is told of it.
    pub(crate) fn run(&self, options: &[&str], fault: Option<&str>) -> Output {
        let fired = self.site.path("fired");
        let told: Vec<(&str, &str)> = fault
            .map(|fault| [("SMSYNC_FAULT", fault), ("SMSYNC_FAULT_FIRED", fired.to_str().unwrap())])
            .into_iter()
            .flatten()
            .collect();
        let faulty = fault.filter(|_| self.way == Way::Push).map(|_| self.site.serve_with(&told));
        self.run_on(faulty.as_ref().unwrap_or(&self.sound), options, &told)
    }

    /// One session with a server that this starts; the client has these variables.
    pub(crate) fn run_on(&self, inetd: &Inetd, options: &[&str], told: &[(&str, &str)]) -> Output {
        let (remote, src) = (inetd.remote(&format!("m/{}", self.below)), self.site.src());
        let mut command = self.site.smsync();
        match self.way {
            Way::Push => {
                command.args(["push", "--delete", "--force-delete"]).args(options).arg(src).arg(remote)
            }
            Way::Pull => command
                .args(["pull", "--delete", "--force-delete"])
                .args(options)
                .arg(remote)
                .arg(src)
                .envs(told.iter().copied()),
        };
        let output = output_within(&mut command, LIMIT);
        inetd.ended_within(LIMIT);
        output
    }

    /// Which call met the fault, if one did.
    pub(crate) fn fired(&self) -> Option<String> {
        fired(&self.site.path("fired"))
    }

    /// Everything in the receiver's tree is wholly old or wholly new, and nothing else was touched. What is `away` may
    /// be neither.
    #[track_caller]
    pub(crate) fn assert_unmixed(&self, since: i64, away: &[&str], point: &str) {
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
    pub(crate) fn assert_new(&self, point: &str) {
        let (sender, receiver) = (self.sender(), self.receiver());
        assert_eq!(differences(&self.new, &walk(&receiver)), "", "{point}: the trees differ");
        assert!(!self.stage().exists(), "{point}: the stage is still there");
        assert_eq!(Node::of(&sender), Node::of(&receiver), "{point}: the roots differ");
    }

    /// The files whose contents the receiver lacks, and how many of them lie finished in its stage.
    pub(crate) fn lacking(&self) -> (u64, u64) {
        let have = walk(&self.receiver());
        // Other names of a file are not sent.
        let firsts = self.new.iter().filter(|(path, node)| node.is_file() && node.first == **path);
        let lacking: Vec<&Node> = firsts
            .filter(|(path, node)| have.get(*path).is_none_or(|have| have.what != node.what))
            .map(|(_, node)| node)
            .collect();
        let stage = self.stage();
        let staged: Vec<Node> =
            if stage.exists() { walk(&stage).into_values().collect() } else { Vec::new() };
        // A file gets its time when everything else is done.
        let waits =
            |node: &Node| staged.iter().any(|have| (&have.what, have.time) == (&node.what, node.time));
        let finished = lacking.iter().filter(|node| waits(node));
        (lacking.len() as u64, finished.count() as u64)
    }

    /// An undisturbed run makes the trees equal and sends only what is missing; gives back how many files it took over.
    #[track_caller]
    pub(crate) fn assert_converges(&self, point: &str) -> u64 {
        let (lacking, finished) = self.lacking();
        let output = self.run(&["--json"], None);
        assert_exit(&output, 0);
        self.assert_new(point);
        let sums = String::from_utf8(output.stdout).unwrap();
        let sums: serde_json::Value = serde_json::from_str(sums.lines().last().unwrap()).unwrap();
        let sum = |name: &str| sums[name].as_u64().unwrap();
        let resumed = sum("resumed");
        // What is there under another name is not sent.
        assert_eq!(sum("files") + resumed + sum("copied"), lacking, "{point}: {sums}");
        assert!(resumed >= finished, "{point}: {finished} files were finished, {resumed} were taken over");
        resumed
    }
}

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed() - 1
}

/// Whether a path may look like this after an interruption. `since`: when it began.
pub(crate) fn allowed(old: Option<&Node>, new: Option<&Node>, now: Option<&Node>, since: i64) -> bool {
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
