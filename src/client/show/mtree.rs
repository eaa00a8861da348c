//! What differs in the words and the shape of mtree(8).

use crate::report::{Aspects, Change, Fate};
use crate::sys::clock::Local;
use crate::vis::shown;

/// A name that is longer, with what follows it, stands on a line of its own.
const INDENT: usize = 8;

/// The order in which mtree(8) compares, and after that what it does not compare.
const ORDER: [Aspects; 12] = [
    Aspects::TYPE,
    Aspects::DEVICE,
    Aspects::USER,
    Aspects::GROUP,
    Aspects::MODE,
    Aspects::SIZE,
    Aspects::TIME,
    Aspects::DIGEST,
    Aspects::LINK,
    Aspects::HARDLINK,
    Aspects::XATTR,
    Aspects::ACL,
];

/// The lines of a change.
pub(super) fn told(change: &Change) -> String {
    match change.fate {
        Fate::Missing => missing(&change.path.to_string()),
        Fate::Extra => extra(&change.path.to_string()),
        Fate::Changed => {
            let values = change.wanted.iter().zip(&change.found);
            let mut told: Vec<_> = change.aspects.iter().zip(values).collect();
            told.sort_by_key(|(aspect, _)| ORDER.iter().position(|other| other == aspect));
            let told = told.into_iter().map(|(aspect, (wanted, found))| difference(aspect, wanted, found));
            changed(&change.path.to_string(), told)
        }
    }
}

/// Of a path, as it is shown, that is not there.
pub(in crate::client) fn missing(path: &str) -> String {
    if path == "." { "missing: .".into() } else { format!("missing: ./{path}") }
}

/// Of a path, as it is shown, that should not be there.
pub(in crate::client) fn extra(path: &str) -> String {
    format!("extra: {path}")
}

/// The lines of a path, as it is shown, that differs in these respects.
pub(in crate::client) fn changed(path: &str, differences: impl IntoIterator<Item = String>) -> String {
    let mut text = format!("{path}: ");
    let mut separator = if text.len() > INDENT {
        "\n\t"
    } else {
        text += &" ".repeat(INDENT - text.len());
        ""
    };
    for difference in differences {
        // On the line of the name the type has a tab before it all the same.
        if separator.is_empty() && difference.starts_with("type (") {
            text += "\t";
        }
        text += separator;
        text += &difference;
        separator = "\n\t";
    }
    text
}

/// In what a path differs, with what is wanted and what is there as mtree(5) writes them; what it does not write is
/// named without them.
pub(in crate::client) fn difference(aspect: Aspects, wanted: &[u8], found: &[u8]) -> String {
    let both = |word: &str, text: fn(&[u8]) -> String| format!("{word} ({}, {})", text(wanted), text(found));
    match aspect {
        Aspects::TYPE => both("type", shown),
        Aspects::SIZE => both("size", shown),
        Aspects::TIME => both("modification time", date),
        Aspects::MODE => both("permissions", shown),
        Aspects::USER => both("user", shown),
        Aspects::GROUP => both("gid", shown),
        Aspects::DEVICE => both("device", number),
        // Only here mtree(8) says first what is there.
        Aspects::LINK => format!("link ref ({}, {})", shown(found), shown(wanted)),
        Aspects::DIGEST => {
            let split = |text: &[u8]| -> Option<(String, String)> {
                let text = shown(text);
                let (name, digest) = text.split_once('=')?;
                let prefix = if name == "cksum" { "" } else { "0x" };
                Some((name.to_owned(), format!("{prefix}{digest}")))
            };
            match (split(wanted), split(found)) {
                (Some((name, wanted)), Some((_, found))) => format!("{name} ({wanted}, {found})"),
                _ => "digest".into(),
            }
        }
        other => other.words().collect::<Vec<_>>().join(", "),
    }
}

/// `SECONDS.NANOSECONDS` as ctime(3) prints it.
fn date(value: &[u8]) -> String {
    let text = shown(value);
    let seconds = text.split('.').next().and_then(|seconds| seconds.parse().ok());
    seconds.and_then(Local::at).map_or(text, |local| local.ctime())
}

/// `native,MAJOR,MINOR` as the one number that st_rdev is.
fn number(value: &[u8]) -> String {
    let text = shown(value);
    let mut parts = text.split(',').skip(1).map(str::parse::<u64>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => {
            let packed = (major & 0xffff_f000) << 32 | (major & 0xfff) << 8 | (minor & 0xffff_ff00) << 12;
            format!("{:#x}", packed | minor & 0xff)
        }
        _ => text,
    }
}
