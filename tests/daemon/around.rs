//! What is around a session: how it is asked for, as whom it runs, how many there may be, and what is run with it.

use super::site::{Daemon, rows, said};
use crate::common::starter::until;
use crate::common::{assert_exit, is_root};
use std::fs;
use std::os::unix::fs::MetadataExt;

rows! {
    rd_16_ways_to_name_a_module,
    rd_49_50_a_module_is_written_by_its_user,
    rd_54_55_places_are_shared_by_a_lock_file,
    rd_84_a_hook_refuses,
    rd_85_86_hooks_are_told_of_the_session,
}

fn rd_16_ways_to_name_a_module(daemon: &Daemon) {
    daemon.configure("", "auth users = ann");
    fs::create_dir(daemon.site.dst().join("sub")).unwrap();
    fs::write(daemon.site.dst().join("sub/g"), "contents").unwrap();
    let secret = daemon.secret("ann");
    // Whoever is named on the command line is not who is named in the file.
    daemon.site.write_private("eve.conf", &format!("user = eve\nsecret = {secret}\n"));
    let Daemon { address, port, .. } = daemon;
    for (number, remote) in [
        format!("ann@{address}:{port}::m/sub"),
        format!("smsync://ann@{address}:{port}/m/sub"),
        format!("smsync://ann@{address}:{port}/m/sub/g"),
    ]
    .iter()
    .enumerate()
    {
        let to = daemon.site.path(format!("to{number}"));
        fs::create_dir(&to).unwrap();
        assert_exit(&daemon.run("eve", &["pull", remote, to.to_str().unwrap()]), 0);
        assert_eq!(fs::read_to_string(to.join("g")).unwrap(), "contents", "{remote}");
    }
    let listed = daemon.run("eve", &["list", &format!("smsync://ann@{address}:{port}")]);
    assert_exit(&listed, 0);
    assert!(String::from_utf8(listed.stdout).unwrap().starts_with("m "));
}

fn rd_49_50_a_module_is_written_by_its_user(daemon: &Daemon) {
    if !is_root() {
        return; // only root can become another user
    }
    daemon.configure("", "uid = 65534\ngid = 65533 65534");
    for name in ["dst", "spool"] {
        std::os::unix::fs::chown(daemon.site.path(name), Some(65534), Some(65534)).unwrap();
    }
    let src = daemon.site.src();
    let push = ["push", "-R", "uid,gid,uname,gname", src.to_str().unwrap(), "127.0.0.1::m"];
    assert_exit(&daemon.run("ann", &push), 0);
    let made = fs::metadata(daemon.site.dst().join("f")).unwrap();
    assert_eq!((made.uid(), made.gid()), (65534, 65533));
}

/// A command of a hook that waits for a file of this site, after it has made another.
fn waits(daemon: &Daemon) -> String {
    let (here, go) = (daemon.site.path("here"), daemon.site.path("go"));
    // Not for ever, should the test fail.
    let script = format!(
        ": >{}; i=0; until [ -e {} ] || [ $i = 400 ]; do i=$((i + 1)); sleep 0.05; done",
        here.display(),
        go.display()
    );
    format!("pre-xfer exec = /bin/sh -c '{script}'")
}

fn rd_54_55_places_are_shared_by_a_lock_file(daemon: &Daemon) {
    let (dst, lock) = (daemon.site.dst(), daemon.site.path("lock"));
    let place = format!("max connections = 1\nlock file = {}", lock.display());
    let others = format!(
        "[n]\npath = {}\n{place}\n[off]\npath = {}\nmax connections = -1",
        dst.display(),
        dst.display()
    );
    daemon.configure("", &format!("{}\n{place}\n{others}", waits(daemon)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| daemon.push("ann", "m"));
        until("the first session", || daemon.site.path("here").exists());
        let second = daemon.pull("bob", "n");
        fs::write(daemon.site.path("go"), "").unwrap();
        assert_exit(&second, 75);
        assert!(said(&second).contains("max connections (1) reached: try again later"), "{}", said(&second));
        assert_exit(&first.join().unwrap(), 0);
    });
    assert_exit(&daemon.pull("bob", "n"), 0);
    let disabled = daemon.pull("bob", "off");
    assert_exit(&disabled, 77);
    assert!(said(&disabled).contains("the module is disabled"), "{}", said(&disabled));
}

fn rd_84_a_hook_refuses(daemon: &Daemon) {
    daemon.configure("", "pre-xfer exec = /bin/sh -c 'echo not on a Sunday; exit 3'");
    for output in [daemon.push("ann", "m"), daemon.pull("ann", "m")] {
        assert_exit(&output, 77);
        let why = "'pre-xfer exec' ended with exit code 3: not on a Sunday";
        assert!(said(&output).contains(why), "{}", said(&output));
    }
    assert!(daemon.untouched());
}

fn rd_85_86_hooks_are_told_of_the_session(daemon: &Daemon) {
    let hook = |name: &str| {
        let left = daemon.site.path(name).display().to_string();
        format!("{name}-xfer exec = /bin/sh -c 'env >{left}.new && mv {left}.new {left}'")
    };
    daemon.configure("", &format!("{}\n{}", hook("pre"), hook("post")));
    assert_exit(&daemon.push("ann", "m"), 0);
    until("the last hook", || daemon.site.path("post").exists());
    let of = |name: &str| fs::read_to_string(daemon.site.path(name)).unwrap();
    let both = [
        "SMSYNC_MODULE_NAME=m\n".to_owned(),
        format!("SMSYNC_MODULE_PATH={}\n", daemon.site.dst().display()),
        "SMSYNC_HOST_ADDR=127.0.0.1\n".to_owned(),
        "SMSYNC_USER_NAME=ann\n".to_owned(),
        "SMSYNC_DIRECTION=push\n".to_owned(),
    ];
    for line in &both {
        assert!(of("pre").contains(line) && of("post").contains(line), "{line} in {}", of("post"));
    }
    for line in ["SMSYNC_EXIT_STATUS=0\n", "SMSYNC_FILES=1\n", "SMSYNC_BYTES=8\n"] {
        assert!(!of("pre").contains(line) && of("post").contains(line), "{line} in {}", of("post"));
    }
}
