//! The server's configuration: what it means, what is wrong with it and where, and that nothing makes it panic.

mod confining;

use super::*;
use crate::config::mutate::mutations;
use crate::config::{ConfigError, Durable};
use crate::secret::spelled;
use core::net::IpAddr;
use std::time::Duration;

const FULL: &str = "\
# a full one
secret = <all>
secrets file = /etc/smsyncd.secrets
port = 873
address = 127.0.0.1, ::1
listen backlog = 5
handshake timeout = 30
pid file = /run/smsyncd.pid
Syslog Facility = local3
syslog tag = mirror
timeout = 0
log file = /var/log/smsyncd.log
state dir = /srv/state
spool dir = /srv/spool
durable = file

[home]
\tpath = /home
\tcomment = everybody's \\
homes = here
\tread only = no
\tlist = false

[www data]
\tpath = /srv/www
\tdurable = none
";

/// What the lines of a configuration mean, without the secrets file.
fn read_bytes(bytes: &[u8]) -> Result<Config, ConfigErrors> {
    let mut errors = ConfigErrors::new(Path::new("smsyncd.conf"));
    let config = parse(bytes, &mut errors);
    errors.finish(config)
}

/// The same with `<words>` for secrets.
fn read(text: &str) -> Result<Config, ConfigErrors> {
    read_bytes(spelled(text).as_bytes())
}

/// What a description says, once it has a secret again.
fn read_again(config: &Config) -> Result<Config, ConfigErrors> {
    read_bytes(config.describe().replace("secret = (set)", &spelled("secret = <all>")).as_bytes())
}

/// Secrets as they are spelled.
fn said(secrets: &[Secret]) -> Vec<String> {
    secrets.iter().map(|secret| secret.to_base64().to_string()).collect()
}

fn module(name: &str, path: &str) -> Module {
    let mut module = Module { path: path.into(), ..Module::default() };
    assert_eq!(module.complete(name.to_owned()), []);
    module
}

#[test]
fn a_full_configuration() {
    let config = read(FULL).unwrap();
    let globals = &config.globals;
    assert_eq!(said(config.secrets_of("")), [spelled("<all>")]);
    assert_eq!(globals.secrets_file.as_deref(), Some(Path::new("/etc/smsyncd.secrets")));
    assert_eq!(globals.port, 873);
    assert_eq!(globals.address, [IpAddr::from([127, 0, 0, 1]), "::1".parse().unwrap()]);
    assert_eq!(globals.listen_backlog, 5);
    assert_eq!(globals.handshake_timeout, Duration::from_secs(30));
    assert_eq!(globals.syslog_tag, "mirror");
    assert_eq!(globals.pid_file.as_deref(), Some(Path::new("/run/smsyncd.pid")));
    // LOG_LOCAL3 of syslog(3) is 19 << 3.
    assert_eq!(globals.syslog_facility.number(), 19);
    assert_eq!(globals.log_file.as_deref(), Some(Path::new("/var/log/smsyncd.log")));
    assert_eq!(globals.state_dir, Path::new("/srv/state"));
    assert_eq!(globals.spool_dir, Path::new("/srv/spool"));
    let home = Module {
        comment: "everybody's homes = here".to_owned(),
        read_only: false,
        list: false,
        durable: Durable::File,
        timeout: None,
        ..module("home", "/home")
    };
    let www = Module { durable: Durable::None, timeout: None, ..module("www data", "/srv/www") };
    assert_eq!(config.modules, [home.clone(), www]);
    assert_eq!(config.module("home"), Some(&home));
    assert_eq!(config.module("Home"), None);
}

#[test]
fn defaults() {
    let config = read("secret = <all>\n[m]\npath = /m").unwrap();
    assert_eq!(config.globals.port, 4242);
    assert_eq!(config.globals.address, Vec::<IpAddr>::new());
    assert_eq!(config.modules[0].timeout, Some(Duration::from_secs(60)));
    assert_eq!(config.globals.handshake_timeout, Duration::from_secs(10));
    assert_eq!(config.globals.syslog_facility.number(), 3);
    assert_eq!(config.globals.state_dir, Path::new("/var/lib/smsyncd"));
    assert_eq!(config.globals.spool_dir, Path::new("/var/tmp"));
    assert_eq!(config.modules, [module("m", "/m")]);
    assert_eq!(read("secret = <x>").unwrap().modules, []);
}

