//! The language by itself: what a line says, what a value is, and every error with its line.

use super::*;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, PartialEq, Deserialize)]
struct Shop {
    #[serde(default, deserialize_with = "value::port")]
    port: Option<u16>,
    #[serde(default, deserialize_with = "value::addresses")]
    address: Vec<IpAddr>,
    #[serde(default, deserialize_with = "value::seconds")]
    wait: Option<Option<Duration>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Shelf {
    #[serde(deserialize_with = "value::path")]
    path: PathBuf,
    #[serde(default, rename = "read only", deserialize_with = "value::yes_no")]
    read_only: Option<bool>,
    #[serde(default, deserialize_with = "value::text")]
    comment: String,
    #[serde(default)]
    durable: Durable,
}

type Read = (Shop, Vec<(String, At, Shelf)>);

fn try_read(text: impl AsRef<[u8]>) -> Result<Read, ConfigErrors> {
    let mut errors = ConfigErrors::new(Path::new("shop.conf"));
    let (shop, _, shelves) = super::read::<Shop, Shelf>(text.as_ref(), &mut errors);
    let shelves =
        shelves.into_iter().filter_map(|shelf| shelf.values.map(|values| (shelf.name, shelf.at, values)));
    errors.finish(shop.zip(Some(shelves.collect())))
}

fn good(text: impl AsRef<[u8]>) -> Read {
    try_read(text).unwrap()
}

fn shelf(text: &str) -> Shelf {
    let (_, mut shelves) = good(text);
    assert_eq!(shelves.len(), 1, "{text}");
    shelves.remove(0).2
}

#[test]
fn lines_as_people_mean_them() {
    type Row<'a> = (&'a [u8], &'a [(usize, &'a str)]);
    let table: &[Row<'_>] = &[
        (b"", &[]),
        (b"\n\n", &[]),
        (b"a", &[(1, "a")]),
        (b"a\nb\n", &[(1, "a"), (2, "b")]),
        (b"a\r\n\r\nb\r\n", &[(1, "a"), (3, "b")]),
        (b"\xef\xbb\xbfa\n", &[(1, "a")]),
        (b"\xef\xbb\xbf# c\na", &[(2, "a")]),
        (b" \t a \t \n", &[(1, "a")]),
        (b"# c\n  # c\n\t; c\n;\na # not ; one\n", &[(5, "a # not ; one")]),
        (b"a \\\n b\nc", &[(1, "a  b"), (3, "c")]),
        (b"a\\\r\nb\\ \r\nc\n", &[(1, "abc")]),
        (b"a \\\n# b\n", &[(1, "a # b")]),
        (b"# c \\\nb\n", &[(2, "b")]),
        (b"a\\", &[(1, "a")]),
        (b"\\\n\\\n\n a\n", &[(4, "a")]),
        (b"a\tb", &[(1, "a\tb")]),
        (b"# caf\xe9\n", &[]),
        ("caf\u{e9}\n".as_bytes(), &[(1, "caf\u{e9}")]),
    ];
    for (bytes, expected) in table {
        let mut errors = ConfigErrors::new(Path::new("f"));
        let found = lines(bytes, At::from(0), &mut errors);
        let found: Vec<_> = found.iter().map(|line| (line.at, line.text.as_str())).collect();
        let expected: Vec<_> = expected.iter().map(|&(line, text)| (At::from(line), text)).collect();
        assert_eq!(found, expected, "{}", bytes.escape_ascii());
        assert_eq!(errors.iter().count(), 0);
    }
}

#[test]
fn sections_and_parameters() {
    let (shop, shelves) = good(
        "\u{feff}# a shop\r\nport = 80\r\n\r\n[ a ]\r\npath=/a\r\n  [b\t  c]  \r\n\tPATH\t=\t/b = c\r\nRead  Only=No\r\n",
    );
    assert_eq!(shop, Shop { port: Some(80), address: vec![], wait: None });
    let shelf = |path: &str, read_only| Shelf {
        path: path.into(),
        read_only,
        comment: String::new(),
        durable: Durable::Batch,
    };
    assert_eq!(shelves[0], ("a".to_owned(), At::from(4), shelf("/a", None)));
    assert_eq!(shelves[1], ("b c".to_owned(), At::from(6), shelf("/b = c", Some(false))));
    let (_, shelves) = good("[[::1]:42::m]\npath = /a");
    assert_eq!(shelves[0].0, "[::1]:42::m");
}

