//! Specifications that would lead out of the module, or are not in the one form: each ends the session with its line.

use super::target::{assert_clean_push, attack, site};
use smsync::exit::Exit;
use smsync::limits;
use smsync::path::{Filter, Item, Local, RelPath, Rule, Scope, Traits};
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags};

/// The lines of a specification after its root, the line that is refused, and why.
pub const REFUSED: &[(&str, u32, &str)] = &[
    // Names that lead elsewhere.
    ("./.. type=dir", 3, "'.' or '..'"),
    ("./../beside type=dir", 3, "'.' or '..'"),
    ("./a type=dir\n./a/.. type=dir", 4, "'.' or '..'"),
    ("./. type=dir", 3, "'.' or '..'"),
    ("./a/./b type=dir", 3, "'.' or '..'"),
    ("./ type=dir", 3, "empty component"),
    ("./a// type=dir", 3, "empty component"),
    (".//etc type=dir", 3, "empty component"),
    ("./a/ type=dir", 3, "empty component"),
    ("/etc type=dir", 3, "must be '.' or start with './'"),
    ("/set type=dir", 3, "must be '.' or start with './'"),
    (".. type=dir", 3, "must be '.' or start with './'"),
    ("a type=dir", 3, "must be '.' or start with './'"),
    ("", 3, "must be '.' or start with './'"),
    ("# a comment", 3, "must be '.' or start with './'"),
    // Escapes that would decode to what may not stand there, or that have another form.
    ("./\\056\\056 type=dir", 3, "canonical"),
    ("./a\\057b type=dir", 3, "canonical"),
    ("./a\\000 type=dir", 3, "NUL"),
    ("./\\141 type=dir", 3, "canonical"),
    ("./\\s type=dir", 3, "canonical"),
    ("./\\40 type=dir", 3, "canonical"),
    ("./\\M-a type=dir", 3, "canonical"),
    ("./a\\ type=dir", 3, "canonical"),
    ("./* type=dir", 3, "canonical"),
    ("./a#b type=dir", 3, "canonical"),
    ("./a\tb type=dir", 3, "canonical"),
    ("./\u{e9} type=dir", 3, "canonical"),
    ("./l type=link link=..\\057beside", 3, "canonical"),
    ("./l type=link link=a\\000", 3, "NUL"),
    ("./d type=dir uname=\\162oot", 3, "bad value of 'uname'"),
    // Order, parents.
    ("./b type=dir\n./a type=dir", 4, "doubled or not in tree order"),
    ("./a type=dir\n./a type=dir", 4, "doubled or not in tree order"),
    (". type=dir", 3, "doubled or not in tree order"),
    ("./a type=file size=0 time=0.000000000\n./a/b type=dir", 4, "not below a directory"),
    ("./link type=link link=../beside\n./link/x type=dir", 4, "not below a directory"),
    ("./p type=fifo\n./p/x type=dir", 4, "not below a directory"),
    ("./a/b type=dir", 3, "not below a directory"),
    // Keywords.
    ("./a", 3, "'type' is missing"),
    ("./a size=0", 3, "'type' is missing"),
    ("./a type=door", 3, "bad value of 'type'"),
    ("./a type=dir type=dir", 3, "doubled or out of order"),
    ("./a type=dir flags=schg", 3, "unknown keyword"),
    ("./a type=dir contents=/etc/shadow", 3, "unknown keyword"),
    ("./a type=dir mode=0755 mode=0755", 3, "doubled or out of order"),
    ("./a type=dir mode=0755 uid=0", 3, "doubled or out of order"),
    ("./a  type=dir", 3, "'type' is missing"),
    ("./a type=dir ", 3, "unknown keyword"),
    ("./a type=dir\r", 3, "bad value of 'type'"),
    ("./a type=dir\u{a0}mode=0755", 3, "bad value of 'type'"),
    ("./a type=dir ignore=1", 3, "bad value of 'ignore'"),
    ("./a type=dir mode", 3, "bad value of 'mode'"),
    // Numbers.
    ("./a type=dir uid=4294967295", 3, "bad value of 'uid'"),
    ("./a type=dir gid=4294967295", 3, "bad value of 'gid'"),
    ("./a type=dir uid=4294967296", 3, "bad value of 'uid'"),
    ("./a type=dir uid=-1", 3, "bad value of 'uid'"),
    ("./a type=dir uid=00", 3, "bad value of 'uid'"),
    ("./a type=dir uid=", 3, "bad value of 'uid'"),
    ("./a type=dir uname=", 3, "bad value of 'uname'"),
    ("./a type=dir mode=010000", 3, "bad value of 'mode'"),
    ("./a type=dir mode=755", 3, "bad value of 'mode'"),
    ("./a type=dir mode=00755", 3, "bad value of 'mode'"),
    ("./a type=dir mode=0789", 3, "bad value of 'mode'"),
    ("./a type=file size=-1 time=0.000000000", 3, "bad value of 'size'"),
    ("./a type=file size=9007199254740993 time=0.000000000", 3, "bad value of 'size'"),
    ("./a type=file size=18446744073709551616 time=0.000000000", 3, "bad value of 'size'"),
    ("./a type=file size=1 time=0", 3, "bad value of 'time'"),
    ("./a type=file size=1 time=1.5", 3, "bad value of 'time'"),
    ("./a type=file size=1 time=0.1000000000", 3, "bad value of 'time'"),
    ("./a type=file size=1 time=9223372036854775808.000000000", 3, "bad value of 'time'"),
    ("./a type=file size=1 time=-0.000000000", 3, "bad value of 'time'"),
    ("./a type=file size=1 time=0.00000000x", 3, "bad value of 'time'"),
    ("./a type=file size=1 time=0.000000000 sha256=AB", 3, "bad value of 'sha256'"),
    ("./a type=block device=native,1", 3, "bad value of 'device'"),
    ("./a type=block device=native,1,2,3", 3, "bad value of 'device'"),
    ("./a type=block device=259", 3, "bad value of 'device'"),
    ("./a type=block device=native,4294967296,0", 3, "bad value of 'device'"),
    // What a type must have, and must not.
    ("./a type=file time=0.000000000", 3, "'size' is missing"),
    ("./a type=file size=0", 3, "'time' is missing"),
    ("./a type=link", 3, "'link' is missing"),
    ("./a type=link link=", 3, "bad value of 'link'"),
    ("./a type=char", 3, "'device' is missing"),
    ("./a type=dir size=0", 3, "'size' does not belong"),
    ("./a type=dir link=x", 3, "'link' does not belong"),
    ("./a type=file link=x size=0 time=0.000000000", 3, "'link' does not belong"),
    ("./a type=file device=native,1,1 size=0 time=0.000000000", 3, "'device' does not belong"),
    ("./a type=fifo ignore", 3, "'ignore' does not belong"),
    ("./a type=dir inode=1 resdevice=native,1,1", 3, "'inode' does not belong"),
    ("./a type=fifo inode=1", 3, "'resdevice' is missing"),
    ("./a type=fifo resdevice=native,1,1", 3, "'inode' is missing"),
    ("./a type=dir md5=d41d8cd98f00b204e9800998ecf8427e", 3, "'md5' does not belong"),
];

