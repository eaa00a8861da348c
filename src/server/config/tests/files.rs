//! The files of a configuration: the secrets file, and that each of them is private.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_secrets_file() {
    let long = format!("{}:<x>", "u".repeat(65));
    /// Text; users and secrets, or errors.
    type Row<'a> = (&'a str, Result<&'a [(&'a str, &'a str)], &'a [&'a str]>);
    let table: &[Row<'_>] = &[
        ("", Ok(&[])),
        ("# c\r\n\r\n zoe : <zoe> \r\nadam:<adam>\n", Ok(&[("adam", "<adam>"), ("zoe", "<zoe>")])),
        ("<s>", Err(&["1: expected 'user:secret'"])),
        ("\nzoe:", Err(&[&format!("2: the secret is not 32 bytes in base64{KEYGEN}")])),
        (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:zoe",
            Err(&[&format!("1: the secret is not base64{KEYGEN}")]),
        ),
        (":<s>", Err(&["1: the user before the ':': a name is empty"])),
        ("a b:<s>", Err(&["1: the user before the ':': a name holds ' '"])),
        ("@zoe:<s>", Err(&["1: the user before the ':': a name holds '@'"])),
        (&long, Err(&["1: the user before the ':': a name is longer than 64 bytes"])),
        (
            "zoe:<new>\nadam:<adam>\nzoe:<zoe>\n",
            Ok(&[("adam", "<adam>"), ("zoe", "<new>"), ("zoe", "<zoe>")]),
        ),
        (
            "zoe:<zoe>\nzoe:<new>\nzoe:<zoe>\nzoe",
            Err(&["3: user 'zoe' has more than 2 secrets at once", "4: expected 'user:secret'"]),
        ),
    ];
    for (text, expected) in table {
        let mut errors = ConfigErrors::new(Path::new("secrets"));
        let users = secrets::parse(spelled(text).as_bytes(), &mut errors);
        match (errors.finish(Some(users)), expected) {
            (Ok(users), Ok(expected)) => {
                let users: Vec<_> = users
                    .iter()
                    .flat_map(|(user, secrets)| {
                        said(secrets).into_iter().map(|secret| (user.clone(), secret))
                    })
                    .collect();
                let expected: Vec<_> =
                    expected.iter().map(|(user, word)| ((*user).to_owned(), spelled(word))).collect();
                assert_eq!(users, expected, "{text}");
            }
            (Err(errors), Err(expected)) => {
                let expected: Vec<_> = expected.iter().map(|error| format!("secrets:{error}")).collect();
                assert_eq!(errors.to_string().lines().collect::<Vec<_>>(), expected, "{text}");
                assert!(!errors.to_string().contains(&spelled("<s>")));
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
}

/// Writes a file with these permission bits.
fn write(path: &Path, bits: u32, text: &str) {
    fs::write(path, spelled(text)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

#[test]
fn both_files_must_be_private() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (file, secrets) = (dir.path().join("smsyncd.conf"), dir.path().join("secrets"));
    let (shown, shown_secrets) = (file.display(), secrets.display());
    let text = format!("secrets file = {shown_secrets}\n[m]\npath = /m\n");
    let lines =
        || Config::read(&file).unwrap_err().to_string().lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(), [format!("{shown} cannot be opened: No such file or directory (os error 2)")]);

    write(&file, 0o600, &text);
    assert_eq!(
        lines(),
        [format!("{shown_secrets} cannot be opened: No such file or directory (os error 2)")]
    );

    write(&secrets, 0o600, "zoe:<zoe>\n");
    let config = Config::read(&file).unwrap();
    assert_eq!(said(config.secrets_of("zoe")), [spelled("<zoe>")]);
    assert!(config.secrets_of("").is_empty() && config.secrets_of("adam").is_empty());

    write(&secrets, 0o640, "zoe:<zoe>\n");
    let loose =
        format!("{shown_secrets} is not for its owner alone (mode 0640); repair: chmod 0600 {shown_secrets}");
    assert_eq!(lines(), std::slice::from_ref(&loose));

    write(&file, 0o600, &format!("{text}list = perhaps\n"));
    assert_eq!(lines(), [format!("{shown}:4: list: 'perhaps' is not yes or no"), loose]);

    write(&file, 0o644, &text);
    assert_eq!(
        lines(),
        [format!("{shown} is not for its owner alone (mode 0644); repair: chmod 0600 {shown}")]
    );

    write(&secrets, 0o600, "zoe\n");
    write(&file, 0o600, &text);
    assert_eq!(lines(), [format!("{shown_secrets}:1: expected 'user:secret'")]);

    let size = usize::try_from(limits::CONFIG).unwrap();
    write(&file, 0o600, &format!("secret = <x>\n{}", "#".repeat(size)));
    assert_eq!(lines(), [format!("{shown} is larger than 1048576 bytes")]);
}

#[test]
fn what_else_is_wrong_is_said_too() {
    let text = "secret = <x>\n[m]\npath = /m\nlist = perhaps\nexclude from = /nonexistent/rules\n\
                hosts deny = a.example, 10.0.0.1 B.example\n[n]\npath = /n\nreverse lookup = maybe\n\
                hosts allow = a.example\nrefuse options = delete bogus c partial\n";
    let errors = read(text).unwrap_err().to_string();
    let lines: Vec<_> = errors.lines().filter_map(|line| line.strip_prefix("smsyncd.conf:")).collect();
    assert_eq!(lines[0], "4: list: 'perhaps' is not yes or no");
    assert!(lines[1].starts_with("5: exclude from: /nonexistent"), "{errors}");
    assert_eq!(
        lines[2],
        "6: hosts deny: names are known only with 'reverse lookup = yes': 'a.example', 'B.example'"
    );
    // Whether names are looked up is what is not known there.
    assert_eq!(lines[3], "9: reverse lookup: 'maybe' is not yes or no");
    assert!(lines[4].ends_with(": 'bogus', 'partial' are none of them"), "{errors}");
    assert_eq!(lines.len(), 5, "{errors}");
}

#[test]
fn metrics_are_shown_where_they_are_looked_for() {
    let of = |path: &str| read(&format!("secret = <x>\nmetrics file = {path}\n"));
    assert_eq!(of("/m/x.prom").unwrap().globals.metrics_file.as_deref(), Some(Path::new("/m/x.prom")));
    for path in ["/m/x.txt", "x.prom", "/m/x.prom.new"] {
        let expected = format!(
            "smsyncd.conf:2: metrics file: '{path}' is not an absolute path that ends in '.prom', as node_exporter \
             reads it"
        );
        assert_eq!(of(path).unwrap_err().to_string(), expected);
    }
}

#[test]
fn names_of_users_are_shown_so_that_they_drive_no_terminal() {
    let mut config = read("secret = <x>\n").unwrap();
    let users = spelled("b\u{202e}d:<x>");
    config.users = secrets::parse(users.as_bytes(), &mut ConfigErrors::new(Path::new("s")));
    assert!(config.describe().contains("\n# users: b\\342\\200\\256d\n"), "{}", config.describe());
}

#[test]
fn what_is_kept_leaves_the_root_to_who_serves() {
    let config = read("secret = <x>\npath = /\n[m]\n[n]\nuse chroot = no\n").unwrap();
    let (kept, _) = config.spelled(Path::new("/s"));
    assert_eq!(kept.matches("use chroot").count(), 1, "{}", *kept);
    assert_eq!(config.describe().matches("\n# use chroot = ").count(), 1);
    assert_eq!(config.describe().matches("\nuse chroot = no\n").count(), 1);
}
