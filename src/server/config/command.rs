//! The command of a hook: words, as a shell would split them, and nothing else that a shell would do.

use crate::config::value;
use crate::sys::broker::Hook;
use serde::{Deserialize, Deserializer};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    text: String,
    hook: Hook,
}

impl Command {
    /// What is to be run.
    #[must_use]
    pub fn hook(&self) -> &Hook {
        &self.hook
    }

    fn parse(text: &str) -> Option<Command> {
        let words = split(text)?;
        let (program, arguments) = words.split_first()?;
        if !program.starts_with('/') {
            return None;
        }
        let arguments = arguments.iter().map(OsString::from).collect();
        Some(Command { text: text.to_owned(), hook: Hook { program: PathBuf::from(program), arguments } })
    }
}

/// Words between blanks. Between `'` and `'` everything stands for itself; between `"` and `"` all but `\"` and `\\`, and
/// outside of both a `\` takes what follows as it is. `None` where a quote is not closed.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            ' ' | '\t' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(rest.next()?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' => match rest.next()? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::expect(
            deserializer,
            "the absolute path of a program, with arguments and closed quotes",
            Command::parse,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_by_a_shell_and_nothing_else_is_done() {
        for (text, words) in [
            ("/bin/a", &["/bin/a"][..]),
            ("/bin/a  b\tc ", &["/bin/a", "b", "c"]),
            ("/bin/a 'b c' \"d e\" f\\ g", &["/bin/a", "b c", "d e", "f g"]),
            ("/bin/a b'c'\"d\"e ''", &["/bin/a", "bcde", ""]),
            (r#"/bin/a "\"\\\$x" '\'"#, &["/bin/a", r#""\\$x"#, "\\"]),
            (
                "/bin/a $HOME `id` $(id) ; & | > %m *",
                &["/bin/a", "$HOME", "`id`", "$(id)", ";", "&", "|", ">", "%m", "*"],
            ),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
            assert_eq!(Command::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "  ", "a", "bin/a", "'/bin/a", "/bin/a \"b", "/bin/a \\", "''"] {
            assert!(Command::parse(bad).is_none(), "{bad}");
        }
    }
}
