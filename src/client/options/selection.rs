//! The part of a command line that says what of a tree is meant: rules, which go by their order across options.

use clap::{ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;

/// What of a tree is meant.
#[derive(Debug, Default)]
pub struct Selection {
    /// The rules, and what names files of them, in the order of the command line.
    pub rules: Vec<(RuleOption, OsString)>,
    /// The rest.
    pub given: Given,
}

/// Which option a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleOption {
    /// `--exclude`
    Exclude,
    /// `--include`
    Include,
    /// `--exclude-from`
    ExcludeFrom,
    /// `--include-from`
    IncludeFrom,
    /// `--filter`
    Filter,
    /// `-F`
    Files,
}

/// The options as they are given.
#[derive(Debug, Args, Default)]
pub struct Given {
    /// Leave out what matches PATTERN, as in rsync(1), on both sides
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub exclude: Vec<OsString>,
    /// Take what matches PATTERN though a later rule leaves it out
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub include: Vec<OsString>,
    /// Leave out what matches a pattern in FILE, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub exclude_from: Vec<OsString>,
    /// Take what matches a pattern in FILE
    #[arg(long, value_name = "FILE")]
    pub include_from: Vec<OsString>,
    /// Add a rule of rsync(1): - + . : H S P R ! with modifiers
    #[arg(short = 'f', long, value_name = "RULE", allow_hyphen_values = true)]
    pub filter: Vec<OsString>,
    /// Read the rules in .smsync-filter of each directory; given twice, leave these files out
    #[arg(short = 'F', action = ArgAction::Append, num_args = 0, default_missing_value = "")]
    pub files: Vec<OsString>,
    /// Take only the paths in FILE, one a line, and what is below them; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub files_from: Option<PathBuf>,
    /// Files of patterns, rules and paths are separated by NUL, not by line ends
    #[arg(short = '0', long)]
    pub from0: bool,
    /// Remove excluded names at the destination too; as --delete
    #[arg(long)]
    pub delete_excluded: bool,
}

/// The name of each option that makes rules.
const OPTIONS: [(&str, RuleOption); 6] = [
    ("exclude", RuleOption::Exclude),
    ("include", RuleOption::Include),
    ("exclude_from", RuleOption::ExcludeFrom),
    ("include_from", RuleOption::IncludeFrom),
    ("filter", RuleOption::Filter),
    ("files", RuleOption::Files),
];

impl Selection {
    /// Only `--exclude`, so often.
    #[must_use]
    pub fn excluding(patterns: &[OsString]) -> Selection {
        let rules = patterns.iter().map(|pattern| (RuleOption::Exclude, pattern.clone())).collect();
        Selection { rules, given: Given::default() }
    }
}

impl FromArgMatches for Selection {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Selection, Error> {
        let mut rules = Vec::new();
        for (name, option) in OPTIONS {
            let values = matches.get_many::<OsString>(name).into_iter().flatten().cloned();
            rules.extend(
                matches.indices_of(name).into_iter().flatten().zip(values.map(|text| (option, text))),
            );
        }
        rules.sort_by_key(|(index, _)| *index);
        let rules = rules.into_iter().map(|(_, rule)| rule).collect();
        Ok(Selection { rules, given: Given::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Selection::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Selection {
    fn augment_args(command: Command) -> Command {
        Given::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Given::augment_args_for_update(command)
    }
}
