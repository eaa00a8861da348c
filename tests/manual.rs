//! The manual says what the programs do, and nothing else: options, parameters, codes, messages, limits.

use crate::common::{SMSYNC, SMSYNCD, Site, assert_exit, tool};
use clap::CommandFactory;
use smsync::client::options::Options as Client;
use smsync::exit::Exit;
use smsync::limits;
use smsync::report::{Aspects, Deed, KINDS, Report, Step};
use smsync::server::options::Options as Server;
use smsync::spec::Keyword;
use smsync::wire::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::Command;

const PAGES: [&str; 4] = ["smsync.1", "smsync.4", "smsyncd.conf.5", "smsyncd.8"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("man").join(name)).unwrap()
}

/// The part of a page from this heading to the next.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let start = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &page[start + 1..];
    let end = [".Sh ", ".Ss "].iter().filter_map(|next| rest.find(&format!("\n{next}"))).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// What follows `.It ` in a part of a page.
fn items(part: &str) -> impl Iterator<Item = &str> {
    part.lines().filter_map(|line| line.strip_prefix(".It "))
}

/// The cells of the rows of a table, but for its heading.
fn rows(part: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = items(part).map(|item| item.split(" Ta ").collect::<Vec<_>>());
    rows.filter(|row| row.len() > 1 && !row[0].starts_with("Em "))
}

/// The options that a line of a page names, as `-x` or `--xx`.
fn flags(line: &str) -> Vec<String> {
    let mut words = line.trim_start_matches('.').split_whitespace();
    let mut flags = Vec::new();
    while let Some(word) = words.next() {
        match words.clone().next() {
            Some(name) if word == "Fl" && name.starts_with('-') => flags.push(format!("-{name}")),
            Some(letters) if word == "Fl" => flags.extend(letters.chars().map(|letter| format!("-{letter}"))),
            _ => {}
        }
    }
    flags
}

/// The options of a command, as `-x` and `--xx`, but for hidden ones.
fn options(command: &clap::Command) -> BTreeSet<String> {
    let shown = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    let short = shown().filter_map(|argument| Some(format!("-{}", argument.get_short()?)));
    let long = shown().filter_map(|argument| Some(format!("--{}", argument.get_long()?)));
    short.chain(long).collect()
}

/// A program's commands with their options; its own are under the empty name.
fn commands(mut program: clap::Command) -> BTreeMap<String, BTreeSet<String>> {
    program.build();
    let own = [(String::new(), options(&program))];
    let commands = program.get_subcommands().map(|command| (command.get_name().to_owned(), options(command)));
    own.into_iter().chain(commands.filter(|(name, _)| name != "help")).collect()
}

#[test]
fn every_option_is_in_its_page_and_none_besides() {
    let client = commands(Client::command());
    let server = commands(Server::command());
    let all: BTreeSet<&String> = client.values().chain(server.values()).flatten().collect();
    for (name, program) in [("smsync.1", &client), ("smsyncd.8", &server)] {
        let page = page(name);
        let listed: BTreeSet<String> = items(&page).flat_map(flags).collect();
        assert_eq!(listed, program.values().flatten().cloned().collect(), "{name}");
        let (_, synopsis) = page.split_once(".Sh SYNOPSIS").unwrap();
        let (synopsis, _) = synopsis.split_once(".Sh").unwrap();
        let short = |flags: Vec<String>| flags.into_iter().filter(|flag| !matches!(&flag[..], "-h" | "-V"));
        let named: BTreeSet<String> = synopsis.lines().map(flags).flat_map(short).collect();
        let missing = listed.difference(&named).filter(|flag| {
            // One of a pair is enough, and everything has help.
            let twin = items(&page).map(flags).find(|item| item.contains(flag)).unwrap();
            !twin.iter().any(|flag| named.contains(flag) || flag == "-h" || flag == "-V")
        });
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new(), "the synopsis of {name}");
    }
    for name in PAGES {
        for flag in page(name).lines().flat_map(flags) {
            assert!(all.contains(&flag), "{name} names {flag}, and nothing has that");
        }
    }
}

