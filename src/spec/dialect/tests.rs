//! What every dialect says, against the canonical line that says the same.

use super::*;
use crate::spec::order::Order;
use crate::spec::{Keyword, Keywords, line};

mod lexing;
mod mutations;
mod structure;
mod values;
mod writers;

/// What a text says: canonical lines, or the error.
fn said(text: &[u8]) -> String {
    let reading = match read(text) {
        Ok(reading) => reading,
        Err(error) => return error.to_string(),
    };
    let mut order = Order::default();
    let mut out = Vec::new();
    for entry in &reading.entries {
        order.next(&entry.path, entry.kind).expect("entries must be in order");
        line::write(entry, Keywords::of(&Keyword::ALL), &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// Checks a text against all canonical lines but that of the root, or against part of an error.
#[track_caller]
fn check(text: impl AsRef<[u8]>, expected: &str) {
    let text = text.as_ref();
    let said = said(text);
    let shown = vis::shown(text);
    if expected.starts_with('.') || expected.is_empty() {
        let lines: Vec<&str> = said.lines().collect();
        let expected: Vec<&str> = expected.lines().map(str::trim_start).collect();
        assert_eq!(lines.first().copied(), Some(". type=dir"), "{shown}: {said}");
        assert_eq!(lines[1..], expected, "{shown}");
    } else {
        assert!(said.starts_with("line ") && said.contains(expected), "{shown}: {said}");
    }
}
