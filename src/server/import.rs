//! `--import`: our configuration from an rsyncd.conf, with whatever has no equivalent in comments.

use super::config;
use crate::config::{At, ConfigErrors, lines};
use crate::sys::ids;
use crate::vis::shown_text;
use std::collections::BTreeMap;
use std::path::Path;

/// What came of it.
#[derive(Debug)]
pub(super) struct Imported {
    /// Our configuration.
    pub(super) text: String,
    /// What has no equivalent, each with its line and the reason.
    pub(super) lost: Vec<String>,
}

/// What stands before everything.
const HEAD: &str = "\
# Made of an rsyncd.conf. What has no equivalent stands in comments.
# It must be as private as smsyncd.conf(5) says: chmod 600.
# Users prove 32 random bytes instead of a password, each a line 'user:SECRET' of
# this file, with a secret that 'smsync keygen' prints:
secrets file = /etc/smsyncd.secrets

";

/// Parameters that are not to be carried over, and why.
const WITHOUT: [(&str, &str); 17] = [
    ("secrets file", "passwords are no secrets: see 'secrets file' above"),
    ("strict modes", "files that hold secrets are always checked"),
    ("auth digest", "there is one way to prove a secret"),
    ("name", "a module is known by the name of its section"),
    ("charset", "names are bytes"),
    ("name converter", "names are looked up before the process confines itself"),
    ("insecure links", "no link is followed out of a module"),
    ("forward lookup", "a name counts only when it is that of the address and leads back to it"),
    ("temp dir", "files wait at the root of the module, so that they are put in place at once"),
    ("early exec", "nothing runs before a client has proven itself"),
    ("socket options", "they are set as the protocol needs them"),
    ("max verbosity", "a client has no say in what is logged"),
    ("ignore errors", "what could not be read is never removed"),
    ("filter", "write it as 'exclude' and 'include'"),
    ("proxy protocol", "an address is believed only of the kernel"),
    ("proxy protocol hosts", "an address is believed only of the kernel"),
    ("daemon chroot", "each connection has a process of its own, which confines itself"),
];

/// Makes our configuration of this text.
pub(super) fn import(bytes: &[u8]) -> Imported {
    let mut errors = ConfigErrors::new(Path::new("rsyncd.conf"));
    let said: BTreeMap<usize, String> = lines(bytes, At::from(0), &mut errors)
        .into_iter()
        .map(|line| (line.at.number(), line.text))
        .collect();
    let mut import = Import {
        out: HEAD.to_owned(),
        lost: errors.iter().map(ToString::to_string).collect(),
        in_module: false,
        names: Names::Default,
    };
    import.defaults(&said);
    let mut goes_on = false;
    for (number, raw) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let raw = String::from_utf8_lossy(raw.trim_ascii());
        match said.get(&number) {
            Some(text) => import.line(number, text),
            // Of a continued line all was said at its beginning.
            None if goes_on => {}
            None if raw.is_empty() => import.out.push('\n'),
            None => {
                import.out.push_str(&format!("# {}\n", shown_text(raw.trim_start_matches(['#', ';', ' ']))))
            }
        }
        goes_on = raw.ends_with('\\') && (goes_on || !raw.starts_with(['#', ';']));
    }
    Imported { text: import.out.trim_end().to_owned() + "\n", lost: import.lost }
}

/// What a section says of names of hosts: rsyncd looks them up unless it is told not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Default,
    Said,
}

struct Import {
    out: String,
    lost: Vec<String>,
    in_module: bool,
    names: Names,
}

impl Import {
    /// Says what rsyncd does where nothing is said, and we do not.
    fn defaults(&mut self, said: &BTreeMap<usize, String>) {
        let globals = || said.values().take_while(|line| !line.starts_with('['));
        let has =
            |name| globals().any(|line| line.split('=').next().is_some_and(|given| folded(given) == name));
        let nobody = if ids::group_id(b"nogroup").is_some() { "nogroup" } else { "nobody" };
        for (name, value) in [("uid", "nobody"), ("gid", nobody)] {
            let line = format!("{name} = {value}");
            if !has(name) && fault(&line, false).is_none() {
                self.out.push_str(&format!("# As rsyncd does where nothing is said:\n{line}\n"));
            }
        }
    }

    fn line(&mut self, number: usize, text: &str) {
        if text.starts_with('[') {
            self.in_module = !text.trim_matches(['[', ']', ' ']).eq_ignore_ascii_case("global");
            self.names = Names::Default;
            self.say(text);
        } else if let Some(directive) = text.strip_prefix('&') {
            match directive.split_once(char::is_whitespace) {
                Some(("include", path)) if path.trim().starts_with('/') => {
                    self.say(&format!("# To be imported too: {}", path.trim()));
                    self.say(text);
                }
                _ => self.lose(number, text, "only '&include' with an absolute path is known"),
            }
        } else if let Some((name, value)) = text.split_once('=') {
            self.parameter(number, text, (name.trim(), value.trim()));
        } else {
            self.lose(number, text, "it is no parameter");
        }
    }

