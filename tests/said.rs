//! What is said of a transfer besides its changes: sums, progress, a log file, problems and whose they are.

use crate::common::tree::{For, build, chmod};
use crate::common::{Inetd, Site, assert_exit, is_root, tool};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Output;

fn new_site() -> (Site, Inetd) {
    let site = Site::new();
    site.write_private("smsyncd.conf", &site.server_conf("durable = none"));
    let inetd = site.serve();
    (site, inetd)
}

#[track_caller]
fn said(output: &Output, code: i32) -> (String, String) {
    assert_exit(output, code);
    (String::from_utf8(output.stdout.clone()).unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// What rsync would say of the sums, but for the lines of its own ways.
fn rsync_sums(src: &Path, dst: &Path) -> Vec<String> {
    let (from, to) = (format!("{}/", src.display()), format!("{}/", dst.display()));
    let options = ["-aHAXn", "--delete", "--stats", "-@-1", &from, &to].map(OsStr::new);
    let output = tool("rsync", "rsync", &options);
    assert!(output.status.success());
    sums(&String::from_utf8(output.stdout).unwrap())
}

fn sums(text: &str) -> Vec<String> {
    let ours = ["Number of ", "Total file size", "Total transferred"];
    let lines = text.lines().filter(|line| ours.iter().any(|start| line.starts_with(start)));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_sums_are_those_of_rsync() {
    let (site, inetd) = new_site();
    build(&site.src(), For::Us);
    let (src, remote) = (site.src(), inetd.remote("m"));
    let src = src.to_str().unwrap();
    for name in ["extra", "extra/d"] {
        fs::create_dir(site.dst().join(name)).unwrap();
    }
    fs::write(site.dst().join("extra/f"), "extra").unwrap();
    symlink("f", site.dst().join("extra/l")).unwrap();
    let expected = rsync_sums(&site.src(), &site.dst());
    assert_eq!(expected.len(), 6, "{expected:?}");
    let (dry, _) =
        said(&site.run(&["push", "-n", "-q", "--stats", "--delete", "--force-delete", src, &remote]), 0);
    assert_eq!(dry, "", "-q");
    let (run, _) = said(&site.run(&["push", "--stats", "--delete", "--force-delete", src, &remote]), 0);
    assert_eq!(sums(&run), expected);
    assert!(run.contains("\nsent ") && run.lines().last().unwrap().contains("speedup is "), "{run}");
    // The other way round nothing is to be done; the source is the same.
    let (pull, _) = said(&site.run(&["--json", "pull", &remote, src]), 0);
    let end: serde_json::Value = serde_json::from_str(pull.lines().last().unwrap()).unwrap();
    assert_eq!(end["source"], serde_json::from_str::<serde_json::Value>(&json_of(&expected[0])).unwrap());
    assert!(end["wire_received"].as_u64().unwrap() > end["wire_sent"].as_u64().unwrap(), "{end}");
    assert!(end["total_bytes"].as_u64().unwrap() > 300 << 20, "{end}");
    assert_eq!((&end["created"]["files"], &end["deleted"]["dirs"]), (&0.into(), &0.into()));
}

/// `Number of files: 5 (reg: 3, dir: 2)` as our object of it.
fn json_of(line: &str) -> String {
    let of = |name: &str| -> u64 {
        let Some((_, rest)) = line.split_once(&format!("{name}: ")) else { return 0 };
        let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        digits.replace(',', "").parse().unwrap()
    };
    let names =
        [("reg", "files"), ("dir", "dirs"), ("link", "links"), ("dev", "devices"), ("special", "specials")];
    let fields = names.map(|(theirs, ours)| format!("\"{ours}\":{}", of(theirs)));
    format!("{{{}}}", fields.join(","))
}

#[test]
fn progress_without_a_terminal() {
    let (site, inetd) = new_site();
    fs::write(site.src().join("f"), "x".repeat(1000)).unwrap();
    let (src, remote) = (site.src(), inetd.remote("m"));
    let src = src.to_str().unwrap();
    let nothing = (String::new(), String::new());
    assert_eq!(said(&site.run(&["push", "-n", "-q", src, &remote]), 0), nothing);
    let (out, err) = said(&site.run(&["push", "--progress", src, &remote]), 0);
    assert_eq!((&*out, &*err), ("", "smsync: 1/1 files, 1000 B/1000 B\n"));
}

#[test]
fn a_log_file_has_everything() {
    let (site, inetd) = new_site();
    let (src, remote, log) = (site.src(), inetd.remote("m"), site.path("transfer.log"));
    let (src, file) = (src.to_str().unwrap(), log.to_str().unwrap());
    fs::write(site.src().join("f"), "1").unwrap();
    fs::create_dir(site.src().join("d")).unwrap();
    let run = |exit| {
        said(&site.run(&["-q", "push", "--delete", "--force-delete", "--log-file", file, src, &remote]), exit)
    };
    assert_eq!(run(0), (String::new(), String::new()));
    assert_eq!(fs::metadata(&log).unwrap().mode() & 0o7777, 0o600);
    fs::remove_dir(site.src().join("d")).unwrap();
    run(0);
    let refused = site.run(&["-q", "push", "--log-file", file, src, &inetd.remote("nothing")]);
    said(&refused, 77);
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.split_once("] ").unwrap().1).collect();
    assert!(text.lines().all(|line| line.starts_with("20") && line.contains(" [")), "{text}");
    for line in ["<f+++++++++ f", "cd+++++++++ d/", "*deleting   d/"] {
        assert!(lines.contains(&line), "{line}: {text}");
    }
    assert_eq!(lines.iter().filter(|line| line.starts_with("push: ")).count(), 2, "{text}");
    assert!(lines.last().unwrap().contains("nothing"), "{text}");
    // Somebody could have put a link there.
    let link = site.path("link");
    symlink(&log, &link).unwrap();
    let (_, err) = said(&site.run(&["push", "--log-file", link.to_str().unwrap(), src, &remote]), 74);
    assert!(err.contains("log file"), "{err}");
    // What cannot be written is said, and is no success.
    let full = said(&site.run(&["push", "--log-file", "/dev/full", src, &remote]), 74);
    assert_eq!(full.1, "smsync: cannot write to the log file\n");
}

#[test]
fn a_problem_names_the_host_it_is_of() {
    let (site, inetd) = new_site();
    let remote = inetd.remote("m");
    let src = site.src();
    let src = src.to_str().unwrap();
    fs::write(site.src().join("x"), "1").unwrap();
    fs::create_dir_all(site.dst().join("x/full")).unwrap();
    let sides = |output: &Output| -> Vec<String> {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let objects = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let problems = objects.filter(|object| object["event"] == "problem");
        problems.map(|object| object["side"].as_str().unwrap().to_owned()).collect()
    };
    let (_, err) = said(&site.run(&["push", src, &remote]), 1);
    assert!(err.starts_with("smsync: 127.0.0.1: x: cannot put in place"), "{err}");
    assert_eq!(sides(&site.run(&["--json", "push", src, &remote])), ["remote"]);
    // The same of a pull is of this host.
    fs::remove_dir_all(site.dst().join("x")).unwrap();
    fs::write(site.dst().join("x"), "1").unwrap();
    fs::remove_file(site.src().join("x")).unwrap();
    fs::create_dir_all(site.src().join("x/full")).unwrap();
    let (_, err) = said(&site.run(&["pull", &remote, src]), 1);
    assert!(err.starts_with("smsync: x: cannot put in place"), "{err}");
    assert_eq!(sides(&site.run(&["--json", "pull", &remote, src])), ["local"]);
    // What the sender cannot read the receiver reports too: it is still the sender's.
    fs::remove_dir_all(site.src().join("x")).unwrap();
    if is_root() {
        println!("skipped: root can read everything");
        return;
    }
    chmod(&site.dst().join("x"), 0);
    let (_, err) = said(&site.run(&["pull", &remote, src]), 1);
    assert!(err.starts_with("smsync: 127.0.0.1: x: cannot read"), "{err}");
}

/// Of a directory that cannot be made, each entry says once what could not be done, and none that it cannot be removed.
#[test]
fn what_goes_without_its_directory_is_told_once() {
    let site = Site::new();
    let fault = format!("{}:mkdirat", libc::ENAMETOOLONG);
    let inetd = site.serve_with(&[("SMSYNC_FAULT", &fault)]);
    fs::create_dir(site.src().join("d")).unwrap();
    fs::write(site.src().join("d/f"), "1").unwrap();
    symlink("f", site.src().join("d/l")).unwrap();
    let (_, err) = said(&site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]), 1);
    let mut lines: Vec<&str> = err.lines().collect();
    lines.sort_unstable();
    let steps = ["d/f: cannot write", "d/l: cannot make symbolic link", "d: cannot make directory"];
    let expected = steps.map(|step| format!("smsync: 127.0.0.1: {step}: File name too long"));
    assert_eq!(lines, expected);
}

