//! The bounds of src/limits.rs, one by one: where each is tried at what it allows and one beyond, or why it is not.

use crate::common::{Site, assert_exit, keygen};
use base64::Engine;
use smsync::limits;
use smsync::path::RelPath;
use smsync::report::{Problem, Problems, Step};
use smsync::server::config::Config;
use smsync::spec::Spec;
use smsync::sys::{Dir, Spool};
use smsync::terms::OwnerMap;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

/// How a bound is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// By a test that tries it at the bound and beyond: in this file below the root of the sources, by this name.
    By(&'static str, &'static str),
    /// Nobody can exceed it: it is a measure of ours, for speed or memory, and everything works on either side of it.
    Measure,
    /// A time, which a test waits for: in this file, by this name.
    Waited(&'static str, &'static str),
    /// Not tried at its size, for this reason.
    Not(&'static str),
}

use Held::{By, Measure, Not, Waited};

const HERE: &str = "tests/bounds.rs";
const MESSAGES: &str = "src/wire/message_tests.rs";
const BEYOND: &str = "each_bound_holds_one_beyond_it";
const CONFIGURATION: Held = By(HERE, "what_a_configuration_may_say");
const LINES: Held = By(HERE, "what_a_line_of_a_specification_may_hold");
const PATHS: Held = By(HERE, "names_and_paths");
const AS_LONG: Held =
    By("src/session/text_tests.rs", "a_text_may_be_as_long_as_the_limit_and_not_a_byte_longer");
const RULES: Held = By(HERE, "files_of_rules");

