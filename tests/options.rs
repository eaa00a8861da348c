//! Sources and destinations of every shape, dry runs, checks, and what is said about them.

use crate::common::facts::{assert_same, facts, traces};
use crate::common::tree::{chmod, set_time};
use crate::common::{Inetd, Site, assert_exit, end_object};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Output;

/// A source with two directories and two files, and a server.
fn new_site() -> (Site, Inetd) {
    let site = Site::new();
    for file in ["a/f", "a/deep/g", "b/f", "one", "two"] {
        let path = site.src().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("contents of {file}")).unwrap();
    }
    chmod(&site.src().join("one"), 0o640);
    set_time(&site.src().join("a"), 5, 6);
    let inetd = site.serve();
    (site, inetd)
}

/// Runs smsync in the source, so that its arguments can be short.
fn run(site: &Site, arguments: &[&str]) -> Output {
    site.smsync().current_dir(site.src()).args(arguments).output().unwrap()
}

/// The paths of a tree below its root, one after the other.
fn paths(root: &Path) -> String {
    let paths: Vec<_> = facts(root).into_keys().map(|path| path.display().to_string()).collect();
    paths[1..].join(" ")
}

#[test]
fn files_and_several_sources() {
    let (site, inetd) = new_site();
    let remote = inetd.remote("m");
    let dst = site.dst();
    fs::write(dst.join("neighbour"), "").unwrap();
    // A file goes under its last name, and what is not named is not removed.
    assert_exit(&run(&site, &["push", "--delete", "one", &remote]), 0);
    assert_eq!(paths(&dst), "neighbour one");
    assert_eq!(facts(&dst)[Path::new("one")], facts(&site.src())[Path::new("one")]);
    assert_exit(&run(&site, &["push", "--delete", "a", "b/f", "two", &remote]), 0);
    assert_eq!(paths(&dst), "a a/deep a/deep/g a/f f neighbour one two");
    assert_same(&site.src().join("a"), &dst.join("a"), "a directory among several sources");
    // Below what is named, --delete removes.
    fs::write(dst.join("a/deep/extra"), "").unwrap();
    assert_exit(&run(&site, &["check", "a", "two", &remote]), 2);
    assert_exit(&run(&site, &["push", "--delete", "a", "two", &remote]), 0);
    assert_exit(&run(&site, &["check", "a", "two", &remote]), 0);
    assert_eq!(paths(&dst), "a a/deep a/deep/g a/f f neighbour one two");
    // Several things cannot have one name.
    let same = run(&site, &["push", "a/f", "b/f", &remote]);
    assert_exit(&same, 64);
    assert!(String::from_utf8_lossy(&same.stderr).contains("same last name"));
    // A symbolic link that is named is sent as such; one directory through it is meant itself.
    std::os::unix::fs::symlink("a", site.src().join("link")).unwrap();
    assert_exit(&run(&site, &["push", "link", "two", &remote]), 0);
    assert_eq!(fs::read_link(dst.join("link")).unwrap(), Path::new("a"));
    let missing = run(&site, &["push", "nothing", &remote]);
    assert_exit(&missing, 74);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nothing: No such file"));
}

#[test]
fn pulls_of_files_and_of_several() {
    let (site, inetd) = new_site();
    assert_exit(&run(&site, &["push", ".", &inetd.remote("m")]), 0);
    let back = site.path("back");
    let here = back.to_str().unwrap();
    let of = |path: &str| inetd.remote(&format!("m/{path}"));
    fs::create_dir(&back).unwrap();
    fs::write(back.join("neighbour"), "").unwrap();
    assert_exit(&run(&site, &["pull", "--delete", &of("one"), here]), 0);
    assert_eq!(paths(&back), "neighbour one");
    assert_eq!(facts(&back)[Path::new("one")], facts(&site.src())[Path::new("one")]);
    assert_exit(&run(&site, &["pull", "--delete", &of("a"), &of("b/f"), &of("two"), here]), 0);
    assert_eq!(paths(&back), "a a/deep a/deep/g a/f f neighbour one two");
    assert_same(&site.src().join("a"), &back.join("a"), "a directory among several sources");
    // One directory: contents to contents, and a last component that is missing is made.
    let fresh = site.path("fresh");
    assert_exit(&run(&site, &["pull", &of("a"), fresh.to_str().unwrap()]), 0);
    assert_same(&site.src().join("a"), &fresh, "one directory");
    let farther = site.path("no/such");
    assert_exit(&run(&site, &["pull", &of("a"), farther.to_str().unwrap()]), 74);
    assert!(!site.path("no").exists());
    assert_exit(&run(&site, &["pull", &of("nothing"), here]), 74);
    assert_eq!(paths(&back), "a a/deep a/deep/g a/f f neighbour one two");
}

