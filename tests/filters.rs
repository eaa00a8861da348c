//! Filter rules, judged by rsync(1): random trees and random rules leave the same tree at the receiver.

use crate::common::dice::Dice;
use crate::common::facts::{Facts, facts};
use crate::common::tree::set_time;
use crate::common::{Site, assert_exit, tool};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Trees with rules.
const CASES: u64 = 150;

/// Names of directories and of what is in them: few, so that rules meet them.
const DIRS: [&str; 6] = ["a", "d", "sub", "x.d", "core", "ab"];
const LEAVES: [&str; 10] = ["f", "g.o", "h.c", "core", "x~", "a b", ".hid", "ab", "Up", "7"];

/// What becomes of a tree by random choices.
fn grow(root: &Path, dice: &mut Dice, depth: usize, old: bool) {
    // Names of both kinds are a file at one depth and a directory at the next, on both sides.
    let is_file = |name: &str| LEAVES.contains(&name) && (depth.is_multiple_of(2) || !DIRS.contains(&name));
    for name in LEAVES.into_iter().filter(|name| is_file(name)) {
        if dice.one_in(2) {
            let path = root.join(name);
            fs::write(&path, if old { "old" } else { "newer" }).unwrap();
            set_time(&path, 1_000_000_000 + i64::from(old), 0);
        }
    }
    for name in DIRS {
        let path = root.join(name);
        if depth > 0 && !is_file(name) && dice.one_in(3 - usize::from(depth == 3)) {
            let _ = fs::create_dir(&path);
            grow(&path, dice, depth - 1, old);
        }
    }
}

/// What rules are put together from.
fn piece(dice: &mut Dice, leaf: bool) -> String {
    let wild =
        ["*", "?", "*.o", "[a-c]*", "*b", "a*", "[!a]", "*o*", "??", "[[:digit:]]", "x*~", "c?re", ".*"];
    match dice.roll(4) {
        0 => (*dice.pick(&wild)).to_owned(),
        1 if leaf => (*dice.pick(&LEAVES)).to_owned(),
        2 if leaf => (*dice.pick(&LEAVES)).to_owned(),
        _ => (*dice.pick(&DIRS)).to_owned(),
    }
}

fn pattern(dice: &mut Dice) -> String {
    let mut text = String::new();
    if dice.one_in(3) {
        text.push('/');
    }
    for _ in 0..[0, 0, 0, 1, 1, 2][dice.roll(6)] {
        text += &if dice.one_in(4) { "**".to_owned() } else { piece(dice, false) };
        text.push('/');
    }
    text += &piece(dice, true);
    match dice.roll(10) {
        0 | 1 => text.push('/'),
        2 => text += "/**",
        3 => text += "/***",
        4 => text += "/*",
        _ => {}
    }
    text
}

/// A rule as `--filter` takes it.
fn rule(dice: &mut Dice) -> String {
    let kinds = [
        "-", "-", "-", "-", "+", "+", "H", "S", "P", "R", "-s", "-r", "+s", "-!", "-p", "-,p", "+r", "H!",
        "Pp",
    ];
    let long = ["exclude", "include", "hide", "show", "protect", "risk", "exclude,p", "include,r"];
    let kind = if dice.one_in(5) { *dice.pick(&long) } else { *dice.pick(&kinds) };
    format!("{kind}{}{}", if dice.one_in(2) { ' ' } else { '_' }, pattern(dice))
}

/// Lines of a file of rules.
fn lines(dice: &mut Dice, one: impl Fn(&mut Dice) -> String) -> String {
    let mut text = String::from("# a comment\n\n; another\n");
    for _ in 0..=dice.roll(3) {
        text += &one(dice);
        text.push('\n');
    }
    text
}

/// The options of one case, as both programs take them; the name of the files of rules in directories, if there are any.
fn options(dice: &mut Dice, site: &Site) -> (Vec<String>, Option<&'static str>) {
    let mut options: Vec<String> = Vec::new();
    let local = [
        None,
        None,
        Some(": .rules"),
        Some(":n .rules"),
        Some(":- .rules"),
        Some("dir-merge,s_.rules"),
        Some(":p .rules"),
    ][dice.roll(7)];
    let rules = 1 + dice.roll(5);
    let at = dice.roll(rules + 1);
    if local.is_some() {
        // They must get to the receiver, where rsync reads them.
        options.push("--filter=+ .rules".into());
    }
    for number in 0..=rules {
        if number == at {
            options.extend(local.map(|local| format!("--filter={local}")));
            continue;
        }
        let file = site.path(format!("list{number}"));
        options.push(match dice.roll(9) {
            0 | 1 => format!("--exclude={}", pattern(dice)),
            2 => format!("--include={}", pattern(dice)),
            3 => format!("--exclude=+ {}", pattern(dice)),
            4 => {
                fs::write(&file, lines(dice, pattern)).unwrap();
                format!("--{}clude-from={}", if dice.one_in(3) { "in" } else { "ex" }, file.display())
            }
            5 => {
                fs::write(&file, lines(dice, rule)).unwrap();
                format!("--filter={} {}", [".", "merge", ".p"][dice.roll(3)], file.display())
            }
            6 if dice.one_in(6) && local.is_none() => "--filter=!".into(),
            _ => format!("--filter={}", rule(dice)),
        });
    }
    (options, local)
}

