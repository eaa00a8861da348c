//! `--link-dest`: what another tree here has is one more name of that, as with rsync, and nothing else becomes one file.

use crate::common::mounted::{Mounted, may_mount};
use crate::common::tree::set_time;
use crate::common::walk::{differences, walk};
use crate::common::{Inetd, Site, assert_exit, end_object, fired as fired_call, is_root, tool};
use crate::keeping::{push, rsync};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Which names are one file, in two trees together.
fn sharing(a: &Path, b: &Path) -> Vec<String> {
    let inode = |path: &Path| fs::symlink_metadata(path).map(|stat| (stat.dev(), stat.ino())).ok();
    let mut shared: Vec<String> = walk(a)
        .iter()
        .filter(|(path, node)| node.is_file() && inode(&a.join(path)) == inode(&b.join(path)))
        .map(|(path, _)| format!("{path:?}"))
        .collect();
    shared.sort();
    shared
}

/// A source, and days of it, pushed or pulled.
struct Days {
    inetd: Inetd,
    pull: bool,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Days {
    fn new(pull: bool) -> Days {
        let site = Site::in_memory();
        let inetd = site.serve();
        Days { inetd, pull, site }
    }

    fn source(&self) -> PathBuf {
        if self.pull { self.site.dst() } else { self.site.src() }
    }

    fn here(&self) -> PathBuf {
        if self.pull { self.site.path("snapshots") } else { self.site.dst() }
    }

    /// Makes one, and gives back the sums.
    #[track_caller]
    fn run(&self, day: &str, options: &[&str]) -> serde_json::Map<String, serde_json::Value> {
        let mut command = self.site.smsync();
        command.args(["--json", if self.pull { "pull" } else { "push" }]).args(options);
        match self.pull {
            true => command.arg(self.inetd.remote("m")).arg(self.here().join(day)),
            false => command.arg(self.source()).arg(self.inetd.remote(&format!("m/{day}"))),
        };
        let output = command.output().unwrap();
        self.inetd.ended();
        assert_exit(&output, 0);
        end_object(&output)
    }
}

#[test]
fn snapshots_share_what_rsyncs_share() {
    for pull in [false, true] {
        let days = Days::new(pull);
        let (site, source, here) = (&days.site, days.source(), days.here());
        let oracle = site.path("oracle");
        for dir in [&oracle, &site.path("snapshots")] {
            fs::create_dir(dir).unwrap();
        }
        fs::create_dir(source.join("d")).unwrap();
        for name in ["same", "changed", "mode", "touched", "d/same"] {
            fs::write(source.join(name), vec![b'x'; 5000]).unwrap();
        }
        fs::write(source.join("pair"), "two names").unwrap();
        fs::hard_link(source.join("pair"), source.join("d/pair")).unwrap();
        let run = |day: &str, options: &[&str]| days.run(day, options);
        // The first day there is no day before.
        let first = run("1", &["--link-dest", "../0"]);
        assert_eq!(first["linked"], 1, "{first:?}");
        rsync(&[], &source, &oracle.join("1"));
        fs::write(source.join("changed"), vec![b'y'; 6000]).unwrap();
        fs::set_permissions(source.join("mode"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(source.join("touched"), vec![b'x'; 5000]).unwrap();
        let said = run("2", &["-n", "--link-dest", "../1"]);
        let second = run("2", &["--link-dest", "../1"]);
        rsync(&["--link-dest", "../1"], &source, &oracle.join("2"));
        for at in ["1", "2"] {
            assert_eq!(differences(&walk(&oracle.join(at)), &walk(&here.join(at))), "", "{at}");
        }
        let shared = sharing(&here.join("1"), &here.join("2"));
        println!("{second:?}");
        assert_eq!(shared, sharing(&oracle.join("1"), &oracle.join("2")));
        assert_eq!(shared.len(), 4, "{shared:?}");
        assert_eq!((&second["files"], &second["bytes"]), (&2.into(), &11_000.into()), "{second:?}");
        assert_eq!((&second["copied"], &second["linked"]), (&1.into(), &4.into()), "{second:?}");
        for sum in ["files", "bytes", "copied", "linked", "made"] {
            assert_eq!(said[sum], second[sum], "{sum}");
        }
        // A day without changes costs no contents, and the day before is as it was.
        let third = run("3", &["--link-dest", "../2", "--link-dest", "../1"]);
        assert_eq!((&third["files"], &third["bytes"]), (&0.into(), &0.into()), "{third:?}");
        assert_eq!(differences(&walk(&source), &walk(&here.join("3"))), "");
        // With -c the time does not matter for the contents.
        let touched = run("4", &["-c", "--link-dest", "../1"]);
        assert_eq!(touched["files"], 1, "only what changed: {touched:?}");
        assert_eq!(differences(&walk(&source), &walk(&here.join("4"))), "");
        // To change one day is not to change the others.
        fs::set_permissions(source.join("same"), fs::Permissions::from_mode(0o640)).unwrap();
        let before = walk(&here.join("2"));
        run("3", &[]);
        assert_eq!(differences(&walk(&source), &walk(&here.join("3"))), "");
        assert_eq!(differences(&before, &walk(&here.join("2"))), "");
    }
}

#[test]
fn links_come_from_nowhere_outside_of_the_module() {
    let site = Site::in_memory();
    let inetd = site.serve();
    fs::write(site.src().join("f"), "f").unwrap();
    for (dir, dest, code) in [
        ("../..", "m/day", 64),
        ("..", "m", 64),
        ("/..", "m", 64),
        ("/.smsync-versions", "m", 77),
        ("/none", "m", 0),
    ] {
        assert_exit(&push(&site, &inetd, &["--link-dest", dir], dest), code);
    }
    std::os::unix::fs::symlink(site.src(), site.dst().join("out")).unwrap();
    fs::remove_file(site.dst().join("f")).unwrap();
    let output = push(&site, &inetd, &["--link-dest", "/out"], "m");
    assert!(fs::metadata(site.dst().join("f")).is_err() || end_object(&output)["linked"] == 0, "{output:?}");
    let many = ["--link-dest", "x"].repeat(21);
    assert_exit(&push(&site, &inetd, &many, "m"), 64);
}

/// What is one file in the other tree is the file of one group of the source, and not of two.
#[test]
fn what_is_apart_stays_apart_whatever_is_one_file_elsewhere() {
    for pull in [false, true] {
        let days = Days::new(pull);
        let (source, here) = (days.source(), days.here());
        for dir in ["0", "2"] {
            fs::create_dir_all(here.join(dir)).unwrap();
        }
        // Two files, and three pairs of names.
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        for (name, of) in [("a", None), ("b", None), ("c", None), ("d", Some("c")), ("e", None)]
            .into_iter()
            .chain([("f", Some("e")), ("g", None), ("h", Some("g"))])
        {
            match of {
                Some(of) => fs::hard_link(source.join(of), source.join(name)).unwrap(),
                None => fs::write(source.join(name), "equal").unwrap(),
            }
            set_time(&source.join(name), 1_000_000_000, 5);
        }
        // In the other tree the two are one, and the pairs are one.
        for (first, others) in [("a", vec!["b"]), ("c", vec!["d", "e", "f", "g", "h"])] {
            fs::write(here.join("0").join(first), "equal").unwrap();
            set_time(&here.join("0").join(first), 1_000_000_000, 5);
            for other in others {
                fs::hard_link(here.join("0").join(first), here.join("0").join(other)).unwrap();
            }
        }
        // One of them is here already.
        fs::hard_link(here.join("0/b"), here.join("2/b")).unwrap();
        let inode = |at: &str| fs::metadata(here.join(at)).unwrap().ino();
        for (day, copied, linked) in [("1", 3, 5), ("2", 3, 4)] {
            let run = |options: &[&str]| days.run(day, &[&["--link-dest", "../0"], options].concat());
            let said = run(&["-n"]);
            let done = run(&[]);
            for sum in ["files", "copied", "linked", "made", "changed"] {
                assert_eq!(said[sum], done[sum], "{day}: {sum}");
            }
            let sums = (&done["files"], &done["copied"], &done["linked"]);
            assert_eq!(sums, (&0.into(), &copied.into(), &linked.into()), "{day}: {done:?}");
            assert_eq!(differences(&walk(&source), &walk(&here.join(day))), "", "{day}");
            let shared = sharing(&here.join("0"), &here.join(day));
            assert_eq!(shared.len(), 3, "{day}: one of two, and one pair of three: {shared:?}");
            let before = names.map(|name| inode(&format!("{day}/{name}")));
            let again = run(&[]);
            for sum in ["files", "copied", "linked", "made", "changed"] {
                assert_eq!(again[sum], 0, "{day}: {sum}");
            }
            assert_eq!(names.map(|name| inode(&format!("{day}/{name}"))), before);
        }
    }
}

/// A name that stays in a file keeps others out of it, and one that leaves it does not.
#[test]
fn what_stays_here_decides_who_may_join_it() {
    let site = Site::in_memory();
    let inetd = site.serve();
    let (src, dst) = (site.src(), site.dst());
    for dir in ["0", "2"] {
        fs::create_dir(dst.join(dir)).unwrap();
    }
    for file in [src.join("a"), src.join("c"), dst.join("0/a")] {
        fs::write(&file, "").unwrap();
        set_time(&file, 1_000_000_000, 5);
    }
    fs::hard_link(src.join("a"), src.join("b")).unwrap();
    for name in ["0/b", "0/c", "2/b", "2/c"] {
        fs::hard_link(dst.join("0/a"), dst.join(name)).unwrap();
    }
    for round in 0..2 {
        let output = push(&site, &inetd, &["--link-dest", "../0"], "m/2");
        assert_exit(&output, 0);
        assert_eq!(differences(&walk(&src), &walk(&dst.join("2"))), "", "{round}");
        let sums = end_object(&output);
        let changes = ["copied", "linked"].map(|sum| sums[sum].as_u64().unwrap());
        assert_eq!(changes, if round == 0 { [1, 1] } else { [0, 0] }, "{sums:?}");
    }
}

/// The other tree goes before what has the contents under another name here, and a file comes from one of them.
#[test]
fn what_is_elsewhere_twice_comes_once() {
    for left in [false, true] {
        let site = Site::in_memory();
        let inetd = site.serve();
        for file in [site.src().join("d/y"), site.dst().join("1/d/y"), site.dst().join("2/x")] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "the same").unwrap();
            set_time(&file, 1_000_000_000, 5);
        }
        if left {
            fs::create_dir_all(site.dst().join(".smsync/junk")).unwrap();
            for dir in [".smsync", ".smsync/junk"] {
                fs::set_permissions(site.dst().join(dir), fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
        for options in [&["-n", "--link-dest", "../1"][..], &["--link-dest", "../1"]] {
            let sums = end_object(&push(&site, &inetd, options, "m/2"));
            let of = ["linked", "copied", "files"].map(|sum| sums[sum].as_u64().unwrap());
            assert_eq!(of, [1, 0, 0], "{left} {options:?}: {sums:?}");
        }
        assert_eq!(sharing(&site.dst().join("1"), &site.dst().join("2")).len(), 1, "{left}");
    }
}

/// Wherever a snapshot was interrupted, the next run makes links of what it left, and sends nothing.
#[test]
fn an_interrupted_snapshot_goes_on() {
    let site = Site::in_memory();
    for dir in [site.src(), site.dst().join("0")] {
        fs::create_dir_all(dir.join("d/e")).unwrap();
        for name in ["a", "d/b", "d/c", "d/e/f"] {
            fs::write(dir.join(name), name).unwrap();
            set_time(&dir.join(name), 1_000_000_000, 5);
        }
    }
    let sound = site.serve();
    let mut points = 0;
    for point in 1.. {
        let fired = site.path("fired");
        let _ = fs::remove_file(&fired);
        let _ = fs::remove_dir_all(site.dst().join("1"));
        let (fault, file) = (format!("abort:{point}"), fired.to_str().unwrap());
        let faulty = site.serve_with(&[("SMSYNC_FAULT", &fault), ("SMSYNC_FAULT_FIRED", file)]);
        let run = |inetd| push(&site, inetd, &["--link-dest", "../0"], "m/1");
        let broken = run(&faulty);
        if fired_call(&fired).is_none() {
            assert_exit(&broken, 0);
            break;
        }
        points += 1;
        let output = run(&sound);
        assert_exit(&output, 0);
        assert_eq!(end_object(&output)["files"], 0, "{point}: {output:?}");
        assert_eq!(differences(&walk(&site.src()), &walk(&site.dst().join("1"))), "", "{point}");
        assert_eq!(sharing(&site.dst().join("0"), &site.dst().join("1")).len(), 4, "{point}");
        assert!(!site.dst().join(".smsync").exists(), "{point}");
    }
    assert!(points > 10, "{points}");
}

/// A link to another file system is none, and a copy is made.
#[test]
fn links_to_another_file_system_are_copies() {
    if !may_mount("links_to_another_file_system_are_copies") {
        return;
    }
    let site = Site::in_memory();
    let inetd = site.serve();
    fs::write(site.dst().join("f"), "not sent").unwrap();
    fs::create_dir(site.path("elsewhere")).unwrap();
    let _disk = Mounted::tmpfs(&site.path("elsewhere"), "size=1m");
    tool(
        "cp",
        "coreutils",
        &["-a"]
            .map(OsStr::new)
            .into_iter()
            .chain([site.dst().join("f").as_os_str(), site.path("elsewhere").as_os_str()])
            .collect::<Vec<_>>(),
    );
    let mut command = site.smsync();
    command.args(["--json", "pull", "--link-dest"]).arg(site.path("elsewhere"));
    let output = command.arg(inetd.remote("m")).arg(site.path("fetched")).output().unwrap();
    assert_exit(&output, 0);
    let sums = end_object(&output);
    assert_eq!((&sums["copied"], &sums["files"]), (&1.into(), &0.into()), "{sums:?}");
    assert_eq!(differences(&walk(&site.dst()), &walk(&site.path("fetched"))), "");
    assert!(is_root());
}