#[test]
fn destinations_within_a_module() {
    let (site, inetd) = new_site();
    let of = |path: &str| inetd.remote(&format!("m/{path}"));
    let dst = site.dst();
    set_time(&dst, 1_000_000_000, 7);
    let time = |path: &Path| (fs::metadata(path).unwrap().mtime(), fs::metadata(path).unwrap().mtime_nsec());
    // Its last component is made.
    assert_exit(&run(&site, &["push", "a", &of("new")]), 0);
    assert_same(&site.src().join("a"), &dst.join("new"), "a directory that was made");
    // In one that is there, the module's own root stays as it was, stage and all.
    set_time(&dst, 1_000_000_000, 7);
    assert_exit(&run(&site, &["push", "--delete", ".", &of("new")]), 0);
    assert_same(&site.src(), &dst.join("new"), "a directory that was there");
    assert_eq!(time(&dst), (1_000_000_000, 7));
    assert_eq!(fs::read_dir(&dst).unwrap().count(), 1);
    assert_exit(&run(&site, &["push", "two", &of("new/a/deep")]), 0);
    assert_eq!(fs::read(dst.join("new/a/deep/two")).unwrap(), b"contents of two");
    assert_eq!(time(&dst), (1_000_000_000, 7));
    // Two components are not made, a file is no directory, and the stage is nobody's.
    let before = traces(&dst);
    for (path, code, words) in [
        ("no/such", 74, "No such file or directory"),
        ("new/one", 74, "Not a directory"),
        ("new/one/below", 74, "Not a directory"),
        (".smsync", 77, "reserved"),
    ] {
        let refused = run(&site, &["push", "a", &of(path)]);
        assert_exit(&refused, code);
        assert!(String::from_utf8_lossy(&refused.stderr).contains(words), "{path}: {refused:?}");
    }
    assert_eq!(traces(&dst), before);
}

#[test]
fn a_dry_run_into_what_is_not_there_yet() {
    let (site, inetd) = new_site();
    assert_exit(&run(&site, &["push", "b", &inetd.remote("m")]), 0);
    let new = inetd.remote("m/new");
    let back = site.path("back");
    for (command, from, to, made) in [
        ("push", ".", &*new, site.dst().join("new")),
        ("pull", &inetd.remote("m"), back.to_str().unwrap(), back.clone()),
    ] {
        let before = traces(&site.dst());
        let dry = run(&site, &["--json", command, "-n", from, to]);
        assert_exit(&dry, 0);
        assert_eq!(traces(&site.dst()), before);
        assert!(!made.exists());
        let done = run(&site, &["--json", command, from, to]);
        assert_exit(&done, 0);
        let (mut said, mut done) = (end_object(&dry), end_object(&done));
        assert_eq!((said.remove("dry_run"), done.remove("dry_run")), (Some(true.into()), Some(false.into())));
        assert_eq!(said, done);
    }
    assert_same(&site.src(), &site.dst().join("new"), "after the push");
}

