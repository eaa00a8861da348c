//! Specifications told by their difference from the last one: what goes over the wire, and that nothing else changes,
//! whatever became of what is kept on either side.

use crate::common::dice::Dice;
use crate::common::edits::{edit, grow};
use crate::common::facts::assert_same;
use crate::common::relay::{Recording, Relay};
use crate::common::{Inetd, Site, assert_exit};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::SystemTime;

/// Bytes both ways together when nothing changed, whatever the size of the tree.
const NOTHING: u64 = 4096;

/// A source, which is a module too, and a destination.
struct Kept {
    inetd: Inetd,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Kept {
    fn new(fill: impl FnOnce(&Path)) -> Kept {
        let site = Site::in_memory();
        fill(&site.src());
        let conf =
            format!("{}[source]\npath = {}\n", site.server_conf("durable = none"), site.src().display());
        site.write_private("smsyncd.conf", &conf);
        let inetd = site.serve();
        Kept { site, inetd }
    }

    fn run(&self, pull: bool, state: &str, options: &[&str]) -> Output {
        let mut command = self.site.smsync();
        command.env("XDG_STATE_HOME", self.site.path(state));
        command.args(["--json", if pull { "pull" } else { "push" }, "--delete", "--force-delete"]);
        command.args(options);
        if pull {
            command.arg(self.inetd.remote("source")).arg(self.site.dst());
        } else {
            command.arg(self.site.src()).arg(self.inetd.remote("m"));
        }
        let output = command.output().unwrap();
        // What the server keeps of a pull, it keeps after the client is done.
        self.inetd.ended();
        output
    }

    /// Runs it, and finds the trees equal; gives back the bytes both ways.
    #[track_caller]
    fn sync(&self, pull: bool, what: &str) -> u64 {
        let output = self.run(pull, "client-state", &[]);
        assert_exit(&output, 0);
        assert_same(&self.site.src(), &self.site.dst(), what);
        wire(&output)
    }

    /// The files that are kept: of the client or of the server.
    fn files(&self, client: bool) -> Vec<PathBuf> {
        if client {
            specs(&self.site.path("client-state/smsync"))
        } else {
            self.site.states().flat_map(|dir| specs(&dir)).collect()
        }
    }

    /// Everything that is kept on either side, with its times.
    fn traces(&self) -> BTreeMap<PathBuf, (SystemTime, i64, i64)> {
        let all = [self.files(true), self.files(false)].concat();
        let traces = all.into_iter().map(|path| {
            let stat = fs::metadata(&path).unwrap();
            (path, (stat.modified().unwrap(), stat.ctime(), stat.ctime_nsec()))
        });
        traces.collect()
    }
}

/// The specifications that are kept in this directory.
pub fn specs(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("spec-")).collect()
}

/// Bytes both ways that a client counted.
fn wire(output: &Output) -> u64 {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let end: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    end["wire_sent"].as_u64().unwrap() + end["wire_received"].as_u64().unwrap()
}

fn many(root: &Path, files: usize) {
    for at in 0..files {
        let dir = root.join(format!("d{:02}", at % 20));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("file {at}")), format!("{at}")).unwrap();
    }
}

#[test]
fn nothing_changed_is_a_few_bytes() {
    for (pull, files) in [(false, 3000), (true, 3000), (false, 100)] {
        let kept = Kept::new(|src| many(src, files));
        let relay = Relay::to(kept.inetd.port);
        for _ in 0..3 {
            let mut command = kept.site.smsync();
            if pull {
                command.arg("pull").arg(relay.remote("source")).arg(kept.site.dst());
            } else {
                command.arg("push").arg(kept.site.src()).arg(relay.remote("m"));
            }
            assert_exit(&command.output().unwrap(), 0);
        }
        assert_same(&kept.site.src(), &kept.site.dst(), "three times");
        let both = |one: &Recording| (one.from_client.len() + one.from_server.len()) as u64;
        let passed: Vec<u64> = relay.end().iter().map(both).collect();
        assert!(passed[0] > NOTHING, "{passed:?}");
        assert!(passed[1..].iter().all(|bytes| *bytes <= NOTHING / 4), "{passed:?}");
    }
}

#[test]
fn a_change_is_told_and_little_else() {
    for pull in [false, true] {
        let kept = Kept::new(|src| many(src, 3000));
        let whole = kept.sync(pull, "first");
        for (what, change) in [
            ("new", (|src: &Path| fs::write(src.join("d07/new"), "new").unwrap()) as fn(&Path)),
            ("longer", |src| fs::write(src.join("d00/file 0"), "longer").unwrap()),
            ("gone", |src| fs::remove_file(src.join("d19/file 2999")).unwrap()),
            ("a tree gone", |src| fs::remove_dir_all(src.join("d03")).unwrap()),
            ("nothing", |_| {}),
            ("the last one", |src| fs::write(src.join("z"), "z").unwrap()),
        ] {
            change(&kept.site.src());
            let bytes = kept.sync(pull, what);
            assert!(bytes < whole / 20, "pull {pull} {what}: {bytes} of {whole}");
        }
        assert_eq!(kept.files(true).len(), 1);
        assert_eq!(kept.files(false).len(), 6);
    }
}

