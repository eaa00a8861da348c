//! Words of `refuse options` that are about nothing here.

use crate::terms::Capabilities;

/// Options of rsync that smsync has under no name: there is nothing to refuse.
const WITHOUT: [&str; 21] = [
    "append",
    "append-verify",
    "blocking-io",
    "checksum-seed",
    "copy-devices",
    "delay-updates",
    "fuzzy",
    "iconv",
    "inplace",
    "log-file",
    "log-file-format",
    "partial",
    "partial-dir",
    "preallocate",
    "protect-args",
    "S",
    "sparse",
    "temp-dir",
    "T",
    "write-devices",
    "y",
];

/// The list without the words that are about nothing here, and those words. What takes out again what is not known
/// refused nothing either. A word that may be about something under another name stays, to be found wrong.
pub(super) fn known(list: &str) -> (String, Vec<&str>) {
    let idle = |word: &&str| {
        let option = word.strip_prefix('!').unwrap_or(word);
        Capabilities::parse(option).is_none() && (option != *word || WITHOUT.contains(&option))
    };
    let words = list.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    let (idle, kept): (Vec<&str>, Vec<&str>) = words.partition(idle);
    if idle.is_empty() { (list.to_owned(), idle) } else { (kept.join(" "), idle) }
}
