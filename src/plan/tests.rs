//! Tables: two specifications in, the plan out.

use super::*;
use crate::path::RelPath;
use crate::report::{Aspects, Change, Fate};
use crate::spec::{Marks, Spec};
use crate::sys::tick::Tick;
use crate::sys::{Dir, Spool};
use crate::terms::{Comparison, Quick};
use std::io::Write;
use std::path::Path;

pub(super) fn spec(lines: &str) -> Spec {
    let mut spool = Spool::create(&Dir::open_root(Path::new("/tmp")).unwrap()).unwrap();
    spool.write_all(b"#mtree\n. type=dir\n").unwrap();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(spool, "{line}").unwrap();
    }
    Spec::seal(spool).unwrap()
}

pub(super) fn users(name: &[u8]) -> Option<u32> {
    (name == b"alice").then_some(1001)
}

/// What decides where nothing else is asked for.
pub(super) fn usual(owners: &Owners, delete: bool) -> Rules<'_> {
    let (comparison, tick) = (Comparison::default(), Tick::FINE);
    Rules { owners, delete, links: true, xattrs: true, comparison, tick, away: None }
}

/// The plan in words, a step a line, sorted as the plan is.
pub(super) fn plan(want: &str, have: &str, hidden: &[&str], delete: bool) -> Vec<String> {
    by(want, have, hidden, delete, Comparison::default())
}

/// The same with a comparison that was asked for.
fn by(want: &str, have: &str, hidden: &[&str], delete: bool, comparison: Comparison) -> Vec<String> {
    let (want, have) = (spec(want), spec(have));
    let hidden: Vec<RelPath<'_>> = hidden.iter().map(|path| RelPath::new(path.as_bytes()).unwrap()).collect();
    let owners = Owners::any(users, users);
    let rules = Rules { comparison, ..usual(&owners, delete) };
    in_words(&compare(&want, &have, &hidden, &rules), &want, &have)
}

pub(super) fn in_words(plan: &Plan, want: &Spec, have: &Spec) -> Vec<String> {
    let mut words: Vec<String> = plan
        .steps
        .iter()
        .map(|step| {
            let what: Vec<&str> = step.aspects.words().collect();
            let action = match step.action {
                Action::Link(leader) => format!("Link {}", want.entry(leader).path),
                action => format!("{action:?}"),
            };
            format!("{} {action} {}", want.entry(step.want).path, what.join("+")).trim_end().to_owned()
        })
        .collect();
    words.extend(plan.extras.iter().map(|extra| format!("{} extra", have.entry(*extra).path)));
    words
}

pub(super) const T1: &str = "time=1.000000000";
const T2: &str = "time=2.000000000";

pub(super) fn file(path: &str, rest: &str) -> String {
    format!("./{path} type=file {rest}\n")
}

#[test]
fn equal_trees_need_nothing() {
    let tree =
        "./d type=dir mode=0755\n./d/f type=file mode=0644 size=3 time=1.000000000\n./l type=link link=x\n";
    assert!(plan(tree, tree, &[], true).is_empty());
}

#[test]
fn what_is_missing_is_made() {
    let tree = "./c type=char device=native,1,3\n./d type=dir\n./d/f type=file size=3 time=1.000000000\n\
                ./l type=link link=x\n./p type=fifo\n";
    assert_eq!(
        plan(tree, "", &[], false),
        ["c MakeNode", "d MakeDir", "d/f Fetch", "l MakeNode", "p MakeNode"]
    );
}

#[test]
fn metadata_never_causes_a_transfer() {
    let want = file("f", &format!("uid=5 gid=6 mode=0600 size=3 {T1}"));
    let have = file("f", &format!("uid=1 gid=1 mode=0644 size=3 {T1}"));
    assert_eq!(plan(&want, &have, &[], false), ["f Meta permissions+user+group"]);
    // A digest that agrees makes another time metadata, too.
    let sum = "md5=d41d8cd98f00b204e9800998ecf8427e";
    let (want, have) = (file("f", &format!("size=0 {T1} {sum}")), file("f", &format!("size=0 {T2} {sum}")));
    assert_eq!(plan(&want, &have, &[], false), ["f Meta modification time"]);
}

#[test]
fn changed_contents_are_fetched() {
    let have = file("f", &format!("size=3 {T1}"));
    assert_eq!(plan(&file("f", &format!("size=4 {T1}")), &have, &[], false), ["f Fetch size"]);
    assert_eq!(plan(&file("f", &format!("size=3 {T2}")), &have, &[], false), ["f Fetch modification time"]);
    let (a, b) = ("cksum=1", "cksum=2");
    let (want, have) = (file("f", &format!("size=3 {T1} {a}")), file("f", &format!("size=3 {T1} {b}")));
    assert_eq!(plan(&want, &have, &[], false), ["f Fetch digest"]);
}

