//! `pre-xfer exec` and `post-xfer exec`: when they run, with what, and what becomes of a session that they refuse.

use crate::common::starter::{free_port, listener, until};
use crate::common::{Inetd, SMSYNCD, Site, assert_exit, is_root};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A program that leaves its environment and arguments in a file, by the name of the hook, and then does this.
fn script(site: &Site, name: &str, then: &str) -> String {
    let (path, left) = (site.path(name), site.path(format!("{name}.left")));
    let text = format!(
        "#!/bin/sh\n{{ env; printf 'argument=%s\\n' \"$@\"; }} >{left}.new && mv {left}.new {left}\n{then}\n",
        left = left.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// A site with these lines more in the module.
fn site_with(lines: impl FnOnce(&Site) -> String) -> Site {
    let site = Site::new();
    let conf = site.server_conf("").replace("[ro]", &format!("{}\n[ro]", lines(&site)));
    site.write_private("smsyncd.conf", &conf);
    fs::write(site.src().join("f"), "contents").unwrap();
    site
}

/// A site with both hooks, of which the session waits for the one before until `go` is in the module.
fn waiting() -> Site {
    site_with(|site| {
        let before = script(site, "before", "while [ ! -e \"$SMSYNC_MODULE_PATH/go\" ]; do sleep 0.05; done");
        format!("pre-xfer exec = {before}\npost-xfer exec = {}", script(site, "after", ""))
    })
}

fn push(site: &Site, inetd: &Inetd) -> Output {
    let output = site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]);
    inetd.ended();
    output
}

/// What a hook found in its environment, without what its shell put there.
fn left(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let shells = ["PWD", "OLDPWD", "SHLVL", "_"];
    pairs.filter(|(name, _)| !shells.contains(name)).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

#[test]
fn they_run_around_a_session_and_are_told_of_it() {
    let site = site_with(|site| {
        let (before, after) = (script(site, "before", ""), script(site, "after", ""));
        format!("pre-xfer exec = {before} 'one $HOME; word'\npost-xfer exec = {after}")
    });
    let inetd = site.serve();
    let id = || inetd.ids();
    assert_exit(&site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]), 0);
    let pid = id()[0].to_string();
    inetd.ended();
    let mut expected: BTreeMap<String, String> = [
        ("SMSYNC_MODULE_NAME", "m"),
        ("SMSYNC_MODULE_PATH", site.dst().to_str().unwrap()),
        ("SMSYNC_HOST_ADDR", "127.0.0.1"),
        ("SMSYNC_USER_NAME", ""),
        ("SMSYNC_PID", &pid),
        ("SMSYNC_DIRECTION", "push"),
        ("argument", "one $HOME; word"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    assert_eq!(left(&site.path("before.left")), expected);
    // The session waits for it, so it is there.
    for (name, value) in
        [("argument", ""), ("SMSYNC_EXIT_STATUS", "0"), ("SMSYNC_FILES", "1"), ("SMSYNC_BYTES", "8")]
    {
        expected.insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(left(&site.path("after.left")), expected);
    // Who only lists modules or is refused begins nothing.
    for name in ["before.left", "after.left"] {
        fs::remove_file(site.path(name)).unwrap();
    }
    assert_exit(&site.run(&["list", &format!("127.0.0.1:{}", inetd.port)]), 0);
    assert_exit(&site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m/.smsync")]), 77);
    inetd.ended();
    assert!(!site.path("before.left").exists() && !site.path("after.left").exists());
}

#[test]
fn one_that_fails_ends_the_session_with_its_words() {
    for (then, exit, words) in [
        ("echo not now; echo 'a \x1b[2J' >&2; exit 3", 77, "ended with exit code 3: not now\\012a \\033[2J"),
        ("kill -9 $$", 71, "was ended by signal 9"),
    ] {
        let site = site_with(|site| {
            let (before, after) = (script(site, "before", then), script(site, "after", "echo sorry; exit 1"));
            format!("pre-xfer exec = {before}\npost-xfer exec = {after}")
        });
        let inetd = site.serve();
        let output = push(&site, &inetd);
        assert_exit(&output, exit);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&format!("'pre-xfer exec' {words}")), "{said}");
        assert!(!site.dst().join("f").exists());
        let after = left(&site.path("after.left"));
        assert_eq!(after["SMSYNC_EXIT_STATUS"], exit.to_string());
        assert_eq!((&after["SMSYNC_FILES"][..], &after["SMSYNC_BYTES"][..]), ("0", "0"));
        // It is too late to refuse anything: that is for the log.
        assert!(site.log().contains("'post-xfer exec' ended with exit code 1: sorry"), "{}", site.log());
    }
    let site = site_with(|_| "pre-xfer exec = /nonexistent/program".into());
    let output = push(&site, &site.serve());
    assert_exit(&output, 71);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("'pre-xfer exec' cannot be run: No such file or directory"), "{said}");
}

