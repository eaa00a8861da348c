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
    assert_eq!(imported.notes.len(), 4);
    let all = "timeout = 5\nnumeric ids = no\n[m]\nMunge Symlinks = yes\npath = /m\n";
    assert_eq!(noted(all, ""), Vec::<String>::new());
}

#[test]
fn who_says_nothing_is_named_though_others_say_it() {
    let said = "timeout = 0\nnumeric ids = yes\nmunge symlinks = no\n";
    let rest = format!("[a]\npath = /a\n[b]\npath = /b\n{said}[c]\npath = /c\n[d]\ncomment = no path\n");
    for name in ["'timeout'", "'munge symlinks'", "'numeric ids'"] {
        let notes = noted(&rest, name);
        assert!(notes.len() == 1 && notes[0].ends_with("; so it is with [a], [c]"), "{name}: {notes:?}");
    }
    // What is said for all holds for those below it.
    let late = noted(&format!("[a]\npath = /a\n[global]\n{said}[b]\npath = /b\n"), "so it is with");
    assert!(late.len() == 3 && late.iter().all(|note| note.ends_with(" [a]")), "{late:?}");
    // Where there are no modules, those of the files that it includes go by it.
    assert_eq!(noted("&include /etc/more.conf\n", "where nothing is said").len(), 3);
    assert_eq!(noted(&format!("{said}&include /etc/more.conf\n"), ""), Vec::<String>::new());
}
