//! A line of 64 kbit/s, in a network namespace with the kernel's own token bucket: nothing is taken for silence, and all
//! arrives.

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

#[test]
fn a_line_of_64_kbit_is_slow_and_no_silence() {
    let site = Site::new();
    if !is_root()
        || !Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|status| status.success())
    {
        println!("skipped: only root makes a network of its own");
        return;
    }
    noise(&site.src().join("noise"));
    fs::create_dir(site.src().join("d")).unwrap();
    fs::write(site.src().join("d/f"), "contents").unwrap();
    let src = site.src().to_str().unwrap().to_owned();
    let begun = Instant::now();
    let output = on_the_line(&site, &["push", &src, "127.0.0.1::m"]);
    if output.status.code() == Some(99) {
        println!("skipped: this kernel has no tbf: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert_exit(&output, 0);
    assert_eq!(differences(&walk(&site.src()), &walk(&site.dst())), "");
    // The line was as slow as it was to be: a token bucket and what was sent before it was empty do not count.
    assert!(begun.elapsed() > Duration::from_millis(2500), "{:?}", begun.elapsed());
    // With the least patience that can be had: not the line is silent, only the other side could be.
    let copy = site.path("copy");
    fs::create_dir(&copy).unwrap();
    let output = on_the_line(&site, &["pull", "--timeout", "1", "127.0.0.1::m", copy.to_str().unwrap()]);
    assert_exit(&output, 0);
    assert_eq!(differences(&walk(&site.src()), &walk(&copy)), "");
}