/// The names of a JSON object and of those in it.
fn names_in(value: &serde_json::Value, names: &mut BTreeSet<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        names.insert(name.clone());
        names_in(value, names);
    }
}

#[test]
fn every_name_of_an_object_is_in_the_page() {
    let (site, inetd) = new_site();
    let (src, remote) = (site.src(), inetd.remote("m"));
    let src = src.to_str().unwrap();
    fs::write(site.src().join("f"), "1").unwrap();
    fs::hard_link(site.src().join("f"), site.src().join("g")).unwrap();
    fs::create_dir_all(site.dst().join("f/full")).unwrap();
    fs::write(site.path("spec"), ". type=dir mode=0\n./none type=file\n").unwrap();
    let spec = site.path("spec");
    let mut names = BTreeSet::new();
    for arguments in [
        &["push", src, &remote][..],
        &["push", "--delete", "--force-delete", src, &remote],
        &["check", src, &remote],
        &["list", &format!("127.0.0.1:{}", inetd.port)],
        &["spec", "--check", spec.to_str().unwrap(), src],
    ] {
        let output = site.run(&[&["--json"], arguments].concat());
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            names_in(&serde_json::from_str(line).unwrap(), &mut names);
        }
    }
    for name in ["side", "done", "target", "wanted", "differences", "speedup", "comment", "specials"] {
        assert!(names.contains(name), "no object had {name}: {names:?}");
    }
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man/smsync.1")).unwrap();
    let (_, json) = page.split_once("\n.Ss JSON\n").unwrap();
    let (json, _) = json.split_once("\n.Sh ").unwrap();
    let said: BTreeSet<&str> = json
        .lines()
        .filter_map(|line| line.strip_prefix(".It Li ").or(line.strip_prefix(".Li ")))
        .flat_map(|line| line.split([' ', ',']))
        .collect();
    for name in names {
        assert!(said.contains(&name[..]), "smsync(1) does not say what {name} is");
    }
}
