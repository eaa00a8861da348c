//! The client's configuration: which section says what for a destination, and every error with its line.

use super::destination::DestinationError;
use super::*;
use crate::config::mutate::mutations;
use crate::config::{ConfigError, NameError};
use crate::secret::spelled;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn read_bytes(bytes: &[u8]) -> Result<ClientConfig, ConfigErrors> {
    let mut errors = ConfigErrors::new(Path::new("smsync.conf"));
    let config = parse(bytes, &mut errors);
    errors.finish(config)
}

/// The same with `<words>` for secrets.
fn read(text: &str) -> Result<ClientConfig, ConfigErrors> {
    read_bytes(spelled(text).as_bytes())
}

/// User, secret, port, cipher and seconds, as one comparable line.
fn said(settings: &Settings) -> String {
    let secret = settings.secret.as_ref().map_or("-".to_owned(), |secret| secret.to_base64().to_string());
    let seconds = settings.timeout.map_or(0, |limit| limit.as_secs());
    format!("{}|{secret}|{}|{:?}|{seconds}", settings.user, settings.port, settings.cipher)
}

#[test]
fn without_a_file_there_are_defaults_and_no_secret() {
    assert_eq!(said(&ClientConfig::default().settings("h", None, None)), "|-|4242|AesGcm|60");
    assert_eq!(said(&read("").unwrap().settings("h", Some(1), Some("m"))), "|-|1|AesGcm|60");
}

#[test]
fn the_most_specific_wins_parameter_by_parameter() {
    // Not in the order of their rank, which must not depend on it.
    let config = read(
        "user = all\nsecret = <all>\ntimeout = 10\n\
         [host:4000::mod]\ntimeout = 5\n\
         [host]\nuser = host\nport = 4000\ncipher = ChaChaPoly\n\
         [host::mod]\nsecret = <module>\ntimeout = 6\n\
         [host:4000]\nuser = port\nsecret = <port>\ntimeout = 7\n\
         [host:5000]\nuser = other\ntimeout = 0\n\
         [host::far]\nport = 5000\nuser =\n",
    )
    .unwrap();
    let table: &[(&str, Option<u16>, Option<&str>, &str)] = &[
        ("elsewhere", None, None, "all|<all>|4242|AesGcm|10"),
        ("elsewhere", Some(7), Some("mod"), "all|<all>|7|AesGcm|10"),
        // The host's own port makes the section of that port fit.
        ("host", None, None, "port|<port>|4000|ChaChaPoly|7"),
        ("HOST", Some(4000), None, "port|<port>|4000|ChaChaPoly|7"),
        ("host", Some(4001), None, "host|<all>|4001|ChaChaPoly|10"),
        ("host", Some(5000), None, "other|<all>|5000|ChaChaPoly|0"),
        ("host", None, Some("mod"), "port|<module>|4000|ChaChaPoly|5"),
        ("host", Some(4001), Some("mod"), "host|<module>|4001|ChaChaPoly|6"),
        ("host", None, Some("Mod"), "port|<port>|4000|ChaChaPoly|7"),
        // The module's port goes before the host's, and its empty user before the port's.
        ("host", None, Some("far"), "|<all>|5000|ChaChaPoly|0"),
    ];
    for (host, port, module, expected) in table {
        assert_eq!(
            said(&config.settings(host, *port, *module)),
            spelled(expected),
            "{host} {port:?} {module:?}"
        );
    }
    let everywhere = read("port = 9\n[host:9]\nuser = nine\n").unwrap();
    assert_eq!(said(&everywhere.settings("host", None, None)), "nine|-|9|AesGcm|60");
    let shown = format!("{config:?}{:?}", config.settings("host", None, None));
    assert!(!shown.contains(&spelled("<all>")) && !shown.contains(&spelled("<port>")), "{shown}");
}

