//! From parameters to structures: serde says which parameters there are, `serde_ini` converts the values.

use super::part::Parameter;
use super::{At, ConfigErrors, Partial};
use crate::vis::shown_text;
use serde::de::value::Error as NoError;
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde_ini::Item;
use std::cell::Cell;

/// A parameter under the name its structure has for it.
#[derive(Clone, Copy)]
pub(super) struct Picked<'a> {
    pub(super) name: &'static str,
    pub(super) at: At,
    value: &'a str,
}

/// Asks a structure for the names of its fields, and gives it nothing.
struct Names(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Names {
    type Error = NoError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoError> {
        Err(NoError::custom("asked for its names only"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoError> {
        self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The parameters a structure is read from.
pub(super) fn known<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names = Names(&[]);
    match T::deserialize(&mut names) {
        // Whichever it is, the names were asked for on the way.
        Ok(_) | Err(_) => names.0,
    }
}

/// Neither case nor blanks count in the name of a parameter: `ReadOnly` is `read only`.
fn folded(name: &str) -> String {
    name.split_whitespace().collect::<String>().to_lowercase()
}

/// The name for an error, but nothing of a line that ends in its '=': that may be a secret by itself.
fn quoted(parameter: &Parameter) -> String {
    if parameter.value.is_empty() { String::new() } else { format!(" '{}'", shown_text(&parameter.name)) }
}

/// The one of these that is most like a name that is none of them, if it is one or two letters away.
fn nearest<'k>(known: &[&'k str], given: &str) -> Option<&'k str> {
    let most = if given.chars().count() < 6 { 1 } else { 2 };
    let away = known.iter().map(|name| (distance(given, &folded(name)), *name));
    away.filter(|(away, _)| *away <= most).min().map(|(_, name)| name)
}

/// How many letters must be changed, left out or put in to make one of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (number, a) in (1..).zip(one.chars()) {
        let mut left = number;
        let mut above = number - 1;
        for (place, b) in row.iter_mut().skip(1).zip(other.chars()) {
            let changed = above + usize::from(a != b);
            above = *place;
            left = changed.min(above + 1).min(left + 1);
            *place = left;
        }
        if let Some(first) = row.first_mut() {
            *first = number;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The parameters with their proper names, each once; what is unknown, doubled or belongs elsewhere is an error.
pub(super) fn pick<'a>(
    known: &[&'static str],
    elsewhere: &[&'static str],
    parameters: &'a [Parameter],
    errors: &mut ConfigErrors,
) -> Vec<Picked<'a>> {
    let mut picked: Vec<Picked<'a>> = Vec::new();
    for parameter in parameters {
        let given = folded(&parameter.name);
        let known_in = |names: &[&'static str]| names.iter().copied().find(|name| folded(name) == given);
        match (known_in(known), known_in(elsewhere)) {
            (None, Some(name)) => {
                let place = "it belongs before the first module, or below [global]";
                errors.wrong(parameter.at, format!("'{name}' is said of the whole server: {place}"));
            }
            (None, None) => {
                let meant = if parameter.value.is_empty() { None } else { nearest(known, &given) };
                let meant = meant.map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default();
                let (name, known) = (quoted(parameter), known.join(", "));
                errors.wrong(parameter.at, format!("unknown parameter{name}{meant}; known here: {known}"));
            }
            (Some(name), _) => match picked.iter().find(|earlier| earlier.name == name) {
                Some(first) => errors.doubled(parameter.at, &format!("'{name}'"), first.at),
                None => picked.push(Picked { name, at: parameter.at, value: &parameter.value }),
            },
        }
    }
    picked
}

/// Fills a structure; where something is wrong, with the rest, unless that is too little. Whatever value is wrong is an
/// error at its line, and what is missing one at the line of the part; without one nothing counts as missing.
pub(super) fn fill<T: DeserializeOwned>(
    at: Option<At>,
    mut picked: Vec<Picked<'_>>,
    errors: &mut ConfigErrors,
) -> Result<T, Option<Partial<T>>> {
    let mut wrong = Vec::new();
    // serde stops at the first error: leave that parameter out and see what else there is.
    loop {
        let place = Cell::new(None);
        let mut rest = picked.iter().enumerate();
        let items = std::iter::from_fn(|| {
            let next = rest.next();
            place.set(next.map(|(place, _)| place));
            next.map(|(_, Picked { name, value, .. })| {
                Ok::<_, serde_ini::de::Error>(Item::Value {
                    key: (*name).to_owned(),
                    value: (*value).to_owned(),
                })
            })
        });
        let error = match T::deserialize(&mut serde_ini::Deserializer::new(items)) {
            Ok(value) if wrong.is_empty() => return Ok(value),
            Ok(value) => return Err(Some(Partial { value, wrong })),
            Err(serde_ini::de::Error::Custom(text)) => text,
            Err(error) => error.to_string(),
        };
        if let Some(place) = place.get() {
            let Picked { name, at, .. } = picked.remove(place);
            errors.wrong(at, format!("{name}: {error}"));
            wrong.push(name);
            continue;
        }
        // All were read, so one is missing; but not if it was just left out.
        let name = error.strip_prefix("missing field `").and_then(|text| text.strip_suffix('`'));
        if let Some(at) = at
            && !name.is_some_and(|name| wrong.contains(&name))
        {
            errors.wrong(at, name.map_or(error.clone(), |name| format!("'{name}' is missing")));
        }
        return Err(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_name_is_recognized() {
        let known = ["uid", "gid", "path", "hosts allow", "hosts deny", "read only", "exclude"];
        for (given, meant) in [
            ("hostsalow", Some("hosts allow")),
            ("hostdeny", Some("hosts deny")),
            ("readonyl", Some("read only")),
            ("exclud", Some("exclude")),
            ("pth", Some("path")),
            ("gad", Some("gid")),
            ("x", None),
            ("motd", None),
            ("includes", None),
        ] {
            assert_eq!(nearest(&known, given), meant, "{given}");
        }
        assert_eq!(
            [("", ""), ("a", ""), ("", "ab"), ("abc", "abc"), ("abc", "acb"), ("kitten", "sitting")]
                .map(|(a, b)| distance(a, b)),
            [0, 1, 2, 0, 2, 3]
        );
    }
}
