//! What becomes of an rsyncd.conf.

use super::*;

/// From the page of rsyncd.conf(5), its examples, and from what distributions ship.
const THEIRS: &str = "\
# sample rsyncd.conf
uid = nobody
gid = 65534
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
    for (line, name) in [(1, "[a]"), (3, "[b]")] {
        assert!(lost.contains(&format!("line {line}: {name}: a module needs an absolute 'path'")), "{lost}");
    }
    assert!(lost.contains("line 5: [c]: nothing stands for '%' names in its 'path': "), "{lost}");
    assert!(lost.contains("line 7: [d:e]: a name holds ':'") && imported.lost.len() == 5, "{lost}");
    for line in ["# comment = none", "# path = relative", "[f]", "\tpath = /f", "[g]"] {
        assert!(imported.text.lines().any(|said| said == line), "{line} in {}", imported.text);
    }
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

/// What is said below the header of this module, without comments.
fn module_of<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let lines = text.lines().map(str::trim).skip_while(|line| *line != format!("[{name}]")).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#')).collect()
}

fn is_disabled(text: &str, name: &str) -> bool {
    let module = module_of(text, name);
    assert!(!module.is_empty(), "[{name}] in {text}");
    module.contains(&"max connections = -1")
}

#[test]
fn a_module_that_loses_what_restricts_it_is_disabled() {
    for line in [
        "uid = nosuchuser",
        "gid = nosuchgroup",
        "hosts allow = @trusted 10.0.0.300",
        "hosts deny = @bad",
        "fake super = yes",
        "incoming chmod = u-s,%X%X",
        "outgoing chmod = what",
        "munge symlinks = %VAR%",
        "hosts allow = 192.168. EXCEPT 10.0.0.0/33",
        "auth users = a/b",
        "refuse options = delete bogus",
        "filter = - /secret/",
        "exclude from = /nonexistent/rules",
        "include from = /nonexistent/rules",
        "exclude = %MODULE%/%USER%",
        "read only = perhaps",
        "write only = perhaps",
        "max connections = many",
        "pre-xfer exec = /bin/check | grep ok",
        "early exec = /bin/check",
        "&merge /nonexistent/more.conf",
        "&include relative",
        "hosts allow = caf\u{7f}",
    ] {
        let here = format!("[a]\npath = /a\nMax Connections = 4\n{line}\n[b]\npath = /b\n");
        let imported = import(here.as_bytes());
        let text = &imported.text;
        assert!(is_disabled(text, "a") && !is_disabled(text, "b"), "{text}");
        assert_eq!(imported.lost.len(), 1, "{:?}", imported.lost);
        let why = imported.lost[0].clone();
        assert!(text.contains(&format!("\t#   {why}\n")), "{why}\n{text}");
        assert_eq!(config::faults(text.as_bytes()), Vec::<String>::new(), "{text}");

        let above = format!("{line}\n[a]\npath = /a\n[b]\npath = /b\n");
        let text = import(above.as_bytes()).text;
        assert!(is_disabled(&text, "a") && is_disabled(&text, "b"), "{text}");
    }
    // What is no restriction, or is said by the module for itself.
    let own = "uid = nosuchuser\nhosts allow = @bad\ncharset = utf-8\n[a]\npath = /a\nuid = 0\nhosts allow = 10.0.0.1\n\
               [b]\npath = /b\nuid = 0\n";
    let text = import(own.as_bytes()).text;
    assert!(!is_disabled(&text, "a") && is_disabled(&text, "b"), "{text}");
    assert!(!is_disabled(&import(b"charset = utf-8\n[a]\npath = /a\n").text, "a"));
    // Without a value nothing is said, unless it takes back what is said elsewhere.
    assert!(!is_disabled(&import(b"hosts allow =\n[a]\npath = /a\nexclude =\n").text, "a"));
    assert!(is_disabled(&import(b"include = x\n[a]\npath = /a\ninclude =\n").text, "a"));
    // Who is lost is nobody else, and above all not root.
    assert!(import(b"uid = nosuchuser\n[a]\npath = /a\n").text.contains("\nuid = nobody\n"));
    // Nothing is included that goes by what is lost.
    let text = import(b"uid = nosuchuser\n&include /etc/more.conf\n[a]\npath = /a\n").text;
    assert!(!text.contains("\n&include"), "{text}");
    let imported = import(b"&include /etc/more.conf\n[a]\npath = /a\n");
    assert!(imported.text.contains("\n&include /etc/more.conf\n") && imported.lost.len() == 1);
    assert!(!is_disabled(&imported.text, "a"));
}

