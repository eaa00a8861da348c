//! Options that choose which differences count, and in what guise the source arrives.

use crate::client::failure::Failure;
use crate::exit::Exit;
use crate::sys;
use crate::terms::{Chmod, Comparison, Guise, OwnerMap, Quick};
use clap::Args;
use std::ffi::{OsStr, OsString};

/// Which differences count, and who is to own what, with which mode.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is made and changed")]
pub struct Choosing {
    /// Make nothing that is not there
    #[arg(long)]
    pub existing: bool,
    /// Touch nothing that is there, but directories
    #[arg(long)]
    pub ignore_existing: bool,
    /// Leave files alone that are newer at the destination
    #[arg(short, long)]
    pub update: bool,
    /// Take files of the same size to be equal, whatever their times
    #[arg(long, conflicts_with = "ignore_times")]
    pub size_only: bool,
    /// Take no file to be equal by its size and time
    #[arg(short = 'I', long)]
    pub ignore_times: bool,
    /// Take times to be equal that differ by so many whole seconds
    #[arg(long, value_name = "SECONDS", value_parser = super::seconds, default_value = "0", hide_default_value = true)]
    pub modify_window: u32,
    /// Go by the numbers of users and groups, not by their names
    #[arg(long)]
    pub numeric_ids: bool,
    /// Give to user TO what FROM owns: names, ids, ranges LOW-HIGH, `*`
    #[arg(long, value_name = "FROM:TO,…")]
    pub usermap: Option<OsString>,
    /// Give to group TO what belongs to FROM, likewise
    #[arg(long, value_name = "FROM:TO,…")]
    pub groupmap: Option<OsString>,
    /// Give everything to this user and group; either may be left out
    #[arg(long, value_name = "USER:GROUP", conflicts_with_all = ["usermap", "groupmap"])]
    pub chown: Option<OsString>,
    /// Of a given specification take only what has one of these tags; leave other files alone
    #[arg(long, value_name = "TAGS", requires = "spec", value_delimiter = ',')]
    pub tags: Vec<OsString>,
    /// Leave files alone that have one of these tags
    #[arg(long, value_name = "TAGS", requires = "spec", value_delimiter = ',')]
    pub exclude_tags: Vec<OsString>,
    /// Change modes as in rsync(1): D2775,F664 or Fgo-w,+X; may be given several times
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub chmod: Vec<OsString>,
}

fn wrong(option: &str, text: &OsStr, why: &str) -> Failure {
    let text = crate::vis::shown(text.as_encoded_bytes());
    Failure::new(Exit::Usage, format_args!("{option} '{text}': {why}"))
}

impl Choosing {
    /// Which differences count.
    pub(in crate::client) fn comparison(&self) -> Comparison {
        let quick = match (self.size_only, self.ignore_times) {
            (true, _) => Quick::Size,
            (_, true) => Quick::Never,
            _ => Quick::SizeAndTime,
        };
        Comparison {
            existing: self.existing,
            ignore_existing: self.ignore_existing,
            update: self.update,
            quick,
            window: self.modify_window,
        }
    }

    /// Whether these tags of a given specification select an entry, as mtree(8) has it.
    pub(in crate::client) fn selects<'t>(&self, tags: impl Iterator<Item = &'t [u8]>) -> bool {
        let has = |list: &[OsString], tag: &[u8]| list.iter().any(|of| of.as_encoded_bytes() == tag);
        let (mut selected, mut excluded) = (self.tags.is_empty(), false);
        for tag in tags {
            selected = selected || has(&self.tags, tag);
            excluded = excluded || has(&self.exclude_tags, tag);
        }
        selected && !excluded
    }

    /// In what guise the source arrives.
    pub(in crate::client) fn guise(&self) -> Result<Guise, Failure> {
        let map = |option, text: &Option<OsString>| match text {
            None => Ok(OwnerMap::default()),
            Some(text) => OwnerMap::new(text.as_encoded_bytes())
                .filter(|map| !map.is_empty())
                .ok_or_else(|| wrong(option, text, "no list of FROM:TO")),
        };
        let (mut users, mut groups) = (map("--usermap", &self.usermap)?, map("--groupmap", &self.groupmap)?);
        if let Some(text) = &self.chown {
            let everybody = |to: &[u8]| match to {
                [] => Ok(OwnerMap::default()),
                to => OwnerMap::everybody(to).ok_or_else(|| wrong("--chown", text, "no USER:GROUP")),
            };
            let mut parts = text.as_encoded_bytes().splitn(2, |&byte| byte == b':');
            users = everybody(parts.next().unwrap_or_default())?;
            groups = everybody(parts.next().unwrap_or_default())?;
        }
        let umask = sys::process::umask();
        for text in &self.chmod {
            let list = Chmod::new(text.as_encoded_bytes(), umask).filter(|list| !list.is_empty());
            list.ok_or_else(|| wrong("--chmod", text, "no list of modes"))?;
        }
        let lists: Vec<&[u8]> = self.chmod.iter().map(|text| text.as_encoded_bytes()).collect();
        let chmod = Chmod::new(&lists.join(&b','), umask)
            .ok_or_else(|| Failure::new(Exit::Usage, "the lists of --chmod are too long together"))?;
        Ok(Guise { users, groups, chmod })
    }
}