#[test]
fn names_of_parameters_fold() {
    for name in ["read only", "Read  Only", "READ\tONLY", "readonly", "r e a d o n l y"] {
        assert_eq!(shelf(&format!("[s]\npath = /\n{name} = yes")).read_only, Some(true), "{name}");
    }
}

#[test]
fn defaults_of_all_sections() {
    let (_, shelves) =
        good("read only = no\npath = /all\nport = 1\n[a]\n[b]\npath = /b\n[c]\nreadonly = yes\n");
    let found: Vec<_> = shelves.iter().map(|(_, _, s)| (s.path.to_str().unwrap(), s.read_only)).collect();
    assert_eq!(found, [("/all", Some(false)), ("/b", Some(false)), ("/all", Some(true))]);
}

#[test]
fn values() {
    for (text, expected) in [
        ("yes", true),
        ("No", false),
        ("TRUE", true),
        ("false", false),
        ("1", true),
        ("0", false),
        ("on", true),
        ("Off", false),
    ] {
        assert_eq!(shelf(&format!("[s]\npath = /\nread only = {text}")).read_only, Some(expected), "{text}");
    }
    for (text, expected) in [("batch", Durable::Batch), ("FILE", Durable::File), ("none", Durable::None)] {
        assert_eq!(shelf(&format!("[s]\npath = /\ndurable = {text}")).durable, expected);
        assert_eq!(expected.to_string(), text.to_lowercase());
    }
    let (shop, _) = good("port = 65535\naddress = 127.0.0.1,::1 , \t 10.0.0.1\nwait = 0");
    let list = ["127.0.0.1", "::1", "10.0.0.1"].map(|text| text.parse().unwrap());
    assert_eq!(shop, Shop { port: Some(65535), address: list.to_vec(), wait: Some(None) });
    assert_eq!(good("wait = 4294967295").0.wait, Some(Some(Duration::from_secs(4_294_967_295))));
    assert_eq!(
        shelf("[s]\npath = /\ncomment = a  \"b\" = c # d ; \\\n e\n").comment,
        "a  \"b\" = c # d ;  e"
    );
    assert_eq!(shelf("[s]\npath = /\ncomment =\n").comment, "");
}