#[test]
fn facilities_are_syslogs() {
    // From <syslog.h>, by way of libc.
    let table = [
        ("auth", libc::LOG_AUTH),
        ("security", libc::LOG_AUTH),
        ("authpriv", libc::LOG_AUTHPRIV),
        ("cron", libc::LOG_CRON),
        ("daemon", libc::LOG_DAEMON),
        ("ftp", libc::LOG_FTP),
        ("kern", libc::LOG_KERN),
        ("lpr", libc::LOG_LPR),
        ("mail", libc::LOG_MAIL),
        ("news", libc::LOG_NEWS),
        ("syslog", libc::LOG_SYSLOG),
        ("user", libc::LOG_USER),
        ("uucp", libc::LOG_UUCP),
        ("local0", libc::LOG_LOCAL0),
        ("local1", libc::LOG_LOCAL1),
        ("local2", libc::LOG_LOCAL2),
        ("local3", libc::LOG_LOCAL3),
        ("local4", libc::LOG_LOCAL4),
        ("local5", libc::LOG_LOCAL5),
        ("local6", libc::LOG_LOCAL6),
        ("local7", libc::LOG_LOCAL7),
    ];
    assert_eq!(table.len(), Facility::NAMES.len());
    for (name, number) in table {
        let config = read(&format!("secret = <x>\nsyslog facility = {name}")).unwrap();
        assert_eq!(i32::from(config.globals.syslog_facility.number()) << 3, number, "{name}");
    }
    assert_eq!(Facility::default().to_string(), "daemon");
}

/// How the refusal of a secret ends.
const KEYGEN: &str = ": run `smsync keygen` and use the line it prints on both sides";

const OF_ALL: &str = "secret, secrets file, port, address, listen backlog, handshake timeout, motd file, \
    daemon uid, daemon gid, pid file, syslog facility, syslog tag, log file, state dir, metrics file, spool dir";
const OF_MODULES: &str = "path, comment, read only, write only, list, auth users, hosts allow, hosts deny, \
    reverse lookup, timeout, require marker, exclude, include, exclude from, include from, incoming chmod, \
    outgoing chmod, numeric ids, munge symlinks, refuse options, dont compress, ignore nonreadable, open noatime, \
    max delete, max file size, max files, transfer logging, log format, log file, durable, keep versions, max connections, \
    lock file, bandwidth, uid, gid, use chroot, sandbox, pre-xfer exec, post-xfer exec";

/// Outside of modules what is said there of both is known once.
fn of_modules_only() -> String {
    OF_MODULES.replace("log file, ", "")
}

