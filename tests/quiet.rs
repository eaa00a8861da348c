//! A second run has nothing to do, and does nothing: strace(1) sees no call that changes a tree, and no file opened in one.

use crate::common::deeds::{Deeds, STRACE};
use crate::common::tree::{For, build};
use crate::common::{Inetd, SMSYNC, SMSYNCD, Site, assert_exit, is_root};
use std::path::Path;
use std::process::Command;

#[test]
fn a_second_run_writes_nothing_and_reads_no_contents() {
    if !is_root() {
        println!("skipped: only root sees what the server has open");
        return;
    }
    let site = Site::new();
    site.write_private("smsyncd.conf", &site.traced_conf(""));
    build(&site.src(), For::Us);
    let (config, trace) = (site.path("smsyncd.conf"), site.path("server-trace"));
    let inetd = Inetd::start(move || {
        let mut command = Command::new("strace");
        command.args(STRACE).arg(&trace).arg(SMSYNCD).arg("-c").arg(&config);
        command
    });
    let trees = [site.src(), site.dst()];
    let run = |arguments: &[&str], from: &Path, to: &str| {
        let mut command = Command::new("strace");
        command
            .args(STRACE)
            .arg(site.path("client-trace"))
            .arg(SMSYNC)
            .arg("-C")
            .arg(site.path("smsync.conf"));
        command.env("XDG_STATE_HOME", site.path("client-state")).env("TMPDIR", site.path("spool"));
        let output = command.args(arguments).arg(from).arg(to).output();
        assert_exit(&output.expect("strace: install the Debian package strace (tests/setup does)"), 0);
        inetd.ended();
        let trees = [trees[0].as_path(), &trees[1]];
        ["client-trace", "server-trace"].map(|name| Deeds::of(&site.path(name), &trees))
    };
    let remote = inetd.remote("m");
    // The first run shows that what is looked for can be seen.
    let [client, server] = run(&["push", "--delete"], &site.src(), &remote);
    assert!(client.changes.is_empty(), "the sender changed something: {:?}", client.changes);
    assert!(client.reads.len() > 300, "the sender read only {:?}", client.reads);
    assert!(server.changes.len() > 1000, "the receiver changed only {:?}", server.changes);
    for (what, from, to) in [
        ("push", site.src().display().to_string(), remote.clone()),
        ("check", site.src().display().to_string(), remote.clone()),
        ("pull", remote.clone(), site.src().display().to_string()),
    ] {
        let delete: &[&str] = if what == "check" { &[] } else { &["--delete"] };
        let deeds = run(&[&[what], delete].concat(), Path::new(&from), &to);
        for (side, deeds) in ["client", "server"].iter().zip(deeds) {
            assert!(deeds.directories > 200, "{what}: the {side} was not seen at work");
            assert!(deeds.changes.is_empty(), "{what}: the {side} changed something: {:?}", deeds.changes);
            assert!(deeds.reads.is_empty(), "{what}: the {side} read: {:?}", deeds.reads);
        }
    }
}
