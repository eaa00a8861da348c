//! The command line of smsync.

mod choosing;
mod keeping;
mod output;
mod selection;
mod spec;

pub use choosing::Choosing;
pub use keeping::{Keeping, below};
pub use output::Output;
pub use spec::Spec;

use crate::config::Rate;
use crate::spec::Keywords;
use clap::{ArgAction, Args, Parser, Subcommand};
use core::net::IpAddr;
use std::ffi::OsString;
use std::path::PathBuf;

pub use selection::{RuleOption, Selection};

const EXAMPLES: &str = "\
A remote tree is [user@]host[:port]::module[/path]
or smsync://[user@]host[:port]/module[/path].

Examples:
  Make a secret; put it into smsyncd.conf on the server and
  ~/.config/smsync/smsync.conf here, both mode 0600:
    smsync keygen
  Make a remote module match a directory here, removing what is not here:
    smsync push --delete /srv/www backup::www
  The same from cron, silent unless something is wrong:
    17 3 * * * smsync -q push --delete /srv/www backup::www
  What would it do?
    smsync push -n --delete /srv/www backup::www
  Fetch a tree; look whether two trees are equal, contents too:
    smsync pull backup::www/img ./img
    smsync check -c ./img backup::www/img

The manual is smsync(1); the server is smsyncd(8).";

/// No line is longer than a terminal is wide: what is wrapped twice is hard to read.
const EXITS: &str = "\
Exit codes: 0 in step; 1 done, with problems listed; 2 check: different;
3 done, but source files vanished or kept changing;
4 stopped by a deletion limit; 64 usage; 65 specification;
69 no connection; 70 our bug; 71 the system refused; 74 I/O failed;
75 try again: busy; 76 protocol; 77 refused; 78 configuration.";

/// Replicates file trees, encrypted, exactly, and safely against a kill at any moment.
#[derive(Debug, Parser)]
#[command(name = "smsync", version, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXITS}"), max_term_width = 110)]
pub struct Options {
    /// Configuration file
    #[arg(short = 'C', value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Say what is done with each path and why, and a summary; twice, each step
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Say nothing but what is wrong
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,
    /// Write events and the summary as JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a remote tree match a tree here
    Push(Transfer),
    /// Make a tree here match a remote tree
    Pull(Transfer),
    /// Compare a tree here with a remote one: exit 0 equal, 2 different
    Check(Check),
    /// Name the modules that a server offers
    List {
        /// The server.
        #[arg(value_name = "HOST[:PORT]", help = "The server: [user@]host[:port]")]
        host: String,
        /// How the server is reached
        #[command(flatten)]
        network: Network,
    },
    /// Write the specification of a tree, as mtree(8) reads it, or compare a tree with one
    Spec(Spec),
    /// Make a new secret
    Keygen,
}

/// What is compared, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is compared")]
pub struct Comparison {
    /// Compare contents, not only size and time
    #[arg(short = 'c', long)]
    pub checksum: bool,
    /// Carry and compare these keywords instead of all that can be replicated
    #[arg(short = 'k', value_name = "KEYWORDS", value_parser = Keywords::parse)]
    pub keywords: Option<Keywords>,
    /// Carry and compare these keywords too (sha256, md5, …)
    #[arg(short = 'K', value_name = "KEYWORDS", value_parser = Keywords::parse)]
    pub add: Option<Keywords>,
    /// Leave these keywords out (xattr, uname, …)
    #[arg(short = 'R', value_name = "KEYWORDS", value_parser = Keywords::parse)]
    pub remove: Option<Keywords>,
    /// Take the specification of what is here from FILE, in any dialect of mtree(5); `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub spec: Option<PathBuf>,
    /// What of the trees is meant
    #[command(flatten)]
    pub selection: Selection,
}

/// A rate, or none: by its own name, since an option that may have no value is something else.
type Limit = Option<Rate>;

/// Reads a number of seconds.
fn seconds(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "a whole number of seconds is wanted")
}

/// The same where none make no sense.
fn some_seconds(text: &str) -> Result<u32, &'static str> {
    seconds(text)
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or("a whole number of seconds, at least 1, is wanted")
}

/// How the server is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Network {
    /// Give up when the server is silent for SECONDS (0: never)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<u32>,
    /// Give up when there is no connection within SECONDS
    #[arg(long, value_name = "SECONDS", value_parser = some_seconds)]
    pub contimeout: Option<u32>,
    /// Send and take no more than RATE (KiB a second, or with a suffix K M G) a second; 0 is no limit
    #[arg(long, value_name = "RATE", value_parser = Rate::parse, default_value = "0", hide_default_value = true)]
    pub bwlimit: Limit,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Connect from this address of this host
    #[arg(long, value_name = "ADDR")]
    pub address: Option<IpAddr>,
    /// Do not show the server's message of the day
    #[arg(long)]
    pub no_motd: bool,
}

/// Push or pull.
#[derive(Debug, Args)]
pub struct Transfer {
    /// Change nothing; say what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Remove what the source does not have, when everything else worked
    #[arg(long)]
    pub delete: bool,
    /// What may be removed, and what is kept
    #[command(flatten)]
    pub keeping: Keeping,
    /// Remove files from the source that have arrived, when everything worked
    #[arg(long)]
    pub remove_source_files: bool,
    /// Of large files that are there send only what differs, however fast the connection is
    #[arg(long, alias = "no-whole-file", conflicts_with = "whole_file")]
    pub delta: bool,
    /// Send files whole that differ
    #[arg(short = 'W', long)]
    pub whole_file: bool,
    /// Send contents compressed where that makes them smaller
    #[arg(short = 'z', long)]
    pub compress: bool,
    /// What is said of it
    #[command(flatten)]
    pub output: Output,
    /// What is compared
    #[command(flatten)]
    pub comparison: Comparison,
    /// Which differences count
    #[command(flatten)]
    pub choosing: Choosing,
    /// How the server is reached
    #[command(flatten)]
    pub network: Network,
    /// What to send: one directory (its contents), or files and directories, each under its last name
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<OsString>,
    /// The directory that is to match; a last component that is missing is made
    #[arg(value_name = "DEST")]
    pub dest: OsString,
}

/// Check.
#[derive(Debug, Args)]
pub struct Check {
    /// What is compared
    #[command(flatten)]
    pub comparison: Comparison,
    /// Which differences count
    #[command(flatten)]
    pub choosing: Choosing,
    /// How the server is reached
    #[command(flatten)]
    pub network: Network,
    /// What is to be there
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<OsString>,
    /// What is there
    #[arg(value_name = "DEST")]
    pub dest: OsString,
}