#[test]
fn special_files_are_made_anew_only_where_they_must() {
    assert_eq!(plan("./l type=link link=x\n", "./l type=link link=y\n", &[], false), ["l MakeNode link ref"]);
    assert_eq!(
        plan("./p type=fifo mode=0600\n", "./p type=fifo mode=0644\n", &[], false),
        ["p MakeNode permissions"]
    );
    assert_eq!(plan("./p type=fifo uid=1\n", "./p type=fifo uid=2\n", &[], false), ["p Meta user"]);
    assert_eq!(
        plan("./l type=link mode=0755 link=x\n", "./l type=link mode=0777 link=x\n", &[], false),
        [""; 0]
    );
}

#[test]
fn owners_go_by_name_then_by_number() {
    let have = "./d type=dir uid=1001 gid=7\n";
    assert!(plan("./d type=dir uname=alice uid=5 gname=nobody-knows gid=7\n", have, &[], false).is_empty());
    assert_eq!(plan("./d type=dir uname=mallory uid=5\n", have, &[], false), ["d Meta user"]);
    let (want, have) = (spec("./d type=dir uid=0 gid=0\n"), spec("./d type=dir uid=1 gid=1\n"));
    let owners = Owners::own(users, users, vec![1]);
    let rules = usual(&owners, false);
    let own = compare(&want, &have, &[], &rules);
    assert!(own.steps.is_empty(), "what an ordinary user cannot set is not compared");
}

#[test]
fn extras_and_what_protects_them() {
    let have =
        "./a type=dir\n./a/b type=dir\n./a/b/f type=file size=1 time=1.000000000\n./c type=link link=x\n";
    assert_eq!(plan("", have, &[], true), ["a extra", "a/b extra", "a/b/f extra", "c extra"]);
    assert_eq!(plan("", have, &["a/b"], true), ["a/b/f extra", "c extra"]);
    assert_eq!(plan("./a type=dir ignore\n", have, &[], true), ["c extra"]);
    assert_eq!(
        plan("./a type=dir\n./a/x type=dir\n", "./a type=dir ignore\n", &[], true),
        ["a/x Blocked(Unseen)"]
    );
}

#[test]
fn what_a_specification_leaves_as_it_is() {
    let there = "./d type=dir mode=0700\n./d/f type=file size=1 time=1.000000000\n";
    // What is carried nowhere may have any type here, and what is below it is none of ours.
    assert!(plan("./d type=socket\n", there, &[], true).is_empty());
    assert!(plan("./d type=socket\n", "", &[], true).is_empty());
    assert!(plan("./d type=file size=2 time=2.000000000 nochange\n", there, &[], true).is_empty());
    assert_eq!(plan("./d type=dir mode=0755 nochange\n", there, &[], true), ["d/f extra"]);
    assert_eq!(plan("./d type=dir nochange\n", "", &[], true), ["d MakeDir"]);
    let optional = "./d type=dir optional\n./d/f type=file size=2 time=1.000000000\n";
    assert!(plan(optional, "", &[], true).is_empty());
    assert_eq!(plan(optional, there, &[], true), ["d/f Fetch size"]);
}

#[test]
fn types_change() {
    let dir = "./x type=dir\n./x/f type=file size=1 time=1.000000000\n";
    let link = "./x type=link link=y\n";
    assert_eq!(plan(dir, link, &[], false), ["x MakeDir type", "x/f Fetch"]);
    assert_eq!(plan(link, dir, &[], true), ["x MakeNode type", "x/f extra"]);
    assert_eq!(plan(link, dir, &[], false), ["x Blocked(NotEmpty) type"]);
    assert_eq!(plan(link, "./x type=dir\n", &[], false), ["x MakeNode type"]);
    assert_eq!(
        plan(link, dir, &["x"], true),
        ["x Blocked(NotEmpty) type"],
        "not all of it is ours to remove"
    );
}

