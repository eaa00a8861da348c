//! Options of what is said of a transfer.

use clap::Args;
use std::path::PathBuf;

/// What is said, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is said")]
pub struct Output {
    /// List each change in rsync's eleven letters
    #[arg(short = 'i', long)]
    pub itemize_changes: bool,
    /// Write sums of the transfer at the end, as rsync does
    #[arg(long)]
    pub stats: bool,
    /// Show the progress even where nobody seems to look on
    #[arg(long)]
    pub progress: bool,
    /// Append changes, problems and the summary to FILE
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}