#[test]
fn what_is_said() {
    let (site, inetd) = new_site();
    let remote = inetd.remote("m");
    let said = |arguments: &[&str], code: i32| {
        let output = run(&site, arguments);
        assert_exit(&output, code);
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let nothing = (String::new(), String::new());
    // A dry run says what it would do, unless nothing is to be said; a check likewise.
    let (changes, _) = said(&["push", "-n", ".", &remote], 0);
    let mut lines: Vec<_> = changes.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines.iter().map(|line| line.split(" (").next().unwrap()).collect::<Vec<_>>(),
        [
            "made: a",
            "made: a/deep",
            "made: b",
            "metadata: .",
            "sent: a/deep/g",
            "sent: a/f",
            "sent: b/f",
            "sent: one",
            "sent: two"
        ]
    );
    assert!(lines.contains(&"sent: one (missing)"), "{changes}");
    assert_eq!(said(&["-q", "push", "-n", ".", &remote], 0), nothing);
    let (differences, _) = said(&["check", ".", &remote], 2);
    let names = ["a", "a/deep", "a/deep/g", "a/f", "b", "b/f", "one", "two"];
    let missing = names.map(|name| format!("missing: ./{name}\n")).concat();
    assert!(differences.ends_with(&missing) && differences.starts_with(".:      "), "{differences}");
    assert_eq!(said(&["-q", "check", ".", &remote], 2), nothing);
    assert_eq!(said(&["-q", "push", ".", &remote], 0), nothing);
    // Not a terminal: cron hears nothing while all is well.
    assert_eq!(said(&["push", ".", &remote], 0), nothing);
    assert_eq!(said(&["check", ".", &remote], 0), nothing);
    fs::write(site.src().join("two"), "2").unwrap();
    fs::write(site.dst().join("x\n\u{1b}[31m"), "").unwrap();
    let (out, err) = said(&["-v", "push", "--delete", ".", &remote], 0);
    assert_eq!(err, "");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines.contains(&"sent: two (size, modification time)"), "{out}");
    assert!(lines.iter().any(|line| line.starts_with("removed: x\\")), "{out}");
    assert!(lines.last().unwrap().starts_with("push: 9 entries, 1 file sent, 1 B, "), "{out}");
    assert!(lines.last().unwrap().contains("1 removed"), "{out}");
    // Problems are said in any case, on standard error, with where and what.
    fs::remove_file(site.dst().join("one")).unwrap();
    fs::create_dir_all(site.dst().join("one/full")).unwrap();
    let (out, err) = said(&["-q", "push", ".", &remote], 1);
    assert_eq!((out.as_str(), err.lines().count()), ("", 1), "{err}");
    assert!(
        err.starts_with("smsync: 127.0.0.1: one: cannot put in place: a directory that is not empty"),
        "{err}"
    );
    let (out, err) = said(&["--json", "push", ".", &remote], 1);
    assert_eq!(err, "");
    for line in out.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(object["event"].is_string(), "{line}");
    }
    // A failure ends with an object too.
    let failed = run(&site, &["--json", "push", ".", &inetd.remote("nothing")]);
    assert_exit(&failed, 77);
    assert_eq!(end_object(&failed)["exit"], 77);
}

#[test]
fn what_the_source_lost_is_no_problem_of_the_rest() {
    let (site, inetd) = new_site();
    let spec = run(&site, &["spec", "."]).stdout;
    let file = site.write_private("spec", "");
    fs::write(&file, spec).unwrap();
    fs::remove_file(site.src().join("one")).unwrap();
    let output = run(&site, &["--json", "push", "--spec", file.to_str().unwrap(), ".", &inetd.remote("m")]);
    assert_exit(&output, 3);
    let end = end_object(&output);
    assert_eq!((&end["vanished"], &end["problems"], &end["files"]), (&1.into(), &0.into(), &4.into()));
    assert_eq!(paths(&site.dst()), "a a/deep a/deep/g a/f b b/f two");
}

#[test]
fn a_list_of_modules() {
    let (site, inetd) = new_site();
    let dst = site.dst();
    let module = |name: &str, read_only: &str| {
        format!("[{name}]\npath = {}\nread only = {read_only}\nwrite only = yes\n", dst.display())
    };
    let off = module("off", "no").replace("write only = yes", "max connections = -1");
    let more = [site.server_conf(""), module("wo", "no"), module("no", "yes"), off].concat();
    site.write_private("smsyncd.conf", &more);
    let host = format!("127.0.0.1:{}", inetd.port);
    let output = run(&site, &["list", &host]);
    assert_exit(&output, 0);
    let listed = "m                rw  a test\nro               ro\nwo               wo\nno               --\noff              --\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), listed);
    let output = run(&site, &["--json", "list", &format!("smsync://{host}/")]);
    assert_exit(&output, 0);
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let line = |name: &str, comment: &str, read_only: bool, write_only: bool| {
        serde_json::json!({
            "event": "module", "name": name, "comment": comment, "read_only": read_only, "write_only": write_only
        })
    };
    assert_eq!(lines[0], line("m", "a test", false, false));
    assert_eq!(lines[1], line("ro", "", true, false));
    assert_eq!(lines[2], line("wo", "", false, true));
    assert_eq!(lines[3], line("no", "", true, true));
    assert_eq!(lines[4], line("off", "", true, true));
    // What is not listed can be had by its name.
    assert_exit(&run(&site, &["pull", &inetd.remote("hidden"), site.path("back").to_str().unwrap()]), 0);
}

