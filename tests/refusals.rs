//! What is refused: configurations that are not private, strangers, what is not offered, recordings; and what leaks.

use crate::common::facts::traces;
use crate::common::relay::Relay;
use crate::common::{Inetd, SMSYNCD, Site, assert_exit, is_root, keygen};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A connected pair: what smsyncd gets, and what its peer holds.
fn connection() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    (listener.accept().unwrap().0.into(), peer)
}

/// Serves one connection, with descriptor 2 the socket too or a pipe; how it ended, and what the peer read.
fn serve_one(config: &Path, stderr: bool) -> (Output, Vec<u8>) {
    let (socket, mut peer) = connection();
    let mut command = Command::new(SMSYNCD);
    command.arg("-c").arg(config).stdin(socket.try_clone().unwrap()).stdout(socket.try_clone().unwrap());
    command.stderr(if stderr { Stdio::piped() } else { socket.try_clone().unwrap().into() });
    drop(socket);
    let child = command.spawn().unwrap();
    // The command holds the socket too.
    drop(command);
    // No word of ours: a good configuration waits for one, and then for the end.
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let mut read = Vec::new();
    peer.read_to_end(&mut read).unwrap();
    (child.wait_with_output().unwrap(), read)
}

/// What is wrong with a configuration, if anything is: the words that say so.
type Wrong = Option<&'static str>;

/// Every state of a file that holds secrets, made at `name` in a folder of its own.
fn states(site: &Site, name: &str, text: &str) -> Vec<(String, PathBuf, Wrong)> {
    let mut states = Vec::new();
    let mut number = 0;
    let mut place = |what: &str, wrong: Wrong, change: &dyn Fn(&Path, &Path)| {
        number += 1;
        let folder = site.path(format!("{name}-{number}"));
        fs::create_dir(&folder).unwrap();
        crate::common::tree::chmod(&folder, 0o755);
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        crate::common::tree::chmod(&file, 0o600);
        change(&folder, &file);
        states.push((what.to_owned(), file, wrong));
    };
    for (mode, wrong) in
        [(0o600, false), (0o400, false), (0o644, true), (0o640, true), (0o604, true), (0o700, true)]
    {
        let wrong = wrong.then_some("is not for its owner alone");
        place(&format!("mode {mode:o}"), wrong, &|_, file| crate::common::tree::chmod(file, mode));
    }
    for mode in [0o775, 0o757] {
        place(&format!("folder {mode:o}"), Some("is writable by its group or others"), &|folder, _| {
            crate::common::tree::chmod(folder, mode);
        });
    }
    place("a second name", Some("hard link"), &|folder, file| fs::hard_link(file, folder.join("x")).unwrap());
    place("a symbolic link of ours", None, &|folder, file| {
        fs::rename(file, folder.join("x")).unwrap();
        symlink("x", file).unwrap();
    });
    place("missing", Some("No such file"), &|_, file| fs::remove_file(file).unwrap());
    if is_root() {
        for mode in [0o600, 0o400] {
            place(&format!("{mode:o} in a sticky folder of root's"), None, &|folder, file| {
                crate::common::tree::chmod(file, mode);
                crate::common::tree::chmod(folder, 0o1777);
            });
        }
        place("a stranger's file", Some("belongs to uid 12345"), &|_, file| {
            chown(file, Some(12345), None).unwrap()
        });
        place("a stranger's file in a sticky folder", Some("belongs to uid 12345"), &|folder, file| {
            chown(file, Some(12345), None).unwrap();
            crate::common::tree::chmod(folder, 0o1777);
        });
        place("a stranger's folder", Some("belongs to uid 12345"), &|folder, _| {
            chown(folder, Some(12345), None).unwrap();
        });
        place("a stranger's symbolic link", Some("remove this symbolic link, or name"), &|folder, file| {
            fs::rename(file, folder.join("x")).unwrap();
            symlink("x", file).unwrap();
            lchown(file, Some(12345), None).unwrap();
            crate::common::tree::chmod(folder, 0o1777);
        });
    } else {
        println!("skipped: files and links of strangers, which only root can make");
    }
    states
}