fn whole(lines: &str) -> String {
    format!("#mtree\n. type=dir\n{lines}\n")
}

#[test]
fn every_line_that_is_not_canonical_is_refused() {
    let site = site();
    for (lines, number, words) in REFUSED {
        let outcome = attack(&site, |peer| peer.push(&whole(lines)));
        outcome.assert(Exit::Protocol, words);
        let line = format!("specification line {number}: ");
        assert!(outcome.log.contains(&line), "{lines}: {outcome:?}");
    }
    assert!(!site.dst().join(".smsync").exists(), "none of them got as far as the stage");
    assert_clean_push(&site);
}

#[test]
fn specifications_without_head_or_end_are_refused() {
    let site = site();
    let table = [
        ("", 1, "must be '#mtree'"),
        ("#mtree", 1, "must be '#mtree'"),
        ("#mtree v2.0\n. type=dir\n", 1, "must be '#mtree'"),
        (". type=dir\n", 1, "must be '#mtree'"),
        ("#mtree\r\n. type=dir\r\n", 1, "must be '#mtree'"),
        ("#mtree\n", 1, "there is no entry"),
        ("#mtree\n. type=dir", 2, "has no end"),
        ("#mtree\n./a type=dir\n", 2, "first entry must be the directory '.'"),
        ("#mtree\n. type=file size=0 time=0.000000000\n", 2, "first entry must be the directory '.'"),
        ("#mtree\n. type=link link=/etc\n", 2, "first entry must be the directory '.'"),
        ("#mtree\n\n. type=dir\n", 2, "must be '.' or start with './'"),
    ];
    for (text, number, words) in table {
        let outcome = attack(&site, |peer| peer.push(text));
        outcome.assert(Exit::Protocol, words);
        assert!(outcome.log.contains(&format!("specification line {number}: ")), "{text}: {outcome:?}");
    }
    assert_clean_push(&site);
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let site = site();
    let below = |depth: usize| {
        let paths = (1..=depth).map(|depth| format!("./{} type=dir", vec!["d"; depth].join("/")));
        paths.collect::<Vec<_>>().join("\n")
    };
    let wide = |count: usize, last: usize| {
        let name = "n".repeat(250);
        let mut path = String::from(".");
        let mut lines = Vec::new();
        for _ in 0..count {
            path = format!("{path}/{name}");
            lines.push(format!("{path} type=dir"));
        }
        lines.push(format!("{path}/{} type=dir", "n".repeat(last)));
        lines.join("\n")
    };
    let table = [
        (format!("./{} type=dir", "n".repeat(256)), "longer than 255"),
        (format!("./{} type=dir", "\\012".repeat(256)), "longer than 255"),
        (below(257), "deeper than 256"),
        // 16 names of 250 bytes with their slashes are 4,016 bytes and leave 79 of 4,095.
        (wide(16, 80), "longer than 4095"),
        (format!("./l type=link link={}", "t".repeat(4096)), "bad value of 'link'"),
        (format!("./a type=dir uname={}", "u".repeat(256)), "bad value of 'uname'"),
        (format!("./a type=dir {}", "x".repeat(smsync::limits::SPEC_LINE)), "too long"),
    ];
    for (lines, words) in table {
        attack(&site, |peer| peer.push(&whole(&lines))).assert(Exit::Protocol, words);
    }
    assert_clean_push(&site);
    // The control: one less is taken, as far as a file system can hold it.
    for lines in [format!("./{} type=dir", "n".repeat(255)), below(256), wide(16, 79)] {
        let outcome = super::target::session(&site, |peer| {
            peer.push(&whole(&lines));
            peer.hear_until(&smsync::wire::Message::Report(Default::default()));
            peer.say(&[smsync::wire::Message::Bye]);
        });
        assert_eq!((outcome.code, &outcome.abort), (0, &None), "{outcome:?}");
    }
    assert_clean_push(&site);
}

