//! What `--check` tries of what a configuration names, and finds no use for.

use super::place::Place;
use super::{text, text_lines};
use crate::common::is_root;
use crate::common::mounted::Mounted;
use crate::common::tree::chmod;
use std::fs;
use std::os::unix::fs::lchown;
use std::path::Path;

#[test]
fn what_a_configuration_names_is_tried() {
    let place = Place::new();
    let at = |name: &str| place.dir.path().join(name).display().to_string();
    std::fs::create_dir(at("a")).unwrap();
    let (none, a, conf) = (at("none"), at("a"), place.config().display().to_string());
    let secret = std::fs::read_to_string(place.config()).unwrap().lines().next().unwrap().to_owned();
    let conf_text = format!(
        "{secret}\nstate dir = {none}/state\nspool dir = {none}\nlog file = {none}/log\npid file = {a}\n\
         metrics file = {none}/m.prom\nmotd file = {none}\npath = {none}/tree\n[m]\nlock file = {none}/lock\n\
         pre-xfer exec = {conf} x\n[n]\n[o]\npath = {a}\nrequire marker = x/y\nlog file = {none}/log\n"
    );
    std::fs::write(place.config(), conf_text).unwrap();
    let gone = "No such file or directory";
    let expected = [
        format!("{conf}:4: log file: {none}/log: {gone}"),
        format!("{conf}:5: pid file: {a}: Is a directory"),
        format!("{conf}:3: spool dir: {none}: {gone}"),
        format!("{conf}:6: metrics file: {none}/m.prom: {gone}"),
        format!("{conf}:7: motd file: {none} cannot be opened: {gone} (os error 2)"),
        format!("{conf}:8: path: {none}/tree: {gone}"),
        format!("{conf}:10: lock file: {none}/lock: {gone}"),
        format!("{conf}:11: pre-xfer exec: {conf}: Permission denied"),
        format!("{conf}:15: require marker: x/y: {gone}"),
        format!("{conf}:16: log file: {none}/log: {gone}"),
    ];
    let check = place.smsyncd(&["--check"]).output().unwrap();
    assert_eq!(text_lines(&check.stderr), expected);
    assert_eq!(check.status.code(), Some(1));
    assert!(text(&check.stdout).contains(&format!("\nspool dir = {none}\n")), "{check:?}");
    // It made nothing, and finds what is there by now.
    assert!(!Path::new(&none).exists() && std::fs::read_dir(&a).unwrap().next().is_none());
    for dir in [&none, &format!("{none}/tree"), &format!("{a}/x"), &format!("{a}/x/y")] {
        std::fs::create_dir(dir).unwrap();
    }
    let good = std::fs::read_to_string(place.config()).unwrap();
    let good = good.replace(&format!("motd file = {none}"), "").replace(&format!("{conf} x"), "/bin/true");
    std::fs::write(place.config(), good.replace(&format!("pid file = {a}"), "")).unwrap();
    let check = place.smsyncd(&["--check"]).output().unwrap();
    assert_eq!((check.status.code(), text(&check.stderr)), (Some(0), ""));
}

/// The exit code of a check, and what it finds.
fn checked(place: &Place) -> (Option<i32>, Vec<String>) {
    let check = place.smsyncd(&["--check"]).output().unwrap();
    (check.status.code(), text_lines(&check.stderr).iter().map(ToString::to_string).collect())
}

#[test]
fn a_state_directory_that_cannot_be_written_to() {
    let place = Place::new();
    let conf = place.config().display().to_string();
    for name in ["state", "state.kept"] {
        let dir = place.dir.path().join(name);
        fs::create_dir(&dir).unwrap();
        chmod(&dir, 0o700);
        assert_eq!(checked(&place), (Some(0), vec![]));
        let (disk, why) = if is_root() {
            (Some(Mounted::tmpfs(&dir, "ro,mode=700")), "Read-only file system")
        } else {
            chmod(&dir, 0o500);
            (None, "Permission denied")
        };
        let expected = format!("{conf}:2: state dir: {}: {why}", dir.display());
        assert_eq!(checked(&place), (Some(1), vec![expected]));
        drop(disk);
        chmod(&dir, 0o700);
    }
}