#[test]
fn a_server_configuration_that_is_not_private() {
    let site = Site::new();
    for (what, config, wrong) in states(&site, "conf", &site.server_conf("")) {
        let check = Command::new(SMSYNCD).arg("--check").arg("-c").arg(&config).output().unwrap();
        let (quiet, on_socket) = serve_one(&config, false);
        let (loud, on_socket_too) = serve_one(&config, true);
        assert!(on_socket.is_empty() && on_socket_too.is_empty(), "{what}: bytes on the socket");
        let codes = [&check, &quiet, &loud].map(|output| output.status.code());
        match wrong {
            None => {
                // The peer said nothing and left.
                assert_eq!(codes, [Some(0), Some(69), Some(69)], "{what}: {check:?}");
            }
            Some(words) => {
                assert_eq!(codes, [Some(78); 3], "{what}");
                for output in [&check, &loud] {
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(said.contains(words) && said.contains("conf"), "{what}: {said}");
                    assert!(!said.contains(&site.secret), "{what}: {said}");
                }
            }
        }
    }
    // Below the sticky directory that every host has.
    let sticky = Path::new("/tmp");
    if fs::metadata(sticky).is_ok_and(|stat| stat.uid() == 0 && stat.mode() & 0o1002 == 0o1002) {
        let mut file = tempfile::Builder::new().prefix("smsync-test").tempfile_in(sticky).unwrap();
        file.write_all(site.server_conf("").as_bytes()).unwrap();
        for mode in [0o600, 0o400] {
            file.as_file().set_permissions(fs::Permissions::from_mode(mode)).unwrap();
            let check = Command::new(SMSYNCD).arg("--check").arg("-c").arg(file.path()).output().unwrap();
            assert_exit(&check, 0);
        }
    } else {
        println!("skipped: /tmp is no sticky directory of root's");
    }
}

#[test]
fn a_secrets_file_that_is_not_private() {
    let site = Site::new();
    for (what, secrets, wrong) in states(&site, "secrets", &format!("joe:{}\n", keygen())) {
        let globals = format!("secrets file = {}", secrets.display());
        let config = site.write_private("smsyncd.conf", &site.server_conf(&globals));
        let (output, on_socket) = serve_one(&config, true);
        assert!(on_socket.is_empty(), "{what}");
        assert_eq!(output.status.code(), Some(if wrong.is_some() { 78 } else { 69 }), "{what}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(wrong.is_none_or(|words| said.contains(words)), "{what}: {said}");
    }
}

/// A client knows the secret, and not the host.
#[test]
fn what_is_wrong_with_a_place_of_the_server_is_for_its_log() {
    let site = Site::new();
    let inetd = site.serve();
    let (link, spool, state) = (site.path("link"), site.path("spool"), site.path("state"));
    symlink(&spool, &link).unwrap();
    let (spool_dir, why) = if is_root() {
        lchown(&link, Some(12345), None).unwrap();
        (link.clone(), "belongs to uid 12345")
    } else {
        (site.path("smsync.conf"), "is not a directory")
    };
    let conf = site.server_conf("");
    let line = |dir: &Path| format!("spool dir = {}\n", dir.display());
    site.write_private("smsyncd.conf", &conf.replace(&line(&spool), &line(&spool_dir)));
    let push = |code, told: &str, place: &Path, why: &str| {
        let output = site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]);
        assert_exit(&output, code);
        let said = String::from_utf8_lossy(&output.stderr);
        let place = place.display().to_string();
        assert!(said.contains(told) && !said.contains(&place) && !said.contains("uid"), "{said}");
        let log = site.log();
        assert!(log.contains(&format!("{place} {why}")), "{log}");
    };
    push(71, "the spool directory cannot be opened", &spool_dir, why);
    site.write_private("smsyncd.conf", &conf);
    crate::common::tree::chmod(&state, 0o755);
    push(78, "the state directory cannot be used", &state, "is not for its owner alone");
    crate::common::tree::chmod(&state, 0o700);
    let (module, kept) = (site.path("state/module-m"), site.path("state.kept"));
    fs::create_dir_all(&module).unwrap();
    crate::common::tree::chmod(&module, 0o755);
    let output = site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]);
    assert_exit(&output, 78);
    let (said, log) = (String::from_utf8_lossy(&output.stderr), site.log());
    assert!(said.contains("cannot use the directory of module m in the state directory"), "{said}");
    assert!(log.contains("'module-m' in 'state dir': Permission denied; it must be of uid"), "{log}");
    crate::common::tree::chmod(&module, 0o700);
    crate::common::tree::chmod(&kept, 0o755);
    push(78, "what is beside the state directory cannot be used", &kept, "is not for its owner alone");
    // Who only reads is served, and the administrator is told what that lacks.
    assert_exit(&site.run(&["pull", &inetd.remote("m"), site.path("out").to_str().unwrap()]), 0);
    assert_eq!(site.log().matches("counted nowhere, and not shown by --status").count(), 2);
}

