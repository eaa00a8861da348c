//! What is said of changes: the letters of rsync, the words of a dry run and of a run.

use crate::common::dice::Dice;
use crate::common::edits::{edit, grow};
use crate::common::{Inetd, Site, assert_exit, tool};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What rsync would do, a line each.
fn rsync(src: &Path, dst: &Path) -> BTreeSet<String> {
    let (from, to) = (format!("{}/", src.display()), format!("{}/", dst.display()));
    let options = ["-aHAXin", "--delete", "-@-1", &from, &to].map(OsStr::new);
    let output = tool("rsync", "rsync", &options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| {
        // It names every other name of a file of which something differs; we name the first only.
        !line.starts_with('h') || line.contains(" => ")
    });
    lines.map(|line| as_we_say(line, src, dst)).collect()
}

/// It sends what has another time without looking further; we look, and when the contents are the same set the time.
fn as_we_say(line: &str, src: &Path, dst: &Path) -> String {
    let (letters, name) = line.split_at(11);
    let name = name.trim_start();
    let same = || fs::read(src.join(name)).ok() == fs::read(dst.join(name)).ok();
    if letters.starts_with(">f..t") && same() { format!(".{}", &line[1..]) } else { line.to_owned() }
}

/// The lines in which both must agree. Which name of a new file with several names stands for it is a choice: rsync takes
/// the last. What differs in one that is there is left out: rsync changes it in place, or says in a dry run that it
/// would; we make it anew, and each of its names a link of that. Modes are part of an ACL, so that with one of the two
/// we may name both.
fn comparable(lines: &BTreeSet<String>, from: &Path, to: &Path) -> BTreeSet<String> {
    let inode = |path: &Path| fs::symlink_metadata(path).map(|stat| (stat.ino(), stat.nlink()));
    let group = |name: &str| match inode(&from.join(name)) {
        Ok((number, 2..)) => format!("one of {number}"),
        _ => name.to_owned(),
    };
    let both = |name: &str| {
        let name = name.trim_end_matches(".l");
        [name.to_owned(), format!("{name}.l")]
    };
    let mut said = BTreeSet::new();
    for line in lines {
        let (letters, rest) = line.split_at(12);
        let (name, first) = rest.split_once(" => ").unwrap_or((rest, ""));
        let shares = |tree: &Path| matches!(inode(&tree.join(name)), Ok((_, 2..)));
        let is_there = both(name).iter().any(|name| inode(&to.join(name)).is_ok());
        if !line.starts_with('*') && (shares(from) || shares(to)) && is_there {
            continue;
        }
        let letters = if letters.contains('p') { letters.replace('a', ".") } else { letters.to_owned() };
        said.insert(format!("{letters}{} => {}", group(name), group(first)));
    }
    said
}

/// What we say we would do, or did.
#[track_caller]
fn ours(site: &Site, arguments: &[&str]) -> BTreeSet<String> {
    let output = site.run(arguments);
    assert_exit(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn new_site() -> (Site, Inetd) {
    let site = Site::new();
    site.write_private("smsyncd.conf", &site.server_conf("durable = none"));
    let inetd = site.serve();
    (site, inetd)
}

#[test]
fn the_lines_are_those_of_rsync() {
    let seed = Dice::seed(0x17e3_12ed);
    let mut dice = Dice::new(seed);
    let (site, inetd) = new_site();
    let (src, dst, remote) = (site.src(), site.dst(), inetd.remote("m"));
    let local = src.to_str().unwrap();
    grow(&src, &mut dice);
    let as_sent = |lines: BTreeSet<String>| -> BTreeSet<String> {
        lines.into_iter().map(|line| line.replacen(">f", "<f", 1)).collect()
    };
    for round in 0..12 {
        let what = format!("SMSYNC_SEED={seed}, round {round}");
        let expected = as_sent(rsync(&src, &dst));
        let dry = ours(&site, &["push", "-n", "-i", "--delete", "--force-delete", local, &remote]);
        assert_eq!(comparable(&dry, &src, &dst), comparable(&expected, &src, &dst), "{what}");
        // The other way round, and as seen by who fetches.
        let fetched = ours(&site, &["pull", "-n", "-i", "--delete", "--force-delete", &remote, local]);
        assert_eq!(
            comparable(&fetched, &dst, &src),
            comparable(&rsync(&dst, &src), &dst, &src),
            "{what}, a pull"
        );
        assert_eq!(ours(&site, &["push", "-i", "--delete", "--force-delete", local, &remote]), dry, "{what}");
        assert_eq!(rsync(&src, &dst), BTreeSet::new(), "{what}");
        edit(&src, &mut dice);
    }
}
