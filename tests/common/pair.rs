//! A source and two destinations that are alike, one for rsync and one for us: the same options leave the same.

use super::facts::{Facts, facts};
use super::tree::set_time;
use super::{Inetd, Site, assert_exit, tool};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A source, two destinations that are alike, one for rsync and one for us, and a server for both directions.
pub struct Pair {
    pub inetd: Inetd,
    /// Behind those who use it: it goes last.
    pub site: Site,
}

/// Removing as much as it takes.
pub const DELETE: &[&str] = &["--delete"];

pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    set_time(path, 1_000_000_000 + i64::try_from(text.len()).unwrap(), 0);
}

impl Pair {
    pub fn new() -> Pair {
        let site = Site::in_memory();
        let conf =
            format!("{}[source]\npath = {}\n", site.server_conf("durable = none"), site.src().display());
        site.write_private("smsyncd.conf", &conf);
        let inetd = site.serve();
        Pair { site, inetd }
    }

    /// What is at the destination before.
    pub fn before(&self, fill: impl Fn(&Path)) {
        for dir in [self.site.dst(), self.site.path("reference")] {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir(&dir).unwrap();
            fill(&dir);
            settle(&dir);
        }
    }

    pub fn smsync(&self, pull: bool, options: &[&str]) -> Output {
        let mut command = self.site.smsync();
        command.arg(if pull { "pull" } else { "push" }).args(options);
        if options.iter().any(|option| option.starts_with("--delete")) {
            command.arg("--force-delete");
        }
        if pull {
            command.arg(self.inetd.remote("source")).arg(self.site.dst());
        } else {
            command.arg(self.site.src()).arg(self.inetd.remote("m"));
        }
        command.output().unwrap()
    }

    /// Both programs with these options end so, and leave the same.
    #[track_caller]
    pub fn same(&self, fill: impl Fn(&Path), ours: &[&str], theirs: &[&str], exits: (i32, i32)) {
        for pull in [false, true] {
            self.before(&fill);
            let (from, to) = (format!("{}/", self.site.src().display()), self.site.path("reference"));
            let mut options = vec!["-a", "-r", "-@-1"];
            options.extend(theirs);
            let mut options: Vec<&OsStr> = options.into_iter().map(OsStr::new).collect();
            options.extend([OsStr::new(&from), to.as_os_str()]);
            let output = tool("rsync", "rsync", &options);
            assert_eq!(output.status.code(), Some(exits.1), "{}", String::from_utf8_lossy(&output.stderr));
            assert_exit(&self.smsync(pull, ours), exits.0);
            let (expected, actual) = (outcome(&to), outcome(&self.site.dst()));
            let differing: Vec<_> = expected
                .keys()
                .chain(actual.keys())
                .filter(|path| expected.get(*path) != actual.get(*path))
                .map(|path| (path, expected.contains_key(path), actual.contains_key(path)))
                .collect();
            assert!(differing.is_empty(), "pull {pull} {ours:?}: (rsync has it, we) {differing:?}");
        }
    }
}

/// Directories get one time, so that only the tree decides.
pub fn settle(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            settle(&entry.path());
        }
    }
    set_time(root, 1_000_000_000, 0);
}

/// The facts of a tree without the times of directories.
pub fn outcome(tree: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut facts = facts(tree);
    for facts in facts.values_mut().filter(|facts| facts.mode & 0o170_000 == 0o040_000) {
        facts.time = (0, 0);
    }
    facts
}