#[test]
fn a_client_configuration_that_is_not_private() {
    let site = Site::new();
    let inetd = site.serve();
    fs::write(site.src().join("f"), "x").unwrap();
    let (src, remote) = (site.src(), inetd.remote("m"));
    for (what, config, wrong) in states(&site, "client.conf", &format!("secret = {}\n", site.secret)) {
        let mut command = Command::new(crate::common::SMSYNC);
        command.env("TMPDIR", site.path("spool")).env("XDG_STATE_HOME", site.path("client-state"));
        command.arg("-C").arg(&config);
        let output = command.arg("push").arg(&src).arg(&remote).output().unwrap();
        let Some(words) = wrong else {
            assert_exit(&output, 0);
            continue;
        };
        assert_exit(&output, 78);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words) && said.starts_with("smsync: "), "{what}: {said}");
        assert_eq!(said.lines().count(), 1, "{what}: {said}");
        inetd.ended();
    }
}

/// A site whose server knows joe, and the same client with joe's secret.
fn site_of_joe() -> (Site, String) {
    let site = Site::new();
    let joes = keygen();
    let secrets = site.write_private("secrets", &format!("joe:{joes}\n"));
    let globals = format!("secrets file = {}", secrets.display());
    site.write_private("smsyncd.conf", &site.server_conf(&globals));
    fs::write(site.src().join("a-name-of-a-file"), "contents in clear, contents in clear").unwrap();
    (site, joes)
}

#[test]
fn strangers_and_what_is_not_offered() {
    let (site, joes) = site_of_joe();
    let inetd = site.serve();
    let push = |user: &str, secret: &str, module: &str| {
        let relay = Relay::to(inetd.port);
        let config = site.write_private("smsync.conf", &format!("secret = {secret}\n"));
        let mut command = Command::new(crate::common::SMSYNC);
        command.env("XDG_STATE_HOME", site.path("client-state"));
        command.arg("-C").arg(config).arg("push").arg(site.src());
        let output = command.arg(format!("{user}{}", relay.remote(module))).output().unwrap();
        (output, relay.end().remove(0))
    };
    let (known, _) = push("joe@", &joes, "m");
    assert_exit(&known, 0);
    fs::remove_file(site.dst().join("a-name-of-a-file")).unwrap();
    let before = traces(&site.dst());

    let (wrong, wrong_wire) = push("joe@", &keygen(), "m");
    let (unknown, unknown_wire) = push("eve@", &joes, "m");
    let (nameless, nameless_wire) = push("", &joes, "m");
    let (others, others_wire) = push("joe@", &site.secret, "m");
    for output in [&wrong, &unknown, &nameless, &others] {
        assert_exit(output, 77);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.ends_with("not authenticated: wrong secret or unknown user\n"), "{said}");
    }
    for wire in [&wrong_wire, &unknown_wire, &nameless_wire, &others_wire] {
        assert_eq!(wire.from_server, b"smsync\0");
    }
    assert_eq!(wrong_wire.from_client.len(), unknown_wire.from_client.len());

    // What there is and may not be written, what there is and is not listed, and what there is not.
    let said = |module: &str, code: i32| {
        let (output, _) = push("joe@", &joes, module);
        assert_exit(&output, code);
        String::from_utf8_lossy(&output.stderr).replace(module, "MODULE")
    };
    assert!(said("ro", 77).contains("read only"));
    let missing = said("nothing", 77);
    assert!(missing.ends_with("no such module, or not for you\n"), "{missing}");
    assert_eq!(traces(&site.dst()), before);
    let log = site.log();
    assert!(!log.contains(&joes) && !log.contains(&site.secret), "{log}");
}

