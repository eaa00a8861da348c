//! The architecture, held: floors, lengths, headers, where unsafe code and system calls stand, words, printing.

use std::path::{Path, PathBuf};

/// Crates and modules whose functions are system calls.
const KERNEL: [&str; 13] = [
    "rustix::",
    "nix::",
    "libc::",
    "memmap2::",
    "use syslog::",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::os::unix::fs",
    "std::os::unix::net",
    "std::os::unix::process",
    "io::stdin",
];

/// System calls that look like questions to a `std::path::Path`.
const QUESTIONS: [&str; 8] = [
    ".is_dir()",
    ".is_file()",
    ".is_symlink()",
    ".exists()",
    ".canonicalize()",
    ".metadata()",
    ".symlink_metadata()",
    ".read_dir()",
];

/// What of [`KERNEL`] may be named outside of src/sys, and why.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    ("src/exit.rs", "std::process::ExitCode", "a number"),
    ("src/bin/smsync.rs", "std::process::ExitCode", "a number"),
    ("src/bin/smsyncd.rs", "std::process::ExitCode", "a number"),
    ("src/bin/smsync.rs", "std::env::args_os", "a program has its command line from nowhere else"),
];

/// Words that do not say what a thing is for.
const WORDS: [&str; 6] = ["util", "helper", "manager", "engine", "processor", "context"];

/// The only file that prints.
const PRINTER: &str = "src/client/show.rs";

/// One file of the source.
struct Source {
    /// Below the crate's root, as `src/wire/message.rs`.
    path: String,
    text: String,
    /// The text without comments and without what stands in quotes; its lines have the same numbers.
    code: String,
}

/// Every file of the crate's own that is written in Rust.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut ahead: Vec<PathBuf> = ["src", "tests", "benches"].map(|name| root.join(name)).to_vec();
    while let Some(path) = ahead.pop() {
        if path.is_dir() {
            ahead.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.push(Source::new(name, &std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(files.len() > 100, "the source is not here");
    files
}

/// Code without comments and without what stands in quotes.
fn bare(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").unwrap() + 2
        } else if next == '"' {
            let mut escaped = true; // as the first quote is
            let end = rest.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.unwrap() + 1
        } else if rest.starts_with("'\"'") {
            3
        } else {
            code.push(next);
            rest = rest.get(next.len_utf8()..).unwrap();
            continue;
        };
        let (quoted, tail) = rest.split_at(length);
        code.extend(quoted.chars().filter(|c| *c == '\n'));
        rest = tail;
    }
    code
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into(), code: bare(text) }
    }

    fn is_in(&self, directory: &str) -> bool {
        Path::new(&self.path).starts_with(directory)
    }

    /// The module of the crate's root that the file belongs to.
    fn module(&self) -> Option<&str> {
        let path = self.path.strip_prefix("src/")?;
        let name = path.split_once('/').map_or(path, |(directory, _)| directory);
        Some(name.strip_suffix(".rs").unwrap_or(name)).filter(|name| !matches!(*name, "lib" | "bin"))
    }

    /// The lines of code that get into the programs, with their numbers.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let file = self.path.rsplit('/').next().unwrap();
        let test = !self.is_in("src") || file.ends_with("tests.rs") || self.path.contains("/tests/");
        (1..).zip(self.code.lines()).take_while(move |(_, line)| !test && *line != "mod tests {")
    }

    /// An offence for each shipped line that has it.
    fn offences(&self, what: &str, is_one: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = self.shipped().filter(|(_, line)| is_one(line));
        lines.map(|(number, line)| self.at(number, &format!("{what}: {}", line.trim()))).collect()
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Whether the line names this, and not something that only ends like it.
fn names(line: &str, name: &str) -> bool {
    let part_of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| !line.get(..at).unwrap().ends_with(part_of_a_word))
}

/// What follows each occurrence of `start`, as far as it is a name.
fn names_after<'t>(text: &'t str, start: &'t str) -> impl Iterator<Item = &'t str> {
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    text.split(start).skip(1).map(move |rest| rest.get(..end(rest)).unwrap())
}

/// The floors as src/lib.rs lists them, lowest first.
fn floors(library: &str) -> Vec<Vec<&str>> {
    let (_, list) = library.split_once("The floors, lowest first").unwrap();
    let (_, list) = list.split_once('\n').unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    list.split('·').map(|floor| floor.split('`').skip(1).step_by(2).collect()).collect()
}

