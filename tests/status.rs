//! What the server tells of itself: the sessions in progress, how each module's last round ended, and metrics.

use crate::common::gate::Gate;
use crate::common::starter::until;
use crate::common::{Inetd, Site, assert_exit, ended_within, is_root};
use serde_json::Value;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn site() -> Site {
    let site = Site::new();
    let metrics = format!("metrics file = {}\n", site.path("smsyncd.prom").display());
    site.write_private("smsyncd.conf", &site.server_conf(&metrics));
    fs::write(site.src().join("small"), "contents").unwrap();
    site
}

/// What `--status --json` says.
#[track_caller]
fn status(site: &Site) -> Value {
    let output = site.smsyncd().args(["--status", "--json"]).output().unwrap();
    assert_exit(&output, 0);
    assert!(output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same, when no session is in progress any more: its broker gives its place back a moment after it ended.
#[track_caller]
fn status_at_rest(site: &Site) -> Value {
    let mut said = Value::Null;
    until("the end of the session", || {
        said = status(site);
        said["sessions"] == Value::Array(vec![])
    });
    said
}

fn text(site: &Site) -> String {
    let output = site.smsyncd().arg("--status").output().unwrap();
    assert_exit(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}

fn metrics(site: &Site) -> String {
    fs::read_to_string(site.path("smsyncd.prom")).unwrap_or_default()
}

/// A push that has sent half of a large file.
fn half_sent(site: &Site) -> (Inetd, Gate, Child) {
    fs::write(site.src().join("large"), vec![7; 8 << 20]).unwrap();
    let inetd = site.serve();
    let gate = Gate::to(inetd.port);
    gate.up.hold_after(4 << 20);
    let mut push = site.smsync();
    push.args(["push", "-W"]).arg(site.src()).arg(gate.remote("m"));
    let client = push.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    gate.up.wait_held();
    (inetd, gate, client)
}

/// Wherever a session ends after that, while it remembers what is for later rounds.
#[test]
fn a_round_is_told_when_the_client_is() {
    let site = site();
    for number in 0..8 {
        fs::write(site.src().join(format!("{number}")), "contents").unwrap();
    }
    let fired = site.path("fired");
    let mut told = 0;
    // The points before are those of its broker as well.
    for number in 20.. {
        for old in ["dst", "state", "state.kept"] {
            let _ = fs::remove_dir_all(site.path(old));
        }
        let _ = fs::remove_file(&fired);
        fs::create_dir(site.dst()).unwrap();
        let fault = format!("abort:{number}");
        let faults = [("SMSYNC_FAULT", fault.as_str()), ("SMSYNC_FAULT_FIRED", fired.to_str().unwrap())];
        let inetd = site.serve_with(&faults);
        let output = site.smsync().arg("push").arg(site.src()).arg(inetd.remote("m")).output().unwrap();
        inetd.ended_within(LIMIT);
        let last = &status_at_rest(&site)["modules"][0]["last"];
        let (ended, exit) = (output.status.code(), last["exit"].as_i64());
        if crate::common::fired(&fired).is_none() {
            assert_eq!((ended, exit), (Some(0), Some(0)), "{output:?}");
            break;
        }
        assert_eq!(exit, Some(if ended == Some(0) { 0 } else { 71 }), "{fault}: {output:?}, {last}");
        told += u32::from(ended == Some(0));
    }
    assert!(told > 1, "no session ended after its report");
}

#[test]
fn a_session_in_progress_is_shown_until_it_ends() {
    let site = site();
    assert_eq!(text(&site), "no session in progress\nm: nothing yet\nro: nothing yet\nhidden: nothing yet\n");
    assert!(!site.path("state.kept").exists(), "who asks makes something");
    let (inetd, gate, client) = half_sent(&site);
    let said = status(&site);
    let session = &said["sessions"][0];
    assert_eq!(said["sessions"].as_array().unwrap().len(), 1);
    assert_eq!((&session["host"], &session["module"]), (&"127.0.0.1".into(), &"m".into()));
    assert_eq!((&session["direction"], &session["process"]), (&"push".into(), &inetd.ids()[0].into()));
    assert!(
        text(&site).starts_with(&format!("process {}: 127.0.0.1 user \"\": push to m: ", inetd.ids()[0]))
    );
    gate.up.release();
    assert_exit(&ended_within(client, LIMIT), 0);
    inetd.ended_within(LIMIT);
    let said = status_at_rest(&site);
    let last = &said["modules"][0]["last"];
    assert_eq!((&last["files"], &last["exit"], &last["error"]), (&2.into(), &0.into(), &Value::Null));
    assert_eq!((&last["bytes"], &last["direction"]), (&((8 << 20) + 8).into(), &"push".into()));
    assert!(text(&site).contains(": 2 files, 8388616 bytes, 0 removed, 0 problems, "), "{}", text(&site));
}

/// A server that is killed is no session any more, and what failed is remembered as that.
#[test]
fn what_ends_badly_is_told() {
    let site = site();
    let (inetd, gate, mut client) = half_sent(&site);
    client.kill().unwrap();
    client.wait().unwrap();
    gate.up.release();
    inetd.ended_within(LIMIT);
    let last = &status_at_rest(&site)["modules"][0]["last"];
    assert_eq!(last["exit"], 69);
    assert!(last["error"].as_str().unwrap().contains("closed"), "{last}");
    assert!(metrics(&site).contains("smsyncd_rounds_total{module=\"m\",direction=\"push\",exit=\"69\"} 1\n"));
    // What is stopped before it removes too much has a reason as well.
    fs::write(site.dst().join("extra"), "").unwrap();
    let mut push = site.smsync();
    push.args(["push", "--delete", "--max-delete", "0"]).arg(site.src()).arg(inetd.remote("m"));
    assert_exit(&push.output().unwrap(), 4);
    inetd.ended_within(LIMIT);
    let last = &status_at_rest(&site)["modules"][0]["last"];
    assert_eq!(last["exit"], 4);
    assert!(last["error"].as_str().is_some_and(|why| why.contains("--max-delete")), "{last}");
}

#[test]
fn metrics_add_up_over_sessions() {
    let site = site();
    let inetd = site.serve();
    let push = |more: &[&str], code| {
        let mut command = site.smsync();
        let output = command.arg("push").args(more).arg(site.src()).arg(inetd.remote("m")).output().unwrap();
        assert_exit(&output, code);
        inetd.ended_within(LIMIT);
    };
    push(&[], 0);
    fs::write(site.src().join("second"), "more").unwrap();
    push(&[], 0);
    push(&["-n"], 0);
    let said = metrics(&site);
    let of_m = "{module=\"m\",direction=\"push\"}";
    for (name, value) in
        [("files_total", 2), ("bytes_total", 12), ("removed_total", 0), ("last_round_exit_code", 0)]
    {
        assert!(said.contains(&format!("smsyncd_{name}{of_m} {value}\n")), "{name} in {said}");
    }
    assert!(said.contains("smsyncd_rounds_total{module=\"m\",direction=\"push\",exit=\"0\"} 2\n"), "{said}");
    assert!(said.contains("# TYPE smsyncd_last_success_timestamp_seconds gauge\n"), "{said}");
    // A wrong secret is counted too.
    site.write_private("smsync.conf", &format!("secret = {}\n", crate::common::keygen()));
    push(&[], 77);
    assert!(metrics(&site).contains("smsyncd_refused_total{reason=\"secret\"} 1\n"), "{}", metrics(&site));
    // Whoever reads them is not root.
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(site.path("smsyncd.prom")).unwrap());
    assert_eq!(mode & 0o777, 0o644);
}

/// Whoever is turned away is counted, and however often that is, the disk is not kept busy by it.
#[test]
fn who_is_turned_away_is_counted() {
    let site = site();
    let metrics_file = format!("metrics file = {}\n", site.path("smsyncd.prom").display());
    let hook = "read only = no\npre-xfer exec = /bin/false\n[off]\nmax connections = -1\n";
    let dst = format!("path = {}\n", site.dst().display());
    let unmounted = "[unmounted]\nread only = no\nrequire marker = .mounted\n";
    let uncounted = "[uncounted]\nmax connections = 1\nlock file = /dev/null/lock\n";
    let conf = site.server_conf(&metrics_file)
        + &format!("[hook]\n{dst}{hook}{dst}{unmounted}{dst}{uncounted}{dst}");
    site.write_private("smsyncd.conf", &conf);
    let inetd = site.serve();
    let push = |module: &str, code| {
        let mut command = site.smsync();
        let output = command.arg("push").arg(site.src()).arg(inetd.remote(module)).output().unwrap();
        assert_exit(&output, code);
        inetd.ended_within(LIMIT);
    };
    push("ro", 77);
    push("hook", 77);
    push("off", 77);
    push("nowhere", 77);
    fs::rename(site.dst(), site.path("away")).unwrap();
    push("m", 74);
    fs::rename(site.path("away"), site.dst()).unwrap();
    // What fails turns nobody away.
    push("m/none/of/these", 74);
    push("unmounted", 74);
    push("uncounted", 71);
    let right = fs::read_to_string(site.path("smsync.conf")).unwrap();
    site.write_private("smsync.conf", &format!("secret = {}\n", crate::common::keygen()));
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(site.path("smsyncd.prom")).unwrap());
    let (begun, mut written) = (std::time::Instant::now(), std::collections::BTreeSet::from([inode()]));
    for _ in 0..5 {
        push("m", 77);
        written.insert(inode());
    }
    let most = 2 + begun.elapsed().as_secs() / smsync::limits::REFUSALS.as_secs();
    assert!(written.len() as u64 <= most, "it was written {} times", written.len());
    let said = status(&site);
    let expected = serde_json::json!({"round": 1, "hook": 1, "module": 1, "access": 1, "secret": 5});
    assert_eq!(said["refused"], expected);
    let last = said["modules"].as_array().unwrap().iter().find(|module| module["name"] == "ro").unwrap();
    assert_eq!(
        (&last["last"]["exit"], &last["last"]["error"]),
        (&77.into(), &"the module is read only".into())
    );
    assert!(
        text(&site).contains("turned away: 1 access, 1 hook, 1 module, 1 round, 5 secret\n"),
        "{}",
        text(&site)
    );
    // And the log says what each of them wanted.
    for line in [
        "127.0.0.1 user \"\": push to ro: the module is read only",
        "127.0.0.1 user \"\": push to hook: 'pre-xfer exec' ended with exit code 1",
        "127.0.0.1 user \"\": module off: ",
        "127.0.0.1 user \"\": module nowhere: no such module, or not for you",
        "127.0.0.1 user \"\": push to m/none/of/these: ",
    ] {
        assert!(site.log().contains(line), "{line} in {}", site.log());
    }
    // With the next round all of it is shown.
    site.write_private("smsync.conf", &right);
    push("m", 0);
    for (reason, count) in [("round", 1), ("hook", 1), ("module", 1), ("access", 1), ("secret", 5)] {
        let line = format!("smsyncd_refused_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics(&site).contains(&line), "{line} in {}", metrics(&site));
    }
    let line = "smsyncd_rounds_total{module=\"ro\",direction=\"push\",exit=\"77\"} 1\n";
    assert!(metrics(&site).contains(line), "{}", metrics(&site));
}

/// Whoever is turned away costs no line of the log for metrics that cannot be shown.
#[test]
fn metrics_that_cannot_be_shown_are_said_seldom() {
    let site = site();
    let metrics = format!("metrics file = {}\n", site.path("none/smsyncd.prom").display());
    site.write_private("smsyncd.conf", &site.server_conf(&metrics));
    let inetd = site.serve();
    let begun = std::time::Instant::now();
    for _ in 0..5 {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", inetd.port)).unwrap();
        std::io::Write::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
        inetd.ended_within(LIMIT);
    }
    let said = site.log().matches("none/smsyncd.prom").count() as u64;
    let most = 1 + begun.elapsed().as_secs() / smsync::limits::REFUSALS.as_secs();
    assert!((1..=most).contains(&said), "{}", site.log());
    assert_eq!(status(&site)["refused"], serde_json::json!({"greeting": 5}));
}

/// What a session is confined to holds no way to where metrics are shown.
#[test]
fn a_confined_session_holds_no_directory_of_metrics() {
    if !is_root() {
        return; // only root sees what the server has open
    }
    let site = site();
    fs::create_dir(site.path("shown")).unwrap();
    let metrics = format!("metrics file = {}\n", site.path("shown/smsyncd.prom").display());
    site.write_private("smsyncd.conf", &site.server_conf(&metrics));
    let (inetd, gate, client) = half_sent(&site);
    let held = fs::read_dir(format!("/proc/{}/fd", inetd.ids()[0])).unwrap();
    let held: Vec<_> = held.map(|fd| fs::read_link(fd.unwrap().path()).unwrap_or_default()).collect();
    assert!(!held.iter().any(|held| *held == site.path("shown")), "{held:?}");
    gate.up.release();
    assert_exit(&ended_within(client, LIMIT), 0);
    inetd.ended_within(LIMIT);
    assert!(fs::read_to_string(site.path("shown/smsyncd.prom")).unwrap().contains("smsyncd_files_total"));
}

/// Root may ask before the first connection is served by another user, and makes nothing that he could not open.
#[test]
fn asking_is_in_nobodys_way() {
    if !is_root() {
        return; // only root can become another user
    }
    let site = site();
    let shown = site.path("shown");
    fs::create_dir(&shown).unwrap();
    for dir in [&shown, &site.dst(), &site.path("spool")] {
        std::os::unix::fs::chown(dir, Some(65534), Some(65534)).unwrap();
    }
    let metrics = shown.join("smsyncd.prom");
    let globals = format!("metrics file = {}\ndaemon uid = 65534\ndaemon gid = 65534\n", metrics.display());
    site.write_private("smsyncd.conf", &site.server_conf(&globals));
    let inetd = site.serve();
    for (module, code) in [("m", 0), ("ro", 77)] {
        status_at_rest(&site);
        let mut push = site.smsync();
        let push = push.args(["push", "-R", "uid,gid,uname,gname"]).arg(site.src()).arg(inetd.remote(module));
        assert_exit(&push.output().unwrap(), code);
        inetd.ended_within(LIMIT);
    }
    assert_eq!(status(&site)["refused"], serde_json::json!({"round": 1}));
    let text = fs::read_to_string(metrics).unwrap();
    assert!(text.contains("smsyncd_files_total{module=\"m\",direction=\"push\"} 1\n"), "{text}");
    assert!(!site.log().contains("Permission denied"), "{}", site.log());
}

/// A session that has become another user cannot write where the counts are, and is counted all the same.
#[test]
fn rounds_of_another_user_are_counted() {
    if !is_root() {
        return; // only root can become another user
    }
    let site = site();
    let conf = fs::read_to_string(site.path("smsyncd.conf")).unwrap();
    site.write_private(
        "smsyncd.conf",
        &conf.replace("[ro]", "uid = 65534\ngid = 65534\n[ro]\nuid = 65534\ngid = 65534\n"),
    );
    for name in ["dst", "spool"] {
        std::os::unix::fs::chown(site.path(name), Some(65534), Some(65534)).unwrap();
    }
    let inetd = site.serve();
    for (module, code) in [("m", 0), ("ro", 77)] {
        let mut command = site.smsync();
        let output = command
            .args(["push", "-R", "uid,gid,uname,gname"])
            .arg(site.src())
            .arg(inetd.remote(module))
            .output()
            .unwrap();
        assert_exit(&output, code);
        inetd.ended_within(LIMIT);
    }
    for line in [
        "smsyncd_files_total{module=\"m\",direction=\"push\"} 1\n",
        "smsyncd_rounds_total{module=\"ro\",direction=\"push\",exit=\"77\"} 1\n",
        "smsyncd_refused_total{reason=\"round\"} 1\n",
    ] {
        assert!(metrics(&site).contains(line), "{line} in {}", metrics(&site));
    }
    assert_eq!(status(&site)["modules"][0]["last"]["files"], 1);
}

/// The log goes away while a session is confined, as when syslogd is started anew.
#[test]
fn what_a_confined_session_cannot_log_is_counted() {
    let site = site();
    let log = site.path("log");
    rustix::fs::mknodat(rustix::fs::CWD, &log, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // No process that another test starts is to hold it too.
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let reader = rustix::fs::open(&log, flags, 0.into()).unwrap();
    let (inetd, gate, client) = half_sent(&site);
    drop(reader);
    fs::remove_file(&log).unwrap();
    gate.up.release();
    assert_exit(&ended_within(client, LIMIT), 0);
    inetd.ended_within(LIMIT);
    assert!(
        site.log().contains("127.0.0.1 user \"\": module m: 1 log records were lost\n"),
        "{}",
        site.log()
    );
}

/// Every metric of the dashboard is one that is written.
#[test]
fn the_dashboard_shows_what_there_is() {
    let text = include_str!("../contrib/grafana.json");
    let board: Value = serde_json::from_str(text).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let source = include_str!("../src/server/metrics.rs");
    let mut shown = 0;
    for query in panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()) {
        let query = query["expr"].as_str().unwrap();
        for name in query
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("smsyncd_"))
        {
            assert!(source.contains(&format!("\"{name}\"")), "{name}");
            shown += 1;
        }
    }
    assert!(shown >= 8, "{shown}");
}
