//! Names of ours at the root of a module, and of others where ours would go: nobody gets at the former, and we leave the
//! latter alone.

use crate::common::{Inetd, Site, assert_exit};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

fn push(site: &Site, inetd: &Inetd, options: &[&str]) -> Output {
    let (src, remote) = (site.src(), inetd.remote("m"));
    let output = site.smsync().arg("push").args(options).arg(src).arg(remote).output().unwrap();
    inetd.ended();
    output
}

/// A module that keeps versions and has one, which says "old".
fn with_a_version() -> (Site, Inetd) {
    let site = Site::new();
    site.write_private("smsyncd.conf", &site.server_conf("keep versions = 1"));
    let inetd = site.serve();
    for text in ["old", "newer"] {
        fs::write(site.src().join("f"), text).unwrap();
        assert_exit(&push(&site, &inetd, &[]), 0);
    }
    (site, inetd)
}

#[test]
fn backups_do_not_go_where_versions_and_the_stage_are() {
    let (site, inetd) = with_a_version();
    fs::write(site.src().join("f"), "the newest").unwrap();
    for dir in [".smsync", ".smsync-versions", "./.smsync-versions/f"] {
        assert_exit(&push(&site, &inetd, &["-b", "--backup-dir", dir]), 77);
        assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"newer", "{dir}");
    }
    // Nor do those whose suffix makes such a name.
    fs::write(site.src().join(".smsync-version"), "1").unwrap();
    assert_exit(&push(&site, &inetd, &[]), 0);
    fs::write(site.src().join(".smsync-version"), "two").unwrap();
    assert_exit(&push(&site, &inetd, &["-b", "--suffix", "s"]), 1);
    assert!(site.dst().join(".smsync-versions").is_dir());
}

#[test]
fn no_link_leads_to_them() {
    let (site, inetd) = with_a_version();
    fs::create_dir(site.src().join("d")).unwrap();
    for (at, target) in
        [("a", ".smsync-versions"), ("d/b", "../.smsync-versions"), ("c", "d/../.smsync-versions")]
    {
        symlink(target, site.src().join(at)).unwrap();
    }
    assert_exit(&push(&site, &inetd, &[]), 0);
    let fetched = site.path("fetched");
    let mut command = site.smsync();
    let output = command.args(["pull", "-L"]).arg(inetd.remote("m")).arg(&fetched).output().unwrap();
    assert_exit(&output, 1);
    assert_eq!(fs::read(fetched.join("f")).unwrap(), b"newer");
    for link in ["a", "d/b", "c"] {
        assert!(!fetched.join(link).exists(), "{link} led to the versions");
    }
}

#[test]
fn what_is_in_the_place_of_a_backup_directory_stays() {
    let site = Site::new();
    let inetd = site.serve();
    fs::write(site.src().join("f"), "newer").unwrap();
    fs::write(site.dst().join("f"), "old").unwrap();
    fs::create_dir(site.path("elsewhere")).unwrap();
    fs::write(site.dst().join("file"), "of somebody").unwrap();
    symlink(site.path("elsewhere"), site.dst().join("link")).unwrap();
    for dir in ["file", "link"] {
        assert_exit(&push(&site, &inetd, &["-b", "--backup-dir", dir]), 1);
        assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"old", "{dir}");
    }
    assert_eq!(fs::read(site.dst().join("file")).unwrap(), b"of somebody");
    assert_eq!(fs::read_link(site.dst().join("link")).unwrap(), site.path("elsewhere"));
    assert_eq!(fs::read_dir(site.path("elsewhere")).unwrap().count(), 0);
}
