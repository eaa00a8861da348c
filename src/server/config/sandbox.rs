//! [`Sandbox`]: how much of the confinement of a connection must be had.

use crate::config::value;
use serde::{Deserialize, Deserializer};

/// Whether a connection confines itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// It does, or is refused.
    #[default]
    Require,
    /// It does as far as it can, and warns.
    Prefer,
    /// It does not.
    Off,
}

impl Sandbox {
    const NAMES: [(&'static str, Sandbox); 3] =
        [("require", Sandbox::Require), ("prefer", Sandbox::Prefer), ("off", Sandbox::Off)];
}

impl std::fmt::Display for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(value::name_of(&Sandbox::NAMES, self))
    }
}

impl<'de> Deserialize<'de> for Sandbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::choice(deserializer, &Sandbox::NAMES)
    }
}