/// Files of rules in some directories.
fn scatter(root: &Path, dice: &mut Dice, local: &str, top: bool) {
    if top || dice.one_in(3) {
        let bare = local.contains('-') && !local.contains("dir-merge");
        let sided = local.contains(",s");
        let text = lines(dice, |dice| match () {
            () if bare => pattern(dice),
            () if sided => format!("- {}", pattern(dice)),
            () if dice.one_in(12) => "!".into(),
            () => rule(dice),
        });
        fs::write(root.join(".rules"), text).unwrap();
        set_time(&root.join(".rules"), 1_000_000_005, 0);
    }
    for name in DIRS {
        if root.join(name).is_dir() {
            scatter(&root.join(name), dice, local, false);
        }
    }
}

/// Directories get a time of their own, the same in every copy.
fn settle(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            settle(&path);
        }
    }
    set_time(root, 1_000_000_009, 0);
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert_exit(&tool("cp", "coreutils", &[OsStr::new("-a"), from.as_os_str(), to.as_os_str()]), 0);
}

/// The facts of a tree; of directories that were only emptied, without their time.
fn outcome(tree: &Path, src: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut facts = facts(tree);
    for (path, facts) in facts.iter_mut().filter(|(_, facts)| facts.mode & 0o170_000 == 0o040_000) {
        if facts.time != (1_000_000_009, 0) || !src.join(path).exists() {
            facts.time = (0, 0);
        }
    }
    facts
}

fn differing(a: &BTreeMap<PathBuf, Facts>, b: &BTreeMap<PathBuf, Facts>) -> Vec<PathBuf> {
    a.iter().filter(|(path, facts)| b.get(*path) != Some(facts)).map(|(path, _)| path.clone()).collect()
}

#[test]
fn random_rules_leave_what_rsync_leaves() {
    let seed = Dice::seed(0x5eed_f117);
    println!("SMSYNC_SEED={seed}");
    let site = Site::in_memory();
    let (src, dst, before, reference) = (site.src(), site.dst(), site.path("before"), site.path("reference"));
    let conf = format!("{}[source]\npath = {}\n", site.server_conf("durable = none"), src.display());
    site.write_private("smsyncd.conf", &conf);
    let inetd = site.serve();
    let (mut changed, mut kept) = (0, 0);
    for case in 0..CASES {
        let mut dice = Dice::new(seed ^ (case + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for tree in [&src, &before] {
            let _ = fs::remove_dir_all(tree);
            fs::create_dir(tree).unwrap();
        }
        grow(&src, &mut dice, 3, false);
        grow(&before, &mut dice, 3, true);
        let (rules, local) = options(&mut dice, &site);
        if let Some(local) = local {
            scatter(&src, &mut dice, local, true);
        }
        settle(&src);
        settle(&before);
        let delete = [&[][..], &["--delete"], &["--delete"], &["--delete-excluded"]][dice.roll(4)];
        let what = format!("SMSYNC_SEED={seed} case {case}: {rules:?} {delete:?}");
        let (from, to) = (format!("{}/", src.display()), format!("{}/", reference.display()));
        copy(&before, &reference);
        // Only then has the receiver the files of rules before it removes anything.
        let late = if delete.is_empty() { &[][..] } else { &["--delete-after"] };
        let mut arguments = ["-a", "-@-1"].map(str::to_owned).to_vec();
        arguments.extend(rules.iter().cloned());
        arguments.extend(delete.iter().chain(late).map(|option| (*option).to_owned()));
        arguments.extend([from, to]);
        let output = tool("rsync", "rsync", &arguments.iter().map(OsStr::new).collect::<Vec<_>>());
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        let expected = outcome(&reference, &src);
        copy(&before, &dst);
        let pull = dice.one_in(4);
        let mut command = site.smsync();
        command.arg(if pull { "pull" } else { "push" }).args(&rules).args(delete);
        if !delete.is_empty() {
            command.arg("--force-delete");
        }
        if pull {
            command.arg(inetd.remote("source")).arg(&dst);
        } else {
            command.arg(&src).arg(inetd.remote("m"));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        let actual = outcome(&dst, &src);
        let (missed, surplus) = (differing(&expected, &actual), differing(&actual, &expected));
        assert!(missed.is_empty() && surplus.is_empty(), "{what}: as rsync {missed:?}, as we {surplus:?}");
        changed += usize::from(expected != outcome(&before, &src));
        kept += usize::from(expected != outcome(&src, &src));
    }
    // The rules do something, and not everything.
    assert!(changed > 100 && kept > 100, "{changed} {kept}");
}
