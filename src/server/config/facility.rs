//! [`Facility`]: what the server's messages are filed under in the system log.

use crate::config::value;
use serde::{Deserialize, Deserializer};

/// A facility of syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// The facilities rsyncd.conf knows, under its names, with their numbers of RFC 5424.
    pub const NAMES: [(&'static str, Facility); 21] = [
        ("kern", Facility(0)),
        ("user", Facility(1)),
        ("mail", Facility(2)),
        ("daemon", Facility(3)),
        ("auth", Facility(4)),
        ("security", Facility(4)),
        ("syslog", Facility(5)),
        ("lpr", Facility(6)),
        ("news", Facility(7)),
        ("uucp", Facility(8)),
        ("cron", Facility(9)),
        ("authpriv", Facility(10)),
        ("ftp", Facility(11)),
        ("local0", Facility(16)),
        ("local1", Facility(17)),
        ("local2", Facility(18)),
        ("local3", Facility(19)),
        ("local4", Facility(20)),
        ("local5", Facility(21)),
        ("local6", Facility(22)),
        ("local7", Facility(23)),
    ];

    /// Its number in RFC 5424, 0 to 23; syslog(3) wants it times eight.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// `daemon`, as rsync has it.
impl Default for Facility {
    fn default() -> Self {
        Facility(3)
    }
}

impl std::fmt::Display for Facility {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(value::name_of(&Facility::NAMES, self))
    }
}

impl<'de> Deserialize<'de> for Facility {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::choice(deserializer, &Facility::NAMES)
    }
}
