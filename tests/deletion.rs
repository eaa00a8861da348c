//! What would remove more than seems meant changes nothing, and says what would have gone.

use crate::common::facts::traces;
use crate::common::mounted::{Mounted, may_mount};
use crate::common::walk::{differences, walk};
use crate::common::{Inetd, Site, assert_exit, end_object, is_root};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

/// Which way a tree goes: whoever started, the receiver decides the same.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Push,
    Pull,
}

struct Both {
    inetd: Inetd,
    way: Way,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Both {
    fn new(way: Way) -> Both {
        let site = Site::in_memory();
        let inetd = site.serve();
        Both { site, inetd, way }
    }

    fn sender(&self) -> PathBuf {
        if self.way == Way::Push { self.site.src() } else { self.site.dst() }
    }

    fn receiver(&self) -> PathBuf {
        if self.way == Way::Push { self.site.dst() } else { self.site.src() }
    }

    fn run(&self, options: &[&str]) -> Output {
        let (src, remote) = (self.site.src(), self.inetd.remote("m"));
        let mut command = self.site.smsync();
        match self.way {
            Way::Push => command.arg("push").args(options).arg(src).arg(remote),
            Way::Pull => command.arg("pull").args(options).arg(remote).arg(src),
        };
        let output = command.output().unwrap();
        self.inetd.ended();
        output
    }

    /// Refused with these words, a dry run and without output of changes too; the tree is as it was, to the inode.
    #[track_caller]
    fn assert_refused(&self, options: &[&str], words: &str, gone: &[&str]) {
        let before = traces(&self.receiver());
        for dry in [&[][..], &["-n"]] {
            let output = self.run(&[&["--delete"], options, dry].concat());
            assert_exit(&output, 4);
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains(words) && said.lines().count() == 1, "{said}");
            assert!(said.contains("nothing was changed"), "{said}");
            let listed = String::from_utf8(output.stdout).unwrap();
            let listed: Vec<&str> = listed.lines().collect();
            let expected: Vec<String> = gone.iter().map(|path| format!("kept: {path} (extra)")).collect();
            assert_eq!(listed, expected, "{options:?} {dry:?}");
        }
        assert_eq!(traces(&self.receiver()), before, "something was changed");
        let output = self.run(&[&["--json", "--delete"], options].concat());
        assert_exit(&output, 4);
        let sums = end_object(&output);
        assert_eq!(sums["refused"], gone.len(), "{sums:?}");
        assert_eq!((&sums["removed"], &sums["files"]), (&0.into(), &0.into()), "{sums:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("\"event\":\"refused\""));
        assert!(!self.receiver().join(".smsync").exists());
    }

    #[track_caller]
    fn assert_done(&self, options: &[&str]) {
        assert_exit(&self.run(&[&["--delete"], options].concat()), 0);
        assert_eq!(differences(&walk(&self.sender()), &walk(&self.receiver())), "");
    }
}

fn fill(dir: PathBuf, names: impl IntoIterator<Item = u32>) {
    for name in names {
        fs::write(dir.join(format!("{name:03}")), name.to_string()).unwrap();
    }
}

#[test]
fn a_fourth_is_too_much_unless_it_is_meant() {
    for way in [Way::Push, Way::Pull] {
        let both = Both::new(way);
        fill(both.sender(), 1..=13);
        fill(both.receiver(), 1..=16);
        // Three of sixteen.
        both.assert_done(&[]);
        fill(both.receiver(), 14..=16);
        fs::remove_file(both.sender().join("001")).unwrap();
        fs::write(both.sender().join("new"), "not sent either").unwrap();
        // Four of sixteen are a fourth.
        both.assert_refused(&[], "that is much", &["001", "014", "015", "016"]);
        both.assert_refused(&["--max-delete", "3"], "--max-delete", &["001", "014", "015", "016"]);
        both.assert_refused(
            &["--max-delete", "24%", "--force-delete"],
            "--max-delete",
            &["001", "014", "015", "016"],
        );
        both.assert_done(&["--max-delete", "4"]);
        fill(both.receiver(), 20..=23);
        both.assert_done(&["--max-delete", "25%"]);
        fill(both.receiver(), 20..=90);
        both.assert_done(&["--force-delete"]);
        // And without a deletion there is nothing to be refused.
        fill(both.receiver(), 20..=90);
        assert_exit(&both.run(&[]), 0);
    }
}

