//! State directories: the caller's alone, and made where they are missing.

use super::*;

#[test]
fn state_directories() {
    let d = fresh();
    let d = d.path();
    let rule = |path: &str, create| open_private_dir(&d.join(path), create).map(|_| ()).map_err(|e| e.rule());
    assert_eq!(rule("var/lib/state", false), Err(Rule::System(Errno::NOENT)));
    assert!(!exists(&d.join("var")));
    assert_eq!(rule("var/lib/state/", true), Ok(()));
    let bits = |path: &str| fs::metadata(d.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(bits("var/lib/state"), 0o700);
    // Less the umask of whoever runs the tests; but its owner, and nobody else, writes to it.
    assert_eq!(bits("var") & 0o722, 0o700);
    assert_eq!(rule("var/lib/state", true), Ok(()));
    for bad in [0o750, 0o710, 0o701, 0o770, 0o1777] {
        mode(&d.join("var/lib/state"), bad);
        assert_eq!(rule("var/lib/state", true), Err(Rule::DirectoryMode(bad)));
    }
    mode(&d.join("var/lib/state"), 0o700);
    mode(&d.join("var"), 0o777);
    assert_eq!(rule("var/lib/state", true), Err(Rule::Writable(0o777)));
    file(&d.join("f"), 0o600);
    assert_eq!(rule("f", true), Err(Rule::NotDirectory));
    assert_eq!(rule("f/state", true), Err(Rule::NotDirectory));
}

#[test]
fn the_descriptor_is_the_directory() {
    let d = fresh();
    let fd = open_private_dir(d.path(), false).unwrap();
    file(&d.path().join("f"), 0o600);
    let listed: Vec<_> = rustix::fs::Dir::read_from(&fd)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .filter(|name| !name.to_bytes().starts_with(b"."))
        .collect();
    assert_eq!(listed, [c"f".to_owned()]);
}
