//! Options of `smsync spec`.

use crate::spec::Keywords;
use clap::{ArgAction, Args};
use std::ffi::OsString;
use std::path::PathBuf;

/// Which specification is written, or checked.
#[derive(Debug, Args)]
pub struct Spec {
    /// Keywords, separated by commas; `all` is every one that mtree(8) knows
    #[arg(short = 'k', value_name = "KEYWORDS", value_parser = Keywords::parse)]
    pub keywords: Option<Keywords>,
    /// Keywords besides those
    #[arg(short = 'K', value_name = "KEYWORDS", value_parser = Keywords::parse)]
    pub add: Option<Keywords>,
    /// Keywords that are not to be there
    #[arg(short = 'R', value_name = "KEYWORDS", value_parser = Keywords::parse)]
    pub remove: Option<Keywords>,
    /// Leave out what matches PATTERN, as in rsync(1); may be given several times
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub exclude: Vec<OsString>,
    /// Leave out what matches a pattern in FILE, one a line, as in mtree(8)
    #[arg(short = 'X', value_name = "FILE")]
    pub exclude_file: Vec<PathBuf>,
    /// Directories only
    #[arg(short = 'd')]
    pub directories: bool,
    /// Stay on the file system of the directory
    #[arg(short = 'x', long)]
    pub one_file_system: bool,
    /// Follow symbolic links
    #[arg(short = 'L', overrides_with = "physical")]
    pub logical: bool,
    /// Do not follow symbolic links, which is the default
    #[arg(short = 'P', action = ArgAction::SetTrue, overrides_with = "logical")]
    pub physical: bool,
    /// Write the classic form of mtree(8): a set of values for each directory, and names below it
    #[arg(long)]
    pub classic: bool,
    /// Compare the directory with the specification in FILE, in any dialect: exit 0 equal, 2 different, 1 error
    #[arg(long, value_name = "FILE", conflicts_with_all = ["classic", "keywords", "add", "remove"])]
    pub check: Option<PathBuf>,
    /// The tree
    pub dir: PathBuf,
}
