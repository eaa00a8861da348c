//! The values of parameters. Each function serves `deserialize_with` for a plain field and for an `Option` of it.

use crate::config::Rate;
use crate::limits;
use crate::path::RelPath;
use crate::vis::shown_text;
use core::net::IpAddr;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// A value read by `read`, or else the text that was given and what was expected.
///
/// # Errors
/// When `read` makes nothing of the text.
pub fn expect<'de, D: Deserializer<'de>, V, T: From<V>>(
    deserializer: D,
    expected: &str,
    read: impl FnOnce(&str) -> Option<V>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let value = read(&text);
    value.map(T::from).ok_or_else(|| D::Error::custom(format!("'{}' is not {expected}", shown_text(&text))))
}

/// The same of a list, of which the words that are wrong by themselves are named. A list that begins with a comma has only
/// commas between its words.
///
/// # Errors
/// When `read` makes nothing of the text.
pub fn list<'de, D: Deserializer<'de>, V, T: From<V>>(
    deserializer: D,
    expected: &str,
    read: impl Fn(&str) -> Option<V>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    if let Some(value) = read(&text) {
        return Ok(T::from(value));
    }
    let blanks = !text.starts_with(',');
    let words = text.split(|c: char| c == ',' || blanks && c.is_whitespace()).map(str::trim);
    let wrong = words.filter(|word| !word.is_empty() && *word != text && read(word).is_none());
    let wrong: Vec<String> = wrong.map(|word| format!("'{}'", shown_text(word))).collect();
    let wrong = match wrong.as_slice() {
        [] => String::new(),
        [one] => format!(": {one} is none of them"),
        several => format!(": {} are none of them", several.join(", ")),
    };
    Err(D::Error::custom(format!("'{}' is not {expected}{wrong}", shown_text(&text))))
}

/// `yes` or `no`, `true` or `false`, `on` or `off`, `1` or `0`, in any case.
///
/// # Errors
/// On any other text.
pub fn yes_no<'de, D: Deserializer<'de>, T: From<bool>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, "yes or no", |text| match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    })
}

/// A TCP port.
///
/// # Errors
/// On anything but a number from 1 to 65535.
pub fn port<'de, D: Deserializer<'de>, T: From<u16>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, "a port from 1 to 65535", read_port)
}

/// The port a text of digits names.
#[must_use]
pub fn read_port(text: &str) -> Option<u16> {
    digits(text)?.parse().ok().filter(|&port| port != 0)
}

/// A limit in seconds; 0 is none.
///
/// # Errors
/// On anything but a whole number of 32 bits.
pub fn seconds<'de, D: Deserializer<'de>, T: From<Option<Duration>>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, "a whole number of seconds (0 for no limit)", |text| {
        let seconds: u32 = digits(text)?.parse().ok()?;
        Some((seconds != 0).then(|| Duration::from_secs(seconds.into())))
    })
}

/// A number of things.
///
/// # Errors
/// On anything but a whole number of 32 bits.
pub fn count<'de, D: Deserializer<'de>, T: From<u32>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, "a whole number", |text| digits(text)?.parse::<u32>().ok())
}

/// A number of things within these bounds.
///
/// # Errors
/// On anything but a whole number that lies there.
pub fn number<'de, D: Deserializer<'de>, T: From<u32>>(
    deserializer: D,
    bounds: RangeInclusive<u32>,
) -> Result<T, D::Error> {
    let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
    expect(deserializer, &expected, |text| {
        digits(text)?.parse::<u32>().ok().filter(|number| bounds.contains(number))
    })
}

/// A path below the root of a module, without a `/` at its start.
///
/// # Errors
/// On any other text, and on the root itself.
pub fn below<'de, D: Deserializer<'de>, T: From<RelPath<'static>>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, "a path below the module's, without '/' at its start", |text| {
        RelPath::new(text.as_bytes().to_vec()).ok().filter(|path| !path.is_root())
    })
}

/// A whole number, which may be negative.
///
/// # Errors
/// On anything but a whole number of 32 bits with its sign.
pub fn integer<'de, D: Deserializer<'de>, T: From<i32>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, "a whole number", |text| {
        digits(text.strip_prefix('-').unwrap_or(text))?;
        text.parse::<i32>().ok()
    })
}

/// The text, if it is digits only: Rust's own reading takes a sign as well.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// A number of bytes a second; 0 is none.
///
/// # Errors
/// On any other text.
pub fn rate<'de, D: Deserializer<'de>, T: From<Option<Rate>>>(deserializer: D) -> Result<T, D::Error> {
    let expected = format!("a rate of {} KiB or more, or 0", limits::RATE / 1024);
    expect(deserializer, &expected, |text| Rate::parse(text).ok())
}

/// An absolute path of at most [`limits::PATH`] bytes.
///
/// # Errors
/// On any other text.
pub fn path<'de, D: Deserializer<'de>, T: From<PathBuf>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, "an absolute path", read_path)
}

/// The path that a text names, if it is absolute.
#[must_use]
pub fn read_path(text: &str) -> Option<PathBuf> {
    (text.starts_with('/') && text.len() <= limits::PATH).then(|| PathBuf::from(text))
}

/// A text for people of at most [`limits::TEXT`] bytes.
///
/// # Errors
/// On a longer one.
pub fn text<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<T, D::Error> {
    expect(deserializer, &format!("short enough (at most {} bytes)", limits::TEXT), |text| {
        (text.len() <= limits::TEXT).then(|| text.to_owned())
    })
}

/// IP addresses, separated by commas or blanks.
///
/// # Errors
/// When there is none, or a word is not one.
pub fn addresses<'de, D: Deserializer<'de>, T: From<Vec<IpAddr>>>(deserializer: D) -> Result<T, D::Error> {
    list(deserializer, "a list of IP addresses", |text| {
        let read = words(text).map(|word| word.parse().ok()).collect::<Option<Vec<IpAddr>>>();
        read.filter(|list| !list.is_empty())
    })
}

/// The words of a list, separated by commas or blanks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t']).filter(|word| !word.is_empty())
}

/// One of a few names, in any case.
///
/// # Errors
/// On any other text.
pub fn choice<'de, D: Deserializer<'de>, V: Copy>(
    deserializer: D,
    names: &[(&str, V)],
) -> Result<V, D::Error> {
    let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    expect(deserializer, &format!("one of {}", list.join(", ")), |text| {
        names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|&(_, value)| value)
    })
}

/// The first name of one of [`choice`]'s values; empty if it has none.
#[must_use]
pub fn name_of<V: PartialEq>(names: &[(&'static str, V)], value: &V) -> &'static str {
    names.iter().find(|(_, named)| named == value).map_or("", |(name, _)| name)
}
