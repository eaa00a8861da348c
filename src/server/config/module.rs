//! One tree the server offers.

use super::hosts::{Caller, Hosts, admits};
use super::say::{self, Said, say};
use super::users::{Access, AuthUsers};
use crate::config::{Durable, Rate, value};
use crate::limits;
use crate::path::RelPath;
use serde::Deserialize;
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
    /// How hard it is flushed.
    #[serde(default)]
    pub durable: Durable,
    /// How many old versions of each file are kept.
    #[serde(default, rename = "keep versions", deserialize_with = "value::count")]
    pub keep_versions: u32,
    /// How much is read and written in a second at most by each connection.
    #[serde(default, deserialize_with = "value::rate")]
    pub bandwidth: Option<Rate>,
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
            durable: Durable::default(),
            keep_versions: 0,
            bandwidth: None,
        }
    }
}

impl Module {
    pub(super) fn named(self, name: String) -> Module {
        Module { name, ..self }
    }

    /// What is wrong with all of it together, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let has_names = |hosts: &Option<Hosts>| hosts.as_ref().is_some_and(Hosts::has_names);
        if !self.reverse_lookup && (has_names(&self.hosts_allow) || has_names(&self.hosts_deny)) {
            return Some("'hosts allow' and 'hosts deny' know names only with 'reverse lookup = yes'");
        }
        None
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
            say("durable", self.durable),
            say("keep versions", self.keep_versions),
            say::maybe("bandwidth", self.bandwidth.as_ref()).or(say("bandwidth", 0)),
        ];
        all.into_iter().flatten().collect()
    }
}