#[test]
fn every_error_has_its_line() {
    let table: &[(&str, &[&str])] = &[
        ("", &["1: 'secret' or 'secrets file' is missing: nobody could be let in"]),
        ("\n[m]\npath = /", &["1: 'secret' or 'secrets file' is missing: nobody could be let in"]),
        ("secret =\n", &[&format!("1: secret: the secret is not 32 bytes in base64{KEYGEN}")]),
        ("\nsecret = correct horse", &[&format!("2: secret: the secret is not base64{KEYGEN}")]),
        // "This is my Austrian perspective!", encoded by base64(1).
        (
            "secret = VGhpcyBpcyBteSBBdXN0cmlhbiBwZXJzcGVjdGl2ZSE=\nport = 0",
            &[
                &format!(
                    "1: secret: the secret is a passphrase, which can be guessed from one recorded packet{KEYGEN}"
                ),
                "2: port: '0' is not a port from 1 to 65535",
            ],
        ),
        ("secrets file = here", &["1: secrets file: 'here' is not an absolute path"]),
        (
            "secret = <x>\n[m]\nsecret = <y>\npath = /",
            &[
                "3: 'secret' is said of the whole server: it belongs before the first module, or below [global]",
            ],
        ),
        (
            "secret = <x>\nhosts alow = y",
            &[&format!(
                "2: unknown parameter 'hosts alow' (did you mean 'hosts allow'?); known here: {OF_ALL}, {}",
                of_modules_only()
            )],
        ),
        (
            "secret = <x>\nsyslog facility = log",
            &["2: syslog facility: 'log' is not one of kern, user, mail, daemon, \
           auth, security, syslog, lpr, news, uucp, cron, authpriv, ftp, local0, local1, local2, local3, local4, \
           local5, local6, local7"],
        ),
        ("secret = <x>\nbandwidth = 1", &["2: bandwidth: '1' is not a rate of 4 KiB or more, or 0"]),
        ("secret = <x>\ndurable = maybe", &["2: durable: 'maybe' is not one of batch, file, none"]),
        ("secret = <x>\n[m]\n", &["2: 'path' is missing"]),
        ("secret = <x>\n[m]\npath = /a\n[m]\npath = /b", &["4: section [m] already given at line 2"]),
        ("secret = <x>\npath = /\n[a/b]", &["3: a name holds '/'"]),
        ("secret = <x>\npath = /\n[a:b]", &["3: a name holds ':'"]),
        ("secret = <x>\npath = /\n[[a]]", &["3: a name holds '['"]),
        (
            "secret = <x>\npath = /\n[Globals]",
            &["3: the name is reserved: [global] is for what concerns the whole server"],
        ),
        ("secret = <x> <y> <z>", &["1: secret: more than 2 secrets at once"]),
        ("secret = PUT THE SECRET HERE", &[&format!("1: secret: the secret is not base64{KEYGEN}")]),
        ("secret = <x> y", &[&format!("1: secret: the secret is not base64{KEYGEN}")]),
        (
            "secret = <x>\nlisten backlog = 0",
            &["2: listen backlog: '0' is not a whole number from 1 to 1024"],
        ),
        (
            "secret = <x>\nhandshake timeout = 601",
            &["2: handshake timeout: '601' is not a whole number from 1 to 600"],
        ),
        (
            "secret = <x>\nsyslog tag = a b",
            &["2: syslog tag: 'a b' is not a word of at most 32 letters, digits, '-', '_', '.' or '/'"],
        ),
        (
            "secret = <x>\npath = /\n[m]\nauth users = ann:write",
            &[
                "4: auth users: 'ann:write' is not a list of users and @groups, each perhaps with ':ro', ':rw' or ':deny'",
            ],
        ),
        (
            "secret = <x>\npath = /\n[m]\nhosts deny = 10.0.0.0/33",
            &["4: hosts deny: '10.0.0.0/33' is not a list of addresses, networks (10.0.0.0/8), names or '*'"],
        ),
        (
            "secret = <x>\npath = /\nhosts deny = *.example.org\n[m]\n[n]\nreverse lookup = yes\n",
            &["3: hosts deny: names are known only with 'reverse lookup = yes': '*.example.org'"],
        ),
        (
            "secret = <x>\nmax delete = 101%",
            &["2: max delete: '101%' is not a number, or a percentage up to 100%"],
        ),
        ("secret = <x>\nmax file size = 1x", &["2: max file size: '1x' is not a size as 100M, or 0"]),
        ("secret = <x>\nexclude = a +", &["2: exclude: 'a +' is not a list of patterns"]),
        (
            "secret = <x>\nincoming chmod = 9",
            &["2: incoming chmod: '9' is not a list of changes of modes, as D755,F644 or go-w"],
        ),
        (
            "secret = <x>\npath = /\nrequire marker = /x",
            &["3: require marker: '/x' is not a path below the module's, without '/' at its start"],
        ),
        (
            "port = 0\n[m]\npath = m\nlist = often",
            &[
                "1: port: '0' is not a port from 1 to 65535",
                "3: path: 'm' is not an absolute path",
                "4: list: 'often' is not yes or no",
            ],
        ),
    ];
    for (text, expected) in table {
        let errors = read(text).expect_err(text).to_string();
        let expected: Vec<_> = expected.iter().map(|error| format!("smsyncd.conf:{error}")).collect();
        assert_eq!(errors.lines().collect::<Vec<_>>(), expected, "{text}");
    }
    let many: String = (0..1025).map(|module| format!("[m{module}]\n")).collect();
    let errors = read(&format!("secret = <x>\npath = /\n{many}")).unwrap_err();
    assert_eq!(errors.to_string(), "smsyncd.conf:1027: more than 1024 modules");
    let long = "m".repeat(65);
    let errors = read(&format!("secret = <x>\npath = /\n[{long}]")).unwrap_err();
    assert_eq!(errors.to_string(), "smsyncd.conf:3: a name is longer than 64 bytes");
}

