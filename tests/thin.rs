//! A line of 64 kbit/s: nothing is taken for silence, and all arrives. In a network namespace with the kernel's own token
//! bucket where we may make one, else through a relay that takes its time.

use crate::common::relay::Relay;
use crate::common::walk::{differences, walk};
use crate::common::{SMSYNC, SMSYNCD, Site, assert_exit, is_root, output_within};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Bytes that no compression makes fewer: three seconds of such a line.
const BYTES: usize = 24_000;

/// The device of the namespace is its loopback; each packet waits its turn, in both directions. Behind it the server listens,
/// and the client runs as soon as it does.
const SCRIPT: &str = r#"
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up mtu 1500 && tc qdisc add dev lo root tbf rate 64kbit burst 2kb latency 4s || exit 99
"$SMSYNCD" -c "$CONFIG" -f -p 4242 --address 127.0.0.1 2>"$LOG" &
server=$!
until grep -q listening "$LOG"; do sleep 0.02; done
"$@"
code=$?
kill $server
wait $server
exit $code
"#;

/// Runs smsync in such a namespace.
fn on_the_line(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new("unshare");
    command
        .args(["-n", "sh", "-c", SCRIPT, "sh", SMSYNC, "-C"])
        .arg(site.path("smsync.conf"))
        .args(arguments);
    command
        .env("SMSYNCD", SMSYNCD)
        .env("CONFIG", site.path("smsyncd.conf"))
        .env("LOG", site.path("starter.log"));
    command.env("XDG_STATE_HOME", site.path("client-state")).env("TMPDIR", site.path("spool"));
    output_within(&mut command, Duration::from_secs(40))
}

/// What does not compress.
fn noise(path: &Path) {
    let mut bytes = vec![0; BYTES];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Pushes and pulls, whatever runs smsync; the line is as slow as it was to be.
fn there_and_back(site: &Site, run: &dyn Fn(&[&str]) -> Output, remote: &str) {
    let (src, copy) = (site.src(), site.path("copy"));
    fs::create_dir_all(&copy).unwrap();
    let begun = Instant::now();
    assert_exit(&run(&["push", src.to_str().unwrap(), remote]), 0);
    assert_eq!(differences(&walk(&src), &walk(&site.dst())), "");
    assert!(begun.elapsed() > Duration::from_millis(2500), "{:?}", begun.elapsed());
    // With the least patience that can be had: not the line is silent, only the other side could be.
    assert_exit(&run(&["pull", "--timeout", "1", remote, copy.to_str().unwrap()]), 0);
    assert_eq!(differences(&walk(&src), &walk(&copy)), "");
}

#[test]
fn a_line_of_64_kbit_is_slow_and_no_silence() {
    let site = Site::new();
    noise(&site.src().join("noise"));
    fs::create_dir(site.src().join("d")).unwrap();
    fs::write(site.src().join("d/f"), "contents").unwrap();
    // Whether a network of our own can be had, and a token bucket in it.
    let shaped = is_root() && on_the_line(&site, &["--version"]).status.success();
    if shaped {
        return there_and_back(&site, &|arguments| on_the_line(&site, arguments), "127.0.0.1::m");
    }
    println!("only a relay: no network namespace with a token bucket can be had");
    let inetd = site.serve();
    let relay = Relay::paced(inetd.port, 64_000 / 8);
    there_and_back(&site, &|arguments| site.run(arguments), &relay.remote("m"));
}