/// Every constant of src/limits.rs.
const ALL: &[(&str, Held)] = &[
    ("PORT", Measure),
    ("NAME", PATHS),
    ("PATH", PATHS),
    ("DEPTH", PATHS),
    ("LINK", LINES),
    ("OWNER", LINES),
    ("OWNERS", By("src/plan/owners.rs", "limits::OWNERS")),
    ("SPEC_LINE", LINES),
    ("XATTR_NAME", LINES),
    ("XATTR_VALUE", LINES),
    ("SPEC_ENTRIES", Not("sixteen million entries take a minute and a gigabyte")),
    ("SPEC_BYTES", Not("four gigabytes; that it is counted is seen in src/session/text_tests.rs, with less")),
    ("SPEC_ENTRY", AS_LONG),
    ("SPEC_GIVEN", AS_LONG),
    ("SPEC_RATIO", By("src/session/text_tests.rs", "limits::SPEC_RATIO")),
    ("SPEC_WINDOW", By("src/session/text_tests.rs", "window")),
    ("DIALECT_BYTES", Not("two gigabytes of memory")),
    ("RECORD", By("src/wire/channel_tests.rs", "limits::RECORD + noise::TAG")),
    ("RECORDS_PER_KEY", By("src/wire/noise/tests/interop.rs", "limits::RECORDS_PER_KEY")),
    ("USER", CONFIGURATION),
    ("MODULE", CONFIGURATION),
    ("TEXT", CONFIGURATION),
    ("MODULES", CONFIGURATION),
    ("SCOPE", By(MESSAGES, BEYOND)),
    ("PATHS", Not("a million paths; that they are counted is seen in src/wire/scope.rs")),
    ("PATHS_BYTES", Not("128 MiB of paths")),
    ("FILTER_FILE", RULES),
    ("FILTER_RULES", RULES),
    ("FILTER_BYTES", RULES),
    ("MAPPING", By(HERE, "lists_of_owners_and_problems")),
    ("FILE_SIZE", LINES),
    ("PROBLEMS", By(HERE, "lists_of_owners_and_problems")),
    ("REFUSED", By("tests/hostile/pulls.rs", "REFUSED")),
    ("LINK_DEST", By(MESSAGES, BEYOND)),
    ("PARTIAL", Measure),
    ("PARTIALS", Not("a file more than are gone on with is sent whole, which nobody sees")),
    ("DELTA", Measure),
    ("COMPARED_AT_ONCE", Measure),
    ("BLOCKS", Measure),
    ("SUMS", Not("forty megabytes of digests, of a file of a hundred gigabytes")),
    ("BASE", Measure),
    ("BASELINE", Measure),
    ("RENEWALS", Measure),
    ("RENEWED_BYTES", Measure),
    ("BASELINES", Measure),
    ("BASELINES_ALIKE", Measure),
    ("BASELINE_BYTES", Measure),
    ("BASELINE_EDITS", Measure),
    ("BASELINE_PARTS", Measure),
    ("BASELINE_SHARE", Measure),
    ("DIGEST_FILES", Measure),
    ("DIGEST_BYTES", Measure),
    ("DIGEST_SHARE", Measure),
    ("DIGEST_PARTS", Measure),
    ("DIGESTS_PER_QUESTION", Measure),
    ("TOGETHER", Measure),
    ("REMEMBERED", Measure),
    ("HANDS", Measure),
    ("SCANNERS", Measure),
    ("SCAN_ALONE", Measure),
    ("SCAN_NAMES", Measure),
    ("SCAN_SIBLINGS", Measure),
    ("SCAN_DIRECTORIES", Measure),
    ("SCAN_BATCH", Measure),
    ("SCAN_BATCH_BYTES", Measure),
    ("SCAN_BATCHES", Measure),
    ("SCAN_WAITING", Measure),
    ("TICK", Measure),
    ("RATE", CONFIGURATION),
    (
        "HANDSHAKE",
        Waited("tests/hostile/silence.rs", "the_greeting_is_over_after_ten_seconds_whatever_comes"),
    ),
    ("HANDSHAKES", CONFIGURATION),
    ("IDLE", Waited("tests/hostile/tardy.rs", "twelve_kinds_of_slow_or_silent_clients_end_at_their_limits")),
    (
        "PROGRESS",
        Waited("tests/hostile/tardy.rs", "twelve_kinds_of_slow_or_silent_clients_end_at_their_limits"),
    ),
    ("ALIVE", Waited("src/wire/channel_tests.rs", "limits::ALIVE")),
    ("DRAIN", Waited("src/wire/channel_tests.rs", "limits::DRAIN")),
    ("CONNECT", Waited("tests/network.rs", "a_server_that_takes_no_connection")),
    ("THREAD", Not("a thread that is not gone is a kernel that hangs")),
    ("HOOK", Waited("src/sys/broker/hook.rs", "mod tests")),
    ("CONFIG", By("src/server/config/tests/files.rs", "limits::CONFIG")),
    ("INCLUDE_DEPTH", CONFIGURATION),
    ("INCLUDE_FILES", CONFIGURATION),
    ("SECRETS", CONFIGURATION),
    ("SYSLOG_TAG", CONFIGURATION),
    ("HOST_NAME", Not("no resolver of ours gives longer names")),
    ("LOOKUP", Not("no resolver of ours is slow")),
    ("SOCKETS", Not("systemd(1) hands so many down")),
    ("BACKLOG", CONFIGURATION),
    (
        "PROCESSES",
        Not("as many servers at once; further connections wait for an end, as in tests/connections.rs"),
    ),
    ("STRANGERS", By("tests/strangers.rs", "are_no_obstacle")),
    ("ADMISSION", Measure),
    ("PLACE", Measure),
    ("SESSIONS", Measure),
    ("ROLL", Measure),
    ("MOTD", By(MESSAGES, BEYOND)),
    ("REFUSALS", Waited("tests/status.rs", "limits::REFUSALS")),
    ("METRICS", Not("eight megabytes of counters are more modules than there can be")),
    ("PAUSE", Waited("src/server/listen/tests.rs", "PAUSE")),
    ("END", Waited("src/server/listen/tests.rs", "END")),
    ("DESCRIPTORS", Measure),
    ("LOG_TEXT", By("src/server/log/tests.rs", "limits::LOG_TEXT")),
    ("LOG_RECORDS", By("src/server/log/tests.rs", "limits::LOG_RECORDS + 7")),
];

#[test]
fn every_bound_has_its_place_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |file: &str| fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let names: Vec<String> = read("src/limits.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'))
        .map(|(name, _)| name.to_owned())
        .collect();
    let held: BTreeMap<&str, Held> = ALL.iter().copied().collect();
    assert_eq!(held.len(), ALL.len(), "one is here twice");
    for name in &names {
        assert!(held.contains_key(&name[..]), "nothing here says how limits::{name} is held");
    }
    for (name, how) in held {
        assert!(names.iter().any(|known| known == name), "there is no limits::{name}");
        if let By(file, words) | Waited(file, words) = how {
            assert!(read(file).contains(words), "limits::{name}: {words} is not in {file}");
        }
    }
}