#[test]
fn a_little_change_is_kept_with_what_was_there() {
    for pull in [false, true] {
        let kept = Kept::new(|src| many(src, 1000));
        kept.sync(pull, "first");
        let text = |client: bool| fs::read(&kept.files(client)[0]).unwrap();
        let first = [true, false].map(text);
        // What stands before the end, which tells what is known of it.
        let same = |bytes: &[u8], first: &[u8]| bytes.starts_with(&first[..first.len() - 300]);
        let mut extended = 0;
        for round in 0..20 {
            fs::write(kept.site.src().join("d03/new"), format!("{round}")).unwrap();
            kept.sync(pull, &format!("round {round}"));
            let client = same(&text(true), &first[0]);
            let newest = kept.files(false);
            let newest = newest.iter().max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
            assert_eq!(same(&fs::read(newest.unwrap()).unwrap(), &first[1]), client, "round {round}");
            extended += u32::from(client);
        }
        // From some number of them on all is written anew.
        assert!((3..12).contains(&extended), "pull {pull}: {extended}");
    }
}

#[test]
fn what_is_not_there_any_more_is_sent() {
    for (pull, client) in [(false, false), (false, true), (true, false), (true, true)] {
        let kept = Kept::new(|src| many(src, 1000));
        let whole = kept.sync(pull, "first");
        kept.files(client).iter().for_each(|file| fs::remove_file(file).unwrap());
        fs::write(kept.site.src().join("new"), "new").unwrap();
        let bytes = kept.sync(pull, "without");
        assert!(bytes > NOTHING && bytes < whole, "pull {pull} client {client}: {bytes} of {whole}");
        assert!(kept.sync(pull, "again") <= NOTHING, "pull {pull} client {client}");
    }
}

#[test]
fn what_is_damaged_is_never_believed() {
    for (pull, client) in [(false, false), (false, true), (true, false), (true, true)] {
        let kept = Kept::new(|src| many(src, 300));
        kept.sync(pull, "first");
        let mut dice = Dice::new(Dice::seed(11));
        for round in 0..40 {
            let file = kept.files(client).pop().expect("one that is kept");
            let mut bytes = fs::read(&file).unwrap();
            match round {
                0 => bytes.clear(),
                1 => bytes.push(0),
                2 => bytes.extend_from_within(..),
                3 => bytes.reverse(),
                // The end, which tells what is in it, byte for byte.
                4..20 => {
                    let at = bytes.len() - 1 - 13 * (round - 4);
                    bytes[at] ^= 1 << dice.roll(8);
                }
                20..30 => bytes.truncate(dice.roll(bytes.len())),
                _ => {
                    let at = dice.roll(bytes.len());
                    bytes[at] ^= 1 << dice.roll(8);
                }
            }
            fs::write(&file, bytes).unwrap();
            fs::write(kept.site.src().join("changed"), format!("{round}")).unwrap();
            kept.sync(pull, &format!("pull {pull} client {client} round {round}"));
        }
        assert!(kept.sync(pull, "at last") <= NOTHING, "pull {pull} client {client}");
    }
}

#[test]
fn a_specification_under_another_name_is_not_that_one() {
    let kept = Kept::new(|src| many(src, 1000));
    kept.sync(false, "first");
    let first = kept.files(false).pop().unwrap();
    let old = fs::read(&first).unwrap();
    fs::write(kept.site.src().join("new"), "new").unwrap();
    kept.sync(false, "second");
    let second = kept.files(false).into_iter().find(|file| *file != first).unwrap();
    fs::write(&second, old).unwrap();
    fs::write(kept.site.src().join("new"), "newer").unwrap();
    assert!(kept.sync(false, "third") > NOTHING);
    assert!(kept.sync(false, "fourth") <= NOTHING);
}

#[test]
fn a_round_that_changes_nothing_writes_nothing() {
    for pull in [false, true] {
        let kept = Kept::new(|src| many(src, 300));
        assert_exit(&kept.run(pull, "client-state", &["-n"]), 0);
        assert!(kept.files(false).is_empty(), "after a dry run");
        assert!(specs(&kept.site.path("client-state/smsync")).is_empty(), "after a dry run");
        kept.sync(pull, "first");
        let before = kept.traces();
        assert_eq!(before.len(), 2);
        kept.sync(pull, "second");
        fs::write(kept.site.src().join("new"), "new").unwrap();
        assert_exit(&kept.run(pull, "client-state", &["-n"]), 0);
        assert_eq!(kept.traces(), before, "pull {pull}");
    }
}