/// Each list of options in smsync(1) says before it with which commands they go; an option may name one more.
#[test]
fn every_option_goes_with_the_commands_that_the_page_says() {
    let page = page("smsync.1");
    let commands = commands(Client::command());
    let names = || commands.keys().filter(|name| !name.is_empty());
    let names_command = |text: &str, name: &str| {
        text.lines()
            .any(|line| line.strip_prefix(".Cm ").is_some_and(|rest| rest.split(' ').next() == Some(name)))
    };
    let (_, text) = page.split_once("These options go with every command").unwrap();
    let (text, _) = text.split_once(".Ss ").unwrap();
    let mut said: BTreeMap<&str, BTreeSet<String>> =
        names().map(|name| (&name[..], BTreeSet::new())).collect();
    for (number, list) in text.split(".El").filter(|list| list.contains(".Bl")).enumerate() {
        let (before, list) = list.split_once(".Bl").unwrap();
        for item in list.split(".It ").skip(1) {
            for name in
                names().filter(|name| number == 0 || names_command(before, name) || names_command(item, name))
            {
                said.get_mut(&name[..]).unwrap().extend(flags(item.lines().next().unwrap()));
            }
        }
    }
    for name in names() {
        // The version is asked for without a command.
        let said: Vec<_> =
            said[&name[..]].iter().filter(|flag| !matches!(&flag[..], "-V" | "--version")).collect();
        assert_eq!(said, commands[name].iter().collect::<Vec<_>>(), "{name}");
    }
    let described: BTreeSet<&str> =
        items(&page).filter_map(|item| item.strip_prefix("Cm ")?.split(' ').next()).collect();
    for name in names() {
        assert!(described.contains(&name[..]), "smsync(1) says nothing of {name}");
    }
}

#[test]
fn every_keyword_is_in_the_pages() {
    let page1 = page("smsync.1");
    let (_, item) = page1.split_once(".It Fl k Ar keywords\n").unwrap();
    let (item, _) = item.split_once(".It ").unwrap();
    let named = item.lines().filter_map(|line| line.strip_prefix(".Cm ")).flat_map(str::split_whitespace);
    let named: BTreeSet<&str> = named.filter(|word| !matches!(*word, "," | "." | "all" | "spec")).collect();
    assert_eq!(named, Keyword::ALL.map(Keyword::name).into_iter().collect());
    let page4 = page("smsync.4");
    let (_, grammar) = page4.split_once(".Sh SPECIFICATION").unwrap();
    let table: Vec<(u32, &str)> = rows(grammar.split_once(".El").unwrap().0)
        .map(|row| (row[0].parse().unwrap(), row[1].strip_prefix("Cm ").unwrap()))
        .collect();
    let numbers: Vec<(u32, &str)> =
        Keyword::ALL.into_iter().enumerate().map(|(bit, keyword)| (1 << bit, keyword.name())).collect();
    assert_eq!(table, numbers);
}

/// What a program says it knows when a configuration has an unknown parameter: before the first section and in one.
fn known(mut program: Command) -> [BTreeSet<String>; 2] {
    let output = program.output().unwrap();
    assert_exit(&output, 78);
    let said = String::from_utf8(output.stderr).unwrap();
    let lists: Vec<BTreeSet<String>> = said
        .lines()
        .filter_map(|line| Some(line.split_once("known here: ")?.1.split(", ").map(str::to_owned).collect()))
        .collect();
    lists.try_into().unwrap()
}

/// The parameters that a part of a page describes.
fn parameters(part: &str) -> BTreeSet<String> {
    let names = items(part).filter_map(|item| Some(item.strip_prefix("Cm ")?.split_once(" = ")?.0));
    names.map(str::to_owned).collect()
}

