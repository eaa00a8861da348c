//! The parameters of confinement and of hooks: what they mean, what is wrong with them, and that they are shown.

use super::{read, read_again};
use crate::server::config::{Sandbox, identity};
use crate::sys::confine::Identity;

const FULL: &str = "secret = <x>\nsandbox = prefer\n[m]\npath = /m\nuid = 7\ngid = 8, 9\nuse chroot = no\n\
                    pre-xfer exec = /bin/snapshot \"before it\" $HOME\npost-xfer exec = /bin/after\n\
                    [n]\npath = /n\nSandbox = OFF\ngid = *\n";

#[test]
fn they_are_read_and_shown() {
    let config = read(FULL).unwrap();
    let [m, n] = &config.modules[..] else { panic!() };
    assert_eq!((m.sandbox, n.sandbox), (Sandbox::Prefer, Sandbox::Off));
    assert_eq!((m.use_chroot, n.use_chroot), (Some(false), None));
    let them = Identity { uid: 7, gid: 8, groups: vec![9] };
    assert_eq!(identity(m.uid.as_ref(), m.gid.as_ref()), Ok(Some(them)));
    let hook = m.before.as_ref().unwrap().hook();
    assert_eq!(hook.program.to_str(), Some("/bin/snapshot"));
    assert_eq!(hook.arguments, ["before it", "$HOME"]);
    assert!(n.before.is_none() && m.after.is_some());
    let again = read_again(&config).unwrap();
    assert_eq!(again.modules, config.modules);
    let shown = config.describe();
    for line in ["uid = 7", "gid = 8 9", "gid = *", "use chroot = no", "sandbox = prefer", "sandbox = off"] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    assert!(shown.contains("pre-xfer exec = /bin/snapshot \"before it\" $HOME\n"), "{shown}");
}

#[test]
fn every_error_has_its_line() {
    for (line, said) in [
        ("uid = nobody-at-all", "uid: 'nobody-at-all' is not a user of this host, or a number"),
        ("uid = -1", "uid: '-1' is not a user of this host, or a number"),
        (
            "gid = 0 nothing",
            "gid: '0 nothing' is not a list of groups of this host, or numbers, or *: 'nothing' is none of them",
        ),
        ("sandbox = maybe", "sandbox: 'maybe' is not one of require, prefer, off"),
        ("use chroot = perhaps", "use chroot: 'perhaps' is not yes or no"),
        (
            "pre-xfer exec = snapshot",
            "pre-xfer exec: 'snapshot' is not the absolute path of a program, with arguments and closed quotes",
        ),
        (
            "post-xfer exec = /bin/a 'b",
            "post-xfer exec: '/bin/a 'b' is not the absolute path of a program, with arguments and closed quotes",
        ),
    ] {
        let errors = read(&format!("secret = <x>\n[m]\npath = /m\n{line}")).unwrap_err();
        assert_eq!(errors.to_string(), format!("smsyncd.conf:4: {said}"));
    }
}
