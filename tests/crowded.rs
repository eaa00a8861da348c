//! A user who may have only so many processes, or descriptors: where no thread is to be had, or none for it, a round does
//! without or says so.

use crate::common::{Inetd, SMSYNC, SMSYNCD, Site, is_root, output_within};
use std::fs;
use std::os::unix::fs::chown;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// How many he may have: from one that can have no thread on, to as many as are ever of use.
const NUMBERS: [u32; 8] = [1, 2, 3, 4, 5, 6, 8, 64];

/// A program of this user, with so many processes. An ordinary user who runs the tests has more of them already.
fn bounded(user: u32, number: u32, program: &str) -> Command {
    let user = user.to_string();
    let mut command = Command::new(if is_root() { "setpriv" } else { "env" });
    if is_root() {
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
    }
    command.arg("prlimit").arg(format!("--nproc={number}:{number}")).arg(program);
    command
}

/// The source is a large file and many small ones; in the destination there is an older one of it, and one that moved. What is his is all that
/// he is to read or to make.
fn site(user: u32, his: &[&str]) -> Site {
    let site = Site::new();
    for name in ["state.kept", "client-state"] {
        fs::create_dir(site.path(name)).unwrap();
        crate::common::tree::chmod(&site.path(name), 0o700);
    }
    site.write_private("log", "");
    let large: Vec<u8> = (0..6u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(site.dst().join("large"), &large).unwrap();
    fs::write(site.src().join("large"), [&large, &b"more"[..]].concat()).unwrap();
    for number in 0..300 {
        fs::write(site.src().join(number.to_string()), format!("number {number}")).unwrap();
    }
    fs::copy(site.src().join("299"), site.dst().join("moved")).unwrap();
    crate::common::tree::chmod(&site.path(""), 0o755);
    let files = fs::read_dir(site.src()).unwrap().map(|entry| entry.unwrap().path());
    let trees = ["spool", "src", "dst", "dst/large", "dst/moved"];
    let places = his.iter().chain(&trees).map(|name| site.path(name));
    for path in places.chain(files).filter(|_| is_root()) {
        chown(path, Some(user), Some(user)).unwrap();
    }
    site
}

/// A push or a pull by programs that are made so.
fn run(
    site: &Site,
    direction: &str,
    program: impl Fn(&'static str) -> Command + Copy + Send + 'static,
) -> Output {
    let (src, dst) = (site.src().display().to_string(), site.dst().display().to_string());
    let config = site.path("smsyncd.conf");
    if direction == "pull" {
        // In its place, so that it keeps its owner.
        fs::write(&config, site.server_conf("").replace(&dst, &src)).unwrap();
    }
    let inetd = Inetd::start(move || {
        let mut command = program(SMSYNCD);
        command.arg("-c").arg(&config);
        command
    });
    let remote = inetd.remote("m");
    let (from, to) = if direction == "pull" { (&remote, &dst) } else { (&src, &remote) };
    let mut command = program(SMSYNC);
    command.arg("-C").arg(site.path("smsync.conf")).args([direction, "--delete", from, to]);
    command.env("XDG_STATE_HOME", site.path("client-state")).env("TMPDIR", site.path("spool"));
    let output = output_within(command.stdin(Stdio::null()), LIMIT);
    inetd.ended_within(LIMIT);
    output
}

/// A push or a pull with so many processes for the client or the server: its exit code, and what both said.
fn round(direction: &str, of: &'static str, user: u32, number: u32) -> Option<i32> {
    let his: &[&str] = match of {
        SMSYNC => &["client-state", "smsync.conf"],
        _ => &["log", "state", "state.kept", "smsyncd.conf"],
    };
    let site = site(user, his);
    let program =
        move |program| if of == program { bounded(user, number, of) } else { Command::new(program) };
    let output = run(&site, direction, program);
    let said = format!("{number}: {}{}", String::from_utf8_lossy(&output.stderr), site.log());
    assert!(!said.contains("our bug") && !said.contains("panicked"), "{said}");
    match output.status.code() {
        Some(0) => crate::common::facts::assert_same(&site.src(), &site.dst(), &said),
        Some(71) => assert!(said.contains(": cannot start "), "{said}"),
        code => panic!("{code:?}: {said}"),
    }
    output.status.code()
}

fn rounds(direction: &str, of: &'static str) {
    // Another user each time: what ended counts until it is waited for, and init may take its time.
    let first = 60_000 + std::process::id() % 100 * 40;
    let first = first + 20 * u32::from(direction == "pull") + 10 * u32::from(of == SMSYNC);
    let codes: Vec<_> =
        (first..).zip(NUMBERS).map(|(user, number)| round(direction, of, user, number)).collect();
    println!("{direction}, {of}: {codes:?}");
    assert_eq!(codes[0], Some(71), "{codes:?}");
    assert!(!is_root() || codes[NUMBERS.len() - 1] == Some(0), "{codes:?}");
}

#[test]
fn a_client_that_sends() {
    rounds("push", SMSYNC);
}

#[test]
fn a_client_that_receives() {
    rounds("pull", SMSYNC);
}

#[test]
fn a_server_that_receives() {
    rounds("push", SMSYNCD);
}

#[test]
fn a_server_that_sends() {
    rounds("pull", SMSYNCD);
}

/// One thread has enough for so deep a tree, but several have not.
#[test]
fn a_deep_tree_and_few_descriptors() {
    for (direction, of) in [("pull", SMSYNC), ("push", SMSYNCD)] {
        let site = Site::new();
        let deep = site.src().join(vec!["d"; 100].join("/"));
        for number in 0..320u32 {
            let dir = deep.join((number / 40).to_string());
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(number.to_string()), number.to_string().repeat(4000)).unwrap();
        }
        let output = run(&site, direction, move |program| {
            let mut command = Command::new("prlimit");
            command.arg("--nofile=190:190").arg(program);
            if of == program { command } else { Command::new(program) }
        });
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{direction}: {said}");
        crate::common::facts::assert_same(&site.src(), &site.dst(), direction);
    }
}