/// A round about `dir/inner` and `new`, without `*.secret`.
fn scope() -> Scope {
    let path = |text: &str| RelPath::new(text.as_bytes().to_vec()).unwrap();
    let rule = Item::new(Traits::BOTH, b"*.secret").unwrap();
    Scope::new(vec![path("dir/inner"), path("new")], Filter::new(vec![rule]))
}

/// What a file of rules says, the one that the round names at this place.
fn rules(directory: &str, file: usize, rules: &[&str]) -> Message<'static> {
    let directory = RelPath::new(directory.as_bytes().to_vec()).unwrap();
    let rule = |text: &&str| Rule::new(Traits::BOTH, text.as_bytes()).unwrap().into();
    Message::Rules(Local { directory, file, clears: false, rules: rules.iter().map(rule).collect() })
}

#[test]
fn rules_of_files_are_those_of_the_round_and_bounded() {
    let site = site();
    let named = || {
        let file = Item::new(Traits::BOTH.and(Traits::FILE), b".rules").unwrap();
        Scope::new(Vec::new(), Filter::new(vec![file]))
    };
    let long = "x".repeat(limits::PATH);
    let many: Vec<_> = (0..1100).map(|number| rules(&format!("d{number:05}"), 0, &[&long])).collect();
    let table = [
        (Scope::default(), vec![rules("", 0, &["x"])], "that the round does not name"),
        (named(), vec![rules("", 1, &["x"])], "that the round does not name"),
        (named(), vec![rules("dir", 0, &["x"]), rules("", 0, &["x"])], "rules of files are out of order"),
        (named(), vec![rules("dir", 0, &["x"]), rules("dir", 0, &["y"])], "rules of files are out of order"),
        (named(), many, "too many rules of files"),
        // What its own files hide it must not send.
        (named(), vec![rules("dir", 0, &["/x"])], "an entry outside of the scope"),
    ];
    for (scope, said, words) in table {
        let outcome = attack(&site, |peer| {
            peer.open_path("m", "");
            peer.scoped_round(Direction::Push, Flags::DELETE, scope);
            said.iter().for_each(|message| peer.say(std::slice::from_ref(message)));
            peer.offer(&whole("./dir type=dir\n./dir/x type=dir"));
        });
        outcome.assert(Exit::Protocol, words);
    }
    assert_clean_push(&site);
}