#[test]
fn a_header_that_cannot_be_read_begins_another_module() {
    let imported = import(b"[a]\npath = /a\nhosts allow = 10.0.0.1\n[caf\xe9]\npath = /b\nhosts allow = *\n");
    assert_eq!(module_of(&imported.text, "a"), ["path = /a", "hosts allow = 10.0.0.1"], "{}", imported.text);
    assert_eq!(imported.lost, ["line 4: [caf\\351]: the line is not UTF-8"]);
    // Nothing of it drives a terminal.
    let imported = import(b"[e\x1b[31mx]\npath = /e\n");
    assert_eq!(imported.lost, ["line 1: [e\\033[31mx]: the line holds a control character"]);
    assert!(!imported.text.contains('\x1b'), "{}", imported.text);
}

#[test]
fn users_of_one_module_are_not_let_into_another() {
    let two = |a: &str, b: &str| {
        let text = format!(
            "[a]\npath = /a\nauth users = {a}\nsecrets file = /etc/a\n[b]\npath = /b\nauth users = {b}\nsecrets file = /etc/b\n"
        );
        let text = import(text.as_bytes()).text;
        [is_disabled(&text, "a"), is_disabled(&text, "b")]
    };
    assert_eq!(two("ann", "bob"), [false, false]);
    assert_eq!(two("*", "bob"), [true, false]);
    assert_eq!(two("ann", "@staff"), [false, true]);
    assert_eq!(two("ann:ro, eve", "bob eve"), [true, true]);
    let one = b"secrets file = /etc/s\nauth users = *\n[a]\npath = /a\n[b]\npath = /b\nauth users = ann\n";
    let text = import(one).text;
    assert!(!is_disabled(&text, "a") && !is_disabled(&text, "b"));
}

#[test]
fn of_what_is_said_twice_the_last_counts() {
    let twice = "max connections = 1\nmax connections = 2\n[a]\npath = /x\nread only = no\nReadOnly = yes\npath = /a\n";
    let imported = import(twice.as_bytes());
    assert_eq!(imported.lost, Vec::<String>::new());
    assert_eq!(config::faults(imported.text.as_bytes()), Vec::<String>::new(), "{}", imported.text);
    assert_eq!(module_of(&imported.text, "a"), ["ReadOnly = yes", "path = /a"]);
    assert!(
        imported
            .text
            .contains("# said again in line 2, which counts: max connections = 1\nmax connections = 2\n")
    );
    // The last is lost, and the first is not what was meant.
    let text = import(b"[a]\npath = /a\nhosts allow = *\nhosts allow = @trusted\n").text;
    assert!(is_disabled(&text, "a") && !module_of(&text, "a").iter().any(|line| line.starts_with("hosts")));
    // A section that goes on elsewhere.
    let imported = import(b"[a]\npath = /a\n[b]\npath = /b\n[A]\nhosts allow = 10.0.0.1\n");
    assert!(is_disabled(&imported.text, "a") && !is_disabled(&imported.text, "b"));
    assert_eq!(imported.lost.len(), 2, "{:?}", imported.lost);
    assert_eq!(config::faults(imported.text.as_bytes()), Vec::<String>::new(), "{}", imported.text);
}

