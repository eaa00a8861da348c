//! Says parameters in the configuration's own language.

use std::path::PathBuf;

/// Parameters with their values, in the order in which they are said.
pub(super) type Said = Vec<(&'static str, String)>;

/// One that has a value in any case.
pub(super) fn say(name: &'static str, value: impl std::fmt::Display) -> Option<(&'static str, String)> {
    Some((name, value.to_string()))
}

/// One that may have none.
pub(super) fn maybe(
    name: &'static str,
    value: Option<&(impl std::fmt::Display + ?Sized)>,
) -> Option<(&'static str, String)> {
    value.and_then(|value| say(name, value))
}

/// A path, if there is one.
pub(super) fn path(name: &'static str, value: Option<&PathBuf>) -> Option<(&'static str, String)> {
    value.and_then(|path| say(name, path.display()))
}

/// A text, if there is one.
pub(super) fn text(name: &'static str, value: &[u8]) -> Option<(&'static str, String)> {
    if value.is_empty() { None } else { say(name, String::from_utf8_lossy(value)) }
}

/// What is on or off.
pub(super) fn yes_no(name: &'static str, on: bool) -> Option<(&'static str, String)> {
    say(name, if on { "yes" } else { "no" })
}

/// Lines that read the same. What everybody has who says nothing is said in a comment.
pub(super) fn lines(said: &Said, defaults: &Said, out: &mut String) {
    for parameter @ (name, value) in said {
        if defaults.contains(parameter) {
            out.push_str("# ");
        }
        out.push_str(&format!("{name} = {value}"));
        // A backslash at the end would go on with the next line; so it does, with an empty one.
        out.push_str(if out.ends_with('\\') { "\\\n\n" } else { "\n" });
    }
}
