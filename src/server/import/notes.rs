//! What is otherwise than with rsyncd though nothing is lost.

use super::effect::{Said, Values, pair};
use super::tables::{BOTH_LISTS, HOOKS, LOCK_FILE, OTHERWISE, PID_FILE};
use super::{fault, folded};
use crate::server::config::hosts::Hosts;
use crate::vis::shown_text;

/// All that is to be noted of a file with these modules, each with the line at which it begins.
pub(super) fn notes<'v>(said: &Said, modules: impl Iterator<Item = (&'v usize, &'v Values)>) -> Vec<String> {
    let lines = |name: &str| {
        let name = folded(name);
        said.values().filter(move |line| pair(line).is_some_and(|(given, _)| given == name))
    };
    let given = |name: &str| lines(name).next().is_some();
    let mut notes: Vec<_> =
        OTHERWISE.iter().filter(|(name, _)| !given(name)).map(|(_, note)| *note).collect();
    notes.extend(given("pid file").then_some(PID_FILE));
    // One that we cannot read is not taken over.
    notes.extend(lines("lock file").any(|line| fault(line, true).is_none()).then_some(LOCK_FILE));
    notes.extend((given("pre-xfer exec") || given("post-xfer exec")).then_some(HOOKS));
    let mut notes: Vec<_> = notes.into_iter().map(str::to_owned).collect();
    let has = |values: &Values, name: &str| values.get(name).is_some_and(|value| !value.is_empty());
    let both = modules.filter(|(_, values)| has(values, "hostsallow") && has(values, "hostsdeny"));
    // Where everybody is denied, nobody is in neither.
    let both =
        both.filter(|(_, values)| !values.get("hostsdeny").is_some_and(|deny| Hosts::has_everybody(deny)));
    notes.extend(both.map(|(number, _)| {
        let header = said.get(number).map_or("", String::as_str);
        format!("line {number}: {}: {BOTH_LISTS}", shown_text(header))
    }));
    notes
}
