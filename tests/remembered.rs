//! Contents that were read, sent or received once are not read again: strace(1) sees what is; and what changed is found,
//! whatever its size and time say.

use crate::common::deeds::{Deeds, STRACE};
use crate::common::facts::assert_same;
use crate::common::tree::{chmod, set_time};
use crate::common::{Inetd, SMSYNC, SMSYNCD, Site, assert_exit, end_object, is_root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Longer than a stamp is too young to be trusted.
const SETTLED: Duration = Duration::from_millis(50);
const FILES: usize = 120;

/// Two trees, and both programs watched.
struct Watched {
    inetd: Inetd,
    /// Behind those who use it: it goes last.
    site: Site,
}

/// What came of a run.
struct Run {
    output: Output,
    /// Reads of files of the trees: the client's, and the server's.
    reads: [Vec<String>; 2],
    /// How many names either asked for extended attributes.
    asked: [usize; 2],
}

impl Watched {
    fn new() -> Watched {
        let site = Site::in_memory();
        for at in 0..FILES {
            let dir = site.src().join(format!("d{}", at % 7));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(format!("f{at}")), format!("the contents of {at}")).unwrap();
        }
        let conf =
            format!("{}[source]\npath = {}\n", site.traced_conf("durable = none"), site.src().display());
        site.write_private("smsyncd.conf", &conf);
        let (config, trace) = (site.path("smsyncd.conf"), site.path("server-trace"));
        let inetd = Inetd::start(move || {
            let mut command = Command::new("strace");
            command.args(STRACE).arg(&trace).arg(SMSYNCD).arg("-c").arg(&config);
            command
        });
        Watched { site, inetd }
    }

    /// Runs it to the end of both programs, and finds the trees equal.
    #[track_caller]
    fn run(&self, pull: bool, options: &[&str]) -> Run {
        std::thread::sleep(SETTLED);
        let mut command = Command::new("strace");
        command.args(STRACE).arg(self.site.path("client-trace")).arg(SMSYNC).arg("-C");
        command.arg(self.site.path("smsync.conf")).args(["--json", if pull { "pull" } else { "push" }]);
        command.env("XDG_STATE_HOME", self.site.path("client-state")).env("TMPDIR", self.site.path("spool"));
        command.args(options);
        if pull {
            command.arg(self.inetd.remote("source")).arg(self.site.dst());
        } else {
            command.arg(self.site.src()).arg(self.inetd.remote("m"));
        }
        let output = command.output().expect("strace: install the Debian package strace (tests/setup does)");
        assert_exit(&output, 0);
        self.inetd.ended();
        let trees = [self.site.src(), self.site.dst()];
        let reads = ["client-trace", "server-trace"].map(|name| {
            let deeds = Deeds::of(&self.site.path(name), &[&trees[0], &trees[1]]);
            assert!(deeds.directories > 5, "{name}: nobody was seen at work");
            let contents = |read: &String| read.starts_with("read(") || read.starts_with("pread64(");
            deeds.reads.into_iter().filter(contents).collect()
        });
        assert_same(&trees[0], &trees[1], "after it");
        let asked = ["client-trace", "server-trace"].map(|name| {
            let trace = fs::read(self.site.path(name)).unwrap();
            String::from_utf8_lossy(&trace).lines().filter(|line| line.contains(" llistxattr(")).count()
        });
        Run { output, reads, asked }
    }

    fn src(&self, name: &str) -> PathBuf {
        self.site.src().join(name)
    }

    /// The files of both sides in which digests are remembered.
    fn memories(&self) -> Vec<PathBuf> {
        let in_dir = |dir: PathBuf| {
            let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            let is_one = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("digests-");
            names.filter(is_one).collect::<Vec<_>>()
        };
        let mut dirs = vec![self.site.path("client-state/smsync")];
        dirs.extend(self.site.states());
        dirs.into_iter().flat_map(in_dir).collect()
    }
}