#[test]
fn changes_are_named() {
    let (want, have) =
        (spec("./a type=dir\n./b type=dir mode=0700\n"), spec("./b type=dir mode=0755\n./c type=dir\n"));
    let owners = Owners::any(users, users);
    let rules = usual(&owners, true);
    let plan = compare(&want, &have, &[], &rules);
    let outcome = Outcome {
        owners: rules.owners,
        taken_over: Marks::default(),
        linked: Marks::default(),
        copied: Marks::default(),
        removed: plan.extras.iter().copied().collect(),
    };
    let changes: Vec<_> = plan.changes(&want, &have, &outcome).collect();
    let fates: Vec<_> = changes.iter().map(|change| change.fate).collect();
    assert_eq!(fates, [Fate::Missing, Fate::Changed, Fate::Extra]);
    assert_eq!(changes[1].aspects, Aspects::MODE);
    assert_eq!((&*changes[1].wanted[0], &*changes[1].found[0]), (&b"0700"[..], &b"0755"[..]));
    let told: Vec<_> = changes.iter().map(Change::to_string).collect();
    assert_eq!(told, ["made: a (missing)", "metadata: b (permissions)", "removed: c (extra)"]);
    assert_eq!((want.census().dirs, want.census().total()), (3, 3));
}

#[test]
fn extended_attributes_are_metadata() {
    let (a, b) = ("xattr.user.a=YQ==", "xattr.user.a=Yg==");
    let with = |rest: &str| file("f", format!("size=1 {T1} {rest}").trim_end());
    assert_eq!(plan(&with(a), &with(b), &[], false), ["f Meta extended attributes"]);
    assert_eq!(plan(&with(""), &with(a), &[], false), ["f Meta extended attributes"]);
    assert!(plan(&with(a), &with(a), &[], false).is_empty());
    let (want, have) = (spec(&with("xattr.trusted.t=YQ== xattr.user.a=YQ==")), spec(&with(a)));
    let rules = |owners, xattrs| Rules { xattrs, ..usual(owners, false) };
    let own = Owners::own(users, users, vec![]);
    assert!(
        compare(&want, &have, &[], &rules(&own, true)).steps.is_empty(),
        "an ordinary user sets no trusted.*"
    );
    let (any, none) = (Owners::any(users, users), spec(&with("")));
    assert!(compare(&none, &have, &[], &rules(&any, false)).steps.is_empty(), "they are not carried");
}

#[test]
fn links_that_are_not_spoken_of_stay() {
    let (want, have) = (
        spec(&(file("a", &format!("size=1 {T1}")) + &file("b", &format!("size=1 {T1}")))),
        spec(
            &["a", "b"]
                .map(|path| file(path, &format!("nlink=2 size=1 {T1} inode=7 resdevice=native,9,9")))
                .concat(),
        ),
    );
    let owners = Owners::any(users, users);
    let steps = |links| compare(&want, &have, &[], &Rules { links, ..usual(&owners, false) }).steps.len();
    assert_eq!((steps(false), steps(true)), (0, 1));
}

#[test]
fn a_comparison_that_was_asked_for() {
    let want = "./d type=dir mode=0700\n./d/new type=fifo\n./e type=dir\n./e/f type=fifo\n".to_owned()
        + &file("f", &format!("mode=0600 size=1 {T2}"))
        + &file("g", &format!("size=2 {T1}"));
    let have = "./d type=dir mode=0755\n".to_owned()
        + &file("f", &format!("mode=0644 size=1 {T1}"))
        + &file("g", &format!("size=3 {T2}"))
        + &file("x", &format!("size=3 {T2}"));
    let plan = |comparison| by(&want, &have, &[], true, comparison);
    let usual = Comparison::default();
    let (made, d) = (["d/new MakeNode", "e MakeDir", "e/f MakeNode"], "d Meta permissions");
    let (f, g, x) = ("f Fetch modification time+permissions", "g Fetch size+modification time", "x extra");
    assert_eq!(plan(usual), [d, made[0], made[1], made[2], f, g, x]);
    let (existing, ignore_existing) = (true, true);
    assert_eq!(plan(Comparison { existing, ..usual }), [d, f, g, x]);
    assert_eq!(plan(Comparison { ignore_existing, ..usual }), [d, made[0], made[1], made[2], x]);
    assert_eq!(plan(Comparison { existing, ignore_existing, ..usual }), [d, x]);
    assert_eq!(plan(Comparison { update: true, existing, ..usual }), [d, f, x]);
    let meta = "f Meta modification time+permissions";
    assert_eq!(plan(Comparison { quick: Quick::Size, existing, ..usual }), [d, meta, g, x]);
    assert_eq!(
        plan(Comparison { window: 1, existing, ..usual }),
        [d, "f Meta permissions", "g Fetch size", x]
    );
    let same = file("f", &format!("size=1 {T1}"));
    let never = Comparison { quick: Quick::Never, ..usual };
    assert_eq!(by(&same, &same, &[], true, never), ["f Fetch"]);
    let digest = file("f", &format!("size=1 {T1} md5=d41d8cd98f00b204e9800998ecf8427e"));
    assert_eq!(by(&digest, &digest, &[], true, never), [""; 0]);
}