#[test]
fn arguments_that_make_no_sense() {
    let (site, inetd) = new_site();
    let remote = inetd.remote("m");
    for arguments in [
        &["push", ".", "here"][..],
        &["push", &remote, &remote],
        &["push", &remote, "here"],
        &["pull", ".", &remote],
        &["pull", "--spec", "-", &remote, "here"],
        &["push", "-k", "bogus", ".", &remote],
        &["push", "--exclude", "/", ".", &remote],
        &["push", "-4", "-6", ".", &remote],
        &["push", "--contimeout", "0", ".", &remote],
        &["push", ".", "127.0.0.1:99999::m"],
        &["push", ".", "127.0.0.1::m/../x"],
        &["-q", "-v", "push", ".", &remote],
        &["push", "."],
        &["bogus"],
        &[],
    ] {
        let output = run(&site, arguments);
        assert_exit(&output, 64);
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
    assert!(inetd.ended().is_empty(), "somebody connected");
}

#[test]
fn what_is_wrong_with_an_option_is_said_with_what_is_right() {
    let site = Site::new();
    for (options, words) in [
        (&["--modify-window", "x"][..], "a whole number of seconds is wanted"),
        (&["--timeout", "1s"], "a whole number of seconds is wanted"),
        (&["--contimeout", "0"], "a whole number of seconds, at least 1, is wanted"),
        (&["-avz"], "smsync does without being told what -aHAX asks rsync for"),
        (&[".", "-z"], "options stand before the first or behind the last SRC or DEST"),
        (&["-vHz"], "smsync does without being told what -aHAX asks rsync for"),
    ] {
        let output = site.run(&[&["push"], options, &[".", "127.0.0.1::m"]].concat());
        assert_exit(&output, 64);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words) && !said.contains("as a value"), "{said}");
    }
}

#[test]
fn output_that_is_lost_is_an_error() {
    let site = Site::new();
    let full = || std::process::Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for argument in ["keygen", "--version", "--help", "help"] {
        let lost = std::process::Command::new(crate::common::SMSYNC).arg(argument).stdout(full()).output();
        let lost = lost.unwrap();
        assert_exit(&lost, 74);
        let why = "smsync: cannot write to standard output: No space left on device\n";
        assert_eq!(String::from_utf8_lossy(&lost.stderr), why, "{argument}");
    }
    let theirs = site.write_private("rsyncd.conf", "[m]\npath = /m\n");
    for arguments in [
        &["--check"][..],
        &["--status"],
        &["--status", "--json"],
        &["--import", theirs.to_str().unwrap()],
        &["--version"],
        &["--help"],
    ] {
        let lost = site.smsyncd().args(arguments).stdout(full()).output().unwrap();
        assert_exit(&lost, 74);
        let said = String::from_utf8_lossy(&lost.stderr);
        assert!(said.ends_with("cannot write all of it: No space left on device\n"), "{arguments:?}: {said}");
    }
    let inetd = site.serve();
    let src = site.src();
    let push = site
        .smsync()
        .args(["--json", "push", src.to_str().unwrap(), &inetd.remote("m")])
        .stdout(full())
        .output();
    assert_exit(&push.unwrap(), 74);
}

/// A run goes on without its words, and says by its exit code that they are lost unless that says worse.
#[test]
fn errors_that_are_lost_stop_nothing() {
    let site = Site::new();
    let inetd = site.serve();
    let (src, m, none) = (site.src(), inetd.remote("m"), inetd.remote("none"));
    let (src, log) = (src.to_str().unwrap(), site.path("client.log"));
    fs::write(site.src().join("f"), "1").unwrap();
    fs::create_dir_all(site.dst().join("full/x")).unwrap();
    let full = || std::process::Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let gone = || std::process::Stdio::from(std::io::pipe().unwrap().1);
    let delete = ["push", "--delete", "--max-delete", "0", src, &m];
    for (arguments, lost, unread) in [
        (&["-vv", "push", src, &m][..], 74, 0),
        (&["push", "--progress", "--log-file", log.to_str().unwrap(), src, &m], 74, 0),
        (&["push", src, &m], 0, 0),
        (&["push", src, &none], 77, 77),
        (&delete, 4, 4),
        (&["--bogus"], 64, 64),
        (&["spec", "/none"], 74, 74),
    ] {
        let _ = fs::remove_file(site.dst().join("f"));
        assert_exit(&site.smsync().args(arguments).stderr(full()).output().unwrap(), lost);
        assert_eq!(site.dst().join("f").exists(), arguments.last() == Some(&m.as_str()) && lost != 4);
        assert_exit(&site.smsync().args(arguments).stderr(gone()).output().unwrap(), unread);
    }
    let logged = fs::read_to_string(&log).unwrap();
    assert_eq!(logged.matches("cannot write to standard error: No space left on device").count(), 1);
    // A problem is one all the same.
    fs::write(site.src().join("full"), "1").unwrap();
    assert_exit(&site.smsync().args(["push", src, &m]).stderr(full()).output().unwrap(), 1);
}