#[test]
fn names_of_hosts_go_by_what_is_said_of_them() {
    // In whatever order, and with the global's word.
    for (theirs, disabled, lookup) in [
        ("[a]\npath = /a\nreverse lookup = no\nhosts allow = *.example.org\n", true, 0),
        ("[a]\npath = /a\nhosts allow = *.example.org\nreverse lookup = no\n", true, 0),
        ("reverse lookup = no\n[a]\npath = /a\nhosts allow = *.example.org\n", true, 0),
        ("[a]\npath = /a\nhosts allow = *.example.org\nreverse lookup = yes\n", false, 1),
        ("reverse lookup = yes\n[a]\npath = /a\nhosts allow = *.example.org\n", false, 1),
        ("[a]\npath = /a\nhosts allow = *.example.org\nhosts deny = *.example.net\n", false, 1),
        // Whose address it is chooses its name.
        ("[a]\npath = /a\nhosts deny = b.example.net\n", true, 0),
        ("reverse lookup = yes\n[a]\npath = /a\nhosts deny = 10.0.0.1, b.example.net\n", true, 1),
        (
            "reverse lookup = no\n[a]\npath = /a\nreverse lookup = yes\nhosts allow = *.example.org\n",
            false,
            1,
        ),
    ] {
        let imported = import(theirs.as_bytes());
        assert_eq!(is_disabled(&imported.text, "a"), disabled, "{}", imported.text);
        assert_eq!(imported.lost.is_empty(), !disabled, "{:?}", imported.lost);
        assert_eq!(config::faults(imported.text.as_bytes()), Vec::<String>::new(), "{}", imported.text);
        let said = imported.text.lines().filter(|line| line.trim() == "reverse lookup = yes").count();
        assert_eq!(said, lookup, "{}", imported.text);
    }
}

#[test]
fn what_would_not_be_accepted_is_listed() {
    let imported = import(b"daemon uid = nobody\nuse chroot = yes\n[a]\npath = /a\n");
    let faults = config::faults(imported.text.as_bytes());
    assert_eq!(faults.len(), 1, "{}", imported.text);
    assert_eq!(imported.lost, [format!("what is made of it is not accepted: {}", faults[0])]);
}

#[test]
fn a_root_of_all_modules_is_not_lost() {
    let imported = import(b"daemon chroot = /jail\n[a]\npath = /\n");
    assert!(is_disabled(&imported.text, "a") && imported.lost.len() == 1, "{}", imported.text);
    for kept in ["fake super = no", "fake super = false"] {
        let imported = import(format!("[a]\npath = /a\n{kept}\n").as_bytes());
        assert!(!is_disabled(&imported.text, "a") && imported.lost.len() == 1, "{}", imported.text);
    }
}

mod noted;

#[test]
fn who_is_in_neither_list_is_noted() {
    let noted = |theirs: &str| -> Vec<String> {
        let imported = import(theirs.as_bytes());
        assert!(imported.notes.iter().all(|note| imported.text.contains(&format!("\n# {note}\n"))));
        imported.notes.into_iter().filter(|note| note.contains("'hosts allow' and 'hosts deny'")).collect()
    };
    let both = noted(
        "hosts allow = 10.0.0.1\n[a]\npath = /a\n[b]\npath = /b\nhosts deny = 10.0.0.2\n[c]\nhosts deny = *\n",
    );
    // The last of them has no path, and is none of ours.
    assert!(both.len() == 1 && both[0].starts_with("line 4: [b]: it has "), "{both:?}");
    for one in ["hosts allow = 10.0.0.1", "hosts deny = 10.0.0.1", "hosts allow =\nhosts deny = 10.0.0.1"] {
        assert_eq!(noted(&format!("[a]\npath = /a\n{one}\n")), Vec::<String>::new());
    }
    // Where everybody else is denied, nobody is in neither.
    for (deny, expected) in [
        ("*", 0),
        ("10.0.0.2, *", 0),
        ("0.0.0.0/0 ::/0", 0),
        ("::/0,@netgroup\t0.0.0.0/0.0.0.0", 0),
        ("0.0.0.0/0", 1),
        ("::/0", 1),
        ("10.0.0.0/8", 1),
    ] {
        let both = format!("[a]\npath = /a\nhosts allow = 10.0.0.1\nhosts deny = {deny}\n");
        assert_eq!(noted(&both).len(), expected, "{deny}");
    }
}

