//! Lists of rules, by rsync(1), FILTER RULES.

use super::*;
use crate::limits;
use crate::path::rule::plain;

fn path(text: &str) -> RelPath<'static> {
    RelPath::new(text.as_bytes().to_vec()).unwrap()
}

fn filter(rules: &[&str]) -> Filter {
    let items = rules.iter().flat_map(|text| rule(text.as_bytes(), Traits::BOTH).unwrap());
    Filter::new(
        items.map(|said| if let Said::Item(item) = said { item } else { panic!("{said:?}") }).collect(),
    )
}

fn excludes(filter: &Filter, side: Side, locals: &[Local], text: &str) -> bool {
    let is_dir = text.ends_with('/');
    Descent::new(filter, side, locals).excludes(&path(text.trim_end_matches('/')), is_dir, false)
}

#[test]
fn the_first_rule_that_decides_counts() {
    // (rules, path, hidden at the sender, protected at the receiver)
    let table: [(&[&str], &str, bool, bool); 15] = [
        (&["+ *.c", "- *"], "a.c", false, false),
        (&["+ *.c", "- *"], "a.o", true, true),
        (&["- *", "+ *.c"], "a.c", true, true),
        (&["H *.o"], "a.o", true, false),
        (&["P *.o"], "a.o", false, true),
        (&["S a.o", "- *.o"], "a.o", false, true),
        (&["R a.o", "- *.o"], "a.o", true, false),
        (&["-s *.o"], "a.o", true, false),
        (&["-,r *.o"], "a.o", false, true),
        (&["-! */"], "a", true, true),
        (&["-! */"], "d/", false, false),
        (&["exclude_x"], "x", true, true),
        (&["hide,! x"], "y", true, false),
        (&["- **"], "d/x", true, true),
        (&["-p x"], "x", true, true),
    ];
    for (rules, text, hidden, protected) in table {
        let filter = filter(rules);
        let sides = [Side::Sender, Side::Receiver].map(|side| excludes(&filter, side, &[], text));
        assert_eq!(sides, [hidden, protected], "{rules:?} {text}");
    }
    let filter = filter(&["- **", "-! x"]);
    for side in [Side::Sender, Side::Receiver] {
        assert!(!Descent::new(&filter, side, &[]).excludes(&RelPath::ROOT, true, false), "the root");
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    for text in [
        "",
        "-",
        "- ",
        "+ /",
        "x foo",
        "excludex foo",
        "-z foo",
        "! x",
        "clear x",
        "Hs foo",
        "-n foo",
        ": a/b",
        ": ..",
        ": ",
        ".",
        "-/ foo",
        "+C",
        ":! x",
    ] {
        assert!(
            rule(text.as_bytes(), Traits::BOTH).is_err(),
            "{text}: {:?}",
            rule(text.as_bytes(), Traits::BOTH)
        );
    }
    assert!(rule(b"H foo", Traits::BOTH.and(Traits::SIDED)).is_err());
    assert_eq!(rule(b"!", Traits::BOTH), Ok(vec![Said::Clear]));
    assert_eq!(rule(b"clear", Traits::BOTH), Ok(vec![Said::Clear]));
    assert_eq!(plain(b"!", Traits::BOTH), Ok(vec![Said::Clear]));
    assert_eq!(plain(b"- x", Traits::BOTH.and(Traits::INCLUDE)), rule(b"- x", Traits::BOTH));
    assert_eq!(plain(b"x", Traits::BOTH.and(Traits::INCLUDE)), rule(b"+ x", Traits::BOTH));
    assert_eq!(plain(b"!x", Traits::BOTH), rule(b"- !x", Traits::BOTH));
    assert_eq!(rule(b":e f", Traits::BOTH).unwrap().len(), 2);
    let long = [b'x'; limits::PATH + 1];
    assert!(plain(&long, Traits::BOTH).is_err() && plain(&long[1..], Traits::BOTH).is_ok());
}

#[test]
fn files_of_rules_go_for_what_is_below_them() {
    let filter = filter(&["- first", ": .f", ":n .g", "+ last"]);
    let files: Vec<_> = filter.files().map(|(at, traits, _)| (at, traits)).collect();
    let local = |directory: &str, file: usize, text: &str| {
        let (at, traits) = files[file];
        Local::read(&path(directory), at, traits, text.as_bytes()).unwrap().unwrap()
    };
    let locals = [
        local("", 0, "- /top\n# no\n\n- any\n- last"),
        local("", 1, "- here"),
        local("d", 0, "+ any\n- /top"),
        local("d/e", 0, "!\n- x"),
    ];
    let table = [
        ("top", true),
        ("d/top", true),
        ("c/top", false),
        ("any", true),
        ("c/any", true),
        ("d/any", false),
        ("d/c/any", false),
        ("d/e/any", false),
        ("d/e/x", true),
        ("d/x", false),
        ("d/e/top", false),
        ("here", true),
        ("d/here", false),
        ("last", true),
        ("d/first", true),
        ("d/e/last", false),
        ("d/f/last", true),
    ];
    let mut paths: Vec<_> = table.iter().map(|(text, hidden)| (path(text), *hidden)).collect();
    for (path, hidden) in &paths {
        assert_eq!(
            Descent::new(&filter, Side::Sender, &locals).excludes(path, false, false),
            *hidden,
            "{path}"
        );
    }
    // And all of them in one descent.
    paths.sort();
    let mut descent = Descent::new(&filter, Side::Receiver, &locals);
    for (path, hidden) in &paths {
        assert_eq!(descent.excludes(path, false, false), *hidden, "{path}");
    }
}

#[test]
fn what_is_perishable_goes_with_its_directory() {
    let filter = filter(&["-p x", "- y"]);
    let mut descent = Descent::new(&filter, Side::Receiver, &[]);
    let doomed = ["d/x", "d/y"].map(|text| descent.excludes(&path(text), false, true));
    assert_eq!(doomed, [false, true]);
}

#[test]
fn a_file_of_rules_is_split() {
    let all = |text: &str, traits| -> Vec<(usize, String)> {
        let texts = texts(text.as_bytes(), traits);
        texts.map(|(line, text)| (line, String::from_utf8_lossy(text).into_owned())).collect()
    };
    let lines =
        |list: &[(usize, &str)]| -> Vec<_> { list.iter().map(|(n, t)| (*n, (*t).to_owned())).collect() };
    assert_eq!(all("a\n\n#b\n;c\r\n d\n", Traits::NONE), lines(&[(1, "a"), (5, " d")]));
    assert_eq!(all("a b\n#c", Traits::WORDS), lines(&[(1, "a"), (1, "b"), (2, "#c")]));
    assert_eq!(all("a\nb\0c\0", Traits::NULS), lines(&[(1, "a\nb"), (2, "c")]));
}