impl Run {
    #[track_caller]
    fn assert(&self, files: u64, client: bool, server: bool, what: &str) {
        assert_eq!(end_object(&self.output)["files"], files, "{what}");
        let read = self.reads.each_ref().map(|reads| !reads.is_empty());
        assert_eq!(read, [client, server], "{what}: {:?}", self.reads);
    }
}

/// Writes other contents of the same length, and leaves the time of modification as it was.
fn forge(path: &Path) {
    let stat = fs::metadata(path).unwrap();
    let text = fs::read_to_string(path).unwrap().replace("contents", "CONTENTS");
    fs::write(path, text).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(stat.modified().unwrap()).unwrap();
}

#[test]
fn what_was_copied_is_not_read_again() {
    if !is_root() {
        println!("skipped: only root sees what the server has open");
        return;
    }
    for pull in [false, true] {
        let watched = Watched::new();
        // The sender reads what it sends; the receiver digests what it writes.
        watched.run(pull, &[]).assert(FILES as u64, !pull, pull, "a first copy");
        watched.run(pull, &["-c"]).assert(0, false, false, "-c after it");
        // Where size and time are what they were, the time of change tells.
        forge(&watched.src("d3/f3"));
        let found = watched.run(pull, &["-c"]);
        found.assert(1, !pull, pull, "forged");
        watched.run(pull, &["-c"]).assert(0, false, false, "-c after that");
        // Of a file that was touched the digest is asked for: the sender's must be computed anew.
        set_time(&watched.src("d4/f4"), 1_000_000_000, 7);
        watched.run(pull, &[]).assert(0, !pull, pull, "touched");
        watched.run(pull, &["-c"]).assert(0, false, false, "-c after touching");
        // Others do at the receiver what they want, and -c finds it.
        forge(&watched.site.dst().join("d5/f5"));
        watched.run(pull, &["-c"]).assert(1, true, true, "forged at the receiver");
        watched.run(pull, &["-c"]).assert(0, false, false, "at last");
    }
}

#[test]
fn what_was_compared_is_not_read_again() {
    if !is_root() {
        println!("skipped: only root sees what the server has open");
        return;
    }
    let watched = Watched::new();
    watched.run(false, &[]);
    watched.memories().iter().for_each(|path| fs::remove_file(path).unwrap());
    watched.run(false, &["-c"]).assert(0, true, true, "nothing remembered");
    let before: Vec<_> =
        watched.memories().iter().map(|path| fs::metadata(path).unwrap().modified().unwrap()).collect();
    assert_eq!(before.len(), 2);
    watched.run(false, &["-c"]).assert(0, false, false, "remembered");
    let after: Vec<_> =
        watched.memories().iter().map(|path| fs::metadata(path).unwrap().modified().unwrap()).collect();
    assert_eq!(before, after, "nothing learned, and something written");
    // A mode that changes changes the time of change, and so the contents may be others.
    chmod(&watched.src("d1/f1"), 0o600);
    let run = watched.run(false, &["-c"]);
    run.assert(0, true, false, "another mode");
    assert!(run.reads[0].iter().all(|read| read.contains("/d1/f1>")), "{:?}", run.reads);
    // The mode of the receiver's was changed too.
    watched.run(false, &["-c"]).assert(0, false, true, "another mode there");
    watched.run(false, &["-c"]).assert(0, false, false, "and again");
    // What is damaged is not believed.
    for path in watched.memories() {
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    watched.run(false, &["-c"]).assert(0, true, true, "damaged");
    watched.run(false, &["-c"]).assert(0, false, false, "and mended");
    // A dry run leaves all as it is.
    watched.memories().iter().for_each(|path| fs::remove_file(path).unwrap());
    watched.run(false, &["-c", "-n"]).assert(0, true, true, "a dry run");
    assert!(watched.memories().is_empty());
}

#[test]
fn attributes_are_asked_for_once_and_found_when_they_come() {
    if !is_root() {
        println!("skipped: only root sees what the server has open");
        return;
    }
    let set = |path: &Path| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(path, "trusted.smsync", b"here", flags).unwrap();
    };
    for pull in [false, true] {
        let watched = Watched::new();
        let first = watched.run(pull, &[]);
        // The receiver's files are new: it learns in the next run that they have none.
        assert_eq!(first.asked[usize::from(pull)], FILES, "{:?}", first.asked);
        watched.run(pull, &["-c"]);
        assert_eq!(watched.run(pull, &["-c"]).asked, [0, 0], "pull {pull}: remembered");
        // Where nothing but that is saved, it is not worth it for the first few.
        let few = watched.run(pull, &[]).asked;
        assert!(few.iter().all(|few| *few < 10), "pull {pull}: {few:?}");
        // What comes and goes on either side is found, whatever size and time say; the trees are equal after each run.
        set(&watched.src("d3/f3"));
        watched.run(pull, &[]);
        set(&watched.site.dst().join("d4/f4"));
        watched.run(pull, &[]);
        rustix::fs::lremovexattr(watched.src("d3/f3"), "trusted.smsync").unwrap();
        watched.run(pull, &["-c"]);
        watched.run(pull, &["-c"]);
        assert_eq!(watched.run(pull, &["-c"]).asked, [0, 0], "pull {pull}: remembered again");
    }
}