#[test]
fn an_empty_source_is_not_meant() {
    for way in [Way::Push, Way::Pull] {
        let both = Both::new(way);
        both.assert_done(&[]);
        fill(both.receiver(), [1]);
        both.assert_refused(&[], "the source is empty", &["001"]);
        both.assert_done(&["--force-delete"]);
        // What is excluded is not there for either.
        fill(both.receiver(), [1]);
        assert_exit(&both.run(&["--delete", "--exclude", "*"]), 0);
    }
}

#[test]
fn one_of_several_sources_is_empty() {
    let site = Site::in_memory();
    let inetd = site.serve();
    for (name, files) in [("full", 1..=40), ("emptied", 1..=5)] {
        fs::create_dir(site.path(name)).unwrap();
        fill(site.path(name), files);
    }
    let run = |options: &[&str]| {
        let mut command = site.smsync();
        command.args(["push", "--delete"]).args(options);
        command.arg(site.path("full")).arg(site.path("emptied")).arg(inetd.remote("m")).output().unwrap()
    };
    assert_exit(&run(&[]), 0);
    fs::remove_dir_all(site.path("emptied")).unwrap();
    fs::create_dir(site.path("emptied")).unwrap();
    let before = walk(&site.dst());
    assert_exit(&run(&[]), 4);
    assert_eq!(differences(&before, &walk(&site.dst())), "");
    assert_exit(&run(&["--force-delete"]), 0);
    assert_eq!(fs::read_dir(site.dst().join("emptied")).unwrap().count(), 0);
}

#[test]
fn what_goes_with_a_directory_counts() {
    let both = Both::new(Way::Push);
    fs::create_dir(both.receiver().join("d")).unwrap();
    fill(both.receiver().join("d"), 1..=4);
    fill(both.receiver(), 1..=8);
    fill(both.sender(), 1..=8);
    fs::write(both.sender().join("d"), "a file").unwrap();
    both.assert_refused(&[], "that is much", &["d/001", "d/002", "d/003", "d/004"]);
    both.assert_done(&["--max-delete", "4"]);
}

#[test]
fn a_source_that_became_a_file() {
    let site = Site::in_memory();
    let inetd = site.serve();
    for name in ["a", "b"] {
        fs::create_dir(site.path(name)).unwrap();
        fs::write(site.path(name).join("f"), name).unwrap();
    }
    fill(site.dst(), 1..=50);
    let run = |options: &[&str]| {
        let mut command = site.smsync();
        command.args(["push", "--delete"]).args(options);
        command.arg(site.path("a")).arg(site.path("b")).arg(inetd.remote("m")).output().unwrap()
    };
    assert_exit(&run(&[]), 0);
    fs::remove_dir_all(site.path("a")).unwrap();
    fs::write(site.path("a"), "now a file").unwrap();
    let before = walk(&site.dst());
    let output = run(&[]);
    assert_exit(&output, 4);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("'a' is no directory at the source"), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "kept: a/f (extra)\n");
    assert_eq!(differences(&before, &walk(&site.dst())), "");
    assert_exit(&run(&["--force-delete"]), 0);
    assert_eq!(fs::read(site.dst().join("a")).unwrap(), b"now a file");
    assert_eq!(fs::read_dir(site.dst()).unwrap().count(), 52);
}