#[test]
fn a_directory_of_a_module_that_is_not_its_users() {
    let place = Place::new();
    let (at, conf) = (|name: &str| place.dir.path().join(name), place.config().display().to_string());
    let mut text = fs::read_to_string(place.config()).unwrap();
    fs::create_dir(at("tree")).unwrap();
    text.push_str(&format!("path = {}\n[m]\n", at("tree").display()));
    let root = is_root();
    if root {
        text.push_str("[n]\nuid = 65534\ngid = 65534\n");
    }
    fs::write(place.config(), text).unwrap();
    for dir in ["state", "state.kept", "state/module-m", "state/uid-65534-n"] {
        fs::create_dir(at(dir)).unwrap();
        chmod(&at(dir), 0o700);
    }
    // What is root's still is given to him when it is his turn.
    assert_eq!(checked(&place), (Some(0), vec![]));
    let says = |name: &str, why: &str| {
        let shown = at(name).display().to_string();
        let expected = format!("{conf}:2: state dir: {shown}: it {}", why.replace("AT", &shown));
        assert_eq!(checked(&place), (Some(1), vec![expected]));
    };
    let uid = rustix::process::geteuid().as_raw();
    let open = format!("is not for its owner alone to use (uid {uid}, mode 0755); repair: chmod 0700 AT");
    let (own, his) = ("state/module-m", "state/uid-65534-n");
    chmod(&at(own), 0o755);
    says(own, &open);
    fs::remove_dir(at(own)).unwrap();
    fs::write(at(own), "").unwrap();
    says(own, "is no directory; repair: rm AT");
    fs::remove_file(at(own)).unwrap();
    if !root {
        println!("what belongs to others: not tried: only root can give it to them");
        return;
    }
    let belongs = |uid, to| {
        format!("belongs to uid {uid} and not to uid {to} (mode 0700); repair: rm -r AT, it is made anew")
    };
    lchown(at(his), Some(65533), None).unwrap();
    says(his, &belongs(65533, 65534));
    lchown(at(his), Some(65534), None).unwrap();
    assert_eq!(checked(&place), (Some(0), vec![]));
    // Whoever serves all connections has a directory in each, and those of his modules there.
    let text = fs::read_to_string(place.config()).unwrap();
    let text = text.replace("path = ", "daemon uid = 65534\ndaemon gid = 65534\npath = ");
    fs::write(place.config(), text.replace("uid = 65534\ngid = 65534\n", "")).unwrap();
    chmod(place.dir.path(), 0o755);
    for dir in ["state/uid-65534", "state.kept/uid-65534", "state/uid-65534/module-m"] {
        fs::create_dir(at(dir)).unwrap();
        chmod(&at(dir), 0o700);
        lchown(at(dir), Some(65533), None).unwrap();
        says(dir, &belongs(65533, 65534));
        lchown(at(dir), Some(65534), None).unwrap();
        assert_eq!(checked(&place), (Some(0), vec![]));
    }
    // What is root's is not given to him any more when he serves.
    let dir = "state/uid-65534/module-m";
    lchown(at(dir), Some(0), None).unwrap();
    says(dir, &belongs(0, 65534));
    let text = fs::read_to_string(place.config()).unwrap().replace("[m]", "[m]\nuid = 65534\ngid = 65534");
    fs::write(place.config(), text).unwrap();
    says(dir, &belongs(0, 65534));
}