#[test]
fn every_error_has_its_line() {
    let known = "known here: path, read only, comment, durable";
    let elsewhere = "is said of the whole server: it belongs before the first module, or below [global]";
    let all = "known here: port, address, wait, path, read only, comment, durable";
    let long = "x".repeat(513);
    let far = format!("/{}", "x".repeat(4095));
    let table: &[(&str, &[&str])] = &[
        ("bogus = 1", &[&format!("1: unknown parameter 'bogus'; {all}")]),
        ("[s]\npath = /\n\nbogus = 1", &[&format!("4: unknown parameter 'bogus'; {known}")]),
        ("[s]\npath = /\nPort = 1", &[&format!("3: 'port' {elsewhere}")]),
        ("[s]\npath = /\nprot = 1", &[&format!("3: unknown parameter 'prot'; {known}")]),
        ("secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &[&format!("1: unknown parameter; {all}")]),
        ("b\u{202e} = 1", &[&format!("1: unknown parameter 'b\\342\\200\\256'; {all}")]),
        ("port = 1\nPort = 1", &["2: 'port' already given at line 1"]),
        ("[s]\npath = /\nreadonly = 1\nread only = 1", &["4: 'read only' already given at line 3"]),
        ("path = /\n[s]\n\n[t]\n[s]\n", &["5: section [s] already given at line 2"]),
        ("path = /\n[a b]\n[a  b]\n", &["3: section [a b] already given at line 2"]),
        ("[s]\nread only = maybe\npath = /", &["2: read only: 'maybe' is not yes or no"]),
        ("[s]\npath = /\nread only =", &["3: read only: '' is not yes or no"]),
        ("[s]\npath = x", &["2: path: 'x' is not an absolute path"]),
        ("[s]\npath =", &["2: path: '' is not an absolute path"]),
        (&format!("[s]\npath = {far}"), &[&format!("2: path: '{far}' is not an absolute path")]),
        ("\n[s]\n", &["2: 'path' is missing"]),
        ("\n[s]\nread only = x", &["2: 'path' is missing", "3: read only: 'x' is not yes or no"]),
        ("port = 0", &["1: port: '0' is not a port from 1 to 65535"]),
        ("port = 65536", &["1: port: '65536' is not a port from 1 to 65535"]),
        ("port = +80", &["1: port: '+80' is not a port from 1 to 65535"]),
        ("port =", &["1: port: '' is not a port from 1 to 65535"]),
        ("wait = 1.5", &["1: wait: '1.5' is not a whole number of seconds (0 for no limit)"]),
        ("wait = 4294967296", &["1: wait: '4294967296' is not a whole number of seconds (0 for no limit)"]),
        ("wait = -1", &["1: wait: '-1' is not a whole number of seconds (0 for no limit)"]),
        ("address = 1.2.3", &["1: address: '1.2.3' is not a list of IP addresses"]),
        (
            "address = ::1 1.2.3, 10.0.0.1",
            &["1: address: '::1 1.2.3, 10.0.0.1' is not a list of IP addresses: '1.2.3' is none of them"],
        ),
        (
            "address = ::1 a/b, c",
            &["1: address: '::1 a/b, c' is not a list of IP addresses: 'a/b', 'c' are none of them"],
        ),
        ("address = ,", &["1: address: ',' is not a list of IP addresses"]),
        ("[s]\npath=/\ndurable = hard", &["3: durable: 'hard' is not one of batch, file, none"]),
        (
            &format!("[s]\npath=/\ncomment = {long}"),
            &[&format!("3: comment: '{long}' is not short enough (at most 512 bytes)")],
        ),
        ("port 80", &["1: expected 'parameter = value' or '[section]'"]),
        ("\\\n# a = b", &["1: expected 'parameter = value' or '[section]'"]),
        ("= 80", &["1: a parameter needs a name before its '='"]),
        ("path = /\n[s", &["2: a section header needs a ']' at its end"]),
        ("path = /\n[s] # c", &["2: nothing may follow the ']' of a section header"]),
        ("path = /\n[ \t]\nbogus = 1", &["2: a section needs a name"]),
        ("path = /\n[]", &["2: a section needs a name"]),
        ("port = 1\0", &["1: the line holds a control character"]),
        ("port = 1\n\u{9b}[2J", &["2: the line holds a control character"]),
        // A continued line counts from its start, and what follows it from where it stands.
        (
            "po\\\nrt \\\n = x\nport = y",
            &["1: port: 'x' is not a port from 1 to 65535", "4: 'port' already given at line 1"],
        ),
        // A wrong default is one error, with sections and without.
        ("path = x", &["1: path: 'x' is not an absolute path"]),
        ("path = x\n[s]\n[t]", &["1: path: 'x' is not an absolute path"]),
        // All of them at once, in the order of the lines.
        (
            "nothing\n[a]\npath = a\nread only = b\nbogus = c\n[b]\nport = 0\npath = /b\npath = /c\n[a]\n",
            &[
                "1: expected 'parameter = value' or '[section]'",
                "3: path: 'a' is not an absolute path",
                "4: read only: 'b' is not yes or no",
                &format!("5: unknown parameter 'bogus'; {known}"),
                &format!("7: 'port' {elsewhere}"),
                "9: 'path' already given at line 8",
                "10: 'path' is missing",
                "10: section [a] already given at line 2",
            ],
        ),
    ];
    for (text, expected) in table {
        let errors = try_read(text).expect_err(text).to_string();
        let expected: Vec<_> = expected.iter().map(|error| format!("shop.conf:{error}")).collect();
        assert_eq!(errors.lines().collect::<Vec<_>>(), expected, "{text}");
    }
    let errors = try_read(b"port = 1\n\nport = \xff\n").unwrap_err();
    assert_eq!(errors.to_string(), "shop.conf:3: the line is not UTF-8");
}

#[test]
fn names_of_modules_and_users() {
    let long = "m".repeat(65);
    let table = [
        ("", Err(NameError::Empty)),
        ("m", Ok(())),
        (&long[1..], Ok(())),
        (&long, Err(NameError::TooLong(64))),
        ("a/b", Err(NameError::Character('/'))),
        ("a:b", Err(NameError::Character(':'))),
        ("a\u{7}b", Err(NameError::Character('\u{7}'))),
    ];
    for (name, expected) in table {
        assert_eq!(check_module(name), expected, "{name}");
        assert_eq!(check_user(name), expected, "{name}");
    }
    assert_eq!(check_module("a b@c"), Ok(()));
    assert_eq!(check_module("[m"), Err(NameError::Character('[')));
    assert_eq!(check_module("m]"), Err(NameError::Character(']')));
    for name in ["global", "GLOBAL", "Globals"] {
        assert_eq!(check_module(name), Err(NameError::Reserved));
    }
    assert_eq!(check_user("a b"), Err(NameError::Character(' ')));
    assert_eq!(check_user("a@b"), Err(NameError::Character('@')));
    assert_eq!(check_user("global"), Ok(()));
}

/// A configuration in several files below a folder of its own, of which `main` is the first.
fn files(list: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    for (name, text) in list {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text.replace("DIR", dir.path().to_str().unwrap())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    dir
}

/// What `main` says, with names below the folder for errors.
fn read_files(dir: &tempfile::TempDir) -> Result<Read, String> {
    let errors = |errors: ConfigErrors| errors.to_string().replace(dir.path().to_str().unwrap(), "DIR");
    try_read(std::fs::read(dir.path().join("main")).unwrap()).map_err(errors)
}

#[test]
fn rd_21_global_goes_back_to_the_defaults() {
    let text = "path = /\n[a]\n[global]\nread only = no\nport = 7\n[b]\n[GLOBAL]\nread only = yes\n[c]\n";
    let (shop, shelves) = good(text);
    let found: Vec<_> = shelves.iter().map(|(name, _, shelf)| (&name[..], shelf.read_only)).collect();
    assert_eq!(found, [("a", None), ("b", Some(false)), ("c", Some(true))]);
    assert_eq!(shop.port, Some(7));
    let errors = try_read("port = 7\npath = /\n[a]\n[global]\nport = 7\n").unwrap_err().to_string();
    assert_eq!(errors, "shop.conf:5: 'port' already given at line 1");
}

#[test]
fn rd_26_files_are_included() {
    let dir = files(&[
        ("main", "path = /\n&include DIR/d\n[m]\nread only = yes\n&include DIR/one\ncomment = of m\n[n]\n"),
        ("d/20.conf", "read only = no\n[b]\n"),
        ("d/10.conf", "[a]\n"),
        ("d/.hidden.conf", "bogus\n"),
        ("d/other", "bogus\n"),
        ("one", "port = 9\ncomment = of one\n[o]\n"),
    ]);
    let (shop, shelves) = read_files(&dir).unwrap();
    let found: Vec<_> =
        shelves.iter().map(|(name, _, shelf)| (&name[..], shelf.read_only, &shelf.comment[..])).collect();
    // Each file begins with the defaults of the one that includes it, and leaves them as they are.
    let expected = [
        ("a", None, ""),
        ("b", Some(false), ""),
        ("m", Some(true), "of m"),
        ("o", None, "of one"),
        ("n", None, ""),
    ];
    assert_eq!(found.iter().collect::<BTreeSet<_>>(), expected.iter().collect());
    assert_eq!(shop.port, Some(9));
}

#[test]
fn what_is_wrong_with_included_files_is_said_of_them() {
    let dir = files(&[
        ("main", "port = 1\npath = /\n&include DIR/d\n[a]\n&include there\n&merge DIR/d\n&include DIR/no\n"),
        ("d/1.conf", "port = 2\n[a]\nread only = perhaps\n"),
        ("d/2.conf", "bogus\n&include DIR/d/2.conf\n"),
        ("d/3.conf", ""),
        ("d/4.conf", "&include DIR/e1\n"),
        ("e1", "&include DIR/e2\n"),
        ("e2", "&include DIR/e3\n"),
        ("e3", "&include DIR/e4\n"),
        ("e4", "&include DIR/e5\n"),
        ("e5", "&include DIR/e6\n"),
        ("e6", "&include DIR/e7\n"),
        ("e7", "&include DIR/e8\n"),
    ]);
    std::fs::set_permissions(dir.path().join("d/3.conf"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let errors = read_files(&dir).unwrap_err();
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines[0], "shop.conf:4: section [a] already given at DIR/d/1.conf:2");
    assert_eq!(lines[1], "shop.conf:5: &include: 'there' is not an absolute path");
    assert_eq!(lines[2], "shop.conf:6: expected '&include' and the path of a file or a directory");
    assert_eq!(lines[3], "DIR/d/1.conf:1: 'port' already given at shop.conf:1");
    assert_eq!(lines[4], "DIR/d/1.conf:3: read only: 'perhaps' is not yes or no");
    let itself = "DIR/d/2.conf:2: &include: DIR/d/2.conf includes itself, by way of this line";
    assert!(lines.contains(&itself), "{errors}");
    assert!(lines.contains(&"DIR/e7:1: files include each other more than 8 deep"), "{errors}");
    for end in [
        "DIR/d/3.conf is not for its owner alone (mode 0640); repair: chmod 0600 DIR/d/3.conf",
        "DIR/no cannot be opened: No such file or directory (os error 2)",
    ] {
        assert!(lines.contains(&end), "{errors}");
    }
}
