//! [`AuthUsers`]: which users may open a module, and whether they may write there.

use crate::config::value;
use crate::path::Pattern;
use serde::{Deserialize, Deserializer};

/// What a user may do in a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// What the module's other parameters say.
    AsSaid,
    /// Only read, whatever they say.
    ReadOnly,
    /// Read and write, whatever they say.
    ReadWrite,
    /// Nothing: to him the module is not there.
    Denied,
}

impl Access {
    /// What may stand behind the `:` of a rule.
    const NAMES: [(&'static str, Access); 3] =
        [("ro", Access::ReadOnly), ("rw", Access::ReadWrite), ("deny", Access::Denied)];
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    /// Users whose names are like this.
    Named(Pattern),
    /// Users of this host that are in this group.
    Group(String),
}

/// Rules in their order, of which the first that is about a user decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthUsers {
    text: String,
    rules: Vec<(Who, Access)>,
}

impl AuthUsers {
    /// Reads `user`, `us*r` and `@group`, each perhaps with `:ro`, `:rw` or `:deny`, with commas or blanks between them;
    /// only with commas where the text begins with one. Nothing where one of them is none, or there is none.
    fn parse(text: &str) -> Option<AuthUsers> {
        let commas = text.starts_with(',');
        let words = text.split(|c: char| c == ',' || !commas && c.is_whitespace()).map(str::trim);
        let rules: Vec<_> = words.filter(|word| !word.is_empty()).map(rule).collect::<Option<_>>()?;
        (!rules.is_empty()).then(|| AuthUsers { text: text.to_owned(), rules })
    }

    /// Whether it lets anybody write, where the other parameters say this of it.
    #[must_use]
    pub fn lets_write(&self, as_said: bool) -> bool {
        self.rules.iter().any(|(_, access)| match access {
            Access::ReadWrite => true,
            Access::AsSaid => as_said,
            Access::ReadOnly | Access::Denied => false,
        })
    }

    /// What the first rule says that is about this user; nothing for a user that no rule is about. `is_member` tells
    /// whether a user of this host is in a group.
    #[must_use]
    pub fn access(&self, user: &str, is_member: &dyn Fn(&str, &str) -> bool) -> Access {
        let about = |who: &Who| match who {
            Who::Named(pattern) => pattern.matches(user.as_bytes(), false),
            Who::Group(group) => is_member(user, group),
        };
        let first = self.rules.iter().find(|(who, _)| about(who));
        first.map_or(Access::Denied, |(_, access)| *access)
    }
}

fn rule(word: &str) -> Option<(Who, Access)> {
    let (who, access) = match word.split_once(':') {
        None => (word, Access::AsSaid),
        Some((who, name)) => {
            let named = Access::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
            (who.trim(), named?.1)
        }
    };
    let who = match who.strip_prefix('@') {
        Some(group) if !group.is_empty() => Who::Group(group.to_owned()),
        None if !who.contains('/') => Who::Named(Pattern::new(who.as_bytes())?),
        _ => return None,
    };
    Some((who, access))
}

impl std::fmt::Display for AuthUsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for AuthUsers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a list of users and @groups, each perhaps with ':ro', ':rw' or ':deny'";
        value::list(deserializer, expected, AuthUsers::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rd_67_the_first_rule_decides() {
        let users = AuthUsers::parse("joe:deny, @admin:rw guest*:ro, susan, @guests:deny *:ro").unwrap();
        let is_member = |user: &str, group: &str| {
            matches!((user, group), ("joe" | "root", "admin") | ("sam" | "susan", "guests"))
        };
        for (user, expected) in [
            ("joe", Access::Denied),
            ("root", Access::ReadWrite),
            ("guest7", Access::ReadOnly),
            ("susan", Access::AsSaid),
            ("sam", Access::Denied),
            ("else", Access::ReadOnly),
            ("", Access::ReadOnly),
        ] {
            assert_eq!(users.access(user, &is_member), expected, "{user}");
        }
        for (text, expected) in [("ann", [false, true]), ("ann:rw", [true; 2]), ("ann:ro *:deny", [false; 2])]
        {
            let users = AuthUsers::parse(text).unwrap();
            assert_eq!([false, true].map(|as_said| users.lets_write(as_said)), expected, "{text}");
        }
        let only = AuthUsers::parse("ann").unwrap();
        for user in ["", "Ann", "ann2", "bob"] {
            assert_eq!(only.access(user, &|_, _| true), Access::Denied, "{user}");
        }
    }

    #[test]
    fn lists_are_read_or_refused() {
        let group = AuthUsers::parse(", @domain users:rw ,ann").unwrap();
        assert_eq!(group.access("x", &|_, group| group == "domain users"), Access::ReadWrite);
        for bad in ["", ",", "ann:", "ann:write", "@", "@:rw", "a/b", ":ro", "ann:ro:rw"] {
            assert!(AuthUsers::parse(bad).is_none(), "{bad}");
        }
        let text = "ann:RO, bob";
        assert_eq!(AuthUsers::parse(text).unwrap().to_string(), text);
    }
}
