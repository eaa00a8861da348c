//! The filter of a round, from the command line and the files that it names.

use crate::client::failure::{Failure, system};
use crate::client::options::{RuleOption, Selection};
use crate::exit::Exit;
use crate::limits;
use crate::path::rule::{RuleError, Said, plain, rule, texts};
use crate::path::{Filter, Item, Traits};
use crate::sys;
use crate::vis::shown;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The file that `-F` looks for in each directory.
const FILE: &[u8] = b".smsync-filter";

/// Files of rules name others no deeper than this: a file that names itself ends here.
const DEPTH: usize = 32;

/// The rules of a command line.
pub(super) fn filter(selection: &Selection) -> Result<Filter, Failure> {
    // With --delete-excluded, what says nothing else is for the sender only: the receiver protects nothing by it.
    let sides = if selection.given.delete_excluded { Traits::SENDER } else { Traits::BOTH };
    let traits = if selection.given.from0 { sides.and(Traits::NULS) } else { sides };
    let mut rules = Rules { items: Vec::new() };
    let mut files = 0;
    for (option, text) in &selection.rules {
        let bytes = text.as_bytes();
        let said = match option {
            RuleOption::Exclude => plain(bytes, traits),
            RuleOption::Include => plain(bytes, traits.and(Traits::INCLUDE)),
            RuleOption::Filter => rule(bytes, traits),
            RuleOption::ExcludeFrom => {
                rules.file(text, traits, plain, 0)?;
                continue;
            }
            RuleOption::IncludeFrom => {
                rules.file(text, traits.and(Traits::INCLUDE), plain, 0)?;
                continue;
            }
            RuleOption::Files => {
                files += 1;
                let item = match files {
                    1 => Item::new(traits.and(Traits::FILE), FILE),
                    2 => Item::new(sides, FILE),
                    _ => None,
                };
                Ok(item.into_iter().map(Said::Item).collect())
            }
        };
        let name = match option {
            RuleOption::Exclude => "--exclude",
            RuleOption::Include => "--include",
            _ => "--filter",
        };
        let said = said.map_err(|error| {
            Failure::new(Exit::Usage, format_args!("{name} '{}': {error}", shown(text.as_bytes())))
        })?;
        rules.take(said, 0)?;
    }
    if rules.items.len() > limits::SCOPE {
        return Err(Failure::new(Exit::Usage, format_args!("more than {} filter rules", limits::SCOPE)));
    }
    Ok(Filter::new(rules.items))
}

struct Rules {
    items: Vec<Item>,
}

type Read = for<'t> fn(&'t [u8], Traits) -> Result<Vec<Said<'t>>, RuleError>;

impl Rules {
    fn take(&mut self, said: Vec<Said<'_>>, depth: usize) -> Result<(), Failure> {
        for said in said {
            match said {
                Said::Item(item) => self.items.push(item),
                Said::Clear => self.items.clear(),
                Said::Merge(traits, name) => self.file(OsStr::from_bytes(name), traits, rule, depth)?,
            }
        }
        Ok(())
    }

    /// Takes the rules of a file.
    fn file(&mut self, file: &OsStr, traits: Traits, read: Read, depth: usize) -> Result<(), Failure> {
        let name = shown(file.as_bytes());
        if depth == DEPTH {
            return Err(Failure::new(Exit::Usage, "files of rules name each other too deep").about(name));
        }
        let text = sys::read_input(Path::new(file), limits::CONFIG)
            .map_err(|error| system(Exit::Io, &name, &error))?;
        for (line, text) in texts(&text, traits) {
            let said = read(text, traits)
                .map_err(|error| Failure::new(Exit::Usage, format_args!("{name}, line {line}: {error}")))?;
            self.take(said, depth + 1)?;
        }
        Ok(())
    }
}

/// Bytes of the rules on the wire.
pub(super) fn bytes(filter: &Filter) -> usize {
    filter.items().iter().map(|item| item.text().len() + 4).sum()
}

/// The selection of `smsync spec`, which has `--exclude` only.
pub(super) fn excluding(patterns: &[OsString]) -> Result<Filter, Failure> {
    filter(&Selection::excluding(patterns))
}