#[test]
fn hosts_compare_by_what_they_mean() {
    let config = read(
        "[Host.Example]\nuser = name\n[[2001:DB8:0:0::1]]\nuser = six\n[[2001:db8::1]:42::m]\nuser = m\n\
         [[fe80::1%eth0]]\nuser = zone\n[10.0.0.1:42]\nuser = four\n",
    )
    .unwrap();
    let table = [
        ("host.example", None, "name"),
        ("HOST.EXAMPLE", None, "name"),
        ("host", None, ""),
        ("2001:db8::1", None, "six"),
        ("[2001:db8::1]", None, "six"),
        ("2001:0db8::0001", Some(42), "m"),
        ("fe80::1%eth0", None, "zone"),
        ("10.0.0.1", Some(42), "four"),
        ("10.0.0.1", None, ""),
    ];
    for (host, port, user) in table {
        assert_eq!(config.settings(host, port, Some("m")).user, user, "{host}");
    }
}

#[test]
fn destinations() {
    type Row<'a> = (&'a str, Result<(&'a str, Option<u16>, Option<&'a str>), DestinationError>);
    let table: &[Row<'_>] = &[
        ("h", Ok(("h", None, None))),
        ("H:1", Ok(("h", Some(1), None))),
        ("h::m", Ok(("h", None, Some("m")))),
        ("h:65535::M n", Ok(("h", Some(65535), Some("M n")))),
        ("[::1]", Ok(("::1", None, None))),
        ("[::1]:1", Ok(("::1", Some(1), None))),
        ("[::1]::m", Ok(("::1", None, Some("m")))),
        ("[::1]:1::m", Ok(("::1", Some(1), Some("m")))),
        ("[FE80:0::1%eth0]", Ok(("fe80:0::1%eth0", None, None))),
        ("", Err(DestinationError::Host)),
        ("::m", Err(DestinationError::Host)),
        ("::1", Err(DestinationError::Host)),
        (":1", Err(DestinationError::Host)),
        ("zoe@h", Err(DestinationError::Host)),
        ("h/m", Err(DestinationError::Host)),
        ("a b", Err(DestinationError::Host)),
        ("h]", Err(DestinationError::Host)),
        ("[h]", Err(DestinationError::Address)),
        ("[10.0.0.1]", Err(DestinationError::Address)),
        ("[::1", Err(DestinationError::Address)),
        ("[]", Err(DestinationError::Address)),
        ("[::1]1", Err(DestinationError::Port)),
        ("h:", Err(DestinationError::Port)),
        ("h:0", Err(DestinationError::Port)),
        ("h:65536", Err(DestinationError::Port)),
        ("h:+1", Err(DestinationError::Port)),
        ("h:m", Err(DestinationError::Port)),
        ("2001:db8::1", Err(DestinationError::Port)),
        ("h:::m", Err(DestinationError::Module(NameError::Character(':')))),
        ("h::", Err(DestinationError::Module(NameError::Empty))),
        ("h::a::b", Err(DestinationError::Module(NameError::Character(':')))),
        ("h::m/sub", Err(DestinationError::Module(NameError::Character('/')))),
    ];
    for (name, expected) in table {
        let found = Destination::parse(name);
        let found = found
            .as_ref()
            .map(|to| (to.host.as_str(), to.port, to.module.as_deref()))
            .map_err(|error| *error);
        assert_eq!(found, *expected, "{name}");
    }
}