#[test]
fn no_connection() {
    let site = Site::new();
    let src = site.src();
    let src = src.to_str().unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = site.run(&["push", src, &format!("127.0.0.1:{unused}::m")]);
    assert_exit(&closed, 69);
    let said = String::from_utf8_lossy(&closed.stderr);
    assert!(said.contains("Connection refused") && said.contains("127.0.0.1"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    // A server that leaves: at once, within its greeting, with a reset, after its greeting.
    let greeting = [&b"smsync\x01"[..], &[7; 48]].concat();
    for (what, answer, reset, code) in [
        ("at once", &b""[..], false, 69),
        ("within its greeting", &greeting[..20], false, 69),
        ("with a reset", b"", true, 69),
        // Whoever sends something else than the second message does not know the secret.
        ("after a forged greeting", &greeting, false, 77),
        ("with something else", b"HTTP/1.1 400 Bad Request\r\n\r\n", false, 76),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = format!("127.0.0.1:{}::m", listener.local_addr().unwrap().port());
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut client, _) = listener.accept().unwrap();
                if reset {
                    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
                } else {
                    // The greeting of a client without a name has 6 + 2 + 1 + 1 + 48 bytes.
                    client.read_exact(&mut [0; 58]).unwrap();
                }
                client.write_all(answer).unwrap();
            });
            site.run(&["push", src, &remote])
        });
        assert_eq!(output.status.code(), Some(code), "{what}: {output:?}");
        assert_eq!(output.stderr.split(|byte| *byte == b'\n').count(), 2, "{what}: {output:?}");
    }
}

#[test]
fn a_recording_shows_nothing_and_opens_nothing() {
    let (site, joes) = site_of_joe();
    site.write_private("smsync.conf", &format!("secret = {joes}\n"));
    let config = site.path("smsyncd.conf");
    let inetd = Inetd::start(move || {
        let mut command = Command::new(SMSYNCD);
        command.arg("-dd").arg("-c").arg(&config);
        command
    });
    let relay = Relay::to(inetd.port);
    let (src, remote) = (site.src(), format!("joe@{}", relay.remote("m")));
    let src = src.to_str().unwrap();
    assert_exit(&site.run(&["push", "--delete", "--exclude", "a-secret-pattern", src, &remote]), 0);
    fs::create_dir(site.path("back")).unwrap();
    let remote = format!("joe@{}", relay.remote("hidden"));
    assert_exit(&site.run(&["pull", &remote, site.path("back").to_str().unwrap()]), 0);
    inetd.ended();
    let recordings = relay.end();
    assert_eq!(recordings.len(), 2);
    let clear = [
        &b"a-name-of"[..],
        b"contents in",
        b"a-secret-pattern",
        b"type=file",
        b"hidden",
        site.secret.as_bytes(),
    ];
    for recording in &recordings {
        for bytes in [&recording.from_client, &recording.from_server] {
            assert!(bytes.len() > 100);
            for text in clear {
                assert!(!bytes.windows(text.len()).any(|window| window == text), "{}", text.escape_ascii());
            }
        }
        // The name of the user alone is in clear.
        assert!(recording.from_client.windows(3).any(|window| window == b"joe"));
    }

    // Played again, it changes nothing and passes for nobody.
    fs::remove_file(site.dst().join("a-name-of-a-file")).unwrap();
    fs::write(site.dst().join("extra"), "").unwrap();
    let before = traces(&site.dst());
    let log_before = site.log();
    assert!(log_before.contains("joe"), "{log_before}");
    for recording in &recordings {
        let mut again = TcpStream::connect(("127.0.0.1", inetd.port)).unwrap();
        again.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // It may hang up before it has heard all.
        let _ = again.write_all(&recording.from_client);
        let _ = again.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = again.read_to_end(&mut answer);
        // The second message of a handshake with new keys, and not a byte more.
        assert_eq!(answer.len(), 55, "{answer:?}");
        assert_ne!(answer[7..], recording.from_server[7..55]);
        let ends = inetd.ended();
        assert_eq!(ends.last().and_then(std::process::ExitStatus::code), Some(76));
    }
    assert_eq!(traces(&site.dst()), before);
    let log = site.log();
    let new = log.strip_prefix(&log_before).unwrap();
    assert_eq!(new.lines().count(), 2, "{new}");
    for line in new.lines() {
        assert!(line.contains("claimed user \"joe\""), "{new}");
        for word in ["opens", "push", "pull", "authenticated"] {
            assert!(!line.contains(word), "{new}");
        }
    }
}