#[test]
fn connections_are_counted_together_as_before() {
    // The files that are named, ours without a module first.
    let counted = |text: &str| -> Vec<String> {
        let imported = import(text.as_bytes());
        assert_eq!(config::faults(imported.text.as_bytes()), Vec::<String>::new(), "{}", imported.text);
        let lines = imported.text.lines().filter_map(pair).filter(|(name, _)| name == "lockfile");
        lines.map(|(_, path)| path.to_owned()).collect()
    };
    let ours = "/run/smsyncd.lock";
    assert_eq!(counted("max connections = 4\n[a]\npath = /a\n[b]\npath = /b\n"), [ours]);
    assert_eq!(counted("[a]\npath = /a\nmax connections = 4\n"), [ours]);
    assert_eq!(counted("lock file = /run/l\n[a]\npath = /a\nmax connections = 4\n"), ["/run/l"]);
    assert_eq!(counted("[a]\npath = /a\n"), [""; 0]);
    // One module that has its own leaves the others together, in whatever file they were.
    let three = |file: &str| {
        counted(&format!(
            "max connections = 3\n[a]\npath = /a\n[b]\npath = /b\nlock file = {file}\n[c]\npath = /c\n"
        ))
    };
    assert_eq!(three("/var/run/b.lock"), [ours, "/var/run/b.lock"]);
    assert_eq!(three("/var/run/rsyncd.lock"), ["/var/run/rsyncd.lock"; 2]);
    // What is said for the modules below does not hold for those above.
    let late = "max connections = 3\n[a]\npath = /a\n[global]\nlock file = /run/l\n[b]\npath = /b\n";
    assert_eq!(counted(late), [ours, "/run/l"]);
    let imported = import(b"pid file = /run/rsyncd.pid\n[a]\npath = /a\n");
    assert!(imported.text.contains("# pid file = /run/rsyncd.pid") && imported.lost.is_empty());
    assert!(imported.notes.iter().any(|note| note.contains("'pid file' is left out")));
}

#[test]
fn who_counts_elsewhere_is_not_counted_with_others() {
    let lost = "max connections = 3\n[a]\npath = /a\nlock file = a.lock\n[b]\npath = /b\n";
    let imported = import(lost.as_bytes());
    assert!(is_disabled(&imported.text, "a") && !is_disabled(&imported.text, "b"), "{}", imported.text);
    assert_eq!(imported.lost.len(), 1, "{:?}", imported.lost);
    // Those that have another one for themselves are not concerned.
    let above = "max connections = 3\nlock file = l\n[a]\npath = /a\n[b]\npath = /b\nlock file = /run/b\n";
    let text = import(above.as_bytes()).text;
    assert!(is_disabled(&text, "a") && !is_disabled(&text, "b"), "{text}");
    // Where nobody is counted, it is no matter where.
    let text = import(b"[a]\npath = /a\nlock file = a.lock\n").text;
    assert!(!is_disabled(&text, "a"), "{text}");
    // Only what is taken over is shared with a rsyncd that still runs.
    for (file, noted) in [("/run/a.lock", 1), ("a.lock", 0)] {
        let imported = import(format!("[a]\npath = /a\nlock file = {file}\n").as_bytes());
        assert_eq!(
            imported.notes.iter().filter(|note| note.contains("'lock file'")).count(),
            noted,
            "{file}"
        );
    }
}
