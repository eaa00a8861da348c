//! What an rsyncd.conf says in effect: of what is said twice the last counts, and sections go by the globals before them.

use super::folded;
use crate::config::check_module;
use std::collections::{BTreeMap, BTreeSet};

/// The lines that say something, by their numbers.
pub(super) type Said = BTreeMap<usize, String>;

/// Values by the names of their parameters.
pub(super) type Values = BTreeMap<String, String>;

/// The name of the parameter that a line gives, as everybody may spell it, and its value.
pub(super) fn pair(line: &str) -> Option<(String, &str)> {
    line.split_once('=').map(|(name, value)| (folded(name), value.trim()))
}

/// Whether a line begins a section, and which.
pub(super) fn section(line: &str) -> Option<&str> {
    line.starts_with('[').then(|| line.trim_matches(['[', ']', ' ']))
}

/// Whether a section is none of a module.
pub(super) fn is_global(name: &str) -> bool {
    name.eq_ignore_ascii_case("global")
}

/// The lines that do not count, since the same part says it again; with the line that counts.
pub(super) fn superseded(said: &Said) -> BTreeMap<usize, usize> {
    let mut superseded = BTreeMap::new();
    let (mut last, mut in_module) = (BTreeMap::new(), false);
    for (number, line) in said {
        if let Some(name) = section(line) {
            in_module = !is_global(name);
            last.clear();
        } else if line.starts_with('&') {
            // What is included goes by what is said before it.
            if !in_module {
                last.clear();
            }
        } else if let Some((name, _)) = pair(line)
            && let Some(earlier) = last.insert(name, *number)
        {
            superseded.insert(earlier, *number);
        }
    }
    superseded
}

/// What holds for each module, by the line at which it begins, and for the whole.
pub(super) fn in_effect(said: &Said) -> (BTreeMap<usize, Values>, Values) {
    let (mut modules, mut globals) = (BTreeMap::<usize, Values>::new(), Values::new());
    let mut open = None;
    for (number, line) in said {
        if let Some(name) = section(line) {
            open = (!is_global(name)).then_some(*number);
            modules.extend(open.map(|number| (number, globals.clone())));
        } else if let Some((name, value)) = pair(line).filter(|_| !line.starts_with('&')) {
            let values = open.and_then(|number| modules.get_mut(&number)).unwrap_or(&mut globals);
            values.insert(name, value.to_owned());
        }
    }
    (modules, globals)
}

/// The parameters that restrict nothing: those that have no value wherever they are given, and the file in which
/// connections are counted where they are not.
pub(super) fn idle(said: &Said) -> BTreeSet<String> {
    let pairs = || said.values().filter_map(|line| pair(line));
    let with_value = pairs().filter(|(_, value)| !value.is_empty());
    let with_value: BTreeSet<String> = with_value.map(|(name, _)| name).collect();
    let uncounted = (!with_value.contains("maxconnections")).then(|| "lockfile".to_owned());
    pairs().map(|(name, _)| name).filter(|name| !with_value.contains(name)).chain(uncounted).collect()
}

/// The lines at which modules begin that cannot be ours, and why.
pub(super) fn unusable(said: &Said, modules: &BTreeMap<usize, Values>) -> BTreeMap<usize, String> {
    let first = first_of_name(said);
    let why = |number: &usize, values: &Values| {
        let name = said.get(number).and_then(|line| section(line)).unwrap_or_default();
        if let Err(error) = check_module(name) {
            return Some(error.to_string());
        }
        let earlier = first.get(&folded(name)).filter(|first| *first != number);
        if let Some(earlier) = earlier {
            return Some(format!("it goes on with the section in line {earlier}: put it there"));
        }
        let path = values.get("path").map_or("", String::as_str);
        if path.split('%').count() > 2 {
            return Some(
                "nothing stands for '%' names in its 'path': make a module of each directory".to_owned(),
            );
        }
        (!path.starts_with('/')).then(|| "a module needs an absolute 'path'".to_owned())
    };
    modules.iter().filter_map(|(number, values)| Some((*number, why(number, values)?))).collect()
}

/// Where each section is first; neither case nor blanks count in its name.
fn first_of_name(said: &Said) -> BTreeMap<String, usize> {
    let mut first = BTreeMap::new();
    for (number, line) in said {
        if let Some(name) = section(line) {
            first.entry(folded(name)).or_insert(*number);
        }
    }
    first
}

/// The lines at which modules begin that would let others in, or in otherwise, than they do; and why.
pub(super) fn loose(said: &Said, modules: &BTreeMap<usize, Values>) -> BTreeMap<usize, String> {
    let mut loose = BTreeMap::new();
    let first = first_of_name(said);
    for (number, line) in said {
        let earlier = section(line).and_then(|name| first.get(&folded(name)));
        if let Some(earlier) = earlier.filter(|earlier| *earlier != number) {
            loose.insert(*earlier, format!("its section goes on in line {number}"));
        }
    }
    // With passwords of its own, a module knows other users, or knows them otherwise.
    let file = |values: &Values| values.get("secretsfile").cloned().unwrap_or_default();
    let users = |values: &Values| values.get("authusers").map(|text| names(text)).unwrap_or_default();
    for (number, values) in modules {
        let users_here = users(values);
        let others = modules.values().filter(|other| file(other) != file(values));
        let mut others = others.map(users).filter(|others| !others.is_empty()).peekable();
        if users_here.is_empty() || others.peek().is_none() {
            continue;
        }
        let is_open = users_here.iter().any(|name| name.contains(['*', '?', '[', '@']));
        if is_open || others.any(|others| !others.is_disjoint(&users_here)) {
            let why = "it has a 'secrets file' of its own, and here all users are in one: give it users of its own, \
                       each by name";
            loose.insert(*number, why.to_owned());
        }
    }
    loose
}

/// The users of a list of rules.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(|word| word.split(':').next().unwrap_or_default().to_owned()).collect()
}
