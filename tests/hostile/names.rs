//! Names that would drive a terminal, forge a line of a log or change how others read: none of them comes out anywhere as
//! it is.

use super::peer::{Peer, prologue};
use super::target::{Evil, connect, ended};
use crate::common::{Inetd, SMSYNCD, Site, is_root};
use smsync::exit::Exit;
use smsync::wire::Message;
use smsync::wire::noise::Cipher;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// One of each kind: C0, DEL, C1 as UTF-8 and as a byte, every control of direction, separators, what has no width, and
/// bytes that are no UTF-8.
const NAMES: [&[u8]; 14] = [
    b"new\nline",
    b"cr\rtab\tbell\x07back\x08",
    b"esc\x1b[2J\x1b]0;title\x07",
    b"del\x7f",
    "c1\u{9b}31m\u{85}\u{90}".as_bytes(),
    b"raw\x9b31m\x85\xff\xfe",
    b"half\xe2\x80",
    "embed\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}".as_bytes(),
    "isolate\u{2066}\u{2067}\u{2068}\u{2069}".as_bytes(),
    "mark\u{200e}\u{200f}\u{61c}".as_bytes(),
    "line\u{2028}\u{2029}".as_bytes(),
    "none\u{200b}\u{feff}\u{2060}\u{ad}\u{e0041}".as_bytes(),
    b"2026-01-01 00:00:00 [1] forged\n2026-01-01 00:00:00 [1] again",
    b"%s%n\\033[0m\\n",
];

/// Every letter of a log format that has to do with a client.
const FORMAT: &str = "%o %h [%a] %m (%u) %f %l %n %t %p %B %G %L %M %P %U";

/// Fails if anything but text and ends of lines is there.
#[track_caller]
fn assert_drives_nothing(what: &str, bytes: &[u8]) {
    let text = String::from_utf8(bytes.to_vec());
    let text = text.unwrap_or_else(|_| panic!("{what}: no UTF-8: {}", bytes.escape_ascii()));
    let driving = |c: char| match c {
        '\n' => false,
        '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    };
    if let Some(c) = text.chars().find(|c| driving(*c)) {
        panic!("{what}: {} in\n{}", c.escape_unicode(), text.escape_debug());
    }
}

/// Nor a line that a name began.
#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    assert_drives_nothing(what, bytes);
    let text = String::from_utf8_lossy(bytes);
    let forged = text.lines().find(|line| line.starts_with("line") || line.ends_with("] again"));
    assert!(forged.is_none_or(|line| line.contains("forged\\012")), "{what}: {forged:?}");
}

#[track_caller]
fn assert_clean_output(what: &str, output: &Output) {
    assert_clean(&format!("stdout of {what}"), &output.stdout);
    assert_clean(&format!("stderr of {what}"), &output.stderr);
}

