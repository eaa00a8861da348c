//! `max connections`: however the processes are started, and however they end.

use crate::common::gate::{GREETING, Gate};
use crate::common::{Inetd, Site, assert_exit, ended_within, is_root, output_within};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

/// Places of the module.
const PLACES: usize = 16;

/// Clients at once; `make soak` sets it to two hundred.
fn clients() -> usize {
    std::env::var("SMSYNC_CLIENTS").map_or(48, |number| number.parse().unwrap())
}

/// A module `m` of so many places, and `other`, which has the same lock file.
fn site(places: i32) -> Site {
    let site = Site::new();
    let (dst, lock) = (site.dst(), site.path("lock"));
    let module = |name| {
        format!(
            "[{name}]\npath = {}\nmax connections = {places}\nlock file = {}\n",
            dst.display(),
            lock.display()
        )
    };
    let conf = site.server_conf("");
    let conf = conf.replace("[m]\n", &format!("{}[m]\nmax connections = {places}\n", module("other")));
    site.write_private("smsyncd.conf", &conf.replace("[ro]\n", &format!("{}[ro]\n", module("third"))));
    fs::write(site.dst().join("f"), "contents").unwrap();
    site
}

fn pull(site: &Site, remote: &str) -> Command {
    let mut command = site.smsync();
    command.args(["check"]).arg(site.dst()).arg(remote);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A client that has opened the module, and waits.
fn held(site: &Site, inetd: &Inetd, module: &str) -> (Gate, Child) {
    let gate = Gate::to(inetd.port);
    gate.down.hold_after(GREETING);
    let child = pull(site, &gate.remote(module)).spawn().unwrap();
    gate.down.wait_held();
    (gate, child)
}

/// Who takes a session over has none of the files that all sessions write to. Only root can see that.
#[track_caller]
fn has_not_what_all_write_to(inetd: &Inetd) {
    if !is_root() {
        return;
    }
    let open = |id: u32| -> Vec<_> {
        let open = fs::read_dir(format!("/proc/{id}/fd")).unwrap();
        open.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok()).collect()
    };
    // One of them is over.
    let open: Vec<Vec<_>> = inetd.ids().into_iter().map(open).filter(|open| !open.is_empty()).collect();
    let of_all = |name: &std::path::PathBuf| {
        let name = name.to_string_lossy();
        name.ends_with("/sessions") || name.contains("connections-") || name.ends_with("lock")
    };
    assert!(open.len() >= PLACES && !open.iter().flatten().any(of_all), "{open:?}");
}

#[track_caller]
fn is_full(output: &Output) {
    assert_exit(output, 75);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("max connections ({PLACES}) reached: try again later")), "{said}");
}

#[test]
fn no_place_is_lost_when_servers_are_killed() {
    let site = site(PLACES.try_into().unwrap());
    let inetd = site.serve();
    let mut all: Vec<_> = (0..PLACES).map(|_| held(&site, &inetd, "m")).collect();
    is_full(&output_within(&mut pull(&site, &inetd.remote("m")), LIMIT));
    has_not_what_all_write_to(&inetd);
    // Another module has places of its own.
    assert_exit(&output_within(&mut pull(&site, &inetd.remote("other")), LIMIT), 0);
    for id in inetd.ids().into_iter().take(PLACES / 2) {
        kill_process(Pid::from_raw(id.cast_signed()).unwrap(), Signal::KILL).unwrap();
    }
    for (gate, child) in all.drain(..PLACES / 2) {
        // Some had been told everything before their server died.
        gate.down.release();
        ended_within(child, LIMIT);
    }
    all.extend((0..PLACES / 2).map(|_| held(&site, &inetd, "m")));
    is_full(&output_within(&mut pull(&site, &inetd.remote("m")), LIMIT));
    for (gate, child) in all {
        gate.down.release();
        assert_exit(&ended_within(child, LIMIT), 0);
    }
}

#[test]
fn modules_with_one_lock_file_share_its_places() {
    let site = site(1);
    let inetd = site.serve();
    let (gate, child) = held(&site, &inetd, "other");
    assert_exit(&output_within(&mut pull(&site, &inetd.remote("third")), LIMIT), 75);
    gate.down.release();
    assert_exit(&ended_within(child, LIMIT), 0);
    inetd.ended_within(LIMIT);
    assert_exit(&output_within(&mut pull(&site, &inetd.remote("third")), LIMIT), 0);
}

#[test]
fn a_module_that_may_have_none_is_disabled() {
    let site = site(-1);
    let inetd = site.serve();
    let output = output_within(&mut pull(&site, &inetd.remote("m")), LIMIT);
    assert_exit(&output, 77);
    assert!(String::from_utf8_lossy(&output.stderr).contains("disabled"), "{output:?}");
}

/// Whoever is told to try again later, and does, is served in the end.
#[test]
fn more_clients_than_places_are_all_served() {
    let site = site(PLACES.try_into().unwrap());
    let inetd = site.serve();
    let client = || {
        let deadline = Instant::now() + LIMIT;
        loop {
            let output = output_within(&mut pull(&site, &inetd.remote("m")), LIMIT);
            if output.status.code() != Some(75) || Instant::now() > deadline {
                return output;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients()).map(|_| scope.spawn(client)).collect();
        threads.into_iter().for_each(|thread| assert_exit(&thread.join().unwrap(), 0));
    });
}