/// A source, and a directory in it, that were mounted last time and are not now.
#[test]
fn a_source_that_is_not_mounted() {
    if !may_mount("a_source_that_is_not_mounted") {
        return;
    }
    for way in [Way::Push, Way::Pull] {
        let both = Both::new(way);
        let (sender, disk) = (both.sender(), Mounted::tmpfs(&both.sender(), "size=1m"));
        fill(sender.clone(), 1..=40);
        fs::create_dir(sender.join("d")).unwrap();
        let below = Mounted::tmpfs(&sender.join("d"), "size=1m");
        fill(sender.join("d"), 1..=3);
        both.assert_done(&[]);
        both.assert_done(&[]);
        below.end();
        let gone = ["d/001", "d/002", "d/003"];
        both.assert_refused(&[], "mounted on 'd'", &gone);
        // Who removes nothing does not make us forget it, nor does a look at a part.
        assert_exit(&both.run(&[]), 0);
        assert_exit(&both.run(&["--exclude", "/d"]), 0);
        both.assert_refused(&["--max-delete", "100%"], "mounted on 'd'", &gone);
        // When it is there again nothing is wrong.
        let below = Mounted::tmpfs(&sender.join("d"), "size=1m");
        fill(sender.join("d"), 1..=3);
        both.assert_done(&[]);
        below.end();
        both.assert_done(&["--force-delete"]);
        both.assert_done(&[]);
        disk.end();
        // Below there is another tree, of which not even the guard would take notice.
        fill(sender.clone(), 1..=38);
        fs::create_dir(sender.join("d")).unwrap();
        let words = "the source is on another file system than last time";
        both.assert_refused(&[], words, &["039", "040"]);
        both.assert_done(&["--force-delete"]);
        fs::remove_file(sender.join("001")).unwrap();
        both.assert_done(&[]);
    }
}

/// What is remembered of a source decides what may be removed: where it cannot be read, that is said.
#[test]
fn a_memory_that_is_damaged() {
    for way in [Way::Push, Way::Pull] {
        let both = Both::new(way);
        fill(both.sender(), 1..=40);
        both.assert_done(&[]);
        let state = both.site.path(if way == Way::Push { "client-state/smsync" } else { "state/module-m" });
        let mut files = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path());
        let is_memory = |path: &PathBuf| path.file_name().unwrap().as_encoded_bytes().starts_with(b"source-");
        let memory = files.find(is_memory).expect("nothing is remembered");
        fs::remove_file(both.sender().join("040")).unwrap();
        fs::write(&memory, "root 1 2").unwrap();
        both.assert_refused(&[], "what is remembered of the source is damaged", &["040"]);
        // Who removes nothing does not make it whole.
        assert_exit(&both.run(&[]), 0);
        both.assert_refused(
            &["--max-delete", "100%"],
            "what is remembered of the source is damaged",
            &["040"],
        );
        both.assert_done(&["--force-delete"]);
        fs::remove_file(both.sender().join("039")).unwrap();
        both.assert_done(&[]);
        // Of one that is not there at all nothing was known: so begins each source.
        fs::remove_file(&memory).unwrap();
        fs::remove_file(both.sender().join("038")).unwrap();
        both.assert_done(&[]);
    }
}

/// Where nothing can be remembered, whoever removes something is told so, once.
#[test]
fn a_source_of_which_nothing_can_be_remembered() {
    let both = Both::new(Way::Push);
    fill(both.sender(), 1..=3);
    let push = |options: &[&str]| {
        let mut command = both.site.smsync();
        command.env_remove("XDG_STATE_HOME").env_remove("HOME").arg("push").args(options);
        let output = command.arg(both.site.src()).arg(both.inetd.remote("m")).output().unwrap();
        assert_exit(&output, 0);
        String::from_utf8(output.stderr).unwrap()
    };
    let said = push(&["--delete"]);
    assert_eq!(said.matches("nothing is remembered of the source").count(), 1, "{said}");
    assert!(said.contains("$XDG_STATE_HOME"), "{said}");
    for quiet in [&[][..], &["--delete", "--force-delete"]] {
        assert_eq!(push(quiet).matches("remembered").count(), 0, "{quiet:?}");
    }
    // Of a pull it is the server's to say.
    let both = Both::new(Way::Pull);
    fill(both.sender(), 1..=3);
    fs::set_permissions(both.site.path("state"), Permissions::from_mode(0o777)).unwrap();
    for options in [&["--delete"][..], &[], &["--delete", "--force-delete"]] {
        assert_exit(&both.run(options), 0);
        assert_eq!(both.site.log().matches("nothing is remembered").count(), 1, "{}", both.site.log());
    }
}