#[test]
fn a_round_that_did_not_go_well_keeps_nothing() {
    let kept = Kept::new(|src| many(src, 300));
    fs::write(kept.site.dst().join("extra"), "").unwrap();
    let output = kept.run(false, "client-state", &["--max-delete=0"]);
    assert_exit(&output, 4);
    assert!(kept.files(false).is_empty() && kept.files(true).is_empty());
}

#[test]
fn a_tree_of_a_few_names_is_not_kept() {
    let kept = Kept::new(|src| many(src, 10));
    assert!(kept.sync(false, "first") <= NOTHING);
    assert!(kept.files(false).is_empty() && kept.files(true).is_empty());
}

#[test]
fn who_can_keep_nothing_sends_all() {
    let kept = Kept::new(|src| many(src, 1000));
    fs::write(kept.site.path("no-directory"), "").unwrap();
    let mut bytes = [0; 3];
    for bytes in &mut bytes {
        let output = kept.run(false, "no-directory", &[]);
        assert_exit(&output, 0);
        *bytes = wire(&output);
    }
    assert_same(&kept.site.src(), &kept.site.dst(), "without a state directory");
    assert!(bytes.iter().all(|bytes| *bytes > NOTHING), "{bytes:?}");
}

#[test]
fn what_is_asked_for_in_other_words_is_kept_apart() {
    let kept = Kept::new(|src| many(src, 1000));
    let ways: [&[&str]; 5] = [&[], &["-c"], &["--exclude=d07"], &["--chmod=go="], &["-k", "mode"]];
    for options in ways.repeat(2) {
        // It undoes what another one did.
        assert_exit(&kept.run(false, "client-state", options), 0);
        let output = kept.run(false, "client-state", options);
        assert_exit(&output, 0);
        assert!(wire(&output) <= NOTHING, "{options:?}: {}", wire(&output));
    }
    assert_eq!((kept.files(true).len(), kept.files(false).len()), (5, 5));
}

#[test]
fn two_clients_take_turns() {
    for pull in [false, true] {
        let kept = Kept::new(|src| many(src, 300));
        let mut dice = Dice::new(Dice::seed(5));
        for round in 0..12 {
            let state = if dice.one_in(2) { "client-state" } else { "other-state" };
            fs::write(kept.site.src().join(format!("d{:02}/new", dice.roll(20))), format!("{round}"))
                .unwrap();
            assert_exit(&kept.run(pull, state, &[]), 0);
            assert_same(&kept.site.src(), &kept.site.dst(), &format!("pull {pull} round {round} {state}"));
        }
        assert!(kept.files(false).len() <= 8, "{:?}", kept.files(false));
        assert_eq!(kept.files(true).len(), 1);
    }
}

#[test]
fn clients_at_once_do_not_disturb_each_other() {
    let kept = Kept::new(|src| many(src, 500));
    for round in 0..6 {
        fs::write(kept.site.src().join("new"), format!("{round}")).unwrap();
        std::thread::scope(|scope| {
            for number in 0..4 {
                let kept = &kept;
                scope.spawn(move || {
                    // Two of them are the same user in the same home.
                    let state = kept.site.path(format!("state-{}", number / 2));
                    let into = kept.site.path(format!("into-{number}"));
                    let mut command = kept.site.smsync();
                    command.env("XDG_STATE_HOME", state).arg("pull");
                    let output = command.arg(kept.inetd.remote("source")).arg(&into).output().unwrap();
                    assert_exit(&output, 0);
                    assert_same(&kept.site.src(), &into, &format!("round {round} client {number}"));
                });
            }
        });
    }
    kept.inetd.ended();
    let clients = ["state-0/smsync", "state-1/smsync"].map(|dir| kept.site.path(dir));
    for dir in kept.site.states().chain(clients) {
        let names = specs(&dir);
        let drafts = names.iter().filter(|name| name.to_str().unwrap().contains(".new"));
        assert_eq!(drafts.count(), 0, "{names:?}");
    }
}

#[test]
fn a_hundred_edits_each_way() {
    for pull in [false, true] {
        let mut dice = Dice::new(Dice::seed(77));
        let kept = Kept::new(|src| {
            grow(src, &mut dice);
            many(src, 60);
        });
        for round in 0..100 {
            if round % 3 == 0 {
                edit(&kept.site.src(), &mut dice);
            } else {
                fs::write(kept.site.src().join(format!("r{round}")), "new").unwrap();
            }
            kept.sync(pull, &format!("pull {pull} round {round}"));
        }
    }
}
