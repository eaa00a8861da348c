//! The options that say what may be removed, and what is kept.

use crate::terms;
use clap::Args;

/// What may be removed, and what is kept.
#[derive(Debug, Args)]
pub struct Keeping {
    /// Change nothing when more than N names, or N% of them, would be removed
    #[arg(long, value_name = "N[%]", value_parser = terms::Limit::parse)]
    pub max_delete: Option<terms::Limit>,
    /// Remove what is to be removed even if it is much, or if the source looks as if it were not there
    #[arg(long)]
    pub force_delete: bool,
}

impl Keeping {
    /// As the receiver is told.
    #[must_use]
    pub fn terms(&self) -> terms::Keeping {
        terms::Keeping {
            limit: self.max_delete.unwrap_or_default(),
            force: self.force_delete,
            ..terms::Keeping::default()
        }
    }
}