#[test]
fn every_error_has_its_line() {
    let keygen = ": run `smsync keygen` and use the line it prints on both sides";
    let known = "known here: user, secret, port, cipher, timeout";
    let forms = "a section is named [HOST], [HOST:PORT], [HOST::MODULE] or [HOST:PORT::MODULE]";
    let user = "is not a user's name (at most 64 bytes, no blank, '/', ':' or '@')";
    let table: &[(&str, &[&str])] = &[
        ("path = /", &[&format!("1: unknown parameter 'path'; {known}")]),
        ("[h]\nsecrets file = /", &[&format!("2: unknown parameter 'secrets file'; {known}")]),
        ("user = a b", &[&format!("1: user: 'a b' {user}")]),
        ("cipher = des", &["1: cipher: 'des' is not one of aesgcm, chachapoly"]),
        ("secret =", &[&format!("1: secret: the secret is not 32 bytes in base64{keygen}")]),
        ("[h]\nsecret = correct horse", &[&format!("2: secret: the secret is not base64{keygen}")]),
        ("timeout = never", &["1: timeout: 'never' is not a whole number of seconds (0 for no limit)"]),
        ("port = 1\nport = 1", &["2: 'port' already given at line 1"]),
        ("[h]\n[h]", &["2: section [h] already given at line 1"]),
        ("[h::m]\n[H::m]", &["2: section [H::m] already given at line 1"]),
        ("[[::1]]\n\n[[0::1]]", &["3: section [[0::1]] already given at line 1"]),
        ("\n[h:1]\nport = 1", &["2: 'port' is given in the section and in its name"]),
        ("[zoe@h]", &[&format!("1: {forms}: this is not a host")]),
        ("[[h]]", &[&format!("1: {forms}: this is not an IPv6 address in brackets")]),
        (
            "[2001:db8::1]",
            &[&format!(
                "1: {forms}: this is not a port from 1 to 65535 (IPv6 addresses need brackets: [[::1]])"
            )],
        ),
        ("[h::a/b]", &[&format!("1: {forms}: the module's name: a name holds '/'")]),
        (
            "user = @\n[h]\nport = x\n[h:y]\nbogus = 1",
            &[
                &format!("1: user: '@' {user}"),
                "3: port: 'x' is not a port from 1 to 65535",
                &format!(
                    "4: {forms}: this is not a port from 1 to 65535 (IPv6 addresses need brackets: [[::1]])"
                ),
                &format!("5: unknown parameter 'bogus'; {known}"),
            ],
        ),
    ];
    for (text, expected) in table {
        let errors = read(text).expect_err(text).to_string();
        let expected: Vec<_> = expected.iter().map(|error| format!("smsync.conf:{error}")).collect();
        assert_eq!(errors.lines().collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn the_first_file_that_is_there_is_read() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let [named, own, system] = ["named", "own", "system"].map(|name| dir.path().join(name));
    let write = |path: &Path, bits, text: &str| {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    };
    let user = |given: Option<&Path>| {
        ClientConfig::read_first(given, [own.clone(), system.clone()].into_iter())
            .map(|config| config.settings("h", None, None).user)
            .map_err(|errors| errors.to_string())
    };
    assert_eq!(user(None).unwrap(), "");
    write(&system, 0o600, "user = system");
    assert_eq!(user(None).unwrap(), "system");
    write(&own, 0o600, "user = own");
    assert_eq!(user(None).unwrap(), "own");
    let missing = format!("{} cannot be opened: No such file or directory (os error 2)", named.display());
    assert_eq!(user(Some(&named)).unwrap_err(), missing);
    write(&named, 0o600, "user = named");
    assert_eq!(user(Some(&named)).unwrap(), "named");
    // One that is there but not private is refused, never passed over.
    write(&own, 0o644, "user = own");
    let own = own.display();
    let loose = format!("{own} is not for its owner alone (mode 0644); repair: chmod 0600 {own}");
    assert_eq!(user(None).unwrap_err(), loose);
}

#[test]
fn damage_never_panics_and_what_passes_is_sound() {
    let full = "# full\nuser = all\nsecret = <all>\ntimeout = 10\n\n[host]\nuser = host\nport = 4000\n\
                cipher = chachapoly\n\n[host:4000::mod]\ntimeout = 0\n\n[[2001:db8::1]:4242::module]\nsecret = <six>\n";
    let (mut passed, mut refused) = (0, 0);
    for bytes in mutations(spelled(full).as_bytes(), 5000) {
        let shown = bytes.escape_ascii();
        match read_bytes(&bytes) {
            Ok(config) => {
                passed += 1;
                for (host, module) in [("host", None), ("2001:db8::1", Some("module")), ("", Some(""))] {
                    let settings = config.settings(host, None, module);
                    assert!(settings.port > 0, "{shown}");
                    assert!(settings.user.is_empty() || check_user(&settings.user).is_ok(), "{shown}");
                }
            }
            Err(errors) => {
                refused += 1;
                for error in errors.iter() {
                    let ConfigError::Line { line, text, .. } = error else { panic!("{shown}") };
                    assert!(*line > 0 && !text.contains(char::is_control), "{shown}: {error}");
                }
            }
        }
    }
    assert!(passed > 250 && refused > 500, "{passed} passed, {refused} refused");
}
