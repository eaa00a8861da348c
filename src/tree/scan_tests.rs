//! What a scan says of files that no entry can describe.

use super::*;
use crate::sys::Spool;
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
