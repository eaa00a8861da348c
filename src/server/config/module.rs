//! One tree the server offers.

use super::hosts::{Caller, Hosts, admits};
use super::log_format::LogFormat;
use super::rules::{self, Patterns};
use super::say::{self, Said, say};
use super::users::{Access, AuthUsers};
use super::{Command, GroupIds, Sandbox, UserId};
use crate::config::{Durable, Rate, value};
use crate::limits;
use crate::path::{Fence, Pattern, RelPath, Rule};
use crate::sys::confine::Identity;
use crate::terms::{Capabilities, Capability, Chmod, Limit, Policy};
use serde::{Deserialize, Deserializer};
use std::path::PathBuf;
use std::time::Duration;

/// The parameters of a section. They may stand outside of sections too, as defaults of all modules that follow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Module {
    /// What a client asks for.
    #[serde(skip)]
    pub name: String,
    /// The root of the tree.
    #[serde(deserialize_with = "value::path")]
    pub path: PathBuf,
    /// What a listing says of it.
    #[serde(default, deserialize_with = "value::text")]
    pub comment: String,
    /// Whether pushes are refused.
    #[serde(default = "yes", rename = "read only", deserialize_with = "value::yes_no")]
    pub read_only: bool,
    /// Whether pulls are refused.
    #[serde(default, rename = "write only", deserialize_with = "value::yes_no")]
    pub write_only: bool,
    /// Whether a listing names it.
    #[serde(default = "yes", deserialize_with = "value::yes_no")]
    pub list: bool,
    #[serde(default, rename = "auth users")]
    pub(super) auth_users: Option<AuthUsers>,
    #[serde(default, rename = "hosts allow")]
    pub(super) hosts_allow: Option<Hosts>,
    #[serde(default, rename = "hosts deny")]
    pub(super) hosts_deny: Option<Hosts>,
    #[serde(default, rename = "reverse lookup", deserialize_with = "value::yes_no")]
    pub(super) reverse_lookup: bool,
    /// A connection on which nothing arrives for this long is given up; never, without one (`0`).
    #[serde(default = "idle", deserialize_with = "value::seconds")]
    pub timeout: Option<Duration>,
    /// What must be in the tree, or nothing is done in it.
    #[serde(default, rename = "require marker", deserialize_with = "value::below")]
    pub require_marker: Option<RelPath<'static>>,
    #[serde(default)]
    pub(super) exclude: Option<Patterns<false>>,
    #[serde(default)]
    pub(super) include: Option<Patterns<true>>,
    #[serde(default, rename = "exclude from", deserialize_with = "value::path")]
    pub(super) exclude_from: Option<PathBuf>,
    #[serde(default, rename = "include from", deserialize_with = "value::path")]
    pub(super) include_from: Option<PathBuf>,
    #[serde(default, rename = "incoming chmod", deserialize_with = "chmod")]
    pub(super) incoming_chmod: Chmod,
    #[serde(default, rename = "outgoing chmod", deserialize_with = "chmod")]
    pub(super) outgoing_chmod: Chmod,
    #[serde(default, rename = "numeric ids", deserialize_with = "value::yes_no")]
    pub(super) numeric_ids: bool,
    #[serde(default, rename = "munge symlinks", deserialize_with = "value::yes_no")]
    pub(super) munge_symlinks: bool,
    #[serde(default, rename = "refuse options", deserialize_with = "capabilities")]
    pub(super) refuse_options: Capabilities,
    #[serde(default, rename = "dont compress", deserialize_with = "names")]
    pub(super) dont_compress: Vec<Pattern>,
    #[serde(default, rename = "ignore nonreadable", deserialize_with = "value::yes_no")]
    pub(super) ignore_nonreadable: bool,
    /// Whether reading a file is to leave its time of access alone.
    #[serde(default, rename = "open noatime", deserialize_with = "value::yes_no")]
    pub open_noatime: bool,
    #[serde(default, rename = "max delete", deserialize_with = "most")]
    pub(super) max_delete: Option<Limit>,
    #[serde(default, rename = "max file size", deserialize_with = "size")]
    pub(super) max_file_size: Option<u64>,
    #[serde(default, rename = "max files", deserialize_with = "value::count")]
    pub(super) max_files: u32,
    /// Whether each file is logged.
    #[serde(default, rename = "transfer logging", deserialize_with = "value::yes_no")]
    pub transfer_logging: bool,
    /// In which form.
    #[serde(default, rename = "log format")]
    pub log_format: LogFormat,
    /// Whether it has rules by which paths are not there.
    #[serde(skip)]
    pub excludes: bool,
    /// Under which conditions its tree is offered.
    #[serde(skip)]
    pub policy: Policy,
    /// Where its sessions log, instead of where the others do.
    #[serde(default, rename = "log file", deserialize_with = "value::path")]
    pub log_file: Option<PathBuf>,
    /// How hard it is flushed.
    #[serde(default)]
    pub durable: Durable,
    /// How many old versions of each file are kept.
    #[serde(default, rename = "keep versions", deserialize_with = "value::count")]
    pub keep_versions: u32,
    /// How many connections may have it open at once: any number for 0, and none for a negative number.
    #[serde(default, rename = "max connections", deserialize_with = "value::integer")]
    pub max_connections: i32,
    /// The file in which they are counted; modules that name the same one share its places.
    #[serde(default, rename = "lock file", deserialize_with = "value::path")]
    pub lock_file: Option<PathBuf>,
    /// How much is read and written in a second at most by each connection.
    #[serde(default, deserialize_with = "value::rate")]
    pub bandwidth: Option<Rate>,
    /// Whom a connection becomes.
    #[serde(default)]
    pub uid: Option<UserId>,
    /// His groups.
    #[serde(default)]
    pub gid: Option<GroupIds>,
    /// Whether the tree becomes the root of its process; if root starts it, unless switched off.
    #[serde(default, rename = "use chroot", deserialize_with = "value::yes_no")]
    pub use_chroot: Option<bool>,
    /// How much of the confinement must be had.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// What is run before the first round.
    #[serde(default, rename = "pre-xfer exec")]
    pub before: Option<Command>,
    /// What is run after the last.
    #[serde(default, rename = "post-xfer exec")]
    pub after: Option<Command>,
}

