//! The part of a command line that says what of a tree is meant: rules, which go by their order across options.

use crate::config;
use crate::limits;
use crate::terms::Taking;
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
#[command(next_help_heading = "What is taken")]
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
    /// Stay on the file system of the source: what is mounted below is left alone
    #[arg(short = 'x', long)]
    pub one_file_system: bool,
    /// Leave alone files larger than SIZE (suffixes K M G T P, KB MB …, as in rsync(1))
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_size: Option<u64>,
    /// Leave alone files smaller than SIZE
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub min_size: Option<u64>,
    /// Send what symbolic links lead to, instead of the links
    #[arg(short = 'L', long)]
    pub copy_links: bool,
    /// Do so for links that lead out of the source
    #[arg(long)]
    pub copy_unsafe_links: bool,
    /// Leave alone links that lead out of the source
    #[arg(long)]
    pub safe_links: bool,
    /// Take symbolic links to directories for directories
    #[arg(long)]
    pub copy_dirlinks: bool,
    /// Remove excluded names at the destination too; as --delete
    #[arg(long)]
    pub delete_excluded: bool,
}

impl Given {
    /// What of its tree the sender is to take.
    #[must_use]
    pub fn taking(&self) -> Taking {
        let choices = [
            (self.one_file_system, Taking::ONE_FILE_SYSTEM),
            (self.copy_links, Taking::COPY_LINKS),
            (self.copy_unsafe_links, Taking::COPY_UNSAFE_LINKS),
            (self.safe_links, Taking::SAFE_LINKS),
            (self.copy_dirlinks, Taking::COPY_DIRLINKS),
        ];
        let chosen = choices.iter().filter(|(given, _)| *given).map(|(_, choice)| choice);
        let (min, max) = (self.min_size.unwrap_or(0), self.max_size.unwrap_or(u64::MAX));
        Taking::new(chosen.sum(), min, max).unwrap_or_default()
    }
}

/// Reads the size of a file.
fn size(text: &str) -> Result<u64, String> {
    config::size(text, 1)?
        .filter(|bytes| *bytes <= limits::FILE_SIZE)
        .ok_or_else(|| "no file is so large, or smaller than nothing".to_owned())
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
