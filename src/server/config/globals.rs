//! What concerns the server as a whole.

use super::say::{self, Said, say};
use super::secrets::Secrets;
use super::{Facility, GroupIds, UserId, identity};
use crate::config::value;
use crate::limits;
use crate::sys::confine::Identity;
use core::net::IpAddr;
use serde::Deserialize;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The parameters outside of sections.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Globals {
    pub(super) secret: Secrets,
    #[serde(rename = "secrets file", deserialize_with = "value::path")]
    /// Further secrets.
    pub secrets_file: Option<PathBuf>,
    /// The TCP port the listener binds.
    #[serde(deserialize_with = "value::port")]
    pub port: u16,
    /// The addresses it binds; all if there is none.
    #[serde(deserialize_with = "value::addresses")]
    pub address: Vec<IpAddr>,
    /// How many connections may wait to be accepted.
    #[serde(rename = "listen backlog", deserialize_with = "backlog")]
    pub listen_backlog: u32,
    /// By when a client must have proven itself.
    #[serde(rename = "handshake timeout", deserialize_with = "handshake")]
    pub handshake_timeout: Duration,
    /// What every client is shown.
    #[serde(rename = "motd file", deserialize_with = "value::path")]
    pub motd_file: Option<PathBuf>,
    /// Whom the process of a connection becomes before it reads from it.
    #[serde(rename = "daemon uid")]
    pub(super) daemon_uid: Option<UserId>,
    /// His groups.
    #[serde(rename = "daemon gid")]
    pub(super) daemon_gid: Option<GroupIds>,
    /// Where the listener writes the number of its process.
    #[serde(rename = "pid file", deserialize_with = "value::path")]
    pub pid_file: Option<PathBuf>,
    /// What its messages are filed under in the system log.
    #[serde(rename = "syslog facility")]
    pub syslog_facility: Facility,
    /// Under which name.
    #[serde(rename = "syslog tag", deserialize_with = "tag")]
    pub syslog_tag: String,
    /// Where messages go instead of the system log.
    #[serde(rename = "log file", deserialize_with = "value::path")]
    pub log_file: Option<PathBuf>,
    /// Where locks and memories are kept, with mode 0700.
    #[serde(rename = "state dir", deserialize_with = "value::path")]
    pub state_dir: PathBuf,
    /// Where metrics are shown for Prometheus.
    #[serde(rename = "metrics file", deserialize_with = "metrics")]
    pub metrics_file: Option<PathBuf>,
    /// Where specifications are spooled, in files without a name.
    #[serde(rename = "spool dir", deserialize_with = "value::path")]
    pub spool_dir: PathBuf,
}

fn backlog<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    value::number(deserializer, 1..=limits::BACKLOG)
}

fn handshake<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    value::number(deserializer, limits::HANDSHAKES).map(|seconds: u32| Duration::from_secs(seconds.into()))
}

/// What a collector passes over would be written for nobody.
fn metrics<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    value::expect(deserializer, "an absolute path that ends in '.prom', as node_exporter reads it", |text| {
        value::read_path(text).filter(|_| text.ends_with(".prom"))
    })
}

/// A word that begins each record: syslogd(8) ends it at a colon, a bracket or a blank.
fn tag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let expected = format!("a word of at most {} letters, digits, '-', '_', '.' or '/'", limits::SYSLOG_TAG);
    value::expect(deserializer, &expected, |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        ((1..=limits::SYSLOG_TAG).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
    })
}

impl Default for Globals {
    fn default() -> Self {
        Globals {
            secret: Secrets::default(),
            secrets_file: None,
            port: limits::PORT,
            address: Vec::new(),
            listen_backlog: limits::BACKLOG,
            handshake_timeout: limits::HANDSHAKE,
            motd_file: None,
            daemon_uid: None,
            daemon_gid: None,
            pid_file: None,
            syslog_facility: Facility::default(),
            syslog_tag: "smsyncd".to_owned(),
            log_file: None,
            state_dir: PathBuf::from("/var/lib/smsyncd"),
            metrics_file: None,
            spool_dir: PathBuf::from("/var/tmp"),
        }
    }
}

impl Globals {
    /// The directory beside the state directory, with `.kept` behind its name, for what no confined session may reach: it
    /// holds the state directory.
    #[must_use]
    pub fn kept_dir(&self) -> PathBuf {
        // Without a slash at its end.
        let mut beside = OsString::from(self.state_dir.components().as_path());
        beside.push(".kept");
        beside.into()
    }

    /// Whom the process of a connection becomes; `None` if it stays who it is.
    ///
    /// # Errors
    /// There is no telling his groups, in words.
    pub fn user(&self) -> Result<Option<Identity>, String> {
        identity(self.daemon_uid.as_ref(), self.daemon_gid.as_ref())
    }

    pub(super) fn said(&self) -> Said {
        let list: Vec<_> = self.address.iter().map(IpAddr::to_string).collect();
        let all = [
            say::maybe("secret", (!self.secret.is_empty()).then_some("(set)")),
            say::path("secrets file", self.secrets_file.as_ref()),
            say("port", self.port),
            say::maybe("address", (!list.is_empty()).then(|| list.join(", ")).as_ref()),
            say("listen backlog", self.listen_backlog),
            say("handshake timeout", self.handshake_timeout.as_secs()),
            say::path("motd file", self.motd_file.as_ref()),
            say::maybe("daemon uid", self.daemon_uid.as_ref()),
            say::maybe("daemon gid", self.daemon_gid.as_ref()),
            say::path("pid file", self.pid_file.as_ref()),
            say("syslog facility", self.syslog_facility),
            say("syslog tag", &self.syslog_tag),
            say::path("log file", self.log_file.as_ref()),
            say::path("state dir", Some(&self.state_dir)),
            say::path("metrics file", self.metrics_file.as_ref()),
            say::path("spool dir", Some(&self.spool_dir)),
        ];
        all.into_iter().flatten().collect()
    }
}