/// Where a file reaches up or sideways.
fn reaches(source: &Source, floors: &[Vec<&str>]) -> Vec<String> {
    let Some(module) = source.module() else { return Vec::new() };
    let floor = |name: &str| floors.iter().position(|floor| floor.contains(&name));
    let own = floor(module).unwrap_or_else(|| panic!("src/lib.rs gives {module} no floor"));
    let top = [format!("src/{module}.rs"), format!("src/{module}/mod.rs")].contains(&source.path);
    let mut offences = Vec::new();
    for (number, line) in (1..).zip(source.code.lines()) {
        for name in names_after(line, "crate::") {
            if name != module && floor(name).is_none_or(|floor| floor >= own) {
                offences.push(source.at(number, &format!("{module} uses {name}, which is not below it")));
            }
        }
        let leaves = top && names_after(line, "super::").any(|name| floor(name).is_some());
        if leaves || line.contains("super::super::") {
            offences.push(source.at(number, "say crate:: for what is far away"));
        }
    }
    offences
}

/// Where a file calls the kernel and must not.
fn calls(source: &Source) -> Vec<String> {
    let excepted: Vec<&str> =
        EXCEPTIONS.iter().filter(|(path, ..)| *path == source.path).map(|(_, name, _)| *name).collect();
    let calls = |line: &str| {
        // The number of an error is no call.
        let line = excepted.iter().fold(line.replace("libc::E", ""), |line, name| line.replace(name, ""));
        QUESTIONS.iter().any(|name| line.contains(name)) || KERNEL.iter().any(|name| names(&line, name))
    };
    if source.is_in("src/sys") { Vec::new() } else { source.offences("a system call", calls) }
}

/// Where a file has unsafe code that it must not have, or does not argue for.
fn unsafes(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut offences = Vec::new();
    let mut allowed = 0;
    for (at, line) in source.code.lines().enumerate() {
        let allows = line.contains("allow(unsafe_code)");
        if !source.is_in("src/sys") && (allows || line.split_whitespace().any(|word| word == "unsafe")) {
            offences.push(source.at(at + 1, "unsafe code is for src/sys"));
        } else if allows {
            allowed += 1;
            let mut before = lines.get(..at).unwrap().iter().rev().map(|line| line.trim_start());
            let comment = before.by_ref().take_while(|line| line.starts_with("// "));
            if !comment.into_iter().any(|line| line.starts_with("// SAFETY: ")) {
                offences.push(source.at(at + 1, "unsafe code without a SAFETY argument before it"));
            }
        }
    }
    if allowed > 2 {
        offences.push(source.at(1, "more than two pieces of unsafe code"));
    }
    offences
}

/// Names of files and types that do not say what they are for.
fn empty_words(source: &Source) -> Vec<String> {
    let empty = |name: &str| WORDS.iter().any(|word| name.to_lowercase().contains(word));
    let types = ["struct ", "enum ", "trait ", "type ", "mod "];
    let names = |line: &str| types.iter().any(|keyword| names_after(line, keyword).any(empty));
    let mut offences = source.offences("a name that says nothing", names);
    if empty(&source.path) {
        offences.push(source.at(1, "the file's name says nothing"));
    }
    offences
}

/// Where a file prints and must not.
fn prints(source: &Source) -> Vec<String> {
    let prints = |line: &str| ["print!(", "println!(", "dbg!("].iter().any(|name| line.contains(name));
    if source.path == PRINTER { Vec::new() } else { source.offences("it prints", prints) }
}

