//! What is otherwise than with rsyncd though nothing is lost.

use super::effect::{Said, Values, pair, section};
use super::tables::{ANYBODY, BOTH_LISTS, HOOKS, LOCK_FILE, LOG_FILE, OTHERWISE, PID_FILE, PORT, REFUSES};
use super::{fault, folded, refused};
use crate::server::config::hosts::Hosts;
use crate::vis::shown_text;

/// A module that becomes ours: the line at which it begins, and what holds for it.
type Taken<'v> = (&'v usize, &'v Values);

/// All that is to be noted of a file with these modules and this for the whole.
pub(super) fn notes<'v>(
    said: &Said,
    modules: impl Iterator<Item = Taken<'v>>,
    globals: &Values,
) -> Vec<String> {
    let modules: Vec<Taken<'_>> = modules.collect();
    let lines = |name: &str| {
        let name = folded(name);
        said.values().filter(move |line| pair(line).is_some_and(|(given, _)| given == name))
    };
    let given = |name: &str| lines(name).next().is_some();
    // One that we cannot read is not taken over.
    let taken = |name: &str, in_module| lines(name).any(|line| fault(line, in_module).is_none());
    let mut notes: Vec<String> = OTHERWISE
        .iter()
        .filter_map(|(name, note)| otherwise(said, &modules, globals, (name, note)))
        .collect();
    let open = |(_, values): &&Taken<'_>| !has(values, "authusers");
    notes.extend(concerns(said, ANYBODY, &modules.iter().filter(open).copied().collect::<Vec<_>>()));
    let shared = [
        (given("pid file"), PID_FILE),
        (taken("port", false), PORT),
        (taken("log file", true), LOG_FILE),
        (taken("lock file", true), LOCK_FILE),
        (given("pre-xfer exec") || given("post-xfer exec"), HOOKS),
    ];
    notes.extend(shared.into_iter().filter(|(so, _)| *so).map(|(_, note)| note.to_owned()));
    for (number, line) in said {
        let list =
            pair(line).filter(|(name, _)| name == "refuseoptions").map(|(_, list)| refused::known(list).1);
        if let Some(idle) = list.filter(|idle| !idle.is_empty()) {
            notes.push(format!("line {number}: refuse options: {}: {REFUSES}", shown_text(&idle.join(", "))));
        }
    }
    let both = modules.iter().filter(|(_, values)| has(values, "hostsallow") && has(values, "hostsdeny"));
    // Where everybody is denied, nobody is in neither.
    let both =
        both.filter(|(_, values)| !values.get("hostsdeny").is_some_and(|deny| Hosts::has_everybody(deny)));
    notes.extend(both.map(|(number, _)| {
        let header = said.get(*number).map_or("", String::as_str);
        format!("line {number}: {}: {BOTH_LISTS}", shown_text(header))
    }));
    notes
}

fn has(values: &Values, name: &str) -> bool {
    values.get(name).is_some_and(|value| !value.is_empty())
}

/// What is noted where nothing is said of this parameter.
fn otherwise(
    said: &Said,
    modules: &[Taken<'_>],
    globals: &Values,
    (name, note): (&str, &str),
) -> Option<String> {
    let name = folded(name);
    let silent: Vec<_> = modules.iter().filter(|(_, values)| !values.contains_key(&name)).copied().collect();
    if modules.is_empty() {
        // What it includes goes by what it says for the whole.
        return (!globals.contains_key(&name)).then(|| note.to_owned());
    }
    concerns(said, note, &silent)
}

/// A note with the modules that it concerns, if there are any.
fn concerns(said: &Said, note: &str, modules: &[Taken<'_>]) -> Option<String> {
    let name = |(number, _): &Taken<'_>| {
        let header = said.get(*number).and_then(|line| section(line)).unwrap_or_default();
        format!("[{}]", shown_text(header))
    };
    let names: Vec<String> = modules.iter().map(name).collect();
    (!names.is_empty()).then(|| format!("{note}; so it is with {}", names.join(", ")))
}
