//! `--import`: our configuration from an rsyncd.conf, with whatever has no equivalent in comments.

mod effect;
mod notes;
mod refused;
mod tables;

use super::config;
use crate::config::{At, ConfigError, ConfigErrors, lines};
use crate::sys::ids;
use crate::vis::{shown, shown_text};
use effect::{Said, Values, idle, in_effect, is_global, loose, pair, section, superseded, unusable};
use notes::notes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tables::{DENIED_NAME, DIRECTIVE, HEAD, LOCK, LOCKS, RESTRICTS, SHELL, WITHOUT};

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// Our configuration.
    pub text: String,
    /// What has no equivalent, each with its line and the reason.
    pub lost: Vec<String>,
    /// What is otherwise where nothing is said, or where the same is said.
    pub notes: Vec<String>,
}

/// Makes our configuration of this text.
#[must_use]
pub fn import(bytes: &[u8]) -> Imported {
    let mut errors = ConfigErrors::new(Path::new("rsyncd.conf"));
    let mut said: Said = lines(bytes, At::from(0), &mut errors)
        .into_iter()
        .map(|line| (line.at.number(), line.text))
        .collect();
    let unread = unread(&errors);
    let headers: BTreeMap<usize, String> = (1..)
        .zip(bytes.split(|byte| *byte == b'\n'))
        .filter(|(number, raw)| raw.trim_ascii_start().starts_with(b"[") && unread.contains_key(number))
        .map(|(number, raw)| (number, shown(raw.trim_ascii())))
        .collect();
    // Whichever module it is, what follows belongs to no other.
    said.extend(headers.clone());
    let (modules, globals) = in_effect(&said);
    let mut import = Import {
        out: String::new(),
        lost: Vec::new(),
        part: Part::default(),
        wanting: Vec::new(),
        dropped: false,
        superseded: superseded(&said),
        idle: idle(&said),
        unusable: unusable(&said, &modules),
        loose: loose(&said, &modules),
        served: globals.contains_key("daemonuid"),
        modules,
        globals,
    };
    import.unusable.extend(headers.keys().filter_map(|number| Some((*number, unread.get(number)?.clone()))));
    let taken = import.modules.iter().filter(|(number, _)| !import.unusable.contains_key(number));
    let notes = notes(&said, taken, &import.globals);
    import.defaults(&said);
    let mut goes_on = false;
    for (number, raw) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let raw = String::from_utf8_lossy(raw.trim_ascii());
        match (said.get(&number), unread.get(&number)) {
            (Some(text), _) => import.line(number, text),
            (None, Some(why)) => import.lose_one(number, &raw, DIRECTIVE, why),
            // Of a continued line all was said at its beginning.
            (None, None) if goes_on => {}
            (None, None) if raw.is_empty() => import.out.push('\n'),
            (None, None) => {
                import.out.push_str(&format!("# {}\n", shown_text(raw.trim_start_matches(['#', ';', ' ']))))
            }
        }
        goes_on = raw.ends_with('\\') && (goes_on || !raw.starts_with(['#', ';']));
    }
    import.close();
    let told: String = notes.iter().map(|note| format!("# {note}\n")).collect();
    let text = format!("{HEAD}{told}\n{}\n", import.out.trim());
    let mut lost = import.lost;
    // What is included is another configuration, and is not ours yet.
    let own: Vec<&str> = text.lines().map(|line| if line.starts_with('&') { "" } else { line }).collect();
    let faults = config::faults(own.join("\n").as_bytes());
    lost.extend(faults.iter().map(|why| format!("what is made of it is not accepted: {}", short(why))));
    Imported { text, lost, notes }
}

/// The lines that cannot be read, and might say anything; and why.
fn unread(errors: &ConfigErrors) -> BTreeMap<usize, String> {
    let line = |error: &ConfigError| match error {
        ConfigError::Line { line, text, .. } => Some((*line, text.clone())),
        ConfigError::Private(_) => None,
    };
    errors.iter().filter_map(line).collect()
}

/// What a part says of names of hosts: rsyncd looks them up unless it is told not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Names {
    #[default]
    Default,
    Yes,
    No,
}

impl Names {
    fn of(values: &Values) -> Names {
        match values.get("reverselookup") {
            None => Names::Default,
            Some(value)
                if fault(&format!("reverse lookup = {value}\nhosts allow = a.example"), true).is_none() =>
            {
                Names::Yes
            }
            Some(_) => Names::No,
        }
    }
}

/// The part of the file that is being read: a module, or what goes for all.
#[derive(Default)]
struct Part {
    /// Where a module begins in what we say, behind its header.
    module: Option<usize>,
    names: Names,
    /// What it says that we say too.
    carried: Vec<String>,
    /// Why it must not be served.
    loose: Vec<String>,
}