/// Whoever may change what root runs is root.
#[test]
fn one_that_others_may_change_is_not_run() {
    let site = site_with(|site| format!("post-xfer exec = {}", script(site, "after", "")));
    let inetd = site.serve();
    let program = site.path("after");
    // One that is not there is an error of its run.
    let gone = site.path("gone");
    fs::rename(&program, &gone).unwrap();
    assert_exit(&push(&site, &inetd), 0);
    fs::remove_file(site.dst().join("f")).unwrap();
    fs::rename(&gone, &program).unwrap();
    let mut spoil: Vec<(&str, u32, Option<u32>)> = vec![("is writable by", 0o757, None)];
    if is_root() {
        spoil.push(("belongs to", 0o755, Some(65534)));
    }
    for (why, mode, owner) in spoil {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&program, owner, None).unwrap();
        let output = push(&site, &inetd);
        assert_exit(&output, 78);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("the module's programs are not fit to be run"), "{said}");
        let log = site.log();
        let line =
            log.lines().rfind(|line| line.contains("module m: 'post-xfer exec': ")).unwrap_or_default();
        assert!(line.contains(why), "{log}");
        let checked = site.smsyncd().arg("--check").output().unwrap();
        assert_exit(&checked, 1);
        assert!(String::from_utf8_lossy(&checked.stderr).contains(why), "{checked:?}");
    }
    assert!(!site.dst().join("f").exists() && !site.path("after.left").exists());
}

/// Nor if it was another one when the session began: whoever made it that may be its client.
#[test]
fn one_that_others_change_meanwhile_is_not_run() {
    let site = waiting();
    let inetd = site.serve();
    let mut client = site.smsync();
    client.arg("push").arg(site.src()).arg(inetd.remote("m")).stderr(Stdio::null());
    let mut client = client.spawn().unwrap();
    until("the hook before", || site.path("before.left").exists());
    fs::set_permissions(site.path("after"), fs::Permissions::from_mode(0o757)).unwrap();
    fs::write(site.dst().join("go"), "").unwrap();
    assert_eq!(client.wait().unwrap().code(), Some(0));
    inetd.ended();
    let why = "'post-xfer exec' cannot be run: Operation not permitted";
    assert!(site.log().contains(why) && !site.path("after.left").exists(), "{}", site.log());
}

#[test]
fn the_last_one_runs_though_the_session_is_killed() {
    let site = waiting();
    let inetd = site.serve();
    let mut client = site
        .smsync()
        .args(["push", site.src().to_str().unwrap(), &inetd.remote("m")])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the hook before", || site.path("before.left").exists());
    let pid = inetd.ids()[0];
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    assert_eq!(client.wait().unwrap().code(), Some(69));
    fs::write(site.dst().join("go"), "").unwrap();
    until("the hook after", || site.path("after.left").exists());
    let after = left(&site.path("after.left"));
    assert_eq!((&after["SMSYNC_EXIT_STATUS"][..], &after["SMSYNC_PID"]), ("-1", &pid.to_string()));
}

#[test]
fn they_run_without_a_sandbox_too() {
    let site = site_with(|site| format!("sandbox = off\npost-xfer exec = {}", script(site, "after", "")));
    assert_exit(&push(&site, &site.serve()), 0);
    assert_eq!(left(&site.path("after.left"))["SMSYNC_EXIT_STATUS"], "0");
}

/// Whoever comes before the last one has ended finds the place taken.
#[test]
fn the_last_one_has_the_place_of_its_session() {
    let site = site_with(|site| {
        let wait = "while [ ! -e \"${0%/*}/go\" ]; do sleep 0.05; done";
        format!("max connections = 1\npost-xfer exec = {}", script(site, "after", wait))
    });
    let inetd = site.serve();
    let push = || site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]);
    let codes = [push(), push()].map(|output| output.status.code());
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(codes, [Some(0), Some(75)]);
    until("a free place", || push().status.success());
    inetd.ended();
}

/// A service that is told to end has its hooks run to their end, though all its processes are told so.
#[test]
fn they_run_to_their_end_though_all_are_told_to_end() {
    let wait = "while [ ! -e \"${0%/*}/go\" ]; do sleep 0.05; done; : >\"${0%/*}/gone\"";
    let site = site_with(|site| format!("post-xfer exec = {}", script(site, "after", wait)));
    let (listener, port) = listener(&site);
    let remote = format!("127.0.0.1:{port}::m");
    assert_exit(&site.run(&["push", site.src().to_str().unwrap(), &remote]), 0);
    until("the hook", || site.path("after.left").exists());
    let children = |id: u32| -> Vec<u32> {
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().map(|id| id.parse().unwrap()).collect()
    };
    let session = children(listener.id())[0];
    let broker = children(session)[0];
    // As a super-server or a service manager does that ends all it started: the session goes, and its broker is ours.
    for (id, signal) in [(broker, Signal::TERM), (broker, Signal::HUP), (session, Signal::KILL)] {
        kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
    }
    until("the broker", || children(listener.id()) == [broker]);
    kill_process(Pid::from_raw(listener.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    let log = || fs::read_to_string(site.path("starter.log")).unwrap();
    until("the signal", || log().contains("ending, 0 connections to finish"));
    fs::write(site.path("go"), "").unwrap();
    listener.end();
    assert!(site.path("gone").exists(), "the hook was not waited for");
}

/// What its first process started ends with it.
struct Container(Child);

impl Drop for Container {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Where it is the first of all processes nobody else forgets what its sessions leave behind.
#[test]
fn the_first_process_of_a_container_leaves_no_ended_ones() {
    if !is_root() {
        return;
    }
    let site = site_with(|_| String::new());
    let port = free_port();
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", SMSYNCD, "-f", "-p", &port.to_string()]);
    command.args(["--address", "127.0.0.1", "-c"]).arg(site.path("smsyncd.conf")).stderr(Stdio::null());
    let container = Container(command.spawn().unwrap());
    until("the listener", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let remote = format!("127.0.0.1:{port}::m");
    for _ in 0..3 {
        assert_exit(&site.run(&["push", site.src().to_str().unwrap(), &remote]), 0);
    }
    let children = |id: &str| {
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let [first] = &children(&container.0.id().to_string())[..] else { panic!("one process") };
    until("nobody left", || children(first).is_empty());
}
