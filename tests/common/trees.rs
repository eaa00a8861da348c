//! A source, a module that is its copy, and edits that are pushed and judged.

use super::facts::{assert_same, traces};
use super::{Inetd, Site, assert_exit, end_object, rsync_differences};
use serde_json::{Map, Value};
use std::path::Path;
use std::process::Output;

/// A source and a module that is its copy.
pub struct Trees {
    pub inetd: Inetd,
    /// Behind those who use it: it goes last.
    pub site: Site,
}

impl Trees {
    pub fn new(fill: impl FnOnce(&Path)) -> Trees {
        let site = Site::new();
        // Many small runs: waiting for the disk is tried elsewhere.
        site.write_private("smsyncd.conf", &site.server_conf("durable = none"));
        let inetd = site.serve();
        let trees = Trees { site, inetd };
        fill(&trees.site.src());
        assert_exit(&trees.push(&["--delete", "--force-delete"]), 0);
        assert_same(&trees.site.src(), &trees.site.dst(), "at first");
        trees
    }

    /// Pushes with `--json` and these options.
    pub fn push(&self, options: &[&str]) -> Output {
        let (src, remote) = (self.site.src(), self.inetd.remote("m"));
        let mut command = self.site.smsync();
        command.args(["--json", "push"]).args(options).arg(&src).arg(&remote).output().unwrap()
    }

    /// Changes the source and pushes: the dry run says what will be done and does nothing, the push does it and sends
    /// this many files, the trees are equal, and a second push finds nothing to do.
    #[track_caller]
    pub fn edit(&self, what: &str, files: u64, change: impl FnOnce(&Path)) -> Map<String, Value> {
        change(&self.site.src());
        let before = traces(&self.site.dst());
        let dry = self.push(&["-n", "--delete", "--force-delete"]);
        assert_exit(&dry, 0);
        assert_eq!(traces(&self.site.dst()), before, "{what}: a dry run wrote");
        let run = self.push(&["--delete", "--force-delete"]);
        assert_exit(&run, 0);
        assert_same(&self.site.src(), &self.site.dst(), what);
        assert_eq!(rsync_differences(&self.site.src(), &self.site.dst()), "", "{what}");
        assert!(!self.site.dst().join(".smsync").exists(), "{what}");
        assert_eq!(events(&dry), events(&run), "{what}: the dry run said something else");
        let (mut said, mut done) = (end_object(&dry), end_object(&run));
        assert_eq!((said.remove("dry_run"), done.remove("dry_run")), (Some(true.into()), Some(false.into())));
        assert_eq!(said, done, "{what}: the dry run counted something else");
        assert_eq!(done["files"], files, "{what}: {done:?}");
        done
    }
}

/// The lines before the last one.
pub fn events(output: &Output) -> Vec<String> {
    let mut lines: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.pop();
    lines
}