fn name(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// A tree of all these names: files, directories, links and what these lead to.
fn build(root: &Path) {
    for bytes in NAMES {
        let dir = root.join("dirs").join(name(bytes));
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(root.join("files")).unwrap();
        fs::write(root.join("files").join(name(bytes)), bytes).unwrap();
        fs::write(dir.join(name(bytes)), bytes).unwrap();
        symlink(name(bytes), dir.join("link")).unwrap();
    }
}

/// A site that logs all it can, with these lines more.
fn loud_site(globals: &str) -> Site {
    let site = Site::new();
    let metrics = site.path("metrics.prom").display().to_string();
    let text = site.server_conf(&format!("metrics file = {metrics}\ndurable = none\n{globals}"));
    let module = format!("transfer logging = yes\nlog format = {FORMAT}\n");
    let text = text.replace("comment = a test\n", &format!("comment = a test\n{module}"));
    site.write_private("smsyncd.conf", &text);
    build(&site.src());
    site
}

/// Everything that both programs do with such names, and say of it.
fn do_all(site: &Site, inetd: &Inetd) {
    let (src, dst, copy, remote) = (site.src(), site.dst(), site.path("copy"), inetd.remote("m"));
    let log = site.path("client.log");
    fs::create_dir(&copy).unwrap();
    let run = |arguments: &[&OsStr]| {
        for before in [&["-vv"][..], &["--json"]] {
            let output = site.smsync().args(before).args(arguments).output().unwrap();
            assert_clean_output(&format!("{before:?} {arguments:?}"), &output);
        }
    };
    let os = OsStr::new;
    let loud = ["-i", "--progress", "--stats", "--log-file"].map(os);
    let transfer = |command: &str, more: &[&str], from: &OsStr, to: &OsStr| {
        let more: Vec<&OsStr> = more.iter().map(OsStr::new).collect();
        run(&[&[os(command)], &loud[..], &[log.as_os_str()], &more, &[from, to]].concat());
    };
    let (here, there) = (src.as_os_str(), os(&remote));
    transfer("push", &["-n"], here, there);
    crate::common::assert_exit(&site.run(&["push", "-n", src.to_str().unwrap(), &remote]), 0);
    transfer("push", &[], here, there);
    transfer("pull", &[], there, copy.as_os_str());
    assert_eq!(fs::read_dir(dst.join("files")).unwrap().count(), NAMES.len());
    // Differences, problems and deletions of each name; on the client's side too.
    for bytes in NAMES {
        fs::remove_file(dst.join("files").join(name(bytes))).unwrap();
        fs::create_dir_all(dst.join("files").join(name(bytes)).join("in the way")).unwrap();
        fs::write(dst.join("dirs").join(name(bytes)).join("link2"), "extra").unwrap();
    }
    transfer("check", &[], here, there);
    transfer("push", &[], here, there);
    transfer("pull", &[], there, copy.as_os_str());
    fs::remove_dir_all(src.join("dirs")).unwrap();
    transfer("push", &["--delete", "--force-delete"], here, there);
    transfer("pull", &["--delete", "--force-delete"], there, copy.as_os_str());
    // What an argument names: sources, paths in the module, modules, users, files.
    for bytes in NAMES {
        let (missing, odd) = (src.join(name(bytes)).join("none"), [there.as_bytes(), b"/", bytes].concat());
        run(&[os("push"), missing.as_os_str(), there]);
        run(&[os("push"), src.join("files").join(name(bytes)).as_os_str(), OsStr::from_bytes(&odd)]);
        run(&[os("pull"), OsStr::from_bytes(&[&odd, &b"/none"[..]].concat()), copy.as_os_str()]);
        let module = [format!("127.0.0.1:{}::", inetd.port).as_bytes(), bytes].concat();
        run(&[os("push"), here, OsStr::from_bytes(&module)]);
        run(&[os("push"), here, OsStr::from_bytes(&[bytes, b"@", there.as_bytes()].concat())]);
        run(&[os("push"), os("--log-file"), missing.as_os_str(), here, there]);
        run(&[os("push"), os("--exclude-from"), missing.as_os_str(), here, there]);
    }
    run(&[os("list"), os(&format!("127.0.0.1:{}", inetd.port))]);
    let spec = site.smsync().args([os("spec"), here]).output().unwrap();
    assert_clean_output("spec", &spec);
    fs::write(site.path("spec"), &spec.stdout).unwrap();
    run(&[os("spec"), os("--check"), site.path("spec").as_os_str(), dst.as_os_str()]);
    assert_clean("the client's log file", &fs::read(&log).unwrap());
}

/// Who greets and opens with such words, and what a server of that kind answers.
fn say_all(site: &Site) {
    for bytes in NAMES {
        let bytes = &bytes[..bytes.len().min(60)];
        let (mut socket, mut child) = connect(site);
        let greeting = [prologue(1, Cipher::AesGcm.wire(), bytes), vec![7; 48]].concat();
        socket.write_all(&greeting).unwrap();
        ended(&mut child);
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (socket, mut child) = connect(site);
        let mut peer = Peer::client(socket, &site.secret);
        peer.say(&[Message::Abort { exit: Exit::Io, text: text.clone().into() }]);
        peer.finish();
        ended(&mut child);
        let evil = Evil::start(site, move |peer| {
            peer.hear();
            peer.say(&[Message::Motd(text.clone().into())]);
            peer.say(&[Message::Abort { exit: Exit::Refused, text: text.into() }]);
            peer.finish();
        });
        let output = site.run(&["list", &format!("127.0.0.1:{}", evil.port)]);
        evil.join();
        // A message of the day has lines.
        assert!(!output.stdout.is_empty(), "{output:?}");
        assert_drives_nothing("the message of the day", &output.stdout);
        assert_clean("what a server says that refuses in such words", &output.stderr);
    }
}

#[test]
fn nothing_that_is_written_drives_a_terminal_or_forges_a_line() {
    let site = loud_site("");
    let inetd = site.serve_with(&[]);
    do_all(&site, &inetd);
    inetd.ended();
    say_all(&site);
    for status in [&["--status"][..], &["--status", "--json"]] {
        let output = site.smsyncd().args(status).output().unwrap();
        assert_clean_output(&format!("{status:?}"), &output);
    }
    assert_clean("the metrics", &fs::read(site.path("metrics.prom")).unwrap());
    let log = fs::read(site.path("log")).unwrap();
    assert_clean("the server's log file", &log);
    // It is all there, only escaped: what was sent, and each claimed user.
    let log = String::from_utf8(log).unwrap();
    for escaped in ["new\\012line", "esc\\033[2J", "raw\\23331m", "\\342\\200\\256", "del\\177"] {
        assert!(log.contains(escaped), "{escaped} is not in\n{log}");
    }
    // Each line is a record.
    for line in log.lines() {
        assert!(line.starts_with("20") && line.contains(" ["), "{line}");
    }
}

/// What syslogd is given is what a log file is: where one listens in a world of its own.
#[test]
fn nothing_that_syslogd_is_given_forges_a_record() {
    let site = loud_site("");
    let text = fs::read_to_string(site.path("smsyncd.conf")).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("log file")).collect();
    site.write_private("smsyncd.conf", &(text.join("\n") + "\n"));
    // A /dev of a mount namespace, which ends with its process.
    let dev = site.path("dev");
    fs::create_dir(&dev).unwrap();
    let script = "mount -t tmpfs none \"$0\" && cp -a /dev/null /dev/zero /dev/urandom /dev/random \"$0\" \
                  && ln -s \"$SOCKET\" \"$0/log\" && mount --move \"$0\" /dev || exit 99; exec \"$@\"";
    let socket = site.path("syslog");
    let within = {
        let socket = socket.clone();
        move |program: &[&OsStr]| {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-c", script]).arg(&dev).args(program).env("SOCKET", &socket);
            command
        }
    };
    if !is_root() || !within(&[OsStr::new("true")]).status().unwrap().success() {
        println!("skipped: nothing can be mounted here");
        return;
    }
    let syslogd = UnixDatagram::bind(&socket).unwrap();
    syslogd.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let records = std::thread::spawn(move || {
        let mut records: Vec<Vec<u8>> = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match syslogd.recv(&mut buffer) {
                Ok(4) if buffer[..4] == *b"over" => return records,
                Ok(length) => records.push(buffer[..length].to_vec()),
                Err(_) => {}
            }
        }
    });
    let config = site.path("smsyncd.conf");
    let inetd = Inetd::start(move || within(&[OsStr::new(SMSYNCD), OsStr::new("-c"), config.as_os_str()]));
    let output = site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]);
    crate::common::assert_exit(&output, 0);
    inetd.ended();
    UnixDatagram::unbound().unwrap().send_to(b"over", &socket).unwrap();
    let records = records.join().unwrap();
    // Of many at once some are lost.
    let escaped = |record: &Vec<u8>| String::from_utf8_lossy(record).contains("\\012");
    assert!(records.iter().any(escaped), "{records:?}");
    for record in records {
        assert_clean("a record for syslogd", &record);
        assert!(!record.contains(&b'\n'), "{}", record.escape_ascii());
    }
}
