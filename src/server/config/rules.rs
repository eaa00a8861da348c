//! The rules of `exclude`, `include` and the files that hold more of them.

use crate::config::value;
use crate::limits;
use crate::path::rule::{Said, plain, texts};
use crate::path::{Item, RelPath, Rule, Traits};
use crate::sys::private::read_private;
use crate::vis::shown;
use serde::{Deserialize, Deserializer};
use std::path::Path;

/// Patterns as they are written, and the rules that they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patterns<const INCLUDE: bool> {
    text: String,
    rules: Vec<Rule>,
}

impl<const INCLUDE: bool> Patterns<INCLUDE> {
    /// Reads patterns with blanks between them. A `-` or `+` before one excludes or includes it whatever the rest, and a
    /// `!` takes back all before it.
    fn parse(text: &str) -> Option<Self> {
        let mut rules = Vec::new();
        let mut sign = None;
        for word in text.split_whitespace() {
            match word {
                "-" | "+" if sign.is_none() => sign = Some(word),
                "!" if sign.is_none() => rules.clear(),
                _ => {
                    let include = sign.take().map_or(INCLUDE, |sign| sign == "+");
                    rules.push(Rule::new(traits(include), word.as_bytes())?);
                }
            }
        }
        let whole = sign.is_none() && !text.is_empty() && rules.len() <= limits::SCOPE;
        whole.then(|| Patterns { text: text.to_owned(), rules })
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl<const INCLUDE: bool> std::fmt::Display for Patterns<INCLUDE> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de, const INCLUDE: bool> Deserialize<'de> for Patterns<INCLUDE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::expect(deserializer, "a list of patterns", Patterns::parse)
    }
}

fn traits(include: bool) -> Traits {
    if include { Traits::BOTH.and(Traits::INCLUDE) } else { Traits::BOTH }
}

/// The rules in a file, a pattern a line; or what is wrong with it. It decides what others see, so it must be as private as
/// the configuration.
pub(super) fn from_file(path: &Path, include: bool) -> Result<Vec<Rule>, String> {
    let text = read_private(path, limits::CONFIG).map_err(|error| error.to_string())?;
    let mut rules = Vec::new();
    for (line, pattern) in texts(&text, Traits::NONE) {
        let file = || shown(path.as_os_str().as_encoded_bytes());
        let said = plain(pattern, traits(include)).map_err(|error| format!("{}:{line}: {error}", file()))?;
        for one in said {
            match one {
                Said::Item(Item::Rule(rule)) => rules.push((*rule).clone()),
                Said::Clear => rules.clear(),
                Said::Item(Item::File(..)) | Said::Merge(..) => {}
            }
        }
        if rules.len() > limits::SCOPE {
            return Err(format!("{}:{line}: more than {} patterns", file(), limits::SCOPE));
        }
    }
    Ok(rules)
}

/// The rule that excludes this path alone.
pub(super) fn only(path: &RelPath<'_>) -> Option<Rule> {
    let wild = path.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
    let mut pattern = b"/".to_vec();
    for byte in path.as_bytes() {
        // A backslash means itself where there is no wildcard.
        if wild && matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    Rule::new(Traits::BOTH, &pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Fence;

    fn texts_of(rules: &[Rule]) -> Vec<String> {
        let sign = |rule: &Rule| if rule.traits().has(Traits::INCLUDE) { '+' } else { '-' };
        rules
            .iter()
            .map(|rule| format!("{}{}", sign(rule), String::from_utf8_lossy(rule.pattern().text())))
            .collect()
    }

    #[test]
    fn rd_63_patterns_and_their_signs() {
        let excluded = Patterns::<false>::parse("*.o  /secret/ + keep - drop").unwrap();
        assert_eq!(texts_of(excluded.rules()), ["-*.o", "-/secret/", "+keep", "-drop"]);
        let included = Patterns::<true>::parse("a ! b").unwrap();
        assert_eq!(texts_of(included.rules()), ["+b"]);
        for bad in ["", "-", "a +", "/"] {
            assert!(Patterns::<false>::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn one_path_is_barred_whatever_is_in_its_name() {
        for name in ["a/b", "a*", "a[b]", "a\\b", "a?\\"] {
            let path = RelPath::new(name.as_bytes()).unwrap();
            let fence = Fence::new(vec![only(&path).unwrap()]);
            assert!(fence.bars(&path, false), "{name}");
            assert!(!fence.bars(&RelPath::new(&b"ab"[..]).unwrap(), false), "{name}");
        }
    }
}
