//! The main job, judged by rsync(1), mtree(8) and lstat(2): a tree of everything, pushed and pulled.

use crate::common::facts::{assert_same, facts, traces};
use crate::common::tree::{For, build};
use crate::common::{
    Inetd, SMSYNCD, Site, assert_exit, end_object, mtree_create, mtree_verify, rsync_differences,
};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;
use std::process::Command;

/// A push or pull with `--json --delete`; gives back the object at its end.
#[track_caller]
fn transfer(site: &Site, command: &str, from: &str, to: &str) -> serde_json::Map<String, serde_json::Value> {
    let output = site.run(&["--json", command, "--delete", "--force-delete", from, to]);
    assert_exit(&output, 0);
    end_object(&output)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_type_and_hostile_name_arrives_and_comes_back() {
    let site = Site::new();
    build(&site.src(), For::Us);
    let inetd = site.serve();
    let remote = inetd.remote("m");
    let pushed = transfer(&site, "push", text(&site.src()), &remote);
    assert_same(&site.src(), &site.dst(), "after the push");
    assert_eq!(rsync_differences(&site.src(), &site.dst()), "");
    assert!(!site.dst().join(".smsync").exists());

    // The same the other way round makes an equal tree and an equal report.
    let back = site.path("back");
    fs::create_dir(&back).unwrap();
    let pulled = transfer(&site, "pull", &remote, text(&back));
    assert_same(&site.src(), &back, "after the pull");
    assert_eq!(rsync_differences(&site.dst(), &back), "");
    assert_eq!(pushed, pulled);

    // Again, and nothing is sent and nothing is written.
    for (command, from, to, tree) in
        [("push", text(&site.src()), &*remote, site.dst()), ("pull", &*remote, text(&back), back.clone())]
    {
        let before = traces(&tree);
        let again = transfer(&site, command, from, to);
        assert_eq!((&again["files"], &again["bytes"], &again["changed"]), (&0.into(), &0.into(), &0.into()));
        assert_eq!(traces(&tree), before, "a second {command} wrote");
    }
    let check = site.run(&["check", text(&site.src()), &remote]);
    assert_exit(&check, 0);
    assert!(inetd.ended().iter().all(std::process::ExitStatus::success), "{}", site.log());
}

#[test]
fn mtree_finds_no_difference() {
    let site = Site::new();
    build(&site.src(), For::Mtree);
    let inetd = site.serve();
    transfer(&site, "push", text(&site.src()), &inetd.remote("m"));
    assert_eq!(mtree_verify(&mtree_create(&site.src()), &site.dst()), "");
    assert_same(&site.src(), &site.dst(), "after the push");
}

#[test]
fn an_ordinary_user_receives_what_root_sends() {
    if !crate::common::is_root() {
        println!("skipped: only root has files of several owners");
        return;
    }
    const NOBODY: u32 = 65534;
    let site = Site::new();
    build(&site.src(), For::Mtree);
    for device in ["types/null", "types/large", "types/disk"] {
        fs::remove_file(site.src().join(device)).unwrap();
    }
    // What he may not list he cannot compare a second time.
    for shut in ["modes/dir-0", "modes/dir-111", "modes/dir-3333"] {
        fs::remove_dir_all(site.src().join(shut)).unwrap();
    }
    crate::common::tree::chmod(&site.path(""), 0o755);
    site.write_private("log", "");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(site.path("state.kept")).unwrap();
    for name in ["log", "dst", "state", "state.kept", "spool", "smsyncd.conf"] {
        chown(site.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let config = site.path("smsyncd.conf");
    let inetd = Inetd::start(move || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", SMSYNCD, "-c"]).arg(&config);
        command
    });
    let pushed = transfer(&site, "push", text(&site.src()), &inetd.remote("m"));
    let (mut want, have) = (facts(&site.src()), facts(&site.dst()));
    // He owns what he makes, every entry of it; all else is as it should be.
    for facts in want.values_mut() {
        facts.owner = (NOBODY, NOBODY);
    }
    let differing: Vec<_> = want.iter().filter(|(path, facts)| have.get(*path) != Some(facts)).collect();
    assert!(differing.is_empty() && want.len() == have.len(), "{differing:?}");
    let inodes = want.iter().filter(|(path, facts)| facts.first == **path).count();
    assert_eq!(pushed["unowned"], inodes, "{pushed:?}");
    let before = traces(&site.dst());
    assert_eq!(transfer(&site, "push", text(&site.src()), &inetd.remote("m"))["files"], 0);
    assert_eq!(traces(&site.dst()), before);
}