#[test]
fn whom_a_module_names_is_asked_himself() {
    if !is_root() {
        let place = Place::new();
        let conf = fs::read_to_string(place.config()).unwrap();
        fs::write(place.config(), conf + "path = /\n[m]\nuid = 0\ngid = 0\n").unwrap();
        let expected = format!("{}:5: uid: only root can become uid 0 gid 0", place.config().display());
        assert_eq!(checked(&place), (Some(1), vec![expected]));
        return;
    }
    let place = Place::new();
    // It holds what is opened: he need not be able to go the way to it.
    chmod(place.dir.path(), 0o700);
    let (at, conf) = (|name: &str| place.dir.path().join(name), place.config().display().to_string());
    for dir in ["spool", "tree", "tree/x"] {
        fs::create_dir(at(dir)).unwrap();
        chmod(&at(dir), 0o755);
    }
    let (spool, tree) = (at("spool").display().to_string(), at("tree").display().to_string());
    let globals =
        fs::read_to_string(place.config()).unwrap() + &format!("spool dir = {spool}\npath = {tree}\n");
    let of = |module: &str| fs::write(place.config(), format!("{globals}[m]\n{module}\n")).unwrap();
    let his = "uid = 65534\ngid = 65534";
    let denied = "Permission denied";
    let cannot = |what: &str, mode: &str| {
        let whose = format!("(it is of uid 0 gid 0, mode {mode})");
        format!("{conf}:4: path, as uid 65534: {tree}: it cannot be {what}: {denied} {whose}")
    };
    let in_spool = format!("{conf}:3: spool dir, as uid 65534: {spool}: {denied}");
    of(&format!("{his}\nread only = no\n[n]\n{his}"));
    assert_eq!(checked(&place), (Some(1), vec![in_spool, cannot("written to", "0755")]));
    chmod(&at("spool"), 0o1777);
    // Whoever may push makes it one that is written to.
    for (module, written) in [
        (his.to_owned(), false),
        (format!("{his}\nread only = no"), true),
        (format!("{his}\nauth users = ann:rw, bob"), true),
        (format!("{his}\nread only = no\nauth users = ann:ro"), false),
        ("read only = no".to_owned(), false),
    ] {
        of(&module);
        let expected: Vec<String> = written.then(|| cannot("written to", "0755")).into_iter().collect();
        assert_eq!(checked(&place), (Some(i32::from(written)), expected), "{module}");
    }
    chmod(&at("tree"), 0o711);
    of(his);
    assert_eq!(checked(&place), (Some(1), vec![cannot("read", "0711")]));
    chmod(&at("tree"), 0o755);
    chmod(&at("tree/x"), 0o700);
    of(&format!("{his}\nrequire marker = x/y"));
    let marker = format!("{conf}:8: require marker, as uid 65534: x/y: {denied}");
    assert_eq!(checked(&place), (Some(1), vec![marker]));
    lchown(at("tree"), Some(65534), None).unwrap();
    of(&format!("{his}\nread only = no"));
    assert_eq!(checked(&place), (Some(0), vec![]));
    // Nobody has this number, so that there is no telling his groups.
    of("uid = 4294967294");
    let unknown = "uid 4294967294 has no entry in the user database: gid must be given as numbers or names";
    assert_eq!(checked(&place), (Some(1), vec![format!("{conf}:6: uid: {unknown}")]));
}

#[test]
fn a_script_needs_its_interpreter() {
    let place = Place::new();
    let (script, conf) = (place.dir.path().join("hook"), place.config().display().to_string());
    let tree = place.dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let mut text = fs::read_to_string(place.config()).unwrap();
    text.push_str(&format!("path = {}\n[m]\npost-xfer exec = {}\n", tree.display(), script.display()));
    fs::write(place.config(), text).unwrap();
    for (head, why) in [
        ("#!/bin/sh -e\n", None),
        ("#! /bin/sh", None),
        ("\n#!/no/such", None),
        ("#!/no/such/sh -e\n", Some("/no/such/sh: No such file or directory")),
        ("#!/bin/sh\r\n", Some("/bin/sh\\r: No such file or directory")),
    ] {
        fs::write(&script, head).unwrap();
        chmod(&script, 0o700);
        let line = |why| format!("{conf}:5: post-xfer exec: {}: its interpreter {why}", script.display());
        let expected: Vec<String> = why.map(line).into_iter().collect();
        assert_eq!(checked(&place), (Some(i32::from(why.is_some())), expected), "{head:?}");
    }
    // Nor may others change that.
    let other = place.dir.path().join("sh");
    fs::write(&other, "").unwrap();
    chmod(&other, 0o777);
    fs::write(&script, format!("#!{}\n", other.display())).unwrap();
    let said = checked(&place).1;
    let why = format!("its interpreter {0}: {0} is writable by its group or others", other.display());
    assert!(said.len() == 1 && said[0].contains(&why), "{said:?}");
}