/// Changes of modes, where nobody is named by the mask that most people have.
fn chmod<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Chmod, D::Error> {
    value::list(deserializer, "a list of changes of modes, as D755,F644 or go-w", |text| {
        Chmod::new(text.as_bytes(), 0o022)
    })
}

fn capabilities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Capabilities, D::Error> {
    let known: Vec<_> = Capability::NAMES.iter().map(|(name, ..)| *name).collect();
    let expected = format!("a list of {} or wildcards, each perhaps with '!' before it", known.join(", "));
    value::list(deserializer, &expected, Capabilities::parse)
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pattern>, D::Error> {
    value::list(deserializer, "a list of names or wildcards, as *.gz", |text| {
        let each = text.split_whitespace().map(|word| Pattern::new(word.to_ascii_lowercase().as_bytes()));
        each.collect::<Option<Vec<_>>>()
    })
}

fn most<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Limit>, D::Error> {
    value::expect(deserializer, "a number, or a percentage up to 100%", |text| Limit::parse(text).ok())
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    value::expect(deserializer, "a size as 100M, or 0", |text| {
        crate::config::size(text, 1).ok().flatten().map(|size| Some(size).filter(|size| *size > 0))
    })
}

/// The default of what is on unless it is switched off.
fn yes() -> bool {
    true
}

fn idle() -> Option<Duration> {
    Some(limits::IDLE)
}

impl Default for Module {
    fn default() -> Self {
        Module {
            name: String::new(),
            path: PathBuf::new(),
            comment: String::new(),
            read_only: true,
            write_only: false,
            list: true,
            auth_users: None,
            hosts_allow: None,
            hosts_deny: None,
            reverse_lookup: false,
            timeout: idle(),
            require_marker: None,
            exclude: None,
            include: None,
            exclude_from: None,
            include_from: None,
            incoming_chmod: Chmod::default(),
            outgoing_chmod: Chmod::default(),
            numeric_ids: false,
            munge_symlinks: false,
            refuse_options: Capabilities::default(),
            dont_compress: Vec::new(),
            ignore_nonreadable: false,
            open_noatime: false,
            max_delete: None,
            max_file_size: None,
            max_files: 0,
            transfer_logging: false,
            log_format: LogFormat::default(),
            log_file: None,
            excludes: false,
            policy: Policy::default(),
            durable: Durable::default(),
            keep_versions: 0,
            max_connections: 0,
            lock_file: None,
            bandwidth: None,
            uid: None,
            gid: None,
            use_chroot: None,
            sandbox: Sandbox::default(),
            before: None,
            after: None,
        }
    }
}

impl Module {
    /// Gives it its name and the conditions that its parameters make. Says what is wrong with all of them together, each
    /// with its parameter.
    pub(super) fn complete(&mut self, name: String) -> Vec<(&'static str, String)> {
        self.name = name;
        let mut faults = self.names_without_lookup();
        let files = [("include from", &self.include_from), ("exclude from", &self.exclude_from)];
        let [included, excluded] = files.map(|(parameter, path)| {
            let read = path.as_ref().map(|path| rules::from_file(path, parameter == "include from"));
            read.unwrap_or_else(|| Ok(Vec::new())).unwrap_or_else(|error| {
                faults.push((parameter, error));
                Vec::new()
            })
        });
        let include = self.include.iter().flat_map(Patterns::rules).cloned();
        let exclude = self.exclude.iter().flat_map(Patterns::rules).cloned();
        // The order of rsyncd.conf(5).
        let all: Vec<Rule> = included.into_iter().chain(include).chain(excluded).chain(exclude).collect();
        self.excludes = !all.is_empty();
        let marker = self.require_marker.as_ref().and_then(rules::only);
        self.policy = Policy {
            fence: Fence::new(marker.into_iter().chain(all).collect()),
            incoming: self.incoming_chmod.clone(),
            outgoing: self.outgoing_chmod.clone(),
            numeric_ids: self.numeric_ids,
            munge_links: self.munge_symlinks,
            max_file_size: self.max_file_size,
            max_files: Some(self.max_files).filter(|most| *most > 0),
            max_delete: self.max_delete,
            refused: self.refuse_options,
            dont_compress: self.dont_compress.clone(),
            ignore_nonreadable: self.ignore_nonreadable,
        };
        faults
    }

    /// What of it cannot be when this user serves every connection.
    pub(super) fn conflict(&self, user: &Identity) -> Option<&'static str> {
        match super::identity(self.uid.as_ref(), self.gid.as_ref()) {
            Ok(Some(own)) if own != *user => {
                Some("with 'daemon uid' or 'daemon gid' a module can have no other 'uid' or 'gid'")
            }
            _ if user.uid != 0 && self.use_chroot == Some(true) => {
                Some("'use chroot' takes root, and 'daemon uid' names another user")
            }
            _ => None,
        }
    }

    fn names_without_lookup(&self) -> Vec<(&'static str, String)> {
        let lists = [("hosts allow", &self.hosts_allow), ("hosts deny", &self.hosts_deny)];
        let lists = lists.into_iter().filter(|_| !self.reverse_lookup);
        let named = lists.filter_map(|(parameter, hosts)| Some((parameter, hosts.as_ref()?.names_said()?)));
        let fault = |names| format!("names are known only with 'reverse lookup = yes': {names}");
        named.map(|(parameter, names)| (parameter, fault(names))).collect()
    }

    /// Whether there is anybody who may push to it.
    #[must_use]
    pub fn takes_pushes(&self) -> bool {
        self.auth_users.as_ref().map_or(!self.read_only, |users| users.lets_write(!self.read_only))
    }

    /// Whether nobody gets in.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.max_connections < 0
    }

    /// Whether it goes by the names of hosts.
    #[must_use]
    pub fn names_hosts(&self) -> bool {
        [&self.hosts_allow, &self.hosts_deny].into_iter().flatten().any(Hosts::has_names)
    }

    /// What a user may do who calls from there. `is_member` tells whether a user of this host is in a group.
    #[must_use]
    pub fn access(&self, user: &str, caller: &Caller<'_>, is_member: &dyn Fn(&str, &str) -> bool) -> Access {
        if !admits(self.hosts_allow.as_ref(), self.hosts_deny.as_ref(), caller) {
            return Access::Denied;
        }
        self.auth_users.as_ref().map_or(Access::AsSaid, |users| users.access(user, is_member))
    }

    pub(super) fn said(&self) -> Said {
        let patterns: Vec<&[u8]> = self.dont_compress.iter().map(Pattern::text).collect();
        let all = [
            say::path("path", Some(&self.path)),
            say::maybe("comment", Some(&self.comment).filter(|comment| !comment.is_empty())),
            say::yes_no("read only", self.read_only),
            say::yes_no("write only", self.write_only),
            say::yes_no("list", self.list),
            say::maybe("auth users", self.auth_users.as_ref()),
            say::maybe("hosts allow", self.hosts_allow.as_ref()),
            say::maybe("hosts deny", self.hosts_deny.as_ref()),
            say::yes_no("reverse lookup", self.reverse_lookup),
            say("timeout", self.timeout.map_or(0, |limit| limit.as_secs())),
            say::maybe("require marker", self.require_marker.as_ref()),
            say::maybe("exclude", self.exclude.as_ref()),
            say::maybe("include", self.include.as_ref()),
            say::path("exclude from", self.exclude_from.as_ref()),
            say::path("include from", self.include_from.as_ref()),
            say::text("incoming chmod", self.incoming_chmod.text()),
            say::text("outgoing chmod", self.outgoing_chmod.text()),
            say::yes_no("numeric ids", self.numeric_ids),
            say::yes_no("munge symlinks", self.munge_symlinks),
            say::text("refuse options", self.refuse_options.to_string().as_bytes()),
            say::text("dont compress", &patterns.join(&b' ')),
            say::yes_no("ignore nonreadable", self.ignore_nonreadable),
            say::yes_no("open noatime", self.open_noatime),
            say::maybe("max delete", self.max_delete.as_ref()),
            say("max file size", format!("{}", self.max_file_size.unwrap_or(0))),
            say("max files", self.max_files),
            say::yes_no("transfer logging", self.transfer_logging),
            say("log format", &self.log_format),
            say::path("log file", self.log_file.as_ref()),
            say("durable", self.durable),
            say("keep versions", self.keep_versions),
            say("max connections", self.max_connections),
            say::path("lock file", self.lock_file.as_ref()),
            say::maybe("bandwidth", self.bandwidth.as_ref()).or(say("bandwidth", 0)),
            say::maybe("uid", self.uid.as_ref()),
            say::maybe("gid", self.gid.as_ref()),
            self.use_chroot.and_then(|on| say::yes_no("use chroot", on)),
            say("sandbox", self.sandbox),
            say::maybe("pre-xfer exec", self.before.as_ref()),
            say::maybe("post-xfer exec", self.after.as_ref()),
        ];
        all.into_iter().flatten().collect()
    }
}
