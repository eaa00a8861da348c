//! `--import`: our configuration from an rsyncd.conf, with whatever has no equivalent in comments.

use super::config;
use crate::config::{At, ConfigErrors, check_module, lines};
use crate::sys::ids;
use crate::vis::shown_text;
use std::collections::BTreeMap;
use std::path::Path;

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// Our configuration.
    pub text: String,
    /// What has no equivalent, each with its line and the reason.
    pub lost: Vec<String>,
    /// What is otherwise where nothing is said, or where the same is said.
    pub notes: Vec<&'static str>,
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

/// What is otherwise, unless this parameter is given.
const OTHERWISE: [(&str, &str); 3] = [
    ("timeout", "'timeout' is 60 seconds where nothing is said; rsyncd has no limit then ('timeout = 0')"),
    (
        "munge symlinks",
        "'munge symlinks' is off where nothing is said, since smsyncd follows no link; rsyncd munges them without chroot",
    ),
    (
        "numeric ids",
        "'numeric ids' is off where nothing is said; rsyncd tells only numbers with chroot ('numeric ids = yes')",
    ),
];

/// What is otherwise where there are hooks.
const HOOKS: &str = "hooks find variables named SMSYNC_MODULE_NAME and so on, as smsyncd.conf(5) lists them, and none \
                     named RSYNC_…; there is none for the request or its arguments";

/// Makes our configuration of this text.
#[must_use]
pub fn import(bytes: &[u8]) -> Imported {
    let mut errors = ConfigErrors::new(Path::new("rsyncd.conf"));
    let said: BTreeMap<usize, String> = lines(bytes, At::from(0), &mut errors)
        .into_iter()
        .map(|line| (line.at.number(), line.text))
        .collect();
    let mut import = Import {
        out: String::new(),
        lost: errors.iter().map(ToString::to_string).collect(),
        in_module: false,
        names: Names::Default,
        dropped: false,
        unusable: unusable(&said),
        served: globals(&said).any(|name| name == "daemonuid"),
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
    let given = |name: &str| said.values().any(|line| named(line) == folded(name));
    let mut notes: Vec<_> =
        OTHERWISE.iter().filter(|(name, _)| !given(name)).map(|(_, note)| *note).collect();
    notes.extend((given("pre-xfer exec") || given("post-xfer exec")).then_some(HOOKS));
    let told: String = notes.iter().map(|note| format!("# {note}\n")).collect();
    let text = format!("{HEAD}{told}\n{}\n", import.out.trim());
    Imported { text, lost: import.lost, notes }
}

/// The name of the parameter that a line gives, as everybody may spell it.
fn named(line: &str) -> String {
    line.split_once('=').map_or(String::new(), |(name, _)| folded(name))
}

/// The parameters before the first section.
fn globals(said: &BTreeMap<usize, String>) -> impl Iterator<Item = String> {
    said.values().take_while(|line| !line.starts_with('[')).map(|line| named(line))
}

/// Whether a line begins a section, and which.
fn section(line: &str) -> Option<&str> {
    line.starts_with('[').then(|| line.trim_matches(['[', ']', ' ']))
}

/// The lines at which modules begin that cannot be ours, and why.
fn unusable(said: &BTreeMap<usize, String>) -> BTreeMap<usize, String> {
    let is_path = |line: &str| {
        let value = line.split_once('=').map_or("", |(_, value)| value.trim());
        named(line) == "path" && value.starts_with('/') && value.split('%').count() < 3
    };
    let mut unusable = BTreeMap::new();
    // A default goes for what follows it.
    let (mut default, mut open) = (false, None);
    for (number, line) in said {
        match section(line) {
            Some(name) if name.eq_ignore_ascii_case("global") => open = None,
            Some(name) => {
                open = Some(*number);
                let why = match check_module(name) {
                    Err(error) => Some(error.to_string()),
                    Ok(()) => (!default).then(|| "a module needs an absolute 'path'".to_owned()),
                };
                unusable.extend(why.map(|why| (*number, why)));
            }
            None if is_path(line) => match open {
                Some(module)
                    if said
                        .get(&module)
                        .and_then(|line| section(line))
                        .is_some_and(|name| check_module(name).is_ok()) =>
                {
                    unusable.remove(&module);
                }
                Some(_) => {}
                None => default = true,
            },
            None => {}
        }
    }
    unusable
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
    /// Whether what follows belongs to a module that cannot be ours.
    dropped: bool,
    /// Where such modules begin, and why.
    unusable: BTreeMap<usize, String>,
    /// Whether one user serves every connection.
    served: bool,
}

impl Import {
    /// Says what rsyncd does where nothing is said, and we do not.
    fn defaults(&mut self, said: &BTreeMap<usize, String>) {
        if self.served {
            return;
        }
        let has = |name| globals(said).any(|given| given == name);
        let nobody = if ids::group_id(b"nogroup").is_some() { "nogroup" } else { "nobody" };
        for (name, value) in [("uid", "nobody"), ("gid", nobody)] {
            let line = format!("{name} = {value}");
            if !has(name) && fault(&line, false).is_none() {
                self.out.push_str(&format!("# As rsyncd does where nothing is said:\n{line}\n"));
            }
        }
    }

    fn line(&mut self, number: usize, text: &str) {
        if let Some(name) = section(text) {
            self.in_module = !name.eq_ignore_ascii_case("global");
            self.names = Names::Default;
            let why = self.unusable.remove(&number);
            self.dropped = why.is_some();
            match why {
                Some(why) => self.lose(number, text, &why),
                None => self.say(text),
            }
        } else if self.dropped {
            self.out.push_str(&format!("# {}\n", shown_text(text)));
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
        if self.served && matches!(given.as_str(), "uid" | "gid") {
            return self.lose(number, text, "'daemon uid' serves every connection");
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
mod tests;
