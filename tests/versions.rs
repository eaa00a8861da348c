//! Old versions that a module keeps of what is replaced or removed.

use crate::common::{Inetd, Site, assert_exit};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

fn push(site: &Site, inetd: &Inetd, options: &[&str], dest: &str) -> Output {
    let mut command = site.smsync();
    command.arg("push").args(options).arg(site.src()).arg(inetd.remote(dest));
    let output = command.output().unwrap();
    inetd.ended();
    output
}

#[test]
fn a_module_keeps_versions() {
    let site = Site::in_memory();
    site.write_private("smsyncd.conf", &site.server_conf("keep versions = 2"));
    let inetd = site.serve();
    fs::create_dir(site.dst().join("sub")).unwrap();
    fs::create_dir(site.src().join("d")).unwrap();
    let versions = site.dst().join(".smsync-versions");
    for round in 0..4 {
        fs::write(site.src().join("d/f"), format!("round {round}{}", " ".repeat(round))).unwrap();
        assert_exit(&push(&site, &inetd, &["--delete"], "m/sub"), 0);
        let kept = |dir: &Path| fs::read_dir(dir).map_or(0, Iterator::count);
        assert_eq!(kept(&versions.join("sub/d")), round.min(2), "after round {round}");
    }
    let texts = || {
        let entries = fs::read_dir(versions.join("sub/d")).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = entries.collect();
        paths.sort();
        paths.into_iter().map(|path| fs::read_to_string(path).unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(), ["round 1", "round 2"]);
    assert_eq!(fs::metadata(&versions).unwrap().permissions().mode() & 0o7777, 0o700);
    // What is removed is kept; and nobody sees the place, or gets at it.
    fs::remove_dir_all(site.src().join("d")).unwrap();
    fs::write(site.src().join("g"), "g").unwrap();
    assert_exit(&push(&site, &inetd, &["--delete"], "m/sub"), 0);
    assert_eq!(texts(), ["round 2", "round 3"]);
    assert_exit(&push(&site, &inetd, &[], "m/.smsync-versions"), 77);
    let whole = push(&site, &inetd, &["-n", "--delete", "--force-delete"], "m");
    assert!(!String::from_utf8_lossy(&whole.stdout).contains("versions"), "{whole:?}");
    assert_exit(&push(&site, &inetd, &["--delete", "--force-delete"], "m"), 0);
    assert_eq!(texts(), ["round 2", "round 3"]);
}

/// What the time leaves no room for in a name is a digest, and each name has versions of its own.
#[test]
fn long_names_have_versions_too() {
    let site = Site::in_memory();
    site.write_private("smsyncd.conf", &site.server_conf("keep versions = 2"));
    let inetd = site.serve();
    let begin = "n".repeat(231);
    let names = [begin.clone(), format!("{begin}a"), format!("{begin}{}", "b".repeat(24))];
    let versions = site.dst().join(".smsync-versions");
    for round in 0..4 {
        for (name, file) in names.iter().zip(1..) {
            fs::write(site.src().join(name), format!("{file} {round}{}", " ".repeat(round))).unwrap();
        }
        assert_exit(&push(&site, &inetd, &[], "m"), 0);
    }
    // They are removed, and so kept once more.
    names.iter().for_each(|name| fs::remove_file(site.src().join(name)).unwrap());
    fs::write(site.src().join("other"), "").unwrap();
    assert_exit(&push(&site, &inetd, &["--delete", "--force-delete"], "m"), 0);
    let kept = fs::read_dir(&versions).unwrap().map(|entry| entry.unwrap());
    let mut texts: Vec<_> = kept
        .map(|entry| {
            let (name, text) =
                (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap());
            let whole = &names[usize::from(text.as_bytes()[0] - b'1')];
            let digest = format!("~{}", &blake3::hash(whole.as_bytes()).to_hex()[..32]);
            assert_eq!(name.ends_with(&digest), whole.len() > 231, "{name}");
            text.trim().to_owned()
        })
        .collect();
    texts.sort();
    assert_eq!(texts, ["1 2", "1 3", "2 2", "2 3", "3 2", "3 3"]);
}
