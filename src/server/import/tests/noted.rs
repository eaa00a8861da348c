//! What is noted of an rsyncd.conf of which nothing is lost.

use super::*;

/// The notes with these words; each stands before the configuration too.
fn noted(theirs: &str, words: &str) -> Vec<String> {
    let imported = import(theirs.as_bytes());
    assert!(imported.notes.iter().all(|note| imported.text.contains(&format!("\n# {note}\n"))));
    imported.notes.into_iter().filter(|note| note.contains(words)).collect()
}

#[test]
fn what_is_otherwise_is_said() {
    let imported = import(b"[m]\npath = /m\npost-xfer exec = /bin/true\n");
    assert!(imported.lost.is_empty());
    assert_eq!(imported.notes.len(), 5);
    let all = "timeout = 5\nnumeric ids = no\nauth users = ann\n[m]\nMunge Symlinks = yes\npath = /m\n";
    assert_eq!(noted(all, ""), Vec::<String>::new());
}

#[test]
fn who_says_nothing_is_named_though_others_say_it() {
    let said = "timeout = 0\nnumeric ids = yes\nmunge symlinks = no\nauth users = ann\n";
    let rest = format!("[a]\npath = /a\n[b]\npath = /b\n{said}[c]\npath = /c\n[d]\ncomment = no path\n");
    for name in ["'timeout'", "'munge symlinks'", "'numeric ids'", "'auth users'"] {
        let notes = noted(&rest, name);
        assert!(notes.len() == 1 && notes[0].ends_with("; so it is with [a], [c]"), "{name}: {notes:?}");
    }
    // What is said for all holds for those below it.
    let late = noted(&format!("[a]\npath = /a\n[global]\n{said}[b]\npath = /b\n"), "so it is with");
    assert!(late.len() == 4 && late.iter().all(|note| note.ends_with(" [a]")), "{late:?}");
    // Where there are no modules, those of the files that it includes go by it.
    assert_eq!(noted("&include /etc/more.conf\n", "where nothing is said").len(), 3);
    assert_eq!(noted(&format!("{said}&include /etc/more.conf\n"), ""), Vec::<String>::new());
}

#[test]
fn what_both_would_use_is_noted() {
    for (line, words, count) in [
        ("port = 873", "'port' is the one", 1),
        ("port = rsync", "'port' is the one", 0),
        ("log file = /var/log/rsyncd.log", "'log file' is the one", 1),
        ("log file = rsyncd.log", "'log file' is the one", 0),
    ] {
        assert_eq!(noted(&format!("{line}\n[a]\npath = /a\n"), words).len(), count, "{line}");
    }
    assert_eq!(noted("[a]\npath = /a\nlog file = /var/log/a.log\n", "'log file' is the one").len(), 1);
}

#[test]
fn a_word_that_is_about_nothing_here_is_left_out() {
    let of = |list: &str| {
        let theirs = format!("[a]\npath = /a\nrefuse options = {list}\n");
        let text = import(theirs.as_bytes()).text;
        let line = module_of(&text, "a").into_iter().find(|line| line.starts_with("refuse"));
        (
            line.unwrap_or_default().to_owned(),
            is_disabled(&text, "a"),
            noted(&theirs, "refuse options: ").len(),
        )
    };
    let kept = |list: &str, notes| (format!("refuse options = {list}"), false, notes);
    assert_eq!(of("delete partial, checksum !acls"), kept("delete checksum", 1));
    assert_eq!(of("* !c !partial-dir"), kept("* !c", 1));
    assert_eq!(of("delete, checksum"), kept("delete, checksum", 0));
    assert_eq!(
        noted("[a]\npath = /a\nrefuse options = delete partial !acls\n", "refuse options"),
        [format!("line 3: refuse options: partial, !acls: {}", tables::REFUSES)]
    );
    // What smsync has under another name, or is not known at all, is not let in.
    for list in ["delete acls", "delete-after", "W", "partial usermap", "bogus"] {
        let (line, disabled, _) = of(list);
        assert!(line.is_empty() && disabled, "{list}: {line}");
    }
}