#[test]
fn little_that_is_learned_is_put_behind_the_rest() {
    let watched = Watched::new();
    let (src, remote) = (watched.site.src(), watched.site.serve());
    let push = || {
        std::thread::sleep(SETTLED);
        let mut command = watched.site.smsync();
        command.env("XDG_STATE_HOME", watched.site.path("client-state"));
        let output = command.args(["push", "-c"]).arg(&src).arg(remote.remote("m")).output().unwrap();
        assert_exit(&output, 0);
        remote.ended();
        assert_same(&src, &watched.site.dst(), "after it");
    };
    push();
    push();
    for round in 0..30 {
        let before: Vec<_> = watched.memories().iter().map(|path| fs::read(path).unwrap()).collect();
        fs::write(src.join("d2/f2"), format!("round {round}")).unwrap();
        push();
        let after: Vec<_> = watched.memories().iter().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!((before.len(), after.len()), (2, 2));
        if round == 0 {
            assert!(before.iter().zip(&after).all(|(before, after)| after.starts_with(before)));
        }
        // Half of what was put there did not get to the disk.
        if round % 5 == 4 {
            for (path, after) in watched.memories().iter().zip(&after) {
                fs::write(path, &after[..after.len() - 20]).unwrap();
            }
        }
        let longest = 2 * (17 + 8 + (FILES + 10) * 81 + 32);
        assert!(after.iter().all(|after| after.len() < longest), "round {round}");
    }
}

#[test]
fn what_changed_is_found_even_so() {
    // Many times, at once after the copy: stamps that are too young tell nothing, and nothing is taken from them.
    let watched = Watched::new();
    let (src, remote) = (watched.site.src(), watched.site.serve());
    let push = |options: &[&str]| {
        let mut command = watched.site.smsync();
        let output = command.arg("push").args(options).arg(&src).arg(remote.remote("m")).output().unwrap();
        assert_exit(&output, 0);
    };
    for round in 0..30 {
        push(if round % 2 == 0 { &[] } else { &["-c"] });
        let name = format!("d{}/f{round}", round % 7);
        forge(&if round % 3 == 0 { watched.site.dst().join(&name) } else { src.join(&name) });
        push(&["-c"]);
        assert_eq!(fs::read(src.join(&name)).unwrap(), fs::read(watched.site.dst().join(&name)).unwrap());
        assert_same(&src, &watched.site.dst(), &format!("round {round}"));
    }
}
