//! Every call that changes anything fails for the kernel's own reasons, injected by strace(1): nothing is mixed, the reason
//! is told, and the next run makes good.

use crate::common::walk::{differences, walk};
use crate::common::{Inetd, SMSYNCD, is_root};
use crate::play::{Play, Way, now};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

/// What can change a file system, as the kernel calls it.
const CALLS: [&str; 24] = [
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "mkdirat",
    "mknodat",
    "symlinkat",
    "linkat",
    "renameat",
    "renameat2",
    "unlinkat",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "utimensat",
    "fsetxattr",
    "lsetxattr",
    "setxattrat",
    "fremovexattr",
    "lremovexattr",
    "fsync",
    "syncfs",
];

/// Errors with what a user reads of them.
const ERRORS: [(&str, &str); 6] = [
    ("ENOSPC", "No space left on device"),
    ("EIO", "I/O error"),
    ("EDQUOT", "Quota exceeded"),
    ("EROFS", "Read-only file system"),
    ("EMFILE", "Too many open files"),
    ("EINTR", "Interrupted system call"),
];

/// One call at the receiver: which, and the how many-th of its kind in its thread. A file is made by a call that also opens
/// everything else; of this one, the how many-th in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    call: String,
    within: Option<String>,
    when: usize,
}

/// A site on which strace(1) starts the server.
struct Traced {
    play: Play,
}

impl Traced {
    fn new() -> Traced {
        let play = Play::new(Way::Push, "batch");
        play.site.write_private("smsyncd.conf", &play.site.traced_conf("durable = batch"));
        Traced { play }
    }

    /// Serves under strace(1) with these options more.
    fn serve(&self, options: Vec<String>) -> Inetd {
        let (site, trace) = (&self.play.site, self.play.site.path("trace"));
        let config = site.path("smsyncd.conf");
        Inetd::start(move || {
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-y", "-s", "0", "-e", "signal=none", "-o"]).arg(&trace);
            command.args(&options).arg(SMSYNCD).arg("-c").arg(&config);
            command
        })
    }

    /// The lines of the last trace.
    fn trace(&self) -> Vec<String> {
        fs::read_to_string(self.play.site.path("trace")).unwrap().lines().map(str::to_owned).collect()
    }

    /// Every call of an undisturbed session that changes something in the module.
    fn targets(&self) -> Vec<Target> {
        self.play.rewind();
        let inetd = self.serve(vec!["-e".into(), format!("trace={}", known().join(","))]);
        let output = self.play.run_on(&inetd, &[], &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let module = self.play.site.dst().display().to_string();
        let (mut counts, mut targets) = (BTreeMap::<_, usize>::new(), Vec::new());
        for line in self.trace() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let Some((call, arguments)) = rest.trim_start().split_once('(') else { continue };
            let within = arguments.split(['<', '>']).nth(1).filter(|_| call == "openat").map(str::to_owned);
            let when = counts.entry((thread.to_owned(), call.to_owned(), within.clone())).or_default();
            *when += 1;
            let changes = call != "openat" || arguments.contains("O_CREAT");
            // These are made by name, in the directory where their thread stands.
            let there = ["lsetxattr", "lremovexattr"].contains(&call) || arguments.contains(&module);
            if changes && there {
                targets.push(Target { call: call.into(), within, when: *when });
            }
        }
        targets.sort();
        targets.dedup();
        targets
    }

    /// One session in which this call fails; whether it did.
    fn inject(&self, target: &Target, (error, words): (&str, &str)) -> bool {
        let point = format!("{target:?} {error}");
        self.play.rewind();
        let since = now();
        let mut options = vec![
            "-e".into(),
            format!("trace={}", target.call),
            "-e".into(),
            format!("inject={}:error={error}:when={}", target.call, target.when),
        ];
        options.extend(target.within.iter().flat_map(|dir| ["-P".into(), dir.clone()]));
        let inetd = self.serve(options);
        let output = self.play.run_on(&inetd, &[], &[]);
        let injected = self.trace().iter().any(|line| line.contains("(INJECTED)"));
        self.judge(&output, words, &point);
        self.play.assert_unmixed(since, &[], &point);
        self.play.assert_converges(&point);
        injected
    }

    /// Either it did without, or it says what failed and why.
    #[track_caller]
    fn judge(&self, output: &Output, words: &str, point: &str) {
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => self.play.assert_new(point),
            Some(1) => {
                // Attributes for which there is no room may be too large, and only that.
                let told =
                    said.contains(words) || point.contains("xattr") && said.contains("no room for so large");
                assert!(said.contains(": cannot ") && told, "{point}: {said}");
            }
            Some(74) => {
                let line = said.lines().last().unwrap();
                assert!(line.contains("cannot ") && line.contains(words), "{point}: {said}");
                if line.contains("write into the stage") {
                    let now = walk(&self.play.receiver());
                    assert_eq!(differences(&self.play.old, &now), "", "{point}: something shows");
                }
            }
            // Threads count for themselves: another one's call outside of the module failed too.
            Some(71) => {
                let outside = said.contains("spool directory") || said.contains("state directory");
                assert!(outside && said.contains(words), "{point}: {said}");
                let now = walk(&self.play.receiver());
                assert_eq!(differences(&self.play.old, &now), "", "{point}: something shows");
            }
            code => panic!("{point}: exit {code:?}: {said}"),
        }
    }

    /// Lets every target of which this is the turn fail, with each error.
    fn fail_each(&self, turn: usize) {
        if !is_root() {
            println!("skipped: only root sees what the server has open");
            return;
        }
        let targets = self.targets();
        assert!(targets.len() > 80, "only {} calls change anything", targets.len());
        let mut met = BTreeMap::<(&str, &str), usize>::new();
        let mut missed = 0;
        for (_, target) in targets.iter().enumerate().filter(|(number, _)| number % 2 == turn) {
            for error in ERRORS {
                match self.inject(target, error) {
                    true => *met.entry((&target.call, error.0)).or_default() += 1,
                    false => missed += 1,
                }
            }
        }
        let runs: usize = met.values().sum();
        println!("{runs} faults at {} calls, {missed} not met", targets.len());
        assert!(runs > 10 * missed, "{missed} of {runs} faults were not met");
    }
}

/// Those of the calls that this strace(1) knows.
fn known() -> Vec<&'static str> {
    let knows = |call: &&str| {
        let output = Command::new("strace").args(["-e", &format!("trace={call}"), "true"]).output();
        output.expect("strace: install the Debian package strace (tests/setup does)").status.success()
    };
    CALLS.into_iter().filter(knows).collect()
}

#[test]
fn every_other_call_fails() {
    Traced::new().fail_each(0);
}

#[test]
fn the_calls_between_fail() {
    Traced::new().fail_each(1);
}