#[test]
fn what_the_round_is_not_about_is_refused() {
    let site = site();
    let file = "type=file size=0 time=0.000000000";
    let table = [
        // Reserved.
        (Scope::default(), "./.smsync type=dir".to_owned()),
        (Scope::default(), format!("./.smsync {file}")),
        (Scope::default(), format!("./.smsync type=dir\n./.smsync/x {file}")),
        (Scope::default(), "./.smsync type=link link=..".to_owned()),
        // Out of scope, and excluded.
        (scope(), format!("./keep {file}")),
        (scope(), "./dir type=dir\n./dir/inner2 type=dir".to_owned()),
        (scope(), format!("./new type=dir\n./new/a.secret {file}")),
        (scope(), "./new type=dir\n./new/d.secret type=dir".to_owned()),
        // What only leads to the scope is a directory, and no more is said of it.
        (scope(), "./dir type=dir mode=0777".to_owned()),
        (scope(), "./dir type=dir uid=0".to_owned()),
        (scope(), "./dir type=dir time=0.000000000".to_owned()),
        (scope(), format!("./dir {file}")),
        (scope(), "./dir type=link link=../beside".to_owned()),
    ];
    for (scope, lines) in table {
        let outcome = attack(&site, |peer| {
            peer.open_path("m", "");
            peer.scoped_round(Direction::Push, Flags::DELETE, scope);
            peer.offer(&whole(&lines));
        });
        outcome.assert(Exit::Protocol, "an entry outside of the scope");
    }
    let outcome = attack(&site, |peer| {
        peer.open_path("m", "");
        peer.scoped_round(Direction::Push, Flags::NONE, scope());
        peer.offer("#mtree\n. type=dir mode=0777\n");
    });
    outcome.assert(Exit::Protocol, "an entry outside of the scope");
    assert_clean_push(&site);
}

#[test]
fn a_link_on_the_disk_is_replaced_and_never_followed() {
    let site = site();
    let beside = super::target::snapshot(&site.path("beside"));
    // `link` leads to ../beside, which has a directory `dir`.
    let text = whole("./link type=dir mode=0755\n./link/dir type=dir mode=0700\n./link/l type=link link=x");
    let outcome = super::target::session(&site, |peer| {
        peer.push(&text);
        peer.hear_until(&smsync::wire::Message::Report(Default::default()));
        peer.say(&[smsync::wire::Message::Bye]);
    });
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(site.dst().join("link").symlink_metadata().unwrap().is_dir());
    assert!(site.dst().join("link/dir").symlink_metadata().unwrap().is_dir());
    assert_eq!(super::target::snapshot(&site.path("beside")), beside);
    assert_clean_push(&site);
}
