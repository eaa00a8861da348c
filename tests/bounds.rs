//! The bounds of src/limits.rs, one by one: where each is tried at what it allows and one beyond, or why it is not.

#[path = "bounds/table.rs"]
mod table;

use crate::common::{SMSYNCD, Site, assert_exit, keygen};
use base64::Engine;
use smsync::limits;
use smsync::path::RelPath;
use smsync::report::{Problem, Problems, Step};
use smsync::server::config::Config;
use smsync::spec::Spec;
use smsync::sys::{Dir, Spool};
use smsync::terms::OwnerMap;
use smsync::wire::scope::Ahead;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use table::{ALL, Held};

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
        if let Held::By(file, words) | Held::Waited(file, words) = how {
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

/// As many entries as fit an index, each as short as can be.
#[test]
fn entries_of_a_specification() {
    let sealed = |count: usize| {
        let mut spool = Spool::create(&Dir::open_root(Path::new("/tmp")).unwrap()).unwrap();
        let mut text = b"#mtree\n. type=dir\n".to_vec();
        for number in 1..count {
            text.extend_from_slice(b"./");
            // Of one length, so that they are in order.
            let digit = |place: u32| b'a' + u8::try_from(number / 26usize.pow(place) % 26).unwrap();
            text.extend((0..6).rev().map(digit));
            text.extend_from_slice(b" type=fifo\n");
            if text.len() > 1 << 20 {
                spool.write_all(&text).unwrap();
                text.clear();
            }
        }
        spool.write_all(&text).unwrap();
        Spec::seal(spool).map(drop).map_err(|error| error.to_string())
    };
    holds("entries", limits::SPEC_ENTRIES as usize, sealed);
}

/// Two gibibytes of memory, so only where `SMSYNC_SIZES` is set, as by `make soak`.
#[test]
fn gigabytes_of_a_specification_in_other_words() {
    if std::env::var_os("SMSYNC_SIZES").is_none() {
        return;
    }
    let site = Site::new();
    let spec = site.path("spec");
    let said = |bytes: u64| {
        let file = fs::File::create(&spec).unwrap();
        file.set_len(bytes).unwrap();
        let output = site.smsync().args(["spec", "--check"]).arg(&spec).arg(site.src()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).contains("File too large")
    };
    assert_eq!((said(limits::DIALECT_BYTES), said(limits::DIALECT_BYTES + 1)), (false, true));
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

#[test]
fn paths_ahead_of_a_round() {
    let take = |path: &'static [u8], count: usize| {
        let path = RelPath::new(path).unwrap();
        // In several messages.
        let mut ahead = Ahead::default();
        ahead.take(vec![path.clone(); count / 2]).map_err(|error| error.to_string())?;
        ahead.take(vec![path; count - count / 2]).map_err(|error| error.to_string())
    };
    holds("paths", limits::PATHS, |count| take(b"p", count));
    // Each counts with two bytes more: 128 of them are a part of all that there may be.
    holds("bytes of paths", limits::PATHS_BYTES / 256, |count| take(&[b'p'; 254], count));
}

#[test]
fn names_of_a_refusal() {
    let site = Site::in_memory();
    let inetd = site.serve();
    fs::write(site.src().join("f"), "").unwrap();
    let bound = limits::REFUSED as usize;
    for number in 0..=bound {
        fs::write(site.dst().join(format!("extra{number}")), "").unwrap();
        if number + 1 < bound {
            continue;
        }
        let src = site.src();
        let push =
            ["--json", "push", "--delete", "--max-delete", "1", src.to_str().unwrap(), &inetd.remote("m")];
        let output = site.run(&push);
        assert_exit(&output, 4);
        let text = String::from_utf8(output.stdout).unwrap();
        let named = text.lines().filter(|line| line.contains("\"path\":\"extra"));
        assert_eq!(named.count(), bound, "{}", text.lines().last().unwrap());
        assert!(text.contains(&format!("\"refused\":{}", number + 1)), "{}", text.lines().last().unwrap());
    }
}

#[test]
fn sockets_that_are_handed_down() {
    let site = Site::new();
    holds("sockets", limits::SOCKETS, |count| {
        // The shell becomes smsyncd: the process is the one that they are meant for.
        let script = format!("LISTEN_FDS={count} LISTEN_PID=$$ exec \"$0\" --check -c \"$1\"");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, SMSYNCD]).arg(site.path("smsyncd.conf"));
        let output = command.output().unwrap();
        if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
    });
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
