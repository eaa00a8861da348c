//! What patterns match, by the examples of rsync(1), and that none is expensive.

use super::*;

#[test]
fn matches_as_rsync_says() {
    // (pattern, path, is it a directory, does it match): the examples of rsync(1), PATTERN MATCHING RULES
    let table = [
        ("*.o", "a/b.o", false, true),
        ("*.o", "b.oo", false, false),
        ("/foo", "foo", false, true),
        ("/foo", "a/foo", false, false),
        ("foo", "a/foo", false, true),
        ("foo/", "foo", false, false),
        ("foo/", "a/foo", true, true),
        ("foo/*/bar", "x/foo/y/bar", false, true),
        ("foo/*/bar", "foo/y/z/bar", false, false),
        ("/foo/**/bar", "foo/y/z/bar", false, true),
        ("/foo/**/bar", "a/foo/y/bar", false, false),
        ("**/bar", "a/b/bar", false, true),
        ("**/bar", "bar", false, true),
        ("/**/bar", "bar", false, false),
        ("a**z", "b/axx/yz", false, true),
        ("?", "ab", false, false),
        ("[a-c]x", "bx", false, true),
        ("[!a-c]x", "bx", false, false),
        ("[]x]", "]", false, true),
        ("[[:digit:]]", "7", false, true),
        ("[", "[", false, false),
        ("[a", "[a", false, false),
        ("*\\", "x\\", false, false),
        ("[\\a-c]", "b", false, true),
        ("[Z-\\]]", "[", false, true),
        ("[[:x]y]", ":y]", false, true),
        ("[[:none:]]", "n", false, false),
        ("[a/b]", "a", false, false),
        ("/[a/b]", "a", false, true),
        ("[a-c-e]", "-", false, true),
        ("[a-c-e]", "d", false, false),
        ("*/***", "a", true, true),
        ("\\*", "*", false, true),
        ("\\*", "a", false, false),
        ("back\\slash", "back\\slash", false, true),
        ("foo/***", "foo", true, true),
        ("foo/***", "a/foo", true, true),
        ("foo/***", "foo", false, false),
        ("foo/***", "foo/a/b", false, true),
    ];
    for (pattern, path, is_dir, expected) in table {
        let matched = Pattern::new(pattern.as_bytes()).unwrap().matches(path.as_bytes(), is_dir);
        assert_eq!(matched, expected, "{pattern} on {path}");
    }
    assert!(Pattern::new(b"").is_none() && Pattern::new(b"/").is_none());
}

#[test]
fn no_pattern_is_expensive() {
    let pattern = Pattern::new("*a".repeat(200).as_bytes()).unwrap();
    assert!(!pattern.matches(&[b'a'; 199], false));
    assert!(pattern.matches(&[b'a'; 200], false));
    // The longest of both, begun at each of as many components as there can be: one that were tried anew at each
    // would cost minutes.
    let pattern = Pattern::new(&b"*a/".repeat(1365)).unwrap();
    let path = b"aaaaaaaaaaaaaaa/".repeat(255);
    assert!(!pattern.matches(&path, true));
}