/// Fails with every offence of every file.
#[track_caller]
fn none(offences: impl Fn(&Source) -> Vec<String>) {
    let found: Vec<String> = sources().iter().flat_map(offences).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The same for a rule that a whole file keeps or breaks.
#[track_caller]
fn every_file(what: &str, keeps: impl Fn(&Source) -> bool) {
    none(|source| if keeps(source) { Vec::new() } else { vec![source.at(1, what)] });
}

#[test]
fn a_module_uses_only_floors_below_its_own() {
    let library = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let floors = floors(&library);
    let mut listed: Vec<&str> = floors.concat();
    listed.sort_unstable();
    let declared: Vec<&str> = names_after(&library, "\npub mod ").collect();
    assert_eq!(listed, declared, "the floors that src/lib.rs lists are not its modules");
    none(|source| reaches(source, &floors));
}

#[test]
fn files_are_short() {
    every_file("more than 400 lines", |source| source.text.lines().count() <= 400);
}

#[test]
fn files_say_first_what_they_are_for() {
    every_file("no //! line at its head", |source| source.text.starts_with("//! "));
}

#[test]
fn unsafe_code_is_in_sys_and_argued_for() {
    none(unsafes);
}

#[test]
fn system_calls_are_in_sys() {
    none(calls);
    let sources = sources();
    for (path, name, _) in EXCEPTIONS {
        let needed = sources.iter().any(|source| source.path == path && source.code.contains(name));
        assert!(needed, "{path} needs no exception for {name} any more");
    }
}

#[test]
fn every_limit_limits_something() {
    let sources = sources();
    let limits = sources.iter().find(|source| source.path == "src/limits.rs").unwrap();
    let named: Vec<&str> = names_after(&limits.code, "pub const ").collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let used = |source: &Source| names_after(&source.code, "limits::").any(|used| used == name);
        assert!(
            sources.iter().any(|source| source.is_in("src") && used(source)),
            "nothing uses limits::{name}"
        );
    }
}

#[test]
fn names_say_what_things_are() {
    none(empty_words);
}

#[test]
fn one_file_prints() {
    none(prints);
}

#[test]
fn each_rule_can_be_broken() {
    let floors = [vec!["limits"], vec!["sys"], vec!["tree", "wire"], vec!["session"]];
    for (path, text, offences) in [
        ("src/wire/message.rs", "use crate::tree::Scope;\nuse crate::wire::X;\nuse crate::sys::Y;", 1),
        ("src/tree.rs", "fn f() { crate::session::run(); } // crate::session\n\"crate::session\"", 1),
        ("src/tree.rs", "use crate::{limits, sys};", 1),
        ("src/tree/mod.rs", "use super::session::X;\nmod tests {\n    use super::*;", 1),
        ("src/wire/noise/cipher.rs", "use super::super::super::session;\nuse super::session;", 1),
        ("src/lib.rs", "use crate::session;", 0),
    ] {
        assert_eq!(reaches(&Source::new(path, text), &floors).len(), offences, "{path}: {text}");
    }
    for (path, text, offences) in [
        ("src/tree/root.rs", "let x = std::fs::read(path);\nif path.is_dir() {}\nlibc::ENOENT", 2),
        ("src/tree/root.rs", "libc::open(libc::EIO)\n// std::fs", 1),
        ("src/sys/dir.rs", "rustix::fs::open()", 0),
        ("src/exit.rs", "std::process::ExitCode::from(1)\nstd::process::exit(1)", 1),
        ("src/vis.rs", "use std::fs;\n#[cfg(test)]\nmod tests {\n    use std::fs;", 1),
        ("tests/common/mod.rs", "use std::process::Command;", 0),
    ] {
        assert_eq!(calls(&Source::new(path, text)).len(), offences, "{path}: {text}");
    }
    for (path, text, offences) in [
        ("src/sys/a.rs", "// SAFETY: two lines\n// of it.\n#[allow(unsafe_code)]\nunsafe {}", 0),
        ("src/sys/a.rs", "// SAFETY: x\nfn f() {\n#[allow(unsafe_code)]\nunsafe {}", 1),
        ("src/vis.rs", "unsafe { x() }\n// unsafe", 1),
        ("src/sys/a.rs", &"// SAFETY: x\n#[allow(unsafe_code)]\n".repeat(3), 1),
    ] {
        assert_eq!(unsafes(&Source::new(path, text)).len(), offences, "{path}: {text}");
    }
    let words = "struct DirManager;\nenum Kind {}\ntype SpecHelper = u8;";
    assert_eq!(empty_words(&Source::new("src/sys/utils.rs", words)).len(), 3);
    let printing = "eprintln!(\"x\");\nprint!(\"y\");\nlet x = '\"'; \"print!(\";";
    assert_eq!(prints(&Source::new("src/server/log.rs", printing)).len(), 2);
    assert_eq!(prints(&Source::new(PRINTER, printing)).len(), 0);
}
