//! What is logged of a module, and how one moves here.

use super::policy::write;
use super::site::{By, Daemon, rows, said};
use crate::common::starter::until;
use crate::common::{assert_exit, is_root};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

rows! {
    rd_08_what_is_served_when_the_configuration_breaks,
    rd_37_connections_are_another_user,
    rd_56_a_module_has_its_own_log,
    rd_34_who_has_proven_a_secret_is_told,
    rd_60_61_each_file_is_logged,
    an_rsyncd_conf_is_imported,
}

fn rd_60_61_each_file_is_logged(daemon: &Daemon) {
    let format = "transfer logging = yes\nlog format = %o|%a|%h|%m|%u|%f|%n|%l|%B|%P|%%";
    daemon.configure("", format);
    let (src, dst) = (daemon.site.src(), daemon.site.dst());
    write(&src, "d/odd\nname", "123");
    write(&dst, "sub/gone", "");
    crate::common::tree::chmod(&src.join("d/odd\nname"), 0o640);
    fs::set_permissions(src.join("f"), fs::Permissions::from_mode(0o600)).unwrap();
    let push = ["push", "--delete", src.to_str().unwrap(), "127.0.0.1::m/sub"];
    assert_exit(&daemon.run("ann", &push), 0);
    assert_exit(&daemon.pull("ann", "m"), 0);
    let root = dst.display();
    for line in [
        format!("recv|127.0.0.1|UNDETERMINED|m|ann|sub/d/odd\\012name|d/odd\\012name|3|rw-r-----|{root}|%"),
        format!("recv|127.0.0.1|UNDETERMINED|m|ann|sub/f|f|8|rw-------|{root}|%"),
        "del.|127.0.0.1|UNDETERMINED|m|ann|sub/gone|gone|0|".to_owned(),
        format!("send|127.0.0.1|UNDETERMINED|m|ann|sub/f|sub/f|8|rw-------|{root}|%"),
    ] {
        until(&line, || daemon.log().contains(&line));
    }
    // Only what was carried, and only where it was asked for.
    let count = |daemon: &Daemon| daemon.log().matches("|127.0.0.1|").count();
    let before = count(daemon);
    assert_exit(&daemon.run("ann", &push), 0);
    daemon.configure("", "");
    fs::remove_dir_all(daemon.site.path("copy")).unwrap();
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_eq!(count(daemon), before);
}

fn an_rsyncd_conf_is_imported(daemon: &Daemon) {
    let root = daemon.site.dst().display().to_string();
    // Nobody, as whom rsyncd serves otherwise, may not write here.
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // Who is not root cannot give a group up.
    let others = rustix::process::getgroups()
        .unwrap()
        .into_iter()
        .map(|gid| gid.as_raw())
        .filter(|other| *other != gid);
    let gid: String = [gid].into_iter().chain(others).map(|gid| format!("{gid} ")).collect();
    let gid = gid.trim_end();
    let theirs = format!(
        "pid file = /run/x\nstrict modes = no\nuid = {uid}\ngid = {gid}\n[m]\n\tpath = {root}\n\tauth users = ann\n"
    );
    let file = daemon.site.write_private("rsyncd.conf", &theirs);
    let output = daemon.site.smsyncd().arg("--import").arg(&file).output().unwrap();
    assert_exit(&output, 1);
    let why = "line 2: strict modes = no: files that hold secrets are always checked\n";
    assert!(said(&output).ends_with(why), "{}", said(&output));
    let ours = String::from_utf8(output.stdout).unwrap();
    let at = |name| daemon.site.path(name).display().to_string();
    let places = format!("state dir = {}\nspool dir = {}\n[m]", at("state"), at("spool"));
    let ours = ours.replace("/etc/smsyncd.secrets", &at("secrets")).replace("\n[m]", &format!("\n{places}"));
    daemon.site.write_private("smsyncd.conf", &ours);
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_exit(&daemon.pull("bob", "m"), 77);
}