#[test]
fn every_parameter_is_in_its_page() {
    let site = Site::new();
    let unknown = site.write_private("unknown", "x = y\n[m]\nx = y\n");
    let mut client = Command::new(SMSYNC);
    client.arg("-C").arg(&unknown).args(["list", "localhost"]);
    let page1 = page("smsync.1");
    let described = parameters(section(&page1, ".Sh CONFIGURATION"));
    assert_eq!(known(client), [described.clone(), described]);
    let mut server = Command::new(SMSYNCD);
    server.arg("--check").arg("-c").arg(&unknown);
    let [everywhere, modules] = known(server);
    let page5 = page("smsyncd.conf.5");
    assert_eq!(parameters(section(&page5, ".Sh MODULE PARAMETERS")), modules);
    let globals = parameters(section(&page5, ".Sh GLOBAL PARAMETERS"));
    assert_eq!(globals, everywhere.difference(&modules).cloned().collect());
}

#[test]
fn every_default_is_in_the_page() {
    let site = Site::new();
    let bare = site.write_private("bare", &format!("secret = {}\n[m]\npath = /\n", site.secret));
    let output = Command::new(SMSYNCD).arg("--check").arg("-c").arg(bare).output().unwrap();
    // Who is not root cannot use the default directories.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let page = page("smsyncd.conf.5");
    let said = String::from_utf8(output.stdout).unwrap();
    let defaults: Vec<_> =
        said.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" = ")).collect();
    assert!(defaults.len() > 8, "{said}");
    for (name, value) in defaults {
        let (_, item) = page.split_once(&format!("\n.It Cm {name} = ")).unwrap();
        let item = item.split(".It ").next().unwrap().replace(['\n', ','], " ");
        let item = item.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = ["is", "is .Cm", "is .Pa", "With .Cm"].iter().any(|verb| {
            item.contains(&format!("default {verb} {value}"))
                || item.contains(&format!("{verb} {value} the default"))
        });
        assert!(said, "the default of '{name}' is {value}, says the program; the page: {item}");
    }
    let said = |name: &str, text: String| {
        assert!(self::page(name).replace('\n', " ").contains(&text), "{name}: {text}");
    };
    said("smsync.1", format!("The default is {}.", limits::CONNECT.as_secs()));
    said("smsync.1", format!("The default is {}.", limits::IDLE.as_secs()));
    said("smsync.1", format!("The port is {} unless", limits::PORT));
    said("smsyncd.8", format!("the default is {}.", limits::PORT));
    said("smsyncd.8", format!("There are {} of them at once", limits::PROCESSES));
    said("smsyncd.8", format!("on the sockets that it is given, {} at most", limits::SOCKETS));
    said("smsyncd.8", format!("logs {} records at most, of {} bytes", limits::LOG_RECORDS, limits::LOG_TEXT));
    said("smsyncd.conf.5", format!("has at most {} bytes", limits::CONFIG));
    said("smsyncd.conf.5", format!("at most {} bytes.", limits::TEXT));
    said("smsyncd.conf.5", format!("A file of at most {} bytes of UTF-8", limits::MOTD));
    said("smsyncd.conf.5", format!("There are at most {}.", limits::MODULES));
    for page in ["smsync.4", "smsyncd.conf.5"] {
        said(page, format!("not complete, fewer than {} bytes count as nothing.", limits::PROGRESS));
    }
    let (entry, line) = (limits::SPEC_ENTRY, limits::SPEC_LINE);
    said("smsyncd.conf.5", format!("more than {entry} bytes for each of them, and {line}."));
}

#[test]
fn every_exit_code_is_in_both_pages() {
    for name in ["smsync.1", "smsyncd.8"] {
        let page = page(name);
        let codes: Vec<u8> =
            items(section(&page, ".Sh EXIT STATUS")).map(|code| code.parse().unwrap()).collect();
        assert_eq!(codes, Exit::ALL.map(Exit::code), "{name}");
    }
}