/// Fails unless it is accepted at the bound and refused beyond.
#[track_caller]
fn holds(what: &str, bound: usize, mut accepted: impl FnMut(usize) -> Result<(), String>) {
    assert_eq!(accepted(bound), Ok(()), "{what}: {bound} are refused");
    assert!(accepted(bound + 1).is_err(), "{what}: {} are accepted", bound + 1);
}

#[test]
fn names_and_paths() {
    let path = |bytes: &str| RelPath::new(bytes.as_bytes()).map(drop).map_err(|error| error.to_string());
    holds("bytes of a name", limits::NAME, |bytes| path(&"n".repeat(bytes)));
    holds("components", limits::DEPTH, |count| path(&vec!["d"; count].join("/")));
    holds("bytes of a path", limits::PATH, |bytes| {
        let name = "n".repeat(limits::NAME);
        path(&vec![name; bytes / limits::NAME + 1].join("/")[..bytes])
    });
}

/// A specification with one entry besides its root.
fn sealed(line: &str) -> Result<(), String> {
    let mut spool = Spool::create(&Dir::open_root(Path::new("/tmp")).unwrap()).unwrap();
    spool.write_all(format!("#mtree\n. type=dir\n{line}\n").as_bytes()).unwrap();
    Spec::seal(spool).map(drop).map_err(|error| error.to_string())
}

#[test]
fn what_a_line_of_a_specification_may_hold() {
    let encode = |bytes: usize| base64::engine::general_purpose::STANDARD.encode(vec![b'v'; bytes]);
    holds("bytes of a target", limits::LINK, |bytes| {
        sealed(&format!("./a type=link link={}", "t".repeat(bytes)))
    });
    holds("bytes of an owner", limits::OWNER, |bytes| {
        sealed(&format!("./a type=dir uname={}", "u".repeat(bytes)))
    });
    holds("bytes of a group", limits::OWNER, |bytes| {
        sealed(&format!("./a type=dir gname={}", "g".repeat(bytes)))
    });
    holds("bytes of an attribute's name", limits::XATTR_NAME, |bytes| {
        sealed(&format!("./a type=dir xattr.user.{}=dg==", "x".repeat(bytes - 5)))
    });
    holds("bytes of an attribute's value", limits::XATTR_VALUE, |bytes| {
        sealed(&format!("./a type=dir xattr.user.x={}", encode(bytes)))
    });
    let size = usize::try_from(limits::FILE_SIZE).unwrap();
    holds("bytes of a file", size, |bytes| sealed(&format!("./a type=file size={bytes} time=1.000000000")));
    // With its newline. Values of attributes fill it, and the name of the last one.
    let value = encode(limits::XATTR_VALUE);
    holds("bytes of a line", limits::SPEC_LINE - 1, |bytes| {
        let mut line = "./a type=dir".to_owned();
        let mut number = 100;
        while bytes - line.len() > value.len() {
            line.push_str(&format!(" xattr.user.{number}={value}"));
            number += 1;
        }
        let rest = bytes - line.len() - " xattr.user.=".len() - 1;
        line.push_str(&format!(" xattr.user.{}={}", "z".repeat(1 + rest % 4), "dmRk".repeat(rest / 4)));
        assert_eq!(line.len(), bytes);
        sealed(&line)
    });
}