struct Import {
    out: String,
    lost: Vec<String>,
    part: Part,
    /// What restricts every module that does not say it for itself, and was lost; with the reason.
    wanting: Vec<(String, String)>,
    /// Whether what follows belongs to a module that cannot be ours.
    dropped: bool,
    /// Lines that are said again.
    superseded: BTreeMap<usize, usize>,
    /// Parameters that restrict nothing.
    idle: BTreeSet<String>,
    /// Where such modules begin, and why.
    unusable: BTreeMap<usize, String>,
    /// Where those begin that must not be served, and why.
    loose: BTreeMap<usize, String>,
    /// Whether one user serves every connection.
    served: bool,
    modules: BTreeMap<usize, Values>,
    globals: Values,
}

impl Import {
    /// Says what rsyncd does where nothing is said, and we do not.
    fn defaults(&mut self, said: &Said) {
        self.part.names = Names::of(&self.globals);
        let counts = said.iter().take_while(|(_, line)| !line.starts_with('['));
        let counts: Vec<_> = counts.filter(|(number, _)| !self.superseded.contains_key(number)).collect();
        let has = |name: &str| {
            counts.iter().any(|(_, line)| {
                pair(line).is_some_and(|(given, _)| given == name) && fault(line, false).is_none()
            })
        };
        let all = || self.modules.values().chain([&self.globals]);
        if all().any(|values| values.contains_key("maxconnections")) && !has("lockfile") {
            // Where one module names the file in which the others are counted anyway, it is the same for all.
            let named =
                all().filter_map(|values| values.get("lockfile")).find(|path| LOCKS.contains(&path.as_str()));
            self.out.push_str(&format!("{LOCK}{}\n", named.map_or("/run/smsyncd.lock", String::as_str)));
        }
        if self.served {
            return;
        }
        let nobody = if ids::group_id(b"nogroup").is_some() { "nogroup" } else { "nobody" };
        for (name, value) in [("uid", "nobody"), ("gid", nobody)] {
            let line = format!("{name} = {value}");
            match fault(&line, false) {
                _ if has(name) => {}
                None => self.out.push_str(&format!("# As rsyncd does where nothing is said:\n{line}\n")),
                Some(why) => {
                    let why = format!("{line}, as rsyncd does where nothing is said: {why}");
                    self.lost.push(why.clone());
                    self.wanting.push((name.to_owned(), why));
                }
            }
        }
    }

    fn line(&mut self, number: usize, text: &str) {
        if let Some(name) = section(text) {
            self.begin(number, text, name);
        } else if self.dropped {
            self.out.push_str(&format!("# {}\n", shown_text(text)));
        } else if let Some(again) = self.superseded.get(&number) {
            self.out.push_str(&format!("# said again in line {again}, which counts: {}\n", shown_text(text)));
        } else if let Some(directive) = text.strip_prefix('&') {
            match directive.split_once(char::is_whitespace) {
                Some(("include", path)) if path.trim().starts_with('/') && self.wanting.is_empty() => {
                    self.lost
                        .push(format!("line {number}: {}: it is to be imported by itself", shown_text(text)));
                    self.say(&format!("# To be imported too: {}", path.trim()));
                    self.say(text);
                }
                Some(("include", path)) if path.trim().starts_with('/') => {
                    self.lose_one(number, text, DIRECTIVE, "what restricts it above is lost");
                }
                _ => self.lose_one(number, text, DIRECTIVE, "only '&include' with an absolute path is known"),
            }
        } else if let Some((name, value)) = text.split_once('=') {
            self.parameter(number, text, (name.trim(), value.trim()));
        } else {
            self.lose(number, text, "it is no parameter");
        }
    }

    fn begin(&mut self, number: usize, text: &str, name: &str) {
        self.close();
        let why = self.unusable.remove(&number);
        self.dropped = why.is_some();
        match why {
            Some(why) => self.lose(number, text, &why),
            None => self.say(text),
        }
        if self.dropped || is_global(name) {
            self.part.names = Names::of(&self.globals);
            return;
        }
        self.part.module = Some(self.out.len());
        self.part.names = self.modules.get(&number).map_or(Names::Default, Names::of);
        if let Some(why) = self.loose.remove(&number) {
            self.lost.push(format!("line {number}: {}: {why}", shown_text(text)));
            self.part.loose.push(why);
        }
    }