fn rd_34_who_has_proven_a_secret_is_told(daemon: &Daemon) {
    let file = daemon.site.write_private("motd", "Down on Sunday.\nA \u{1b}[2J bell\n");
    daemon.configure(&format!("motd file = {}", file.display()), "");
    // Anybody may read it.
    crate::common::tree::chmod(&file, 0o644);
    let said = "Down on Sunday.\nA \\033[2J bell\n\n";
    let out = |options: &[&str]| {
        let output = daemon.run("ann", options);
        assert_exit(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    };
    let (src, to) = (daemon.site.path("src").display().to_string(), "127.0.0.1::m");
    let listed = out(&["list", "127.0.0.1"]);
    assert!(listed.starts_with(&format!("{said}m  ")), "{listed}");
    for what in ["push", "check"] {
        let told = out(&["-v", what, &src, to]);
        assert!(told.starts_with(said), "{told}");
    }
    // Nobody looks on, or nobody wants to know.
    for silent in [
        &["push", &src, to][..],
        &["-q", "list", "127.0.0.1"],
        &["--json", "list", "127.0.0.1"],
        &["list", "--no-motd", "127.0.0.1"],
        &["-v", "push", "--no-motd", &src, to],
    ] {
        assert!(!out(silent).contains("Sunday"), "{silent:?}");
    }
    // Who has no secret learns nothing, and who has one is served all the same if there is nothing to be read.
    let stranger = format!("secret = {}\nport = {}\n", crate::common::keygen(), daemon.port);
    daemon.site.write_private("eve.conf", &stranger);
    let refused = daemon.run("eve", &["list", "127.0.0.1"]);
    assert_exit(&refused, 77);
    assert!(refused.stdout.is_empty());
    for text in [&[b'x'; 5000][..], b"\xff"] {
        fs::write(&file, text).unwrap();
        assert_eq!(daemon.listed("ann"), ["m"]);
    }
    crate::common::tree::chmod(&file, 0o664);
    assert_eq!(daemon.listed("ann"), ["m"]);
    fs::remove_file(&file).unwrap();
    assert_eq!(daemon.listed("ann"), ["m"]);
    until("the log", || {
        let log = daemon.log();
        [
            "is larger than 4096 bytes",
            "is not UTF-8",
            "is writable by its group or others",
            "No such file or directory",
        ]
        .iter()
        .all(|why| log.contains(why))
    });
}

fn rd_56_a_module_has_its_own_log(daemon: &Daemon) {
    let file = daemon.site.path("m.log");
    let (dst, nowhere) = (daemon.site.dst(), daemon.site.path("no/such.log"));
    let other = format!("[n]\npath = {}\nlog file = {}", dst.display(), nowhere.display());
    daemon.configure("", &format!("log file = {}\nauth users = ann\n{other}", file.display()));
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_exit(&daemon.pull("eve", "m"), 77);
    // One that cannot be opened stops nobody.
    assert_exit(&daemon.pull("eve", "n"), 0);
    until("the log", || daemon.log().matches("user \"eve\": pull from n: ").count() == 1);
    assert!(daemon.log().contains("user \"eve\": may not open m\n"), "{}", daemon.log());
    let of_m = "user \"ann\": pull from m: ";
    if daemon.by == By::Listener {
        // With -f all goes to standard error.
        assert!(daemon.log().contains(of_m) && !file.exists());
        return;
    }
    let own = fs::read_to_string(&file).unwrap();
    assert!(own.contains(of_m) && !own.contains("eve"), "{own}");
    assert!(!daemon.log().contains(of_m), "{}", daemon.log());
    assert!(daemon.log().contains("module n: cannot open log file"), "{}", daemon.log());
}

fn rd_37_connections_are_another_user(daemon: &Daemon) {
    if !is_root() {
        return; // only root can become another user
    }
    let site = &daemon.site;
    fs::set_permissions(site.path(""), fs::Permissions::from_mode(0o711)).unwrap();
    fs::create_dir(site.path("shown")).unwrap();
    for name in ["dst", "spool", "shown"] {
        std::os::unix::fs::chown(site.path(name), Some(65534), Some(65534)).unwrap();
    }
    let metrics = site.path("shown/m.prom");
    let globals = format!("daemon uid = 65534\ndaemon gid = 65534\nmetrics file = {}", metrics.display());
    daemon.configure(&globals, "max connections = 3");
    assert_exit(&daemon.push("ann", "m"), 0);
    let made = fs::metadata(site.dst().join("f")).unwrap();
    assert_eq!((made.uid(), made.gid()), (65534, 65534));
    until("the metrics", || metrics.exists());
    assert_eq!(fs::metadata(&metrics).unwrap().uid(), 65534);
    assert_eq!(fs::metadata(site.path("state")).unwrap().uid(), 0);
    let said_of = |option: &str, code| {
        let output = site.smsyncd().arg(option).output().unwrap();
        assert_exit(&output, code);
        String::from_utf8(output.stdout.clone()).unwrap() + &said(&output)
    };
    until("the end of the round", || said_of("--status", 0).contains("m: last push "));
    assert!(said_of("--check", 0).contains("\ndaemon uid = 65534\ndaemon gid = 65534\n"));
    // What root could use and that user cannot is found, and named in the log when it is needed.
    let lock = site.path("spool/lock").display().to_string();
    fs::write(&lock, "").unwrap();
    std::os::unix::fs::chown(site.path("shown"), Some(0), Some(0)).unwrap();
    daemon.configure(&globals, &format!("max connections = 3\nlock file = {lock}"));
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o600)).unwrap();
    let denied = "Permission denied";
    let checked = said_of("--check", 1);
    for why in [
        format!("lock file, as uid 65534: {lock}: {denied}"),
        format!("metrics file, as uid 65534: {}: {denied}", metrics.display()),
    ] {
        assert!(checked.contains(&why), "{why} in {checked}");
    }
    assert_exit(&daemon.push("ann", "m"), 71);
    daemon.configure(&globals, "");
    assert_exit(&daemon.push("ann", "m"), 0);
    for why in [
        format!("lock file, as uid 65534: {lock}: {denied}"),
        format!("metrics, as uid 65534: {}: {denied}", metrics.display()),
    ] {
        until(&why, || daemon.log().contains(&why));
    }
    // What only root can do is found before anybody asks for it.
    for (line, why) in [("uid = root", "no other 'uid' or 'gid'"), ("use chroot = yes", "takes root")] {
        daemon.configure(&globals, line);
        assert!(said_of("--check", 78).contains(why), "{}", said_of("--check", 78));
    }
}

fn rd_08_what_is_served_when_the_configuration_breaks(daemon: &Daemon) {
    assert_exit(&daemon.pull("ann", "m"), 0);
    daemon.configure("port = none", "");
    let output = daemon.pull("ann", "m");
    if daemon.by == By::Listener {
        // Which keeps the last good one.
        assert_exit(&output, 0);
        until("the log", || daemon.log().contains("going on with the last good configuration"));
        return;
    }
    assert_exit(&output, 69);
    let why = "the server can serve nobody: its configuration is wrong, and its log says more\n";
    assert!(said(&output).ends_with(why), "{}", said(&output));
    daemon.configure("", "");
    assert_exit(&daemon.pull("ann", "m"), 0);
}