#[test]
fn what_a_configuration_may_say() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let secret = keygen();
    let write = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let config = |text: &str| {
        let path = write("smsyncd.conf", &format!("secret = {secret}\n{text}\n"));
        Config::read(&path).map(drop).map_err(|errors| errors.to_string())
    };
    let module = |line: &str| config(&format!("[m]\npath = /srv\n{line}"));
    holds("bytes of a module's name", limits::MODULE, |bytes| {
        config(&format!("[{}]\npath = /srv", "m".repeat(bytes)))
    });
    holds("bytes of a user's name", limits::USER, |bytes| {
        let secrets = write("secrets", &format!("{}:{secret}\n", "u".repeat(bytes)));
        config(&format!("secrets file = {}", secrets.display()))
    });
    holds("secrets of a user", limits::SECRETS, |count| {
        let lines: String = (0..count).map(|_| format!("u:{}\n", keygen())).collect();
        config(&format!("secrets file = {}", write("secrets", &lines).display()))
    });
    holds("bytes of a comment", limits::TEXT, |bytes| module(&format!("comment = {}", "c".repeat(bytes))));
    holds("bytes of a path", limits::PATH, |bytes| {
        config(&format!("[m]\npath = /{}", "p".repeat(bytes - 1)))
    });
    holds("modules", limits::MODULES, |count| {
        config(&(0..count).map(|number| format!("[m{number}]\npath = /srv\n")).collect::<String>())
    });
    holds("patterns", limits::SCOPE, |count| module(&format!("exclude = {}", "x ".repeat(count))));
    holds("bytes of a tag", limits::SYSLOG_TAG, |bytes| {
        config(&format!("syslog tag = {}", "t".repeat(bytes)))
    });
    let backlog = usize::try_from(limits::BACKLOG).unwrap();
    holds("backlog", backlog, |count| config(&format!("listen backlog = {count}")));
    let handshake = |seconds: usize| config(&format!("handshake timeout = {seconds}"));
    holds("seconds", usize::try_from(*limits::HANDSHAKES.end()).unwrap(), handshake);
    assert!(handshake(usize::try_from(*limits::HANDSHAKES.start()).unwrap() - 1).is_err());
    let rate = |bytes: u64| module(&format!("bandwidth = {bytes}B"));
    assert_eq!((rate(limits::RATE), rate(limits::RATE - 1).is_err()), (Ok(()), true));
    // Each includes the next one.
    holds("files in each other", limits::INCLUDE_DEPTH, |depth| {
        let include =
            |number: usize| format!("&include {}\n", dir.path().join(format!("i{number}")).display());
        (1..depth).for_each(|number| drop(write(&format!("i{number}"), &include(number + 1))));
        write(&format!("i{depth}"), "[m]\npath = /srv\n");
        config(&include(1))
    });
    holds("included files", limits::INCLUDE_FILES, |count| {
        let many = dir.path().join("many");
        let _ = fs::remove_dir_all(&many);
        fs::create_dir(&many).unwrap();
        (0..count).for_each(|number| drop(write(&format!("many/{number}.conf"), "")));
        config(&format!("&include {}", many.display()))
    });
}

#[test]
fn lists_of_owners_and_problems() {
    holds("bytes of a list of owners", limits::MAPPING, |bytes| {
        let text = format!("{}0:1", "0000001:2,".repeat(bytes / 10 - 1));
        let text = format!("{}{text}", "0".repeat(bytes - text.len()));
        OwnerMap::new(text.as_bytes()).map(drop).ok_or_else(String::new)
    });
    let mut problems = Problems::default();
    let denied = std::io::Error::from_raw_os_error(13);
    (0..limits::PROBLEMS).for_each(|_| problems.push(Problem::new(&RelPath::ROOT, Step::Read, &denied)));
    assert_eq!(problems.iter().count(), limits::PROBLEMS);
    problems.push(Problem::new(&RelPath::ROOT, Step::Read, &denied));
    assert_eq!(problems.iter().count(), limits::PROBLEMS);
}

/// Directories with files of rules, to be pushed; none of the rules matches anything.
#[test]
fn files_of_rules() {
    let site = Site::in_memory();
    let inetd = site.serve();
    let push = |files: &[String]| {
        let _ = fs::remove_dir_all(site.src());
        for (number, text) in files.iter().enumerate() {
            let dir = site.src().join(format!("d{number}"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(".rules"), text).unwrap();
        }
        let src = site.src();
        let output = site.run(&["push", "-f", ": .rules", src.to_str().unwrap(), &inetd.remote("m")]);
        match output.status.code() {
            Some(0) => Ok(()),
            _ => {
                assert_exit(&output, 1);
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        }
    };
    let file = usize::try_from(limits::FILTER_FILE).unwrap();
    holds("bytes of a file of rules", file, |bytes| push(&[format!("#{}\n", "c".repeat(bytes - 2))]));
    // Rules of four bytes, so many files of them as are needed.
    holds("rules of files", limits::FILTER_RULES, |rules| {
        let all: Vec<&str> = vec!["- x\n"; rules];
        push(&all.chunks(file / 4).map(<[&str]>::concat).collect::<Vec<_>>())
    });
    holds("bytes of patterns", limits::FILTER_BYTES, |bytes| {
        let whole = bytes / limits::PATH;
        let lengths: Vec<usize> = [vec![limits::PATH; whole], vec![bytes - whole * limits::PATH]].concat();
        let rules: Vec<String> =
            lengths.into_iter().map(|length| format!("- {}\n", "x".repeat(length))).collect();
        push(&rules.chunks(15).map(<[String]>::concat).collect::<Vec<_>>())
    });
}
