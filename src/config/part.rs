//! The parts of a configuration: what stands before the first section, each section, and files that are included.

use super::include::include;
use super::{At, ConfigErrors, Line};
use crate::vis::shown_text;
use serde_ini::{Item, Parser};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// One `name = value`.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) at: At,
    pub(super) name: String,
    pub(super) value: String,
}

/// One section as it is written.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) at: At,
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
}

/// One part of a configuration. They count in their order.
#[derive(Debug)]
pub(super) enum Part {
    /// Before the first section, or below `[global]`.
    Global(Vec<Parameter>),
    /// A section.
    Section(Section),
    /// Another file, which goes by the defaults that hold here and leaves them as they are.
    Included(Vec<Part>),
}

/// The part that is being read.
#[derive(Default)]
struct Open {
    /// The place and the name of a section.
    section: Option<(At, String)>,
    parameters: Vec<Parameter>,
}

impl Open {
    fn close(self) -> Part {
        let Open { section, parameters } = self;
        match section {
            Some((at, name)) => Part::Section(Section { at, name, parameters }),
            None => Part::Global(parameters),
        }
    }
}

/// The parts of a file, which is included by so many others.
pub(super) fn parts(lines: &[Line], depth: usize, errors: &mut ConfigErrors) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open = Open::default();
    for line in lines {
        if line.text.starts_with('[') {
            // A section without a name, so that what follows a bad header is not taken for another section's.
            let name = section_name(&line.text).unwrap_or_else(|text| {
                errors.wrong(line.at, text);
                String::new()
            });
            let section = (!name.eq_ignore_ascii_case("global")).then_some((line.at, name));
            let next = Open { section, parameters: Vec::new() };
            parts.push(std::mem::replace(&mut open, next).close());
        } else if let Some(directive) = line.text.strip_prefix('&') {
            let included = include(directive, line.at, depth, errors);
            // What was said before it in a section belongs to that still; so does what follows.
            if open.section.is_none() {
                parts.push(std::mem::take(&mut open).close());
            }
            parts.push(Part::Included(included));
        } else {
            match parameter(line) {
                Ok(parameter) => open.parameters.push(parameter),
                Err(text) => errors.wrong(line.at, text),
            }
        }
    }
    parts.push(open.close());
    parts.retain(|part| !matches!(part, Part::Section(section) if section.name.is_empty()));
    parts
}

/// What stands between the first `[` and the last `]`, so that an IPv6 address has room for its own.
fn section_name(text: &str) -> Result<String, &'static str> {
    let inner = text.strip_prefix('[').and_then(|text| text.rsplit_once(']'));
    let (name, after) = inner.ok_or("a section header needs a ']' at its end")?;
    if !after.is_empty() {
        return Err("nothing may follow the ']' of a section header");
    }
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() { Err("a section needs a name") } else { Ok(name) }
}

/// A line that is not a section header.
fn parameter(line: &Line) -> Result<Parameter, &'static str> {
    match Parser::new(std::iter::once(Ok::<_, Infallible>(&line.text))).next() {
        Some(Ok(Item::Value { key, .. })) if key.is_empty() => Err("a parameter needs a name before its '='"),
        Some(Ok(Item::Value { key: name, value })) => Ok(Parameter { at: line.at, name, value }),
        // The line is not repeated in the error: it may be half a secret.
        _ => Err("expected 'parameter = value' or '[section]'"),
    }
}

/// No two sections have the same name, whatever files they are in.
pub(super) fn check_doubled<'p>(
    parts: &'p [Part],
    seen: &mut BTreeMap<&'p str, At>,
    errors: &mut ConfigErrors,
) {
    for part in parts {
        match part {
            Part::Global(_) => {}
            Part::Included(parts) => check_doubled(parts, seen, errors),
            Part::Section(Section { at, name, .. }) => {
                let first = *seen.entry(name).or_insert(*at);
                if first != *at {
                    errors.doubled(*at, &format!("section [{}]", shown_text(name)), first);
                }
            }
        }
    }
}
