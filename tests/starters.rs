//! The same push through everything that starts smsyncd: xinetd, inetd, systemd's sockets, and its own listener.

use crate::common::facts::assert_same;
use crate::common::relay::{Relay, assert_only_protocol};
use crate::common::starter::{Starter, free_port, until};
use crate::common::{SMSYNCD, Site, assert_exit, end_object};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// The processes that were given this site's configuration.
fn running(site: &Site) -> Vec<Pid> {
    let config = site.path("smsyncd.conf").into_os_string().into_encoded_bytes();
    let numbers =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = numbers.filter(|pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).any(|word| word == config)
    });
    ours.filter_map(Pid::from_raw).collect()
}

fn new_site() -> Site {
    let site = Site::new();
    fs::create_dir_all(site.src().join("a/b")).unwrap();
    fs::write(site.src().join("a/b/f"), "contents\n".repeat(1000)).unwrap();
    fs::write(site.src().join("g"), "").unwrap();
    std::os::unix::fs::symlink("a/b/f", site.src().join("l")).unwrap();
    crate::common::tree::chmod(&site.src().join("g"), 0o666);
    site
}

/// Pushes twice through whatever listens at this port, and looks at every byte the server said.
#[track_caller]
fn push(site: &Site, port: u16) {
    until("the listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let relay = Relay::to(port);
    let (src, remote) = (site.src(), relay.remote("m"));
    let arguments = ["--json", "push", "--delete", src.to_str().unwrap(), &remote];
    for files in [2, 0] {
        let output = site.run(&arguments);
        assert_exit(&output, 0);
        assert_eq!(end_object(&output)["files"], files);
        assert!(output.stderr.is_empty(), "{output:?}");
        assert_same(&site.src(), &site.dst(), "after a push");
    }
    // Refused is an answer too, and nothing else is said.
    let refused = site.run(&["push", src.to_str().unwrap(), &relay.remote("ro")]);
    assert_exit(&refused, 77);
    let recordings = relay.end();
    assert_eq!(recordings.len(), 3);
    recordings.iter().for_each(|recording| assert_only_protocol(&recording.from_server));
    until("the log", || site.log().matches(", exit 0\n").count() == 2);
    assert!(site.log().contains("read only"), "{}", site.log());
}

#[track_caller]
fn none_left(site: &Site) {
    until("the end of every process", || running(site).is_empty());
}

#[test]
fn xinetd() {
    let site = new_site();
    let port = free_port();
    let starter = Starter::xinetd(&site, "127.0.0.1", port);
    push(&site, port);
    starter.end();
    none_left(&site);
}

#[test]
fn inetd() {
    let site = new_site();
    let port = free_port();
    let starter = Starter::inetd(&site, "127.0.0.1", port);
    push(&site, port);
    starter.end();
    none_left(&site);
}

#[track_caller]
fn systemd(options: &[&str]) {
    let site = new_site();
    let port = free_port();
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &format!("127.0.0.1:{port}")]).args(options);
    command.arg(SMSYNCD).arg("-c").arg(site.path("smsyncd.conf"));
    let starter = Starter::start(&site, "systemd", &mut command);
    push(&site, port);
    starter.end();
    none_left(&site);
}

#[test]
fn systemd_with_a_process_for_each_connection() {
    systemd(&["--inetd", "-a"]);
}

#[test]
fn systemd_with_a_socket_handed_down() {
    systemd(&[]);
}

#[test]
fn the_listener_in_the_foreground() {
    let site = new_site();
    let port = free_port();
    let mut command = site.smsyncd();
    command.args(["-p", &port.to_string(), "--address", "127.0.0.1", "-f"]);
    let starter = Starter::start(&site, "smsync", &mut command);
    until("the listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let src = site.src();
    let remote = format!("127.0.0.1:{port}::m");
    for files in [2, 0] {
        let output = site.run(&["--json", "push", "--delete", src.to_str().unwrap(), &remote]);
        assert_exit(&output, 0);
        assert_eq!(end_object(&output)["files"], files);
    }
    assert_same(&site.src(), &site.dst(), "after the push");
    // With -f the log goes to standard error, whatever the configuration says.
    until("the log", || {
        fs::read_to_string(site.path("starter.log")).unwrap().matches(", exit 0\n").count() == 2
    });
    assert_eq!(site.log(), "");
    starter.end();
    none_left(&site);
}

#[test]
fn the_listener_detached() {
    let site = new_site();
    let port = free_port();
    let pid_file = site.path("smsyncd.pid");
    let globals = format!("port = {port}\naddress = 127.0.0.1\npid file = {}", pid_file.display());
    site.write_private("smsyncd.conf", &site.server_conf(&globals));
    let output = site.smsyncd().stdin(Stdio::null()).output().unwrap();
    assert_exit(&output, 0);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    let pid = fs::read_to_string(&pid_file).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    assert_eq!(running(&site), [pid]);
    push(&site, port);
    // A second one finds the first and says so.
    let second = site.smsyncd().args(["-p", &free_port().to_string()]).stdin(Stdio::null()).output().unwrap();
    assert_exit(&second, 75);
    kill_process(pid, Signal::TERM).unwrap();
    none_left(&site);
    assert!(
        !pid_file.exists() || fs::read(&pid_file).unwrap().is_empty(),
        "the pid file names a dead process"
    );
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}