/// What cannot be read protects itself, and nothing else.
#[test]
fn an_unreadable_subtree_protects_only_itself() {
    let both = Both::new(Way::Push);
    if is_root() {
        println!("an_unreadable_subtree_protects_only_itself: root can read everything");
        return;
    }
    for dir in [both.sender(), both.receiver()] {
        fill(dir.clone(), 1..=30);
        // One cannot be listed; of what is in the other nothing but the names can be told.
        for name in ["closed", "listed"] {
            fs::create_dir(dir.join(name)).unwrap();
            fill(dir.join(name), 1..=3);
            fs::create_dir(dir.join(name).join("sub")).unwrap();
            fill(dir.join(name).join("sub"), 1..=3);
        }
    }
    for (name, mode) in [("closed", 0), ("listed", 0o444)] {
        fs::set_permissions(both.sender().join(name), Permissions::from_mode(mode)).unwrap();
    }
    fill(both.receiver(), [31]);
    let output = both.run(&["--delete", "-R", "mode"]);
    assert_exit(&output, 1);
    assert!(!both.receiver().join("031").exists(), "{output:?}");
    for name in ["closed", "listed"] {
        assert_eq!(walk(&both.receiver().join(name)).len(), 7, "{name}");
    }
}

/// Where one name cannot be removed, each is told for itself, in the log as to the user.
#[test]
fn what_is_left_is_not_told_as_removed() {
    let mut tried = 0;
    for point in 1.. {
        let site = Site::in_memory();
        site.write_private("smsyncd.conf", &site.server_conf("transfer logging = yes\nlog format = %o=%n"));
        let (fault, fired) = (format!("{}:{point}", libc::EIO), site.path("fired"));
        let inetd =
            site.serve_with(&[("SMSYNC_FAULT", &fault), ("SMSYNC_FAULT_FIRED", fired.to_str().unwrap())]);
        for (dir, name) in [(site.src(), "f"), (site.dst(), "f"), (site.dst(), "x"), (site.dst(), "y")] {
            fs::write(dir.join(name), "").unwrap();
        }
        let src = site.src();
        let command = ["--json", "push", "--delete", "--force-delete", src.to_str().unwrap()];
        let output = site.run(&[&command[..], &[&inetd.remote("m")]].concat());
        inetd.ended();
        let Some(call) = crate::common::fired(&fired) else { break };
        let left = ["x", "y"].map(|name| site.dst().join(name).exists());
        if call != "unlinkat" || left[0] == left[1] {
            continue;
        }
        tried += 1;
        assert_exit(&output, 1);
        let sums = end_object(&output);
        assert_eq!((&sums["removed"], &sums["problems"]), (&1.into(), &1.into()), "{sums:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        for (name, left) in ["x", "y"].into_iter().zip(left) {
            let done = if left { "kept" } else { "removed" };
            let line =
                format!(r#"{{"aspects":[],"done":"{done}","event":"extra","path":"{name}","type":"file"}}"#);
            assert!(said.contains(&line), "{line} in\n{said}");
            assert_eq!(site.log().contains(&format!("del.={name}")), !left, "{name}: {}", site.log());
        }
    }
    assert_eq!(tried, 2, "either of the two");
}