#[test]
fn times_as_a_coarse_file_system_keeps_them() {
    let want = spec(&file("f", "size=1 time=1.123456789"));
    let owners = Owners::any(users, users);
    for (time, looks, tick, steps) in [
        ("1.000000000", true, Tick::FINE, 1),
        ("1.000000000", true, Tick::SECOND, 0),
        ("2.000000000", false, Tick::SECOND, 1),
        ("1.123456788", false, Tick::SECOND, 1),
    ] {
        let have = spec(&file("f", &format!("size=1 time={time}")));
        let rules = |tick| Rules { tick, ..usual(&owners, false) };
        assert_eq!(
            compare(&want, &have, &[], &rules(Tick::FINE)).looks_coarse(&want, &have),
            looks,
            "{time}"
        );
        assert_eq!(compare(&want, &have, &[], &rules(tick)).steps.len(), steps, "{time} {tick:?}");
    }
}

/// What may be here under another name, as `wanted from`; those as long as a large one in brackets.
fn moves(want: &str, have: &str) -> Vec<String> {
    let (want, have) = (spec(want), spec(have));
    let owners = Owners::any(users, users);
    let plan = compare(&want, &have, &[], &usual(&owners, false));
    let moves = Moves::find(&want, &have, &plan, |_| false);
    let pair = |pair: &Pair| format!("{} {}", want.path(pair.want), have.path(pair.have));
    let mut words: Vec<String> = moves.likely.iter().map(pair).collect();
    words.extend(moves.certain.iter().map(pair).map(|pair| format!("{pair}!")));
    for index in plan.wanted().filter(|index| !moves.holds(*index)) {
        let long: Vec<String> =
            moves.as_long(&want.entry(index)).map(|at| have.path(at).to_string()).collect();
        words.extend((!long.is_empty()).then(|| format!("{} [{}]", want.path(index), long.join(" "))));
    }
    words
}

#[test]
fn what_may_have_been_moved() {
    let file =
        |name: &str, size: u64, time: u64| format!("./{name} type=file size={size} time={time}.000000000\n");
    let digest = |name: &str, word: char| {
        format!("./{name} type=file size=9 time=1.000000000 blake3={}\n", word.to_string().repeat(64))
    };
    let row = |files: &[(&str, u64, u64)]| -> String {
        files.iter().map(|(name, size, time)| file(name, *size, *time)).collect()
    };
    let likely = |want: &[(&str, u64, u64)], have: &[(&str, u64, u64)]| moves(&row(want), &row(have));
    let nothing = Vec::<String>::new();
    assert_eq!(likely(&[("b", 5, 1)], &[("a", 5, 1)]), ["b a"]);
    for (size, time) in [(6, 1), (5, 2)] {
        assert_eq!(likely(&[("b", 5, 1)], &[("a", size, time)]), nothing);
    }
    assert_eq!(likely(&[("b", 0, 1)], &[("a", 0, 1)]), nothing, "empty");
    // In their order; one may be wanted more often than it is here.
    let (old, new) = ([("a", 5, 1), ("b", 5, 1)], [("x", 5, 1), ("y", 5, 1), ("z", 5, 1)]);
    assert_eq!(likely(&new, &old), ["x a", "y b", "z b"]);
    // Rotated: each in the place of another.
    assert_eq!(likely(&[("a", 7, 3), ("b", 5, 1)], &[("a", 5, 1), ("b", 6, 2)]), ["b a"]);
    // What stays where it is is looked at when much is wanted.
    let stays = ("stays", 5000, 1);
    assert_eq!(likely(&[stays, ("t", 5000, 1)], &[stays]), ["t stays"]);
    assert_eq!(likely(&[("s", 500, 1), ("t", 500, 1)], &[("s", 500, 1)]), nothing);
    // Only the length: for large ones.
    assert_eq!(likely(&[("b", 65_536, 1)], &[("a", 65_536, 2)]), ["b [a]"]);
    assert_eq!(likely(&[("b", 65_535, 1)], &[("a", 65_535, 2)]), nothing);
    assert_eq!(moves(&digest("b", '1'), &digest("a", '1')), ["b a!"]);
    assert_eq!(moves(&digest("b", '1'), &digest("a", '2')), nothing);
    let weak = "type=file size=9 time=1.000000000 cksum=7\n";
    assert_eq!(moves(&format!("./b {weak}"), &format!("./a {weak}")), nothing, "that proves nothing");
}

#[test]
fn a_step_takes_no_more_than_an_entry_may() {
    // Besides the four bytes of its place in the text: a plan has limits::SPEC_ENTRIES of them when all is new.
    assert_eq!(size_of::<PlanStep>() + size_of::<u32>(), 16);
}