/// Bytes of a field of this type and name: the number 1, the path or text `a`, one element, a code of failure.
fn field(kind: &str, name: &str) -> Vec<u8> {
    let number = |bytes: usize| [vec![0; bytes - 1], vec![1]].concat();
    match kind {
        "u8" if name == "exit" => vec![Exit::Usage.code()],
        "u8" | "bool" => number(1),
        "u16" => number(2),
        "u32" => number(4),
        "u64" | "i64" => number(8),
        "hash" => vec![1; 32],
        "bytes" if matches!(name, "users" | "groups") => b"\0\x03a:b".to_vec(),
        "bytes" if name == "chmod" => b"\0\x03a=r".to_vec(),
        "bytes" | "text" | "path" => [number(2), b"a".to_vec()].concat(),
        "rest" => b"abc".to_vec(),
        "rule" => [number(2), field("bytes", name)].concat(),
        list => [number(2), field(list.strip_suffix("[]").unwrap(), name)].concat(),
    }
}

#[test]
fn every_message_is_as_the_page_says() {
    let page = page("smsync.4");
    let part = section(&page, ".Sh MESSAGES");
    let mut kinds = BTreeSet::new();
    for item in part.split("\n.It Sy ").skip(1) {
        let (name, rest) = item.split_once(" Pq ").unwrap();
        let kind: u8 = rest.split_once(' ').unwrap().0.parse().unwrap();
        let layout = item.lines().filter_map(|line| line.strip_prefix(".Dl "));
        let fields = layout.flat_map(|line| line.split(',')).filter(|field| !field.trim().is_empty());
        let (types, names): (Vec<&str>, Vec<&str>) =
            fields.map(|field| field.trim().split_once(' ').unwrap()).unzip();
        let body: Vec<u8> = types.iter().zip(&names).flat_map(|(kind, name)| field(kind, name)).collect();
        let message = Message::decode(kind, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let debug = format!("{message:?}");
        assert_eq!(debug.split(|c: char| !c.is_alphanumeric()).next(), Some(name), "kind {kind}");
        let mut encoded = Vec::new();
        message.encode(&mut encoded);
        assert_eq!(encoded, body, "{name}");
        if !types.contains(&"rest") {
            assert!(Message::decode(kind, &[&body[..], &[0]].concat()).is_err(), "{name} may be longer");
        }
        if name == "Report" {
            assert_eq!(names, Report::NAMES);
        }
        kinds.insert(kind);
    }
    let unknown = |kind: &u8| format!("{:?}", Message::decode(*kind, &[])).contains("an unknown kind");
    assert_eq!(kinds, (0..=u8::MAX).filter(|kind| !unknown(kind)).collect());
}

#[test]
fn the_numbers_in_messages_are_as_the_pages_say() {
    let page4 = page("smsync.4");
    let numbers = section(&page4, ".Ss Numbers in messages");
    let (steps, aspects) = numbers.split_once("The fates are").unwrap();
    let table = |part| -> Vec<(u16, String)> {
        rows(part).map(|row| (row[0].parse().unwrap(), row[1].to_owned())).collect()
    };
    assert_eq!(table(steps), Step::ALL.map(|step| (u16::from(step as u8), step.words().to_owned())));
    assert_eq!(table(aspects), Aspects::WORDS.map(|(aspect, words)| (aspect.bits(), words.to_owned())));
    let (types, deeds) = section(&page4, ".Ss Numbers in changes").split_once("The deeds").unwrap();
    assert_eq!(
        table(types),
        (1..).zip(KINDS).map(|(number, (_, name))| (number, name.to_owned())).collect::<Vec<_>>()
    );
    assert_eq!(table(deeds), Deed::ALL.map(|deed| (u16::from(deed as u8), deed.words().to_owned())));
    let page1 = page("smsync.1");
    for words in Deed::ALL.map(Deed::words) {
        assert!(section(&page1, ".Sh OUTPUT").contains(words), "smsync(1) does not say '{words}'");
    }
    for (_, words) in Aspects::WORDS {
        assert!(section(&page1, ".Sh OUTPUT").contains(words), "smsync(1) does not say '{words}'");
    }
    let counts: Vec<&str> =
        items(section(&page1, ".Ss JSON")).filter_map(|item| item.strip_prefix("Li ")).collect();
    assert!(counts.ends_with(&Report::NAMES), "{counts:?}");
}

#[test]
fn every_limit_is_what_the_code_says() {
    let mut expected = BTreeMap::new();
    let mut limit = |what: &'static str, value: u64, unit: &str| {
        let digits = value.to_string();
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
        expected.insert(what, format!("{}{unit}", groups.join(",")));
    };
    let bytes = " bytes";
    limit("plaintext of a record", limits::RECORD as u64, bytes);
    limit("text that comes of however little", limits::SPEC_GIVEN, bytes);
    limit("text beyond, of each compressed byte", limits::SPEC_RATIO, bytes);
    limit("records under one key", limits::RECORDS_PER_KEY, "");
    limit("user", limits::USER as u64, bytes);
    limit("module", limits::MODULE as u64, bytes);
    limit("modules in a list", limits::MODULES as u64, "");
    limit("one name", limits::NAME as u64, bytes);
    limit("one path, or pattern", limits::PATH as u64, bytes);
    limit("paths of a scope in messages before it", limits::PATHS as u64, "");
    limit("all of these", limits::PATHS_BYTES as u64, bytes);
    limit("file of rules", limits::FILTER_FILE, bytes);
    limit("rules of files, and files without", limits::FILTER_RULES as u64, "");
    limit("patterns of rules of files", limits::FILTER_BYTES as u64, bytes);
    limit("components of one path", limits::DEPTH as u64, "");
    limit("target of a link", limits::LINK as u64, bytes);
    limit("name of an owner or group", limits::OWNER as u64, bytes);
    limit("name of an extended attribute", limits::XATTR_NAME as u64, bytes);
    limit("value of an extended attribute", limits::XATTR_VALUE as u64, bytes);
    limit("line of a specification", limits::SPEC_LINE as u64, bytes);
    limit("entries of a specification", limits::SPEC_ENTRIES.into(), "");
    limit("a specification", limits::SPEC_BYTES, bytes);
    limit("window of the compressed specification", 1 << limits::SPEC_WINDOW, bytes);
    limit("size of a file", limits::FILE_SIZE, bytes);
    limit("paths, and rules, of a scope", limits::SCOPE as u64, "");
    limit("list of owners or modes", limits::MAPPING as u64, bytes);
    limit("text for people", limits::TEXT as u64, bytes);
    limit("message of the day", limits::MOTD as u64, bytes);
    limit("Problems of one side", limits::PROBLEMS as u64, "");
    limit("names listed with a Refusal", limits::REFUSED.into(), "");
    limit("files to Resume in a round", limits::PARTIALS as u64, "");
    limit("digests of blocks in a round", limits::SUMS as u64, "");
    limit("trees to link from", limits::LINK_DEST as u64, "");
    limit("the greeting", limits::HANDSHAKE.as_secs(), " seconds");
    limit("work without a word", limits::ALIVE.as_secs(), " seconds");
    limit("silence, unless configured otherwise", limits::IDLE.as_secs(), " seconds");
    limit("reading on after giving up", limits::DRAIN.as_secs(), " seconds");
    let page = page("smsync.4");
    let said: BTreeMap<&str, String> =
        rows(section(&page, ".Sh LIMITS")).map(|row| (row[0], row[1].to_owned())).collect();
    assert_eq!(said, expected);
}

#[test]
fn mandoc_finds_nothing_wrong() {
    let pages = PAGES.map(|name| root().join("man").join(name).into_os_string());
    let options = ["-Tlint", "-Wwarning"].map(OsString::from);
    let arguments: Vec<&OsStr> = options.iter().chain(&pages).map(OsString::as_os_str).collect();
    let output = tool("mandoc", "mandoc", &arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(output.status.success());
}
