//! The options that say what may be removed, and what is kept.

use crate::path::RelPath;
use crate::terms::{self, Backup};
use clap::Args;
use std::ffi::OsString;

/// What may be removed, and what is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is removed and kept")]
pub struct Keeping {
    /// Change nothing when more than N names, or N% of them, would be removed
    #[arg(long, value_name = "N[%]", value_parser = terms::Limit::parse)]
    pub max_delete: Option<terms::Limit>,
    /// Remove what is to be removed even if it is much, or if the source looks as if it were not there
    #[arg(long)]
    pub force_delete: bool,
    /// Keep what is replaced or removed, under its name and a suffix
    #[arg(short = 'b', long)]
    pub backup: bool,
    /// Keep it below DIR of the destination instead
    #[arg(long, value_name = "DIR", requires = "backup")]
    pub backup_dir: Option<OsString>,
    /// What stands behind the names of backups; `~` if it is not said, and nothing with --backup-dir
    #[arg(long, value_name = "SUFFIX", requires = "backup", allow_hyphen_values = true)]
    pub suffix: Option<OsString>,
    /// Take files that are in DIR, too, from there, as hard links; DIR is relative to the destination, and it may be given several times
    #[arg(long, value_name = "DIR")]
    pub link_dest: Vec<OsString>,
}

impl Keeping {
    /// As the receiver is told, but for the trees to link from.
    ///
    /// # Errors
    /// What is wrong with an option.
    pub fn terms(&self) -> Result<terms::Keeping, String> {
        Ok(terms::Keeping {
            limit: self.max_delete.unwrap_or_default(),
            force: self.force_delete,
            backup: if self.backup { Some(self.place()?) } else { None },
            link_dest: Vec::new(),
        })
    }

    fn place(&self) -> Result<Backup, String> {
        let dir = match &self.backup_dir {
            None => RelPath::ROOT,
            Some(dir) if dir.as_encoded_bytes().starts_with(b"/") => {
                return Err("--backup-dir: it is below the destination, and does not begin with '/'".into());
            }
            Some(dir) => below(&RelPath::ROOT, dir).map_err(|error| format!("--backup-dir: {error}"))?,
        };
        let usual = if self.backup_dir.is_some() { "" } else { "~" };
        let suffix = self.suffix.as_ref().map_or(usual.as_bytes(), |suffix| suffix.as_encoded_bytes());
        Backup::new(dir, suffix.to_vec()).ok_or_else(|| "--suffix: no name could end so".into())
    }
}

/// The path in a tree to which another leads from `base`; an absolute one begins at the root of the tree.
///
/// # Errors
/// It leads out of the tree, or is no path.
pub fn below(base: &RelPath<'_>, path: &OsString) -> Result<RelPath<'static>, String> {
    let bytes = path.as_encoded_bytes();
    let absolute = bytes.first() == Some(&b'/');
    let mut names: Vec<&[u8]> = if absolute { Vec::new() } else { base.components().collect() };
    for name in bytes.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if names.pop().is_some() => {}
            b".." => return Err(format!("{}: it leads out of the tree", crate::vis::shown(bytes))),
            name => names.push(name),
        }
    }
    let path = names.iter().try_fold(RelPath::ROOT, |path, name| path.join(name));
    path.map_err(|error| format!("{}: {error}", crate::vis::shown(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say_and_not_out() {
        let base = RelPath::new(&b"daily/2"[..]).unwrap();
        for (path, leads) in [
            ("../1", Some("daily/1")),
            ("..", Some("daily")),
            ("../..", Some("")),
            ("../../..", None),
            ("a/./b//c/", Some("daily/2/a/b/c")),
            ("/", Some("")),
            ("/x/../y", Some("y")),
            ("/..", None),
            (".", Some("daily/2")),
        ] {
            let path: OsString = path.into();
            let leads = leads.map(|leads| RelPath::new(leads.as_bytes().to_vec()).unwrap());
            assert_eq!(below(&base, &path).ok(), leads, "{path:?}");
        }
    }
}