    fn parameter(&mut self, number: usize, text: &str, (name, value): (&str, &str)) {
        let given = folded(name);
        if let Some((_, why)) = WITHOUT.iter().find(|(known, _)| folded(known) == given) {
            return self.lose(number, text, why);
        }
        if given.ends_with("xferexec") && value.contains(SHELL) {
            return self.lose(number, text, "hooks run without a shell: name a program and its arguments");
        }
        if value.contains('%') && value.split('%').count() > 2 && given != "logformat" {
            return self.lose(number, text, "nothing stands for '%' names");
        }
        let value = match given.as_str() {
            // `/outer/./inner` is one directory to us.
            "path" => value.replacen("/./", "/", 1),
            _ => value.to_owned(),
        };
        let line = format!("{name} = {value}");
        match fault(&line, self.in_module) {
            None => {
                self.say(&line);
                if given == "reverselookup" {
                    self.names = Names::Said;
                }
            }
            Some(_)
                if self.names == Names::Default
                    && fault(&format!("{line}\nreverse lookup = yes"), self.in_module).is_none() =>
            {
                self.say("reverse lookup = yes");
                self.names = Names::Said;
                self.say(&line);
            }
            Some(_)
                if self.names == Names::Said
                    && given.starts_with("hosts")
                    && fault(&format!("{line}\nreverse lookup = yes"), self.in_module).is_none() =>
            {
                self.say(&line);
            }
            Some(why) => self.lose(number, text, &why),
        }
    }

    fn say(&mut self, line: &str) {
        if !line.starts_with(['[', '#', '&']) && self.in_module {
            self.out.push('\t');
        }
        self.out.push_str(line);
        // A backslash at the end would go on with the next line.
        self.out.push_str(if line.ends_with('\\') { "\\\n\n" } else { "\n" });
    }

    fn lose(&mut self, number: usize, text: &str, why: &str) {
        let text = shown_text(text);
        self.lost.push(format!("line {number}: {text}: {why}"));
        self.out.push_str(&format!("# no equivalent: {text}\n#   {why}\n"));
    }
}

/// The name of a parameter as everybody may spell it.
fn folded(name: &str) -> String {
    name.split_whitespace().collect::<String>().to_lowercase()
}

/// What a shell would make something else of.
const SHELL: [char; 20] =
    ['$', '|', '&', ';', '<', '>', '(', ')', '`', '*', '?', '[', ']', '{', '}', '~', '#', '!', '\\', '='];

/// Why we cannot read a line, if we cannot: in a module, or outside of one.
fn fault(line: &str, in_module: bool) -> Option<String> {
    let has_path = line.to_lowercase().starts_with("path");
    let path = if has_path { "" } else { "path = /\n" };
    let text = if in_module { format!("[m]\n{line}\n{path}") } else { format!("{line}\n[m]\n{path}") };
    let why = config::faults(text.as_bytes()).into_iter().next()?;
    // Not what else would be known.
    Some(why.split("; known here").next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the page of rsyncd.conf(5), its examples, and from what distributions ship.
    const THEIRS: &str = "\
# sample rsyncd.conf
uid = nobody
gid = nobody
use chroot = yes
max connections = 4
syslog facility = local5
pid file = /var/run/rsyncd.pid
strict modes = yes
dont compress = *.gz *.tgz *.zip \\
\t*.z

[ftp]
        path = /var/ftp/./pub
        comment = whole ftp area (approx 6.1 GB)
        hosts allow = 10.0.0.0/8 *.example.org
        ReadOnly = false
        exclude = .git/ *.tmp

[cvs]
        path = /data/cvs
        auth users = tridge, @rsyncops:rw, susan:deny
        pre-xfer exec = /bin/true | /bin/false
        post-xfer exec = /bin/true \"two words\"
        secrets file = /etc/rsyncd.secrets
        refuse options = c delete
        bogus
";

    #[test]
    fn what_is_known_is_carried_over_and_the_rest_is_listed() {
        let imported = import(THEIRS.as_bytes());
        let text = &imported.text;
        for line in [
            "# sample rsyncd.conf",
            "syslog facility = local5",
            "pid file = /var/run/rsyncd.pid",
            "dont compress = *.gz *.tgz *.zip \t*.z",
            "\n[ftp]\n\tpath = /var/ftp/pub\n\tcomment = whole ftp area (approx 6.1 GB)\n\treverse lookup = yes\n\
             \thosts allow = 10.0.0.0/8 *.example.org\n\tReadOnly = false\n\texclude = .git/ *.tmp\n\n[cvs]",
            "\tauth users = tridge, @rsyncops:rw, susan:deny",
            "\trefuse options = c delete",
            "# no equivalent: strict modes = yes\n#   files that hold secrets are always checked",
        ] {
            assert!(text.contains(line), "{line}\n---\n{text}");
        }
        let lost: Vec<_> = imported.lost.iter().map(|lost| lost.split(": ").nth(1).unwrap()).collect();
        assert!(text.contains("\tpost-xfer exec = /bin/true"), "{text}");
        for name in [
            "pre-xfer exec = /bin/true | /bin/false",
            "strict modes = yes",
            "secrets file = /etc/rsyncd.secrets",
            "bogus",
        ] {
            assert!(lost.contains(&name), "{lost:?}");
        }
        // All of it that is not in comments is a configuration.
        assert_eq!(config::faults(text.as_bytes()), Vec::<String>::new(), "{text}");
    }

    #[test]
    fn who_serves_is_the_same_as_before() {
        let imported = import(b"[m]\npath = /srv\nuid = root\n");
        assert!(imported.text.contains("uid = nobody\n") && imported.text.contains("\tuid = root\n"));
        assert!(!import(b"uid = root\n[m]\npath = /srv\n").text.contains("uid = nobody"));
    }

    #[test]
    fn nothing_of_theirs_makes_it_panic() {
        for bytes in crate::config::mutate::mutations(THEIRS.as_bytes(), 300) {
            let imported = import(&bytes);
            assert!(imported.text.starts_with(HEAD.trim_end()));
        }
    }
}
