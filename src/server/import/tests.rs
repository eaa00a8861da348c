//! What becomes of an rsyncd.conf.

use super::*;

/// From the page of rsyncd.conf(5), its examples, and from what distributions ship.
const THEIRS: &str = "\
# sample rsyncd.conf
uid = nobody
gid = nobody
use chroot = yes
max connections = 4
syslog facility = local5
pid file = /var/run/rsyncd.pid
strict modes = yes
dont compress = *.gz *.tgz *.zip \\
\t*.z

[ftp]
        path = /var/ftp/./pub
        comment = whole ftp area (approx 6.1 GB)
        hosts allow = 10.0.0.0/8 *.example.org
        ReadOnly = false
        exclude = .git/ *.tmp

[cvs]
        path = /data/cvs
        auth users = tridge, @rsyncops:rw, susan:deny
        pre-xfer exec = /bin/true | /bin/false
        post-xfer exec = /bin/true \"two words\"
        secrets file = /etc/rsyncd.secrets
        refuse options = c delete
        bogus
";

#[test]
fn what_is_known_is_carried_over_and_the_rest_is_listed() {
    let imported = import(THEIRS.as_bytes());
    let text = &imported.text;
    for line in [
        "# sample rsyncd.conf",
        "syslog facility = local5",
        "pid file = /var/run/rsyncd.pid",
        "dont compress = *.gz *.tgz *.zip \t*.z",
        "\n[ftp]\n\tpath = /var/ftp/pub\n\tcomment = whole ftp area (approx 6.1 GB)\n\treverse lookup = yes\n\
         \thosts allow = 10.0.0.0/8 *.example.org\n\tReadOnly = false\n\texclude = .git/ *.tmp\n\n[cvs]",
        "\tauth users = tridge, @rsyncops:rw, susan:deny",
        "\trefuse options = c delete",
        "# no equivalent: strict modes = yes\n#   files that hold secrets are always checked",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
    let lost: Vec<_> = imported.lost.iter().map(|lost| lost.split(": ").nth(1).unwrap()).collect();
    assert!(text.contains("\tpost-xfer exec = /bin/true"), "{text}");
    for name in [
        "pre-xfer exec = /bin/true | /bin/false",
        "strict modes = yes",
        "secrets file = /etc/rsyncd.secrets",
        "bogus",
    ] {
        assert!(lost.contains(&name), "{lost:?}");
    }
    // All of it that is not in comments is a configuration.
    assert_eq!(config::faults(text.as_bytes()), Vec::<String>::new(), "{text}");
}

#[test]
fn a_module_that_cannot_be_ours_is_a_comment() {
    let theirs = "[a]\ncomment = none\n[b]\npath = relative\n[c]\npath = %RSYNC_USER_NAME%/%HOME%\n[d:e]\npath = /d\n\
                  [f]\npath = /f\n[global]\npath = /g\n[g]\nbogus\n";
    let imported = import(theirs.as_bytes());
    assert_eq!(config::faults(imported.text.as_bytes()), Vec::<String>::new(), "{}", imported.text);
    let lost = imported.lost.join("\n");
    for (line, name) in [(1, "[a]"), (3, "[b]"), (5, "[c]")] {
        assert!(lost.contains(&format!("line {line}: {name}: a module needs an absolute 'path'")), "{lost}");
    }
    assert!(lost.contains("line 7: [d:e]: a name holds ':'") && imported.lost.len() == 5, "{lost}");
    for line in ["# comment = none", "# path = relative", "[f]", "\tpath = /f", "[g]"] {
        assert!(imported.text.lines().any(|said| said == line), "{line} in {}", imported.text);
    }
}

#[test]
fn what_is_otherwise_is_said() {
    let imported = import(b"[m]\npath = /m\npost-xfer exec = /bin/true\n");
    assert!(imported.lost.is_empty());
    assert_eq!(imported.notes.len(), 4);
    assert!(imported.notes.iter().all(|note| imported.text.contains(&format!("\n# {note}\n"))));
    let all = b"timeout = 5\nnumeric ids = no\n[m]\nMunge Symlinks = yes\npath = /m\n";
    assert_eq!(import(all).notes, Vec::<&str>::new());
}

#[test]
fn one_user_who_serves_all_is_alone() {
    let imported = import(b"daemon uid = nobody\nuid = root\n[m]\npath = /m\ngid = root\n");
    assert_eq!(config::faults(imported.text.as_bytes()), Vec::<String>::new(), "{}", imported.text);
    assert_eq!(imported.lost.len(), 2);
}

#[test]
fn who_serves_is_the_same_as_before() {
    let imported = import(b"[m]\npath = /srv\nuid = root\n");
    assert!(imported.text.contains("uid = nobody\n") && imported.text.contains("\tuid = root\n"));
    assert!(!import(b"uid = root\n[m]\npath = /srv\n").text.contains("uid = nobody"));
}

#[test]
fn nothing_of_theirs_makes_it_panic() {
    for bytes in crate::config::mutate::mutations(THEIRS.as_bytes(), 300) {
        let imported = import(&bytes);
        assert!(imported.text.starts_with(HEAD.trim_end()));
    }
}