    /// Ends a part. A module that has lost what restricts it is disabled.
    fn close(&mut self) {
        let Part { module, carried, mut loose, .. } = std::mem::take(&mut self.part);
        let Some(begin) = module else { return };
        let wanting = self.wanting.iter().filter(|(name, _)| !carried.contains(name));
        loose.extend(wanting.map(|(_, why)| why.clone()));
        if loose.is_empty() {
            return;
        }
        let body = self.out.split_off(begin);
        self.out.push_str("\t# Disabled, since it would be open to more than it was:\n");
        loose.iter().for_each(|why| self.out.push_str(&format!("\t#   {why}\n")));
        self.out.push_str("\tmax connections = -1\n");
        for line in body.lines() {
            let own = pair(line).is_some_and(|(name, _)| name == "maxconnections");
            self.out.push_str(&format!("{}{line}\n", if own { "#" } else { "" }));
        }
    }

    fn parameter(&mut self, number: usize, text: &str, (name, value): (&str, &str)) {
        let given = folded(name);
        if given == "pidfile" {
            return self.say(&format!("# {}", shown_text(text)));
        }
        if let Some((_, why)) = WITHOUT.iter().find(|(known, _)| folded(known) == given) {
            // Only this one restricts nothing when it is off.
            if given == "fakesuper" && ["no", "false", "0"].iter().any(|no| value.eq_ignore_ascii_case(no)) {
                return self.lose(number, text, why);
            }
            return self.lose_one(number, text, &given, why);
        }
        if self.served && matches!(given.as_str(), "uid" | "gid") {
            return self.lose(number, text, "'daemon uid' serves every connection");
        }
        if given.ends_with("xferexec") && value.contains(SHELL) {
            return self.lose_one(
                number,
                text,
                &given,
                "hooks run without a shell: name a program and its arguments",
            );
        }
        if value.contains('%') && value.split('%').count() > 2 && given != "logformat" {
            return self.lose_one(number, text, &given, "nothing stands for '%' names");
        }
        let value = match given.as_str() {
            // `/outer/./inner` is one directory to us.
            "path" => value.replacen("/./", "/", 1),
            "refuseoptions" => refused::known(value).0,
            _ => value.to_owned(),
        };
        let line = format!("{name} = {value}");
        let in_module = self.part.module.is_some();
        let fine = fault(&line, in_module);
        let Some(why) = fine else { return self.carry(given, &line) };
        let looked_up = given.starts_with("hosts")
            && fault(&format!("{line}\nreverse lookup = yes"), in_module).is_none();
        let denied = |word: &str| {
            !word.contains(['*', '?', '[']) && fault(&format!("hosts deny = {word}"), true).is_some()
        };
        if looked_up
            && given == "hostsdeny"
            && value.split([',', ' ', '\t']).any(|word| !word.is_empty() && denied(word))
        {
            return self.lose_one(number, text, &given, DENIED_NAME);
        }
        if !looked_up || self.part.names == Names::No {
            return self.lose_one(number, text, &given, &why);
        }
        if self.part.names == Names::Default {
            self.say("reverse lookup = yes");
            self.part.names = Names::Yes;
        }
        self.carry(given, &line);
    }

    /// Says a parameter as it is.
    fn carry(&mut self, given: String, line: &str) {
        self.say(line);
        match self.part.module {
            Some(_) => self.part.carried.push(given),
            None => self.wanting.retain(|(name, _)| *name != given),
        }
    }

    fn say(&mut self, line: &str) {
        if !line.starts_with(['[', '#', '&']) && self.part.module.is_some() {
            self.out.push('\t');
        }
        self.out.push_str(line);
        // A backslash at the end would go on with the next line.
        self.out.push_str(if line.ends_with('\\') { "\\\n\n" } else { "\n" });
    }

    /// Loses a parameter, and what it restricts is not served.
    fn lose_one(&mut self, number: usize, text: &str, given: &str, why: &str) {
        self.lose(number, text, why);
        if self.dropped || !RESTRICTS.contains(&given) || self.idle.contains(given) {
            return;
        }
        let why = format!("line {number}: {}: {why}", shown_text(text));
        match self.part.module {
            Some(_) => self.part.loose.push(why),
            None => self.wanting.push((given.to_owned(), why)),
        }
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

/// Why we cannot read a line, if we cannot: in a module, or outside of one.
fn fault(line: &str, in_module: bool) -> Option<String> {
    let has_path = line.to_lowercase().starts_with("path");
    let path = if has_path { "" } else { "path = /\n" };
    let text = if in_module { format!("[m]\n{line}\n{path}") } else { format!("{line}\n[m]\n{path}") };
    let why = config::faults(text.as_bytes()).into_iter().next()?;
    Some(short(&why).to_owned())
}

/// The same without what else would be known.
fn short(why: &str) -> &str {
    why.split("; known here").next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