#[test]
fn describe_says_what_is_in_effect_and_no_secret() {
    let mut config = read(FULL).unwrap();
    config.users =
        secrets::parse(spelled("zoe:<zoe>\nadam:<adam>").as_bytes(), &mut ConfigErrors::new(Path::new("s")));
    let expected = "\
secret = (set)
secrets file = /etc/smsyncd.secrets
port = 873
address = 127.0.0.1, ::1
listen backlog = 5
handshake timeout = 30
pid file = /run/smsyncd.pid
syslog facility = local3
syslog tag = mirror
log file = /var/log/smsyncd.log
state dir = /srv/state
spool dir = /srv/spool
# users: adam, zoe

[home]
path = /home
comment = everybody's homes = here
read only = no
# write only = no
list = no
# reverse lookup = no
timeout = 0
# numeric ids = no
# munge symlinks = no
# ignore nonreadable = no
# open noatime = no
# max file size = 0
# max files = 0
# transfer logging = no
# log format = %o %h [%a] %m (%u) %f %l
durable = file
# keep versions = 0
# max connections = 0
# bandwidth = 0
# sandbox = require

[www data]
path = /srv/www
# read only = yes
# write only = no
# list = yes
# reverse lookup = no
timeout = 0
# numeric ids = no
# munge symlinks = no
# ignore nonreadable = no
# open noatime = no
# max file size = 0
# max files = 0
# transfer logging = no
# log format = %o %h [%a] %m (%u) %f %l
durable = none
# keep versions = 0
# max connections = 0
# bandwidth = 0
# sandbox = require
";
    let chroot = if ids::is_root() { "yes" } else { "no" };
    let expected = expected.replace("# sandbox", &format!("# use chroot = {chroot}\n# sandbox"));
    assert_eq!(config.describe(), expected);
    assert!(!format!("{config:?}").contains(&spelled("<zoe>")));
    // In its own language: what is described reads the same.
    assert_eq!(read_again(&config).unwrap().modules, config.modules);
}

#[test]
fn a_bandwidth_is_described_in_bytes() {
    let config = read("secret = <x>\nbandwidth = 1.5m\n[m]\npath = /m").unwrap();
    assert!(config.describe().contains("\nbandwidth = 1572864B\n"));
    assert_eq!(read_again(&config).unwrap().modules, config.modules);
}

#[test]
fn a_backslash_at_the_end_is_described_as_one() {
    let config = read("secret = <x>\nport = 1\n[m]\npath = /a\\\\\n\nlist = no").unwrap();
    assert_eq!(config.modules[0].path, Path::new("/a\\"));
    assert_eq!(read_again(&config).unwrap().modules, config.modules);
}

#[test]
fn damage_never_panics_and_what_passes_is_sound() {
    let (mut passed, mut refused) = (0, 0);
    for bytes in mutations(spelled(FULL).as_bytes(), 5000) {
        let shown = bytes.escape_ascii();
        let count = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
        match read_bytes(&bytes) {
            Ok(config) => {
                passed += 1;
                assert!(config.modules.iter().all(|module| module.path.is_absolute()), "{shown}");
                assert!(config.modules.iter().all(|module| check_module(&module.name).is_ok()), "{shown}");
                let again = read_again(&config).unwrap_or_else(|errors| panic!("{shown}: {errors}"));
                assert_eq!(again.modules, config.modules, "{shown}");
                assert_eq!(again.describe(), config.describe(), "{shown}");
            }
            Err(errors) => {
                refused += 1;
                assert!(errors.iter().count() > 0, "{shown}");
                for error in errors.iter() {
                    let ConfigError::Line { line, text, .. } = error else { panic!("{shown}") };
                    assert!((1..=count).contains(line), "{shown}: {error}");
                    assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown}: {error}");
                }
            }
        }
    }
    assert!(passed > 400 && refused > 500, "{passed} passed, {refused} refused");
    for bytes in mutations(spelled("# users\nzoe:<zoe>\n\nadam:<adam>\n").as_bytes(), 2000) {
        for user in secrets::parse(&bytes, &mut ConfigErrors::new(Path::new("s"))).keys() {
            assert!(config::check_user(user).is_ok());
        }
    }
}

#[path = "tests/files.rs"]
mod files;
