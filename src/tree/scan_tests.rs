//! What a scan says of files that no entry can describe.

use super::*;
use crate::sys::{Dir, Spool};
use std::path::Path;

#[test]
fn a_file_of_a_size_that_no_entry_can_have_is_a_problem() {
    // A tmpfs, where anybody may make a file as large as a number.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let file = std::fs::File::create(dir.path().join("huge")).unwrap();
    file.set_len(limits::FILE_SIZE + 1).unwrap();
    std::fs::File::create(dir.path().join("large")).unwrap().set_len(limits::FILE_SIZE).unwrap();
    let spool = Spool::create(&Dir::open_root(Path::new("/tmp")).unwrap()).unwrap();
    let mut writer = SpecWriter::new(spool, Keywords::TRANSFER).unwrap();
    let (root, scope) = (Root::open(dir.path()).unwrap(), Scope::default());
    let what = Scan {
        scope: &scope,
        keywords: Keywords::TRANSFER,
        one_file_system: true,
        sockets: false,
        view: View::Sender,
        remembered: None,
        stop: None,
    };
    let found = scan(&root, what, &mut writer).unwrap();
    let spec = writer.seal().unwrap();
    let paths: Vec<_> = spec.iter().map(|(_, entry)| entry.path.to_string()).collect();
    assert_eq!(paths, [".", "large"]);
    let problems: Vec<_> = found.problems.iter().map(|p| (p.path.to_string(), p.errno)).collect();
    assert_eq!((problems, found.whole), (vec![("huge".to_owned(), libc::EFBIG)], true));
    assert_eq!(found.hidden, [RelPath::ROOT], "what holds it is not to be removed");
    // To the receiver, a sender says that what has the path there is to be left alone.
    let spool = Spool::create(&Dir::open_root(dir.path()).unwrap()).unwrap();
    let mut writer = SpecWriter::new(spool, Keywords::TRANSFER).unwrap();
    let found = scan(&root, Scan { sockets: true, ..what }, &mut writer).unwrap();
    let spec = writer.seal().unwrap();
    let kinds: Vec<_> = spec.iter().map(|(_, entry)| (entry.path.to_string(), entry.kind)).collect();
    let expected = [(".", Kind::Dir), ("huge", Kind::Socket), ("large", Kind::File)];
    assert_eq!(kinds, expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert!(found.whole);
}

/// Every path below a directory with what it is, by the standard library: a digest, where a link leads to, or nothing.
fn walked(dir: &Path, below: &str, said: &mut Vec<(String, String)>, hidden: &dyn Fn(&str) -> bool) {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names.iter().map(|name| name.to_str().unwrap()).filter(|name| !hidden(name)) {
        let (at, path) = (dir.join(name), format!("{below}{name}"));
        let kind = std::fs::symlink_metadata(&at).unwrap().file_type();
        let what = if kind.is_symlink() {
            std::fs::read_link(&at).unwrap().to_str().unwrap().to_owned()
        } else if kind.is_file() {
            blake3::hash(&std::fs::read(&at).unwrap()).to_hex().to_string()
        } else {
            String::new()
        };
        said.push((path.clone(), what));
        if kind.is_dir() {
            walked(&at, &format!("{path}/"), said, hidden);
        }
    }
}

#[test]
fn many_threads_say_what_the_standard_library_says() {
    use crate::path::{Filter, Item, rule::Said, rule::rule};
    use std::sync::atomic::AtomicBool;
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut names = 0;
    for group in 0..9 {
        for leaf in 0..40 {
            let at = dir.path().join(format!("g{group}/l{leaf}/deep"));
            std::fs::create_dir_all(&at).unwrap();
            // One directory has more than is looked at ahead, and some have nothing.
            let files = if (group, leaf) == (4, 4) { 700 } else { leaf % 7 };
            for file in 0..files {
                let place = if file % 2 == 0 { at.as_path() } else { at.parent().unwrap() };
                let size = if file == 5 && leaf == 6 { 3_000_000 } else { file * 100 };
                std::fs::write(place.join(format!("f{file}.c")), vec![b'x'; size]).unwrap();
                std::os::unix::fs::symlink(format!("f{file}.c"), place.join(format!("o{file}"))).unwrap();
                names += 2;
            }
        }
    }
    assert!(names > 4 * limits::SCAN_ALONE as usize);
    let root = Root::open(dir.path()).unwrap();
    let rules = rule(b"- o*", crate::path::Traits::BOTH).unwrap().into_iter();
    let items: Vec<Item> =
        rules.filter_map(|said| if let Said::Item(item) = said { Some(item) } else { None }).collect();
    let digests = Keywords::TRANSFER.union(Keywords::of(&[Keyword::Blake3]));
    for (keywords, ruled) in
        [(Keywords::TRANSFER, false), (digests, false), (Keywords::TRANSFER, true), (digests, true)]
    {
        let scope = Scope::new(Vec::new(), Filter::new(if ruled { items.clone() } else { Vec::new() }));
        let spool = Spool::create(&Dir::open_root(Path::new("/tmp")).unwrap()).unwrap();
        let mut writer = SpecWriter::new(spool, keywords).unwrap();
        let stop = AtomicBool::new(false);
        let what = Scan {
            scope: &scope,
            keywords,
            one_file_system: true,
            sockets: true,
            view: View::Sender,
            remembered: None,
            stop: Some(&stop),
        };
        let found = scan(&root, what, &mut writer).unwrap();
        assert!(found.whole && found.problems.is_empty(), "{:?}", found.problems);
        assert_eq!(found.hidden.is_empty(), !ruled);
        let digested =
            |entry: &Entry<'_>| entry.digests.get(crate::digest::Algorithm::Blake3).map(<[u8]>::to_vec);
        let spec = writer.seal().unwrap();
        let said: Vec<_> = spec
            .iter()
            .skip(1)
            .map(|(_, entry)| {
                let what =
                    digested(&entry).or_else(|| Some(entry.link.as_deref()?.to_vec())).unwrap_or_default();
                (entry.path.to_string(), String::from_utf8(what).unwrap())
            })
            .collect();
        let mut expected = Vec::new();
        walked(dir.path(), "", &mut expected, &|name| ruled && name.starts_with('o'));
        if keywords == Keywords::TRANSFER {
            expected.iter_mut().filter(|(path, _)| path.ends_with(".c")).for_each(|(_, what)| what.clear());
        }
        assert!(said == expected, "{keywords:?} {ruled}");
        // Whoever does not want it does not get it.
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut writer = SpecWriter::new(Vec::new(), keywords).unwrap();
        assert!(scan(&root, what, &mut writer).is_err());
    }
}