/// What nobody but the server may see or decide about, as it will be used.
#[test]
fn what_others_could_get_at_is_told() {
    let place = Place::new();
    let (at, conf) = (|name: &str| place.dir.path().join(name), place.config().display().to_string());
    let secret = fs::read_to_string(place.config()).unwrap().lines().next().unwrap().to_owned();
    let of = |globals: &str, module: &str| {
        fs::write(place.config(), format!("{secret}\n{globals}\n[m]\n{module}\n")).unwrap();
        checked(&place)
    };
    let (tree, open) = (at("tree").display().to_string(), at("open").display().to_string());
    for dir in ["tree", "open", "open/m.prom"] {
        fs::create_dir(at(dir)).unwrap();
    }
    let path = format!("path = {tree}");
    let good = format!("state dir = {}", at("state").display());
    assert_eq!(of(&good, &path), (Some(0), vec![]));
    // A state directory that is to be made where others may put another.
    chmod(&at("open"), 0o777);
    let (code, said) = of(&format!("state dir = {open}/not/yet"), &path);
    let why = format!("{open} is writable by its group or others (mode 0777)");
    assert!(code == Some(1) && said.len() == 2 && said.iter().all(|it| it.contains(&why)), "{said:?}");
    // Secrets in a tree that is served.
    let inside = format!("state dir = {tree}/var/smsyncd");
    let expected =
        format!("{conf}:4: path: {tree}: {tree}/var/smsyncd.kept is in it, with secrets: exclude it");
    assert_eq!(of(&inside, &path), (Some(1), vec![expected]));
    for excluded in ["/var/smsyncd.kept", "/var/"] {
        assert_eq!(of(&inside, &format!("{path}\nexclude = {excluded}")), (Some(0), vec![]));
    }
    let all = format!("path = {}", place.dir.path().display());
    let said = of(&good, &format!("{all}\nexclude = /state.kept")).1;
    assert!(said.len() == 1 && said[0].contains(&format!("{conf} is in it, with secrets")), "{said:?}");
    // Metrics that nothing can be put in the place of, or where somebody else led.
    let metrics = |name: &str| of(&format!("{good}\nmetrics file = {}", at(name).display()), &path);
    assert_eq!(metrics("open/m.prom").1, [format!("{conf}:3: metrics file: {open}/m.prom: Is a directory")]);
    if is_root() {
        std::os::unix::fs::symlink("open", at("link")).unwrap();
        assert_eq!(metrics("link/n.prom"), (Some(0), vec![]));
        lchown(at("link"), Some(65534), None).unwrap();
        let (code, said) = metrics("link/n.prom");
        assert!(code == Some(1) && said.len() == 1 && said[0].contains("belongs to uid 65534"), "{said:?}");
    }
}

/// A directory on which something is mounted when it is needed, as an automounter does it: the kernel mounts tracefs so.
#[test]
fn what_is_mounted_when_it_is_needed_is_there() {
    let place = Place::new();
    let (debug, conf) = (place.dir.path().join("debug"), place.config());
    fs::create_dir(&debug).unwrap();
    let mounts = |then: &str| {
        let mut command = std::process::Command::new("unshare");
        let script = format!("mount -t debugfs debug '{}' && {then}", debug.display());
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]).output().unwrap()
    };
    if !is_root() || !mounts(&format!("test -e '{}/tracing/README'", debug.display())).status.success() {
        return; // only root mounts, and not every kernel has this
    }
    let mut lines = fs::read_to_string(&conf).unwrap();
    lines.push_str(&format!("path = {}/tracing\n[m]\nrequire marker = README\n", debug.display()));
    fs::write(&conf, lines).unwrap();
    let check = mounts(&format!("'{}' --check -c '{}'", crate::common::SMSYNCD, conf.display()));
    assert_eq!((check.status.code(), text(&check.stderr)), (Some(0), ""));
}
