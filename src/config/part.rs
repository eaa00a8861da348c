//! The parts of a configuration: what stands before the first section, and each section.

use super::{ConfigErrors, Line};
use crate::vis::shown_text;
use serde_ini::{Item, Parser};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// One `name = value`.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// One section as it is written.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
}

/// The parameters before the first section, and the sections.
pub(super) fn parts(lines: &[Line], errors: &mut ConfigErrors) -> (Vec<Parameter>, Vec<Part>) {
    let mut global = Part { line: 1, name: String::new(), parameters: Vec::new() };
    let mut parts: Vec<Part> = Vec::new();
    for line in lines {
        if line.text.starts_with('[') {
            // A section without a name, so that what follows a bad header is not taken for another section's.
            let name = section_name(&line.text).unwrap_or_else(|text| {
                errors.wrong(line.number, text);
                String::new()
            });
            parts.push(Part { line: line.number, name, parameters: Vec::new() });
        } else {
            match parameter(line) {
                Ok(parameter) => parts.last_mut().unwrap_or(&mut global).parameters.push(parameter),
                Err(text) => errors.wrong(line.number, text),
            }
        }
    }
    parts.retain(|part| !part.name.is_empty());
    check_doubled(&parts, errors);
    (global.parameters, parts)
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
        Some(Ok(Item::Value { key: name, value })) => Ok(Parameter { line: line.number, name, value }),
        // The line is not repeated in the error: it may be half a secret.
        _ => Err("expected 'parameter = value' or '[section]'"),
    }
}

/// No two sections have the same name.
fn check_doubled(parts: &[Part], errors: &mut ConfigErrors) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for part in parts {
        let first = *seen.entry(&part.name).or_insert(part.line);
        if first != part.line {
            errors.wrong(
                part.line,
                format!("section [{}] already given at line {first}", shown_text(&part.name)),
            );
        }
    }
}
