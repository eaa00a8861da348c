//! Nothing is lost: the receiver is stopped, or fails, at each call that changes anything, one after the other.

use crate::common::walk::{differences, walk};
use crate::common::{Site, assert_exit};
use crate::play::{Play, Way, now};
use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

impl Play {
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
            if output.status.success() {
                // It died when the report had gone, and while it remembered what it had read and written.
                return self.assert_new(point);
            }
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
                    // Attributes may be too large where there is room for other things.
                    let attributes = point.contains("xattr") && said.contains("no room for so large ones");
                    assert!(
                        said.contains(": cannot ") && (said.contains(words) || attributes),
                        "{point}: {said}"
                    );
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

#[test]
fn a_server_that_dies() {
    Play::new(Way::Push, "none").dies();
}

#[test]
fn a_server_that_dies_and_flushes() {
    Play::on(Site::in_memory(), Way::Push, "batch", "below/here").dies();
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

/// Every way in which something is kept, or taken from elsewhere, at once: at each point the server dies, and what was
/// there is there, or kept twice.
#[test]
fn a_server_that_dies_and_keeps() {
    let site = Site::in_memory();
    let play = Play::on(site, Way::Push, "none\nkeep versions = 9", "below/here");
    // Of what is linked only the contents are compared: times of directories there do not matter.
    let links = play.site.dst().join("links");
    fs::create_dir(&links).unwrap();
    for name in ["big", "small-0", "small-1", "new"] {
        let copied = std::process::Command::new("cp")
            .args(["-a"])
            .arg(play.sender().join(name))
            .arg(&links)
            .status()
            .unwrap();
        assert!(copied.success());
    }
    let (attic, versions) = (play.receiver().join("attic"), play.site.dst().join(".smsync-versions"));
    let options = ["-b", "--backup-dir", "attic", "--link-dest", "/links"];
    let run = |fault: Option<&str>| play.run(&options, fault);
    let rewind = || {
        play.rewind();
        let _ = fs::remove_dir_all(&versions);
    };
    let kept = |path: &std::path::Path, old: &crate::common::walk::Node| {
        let version = |entry: fs::DirEntry| {
            crate::common::walk::Node::of(&entry.path()).is_some_and(|node| node.what == old.what)
        };
        let name = format!("{}~", path.file_name().unwrap().display());
        let dir = versions.join("below/here").join(path).parent().unwrap().to_owned();
        let mut of_it = fs::read_dir(dir).into_iter().flatten().flatten();
        let backup =
            crate::common::walk::Node::of(&attic.join(path)).is_some_and(|node| node.what == old.what);
        backup
            && of_it.any(|entry| entry.file_name().display().to_string().starts_with(&name) && version(entry))
    };
    let (mut points, mut moved) = (0, 0);
    for number in 1.. {
        rewind();
        let output = run(Some(&format!("abort:{number}")));
        let Some(call) = play.fired() else {
            assert_exit(&output, 0);
            break;
        };
        let point = format!("abort:{number} ({call})");
        for again in [false, true] {
            let now = walk(&play.receiver());
            for (path, old) in play.old.iter().filter(|(_, old)| !old.is_dir()) {
                let there = now.get(path);
                if there.is_some_and(|there| there.what == old.what) {
                    continue;
                }
                let new = play.new.get(path).map(|new| &new.what);
                assert!(there.is_none_or(|there| Some(&there.what) == new), "{point}: {path:?}: {there:?}");
                assert!(kept(path, old), "{point}: {path:?} is gone, and not kept");
                moved += 1;
            }
            if !again {
                assert_exit(&run(None), 0);
            }
        }
        let mut now = walk(&play.receiver());
        now.retain(|path, _| !path.starts_with("attic"));
        let what = |tree: &crate::common::walk::Tree| -> Vec<String> {
            tree.iter()
                .map(|(path, node)| format!("{path:?} {:?} {:o} {:?}", node.what, node.mode, node.time))
                .collect()
        };
        assert_eq!(what(&now), what(&play.new), "{point}");
        assert!(!play.stage().exists(), "{point}");
        points += 1;
    }
    println!("{points} points, {moved} names found kept");
    assert!(points > 200 && moved > 1000, "{points} {moved}");
}
