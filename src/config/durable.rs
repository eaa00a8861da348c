//! [`Durable`]: how a receiver makes sure that what it installed survives a power cut.

use super::value;
use serde::{Deserialize, Deserializer};

/// The flush policy of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durable {
    /// The whole file system before the renames, and once after; a few files one by one.
    #[default]
    Batch,
    /// Every file by itself.
    File,
    /// Whenever the kernel likes.
    None,
}

impl Durable {
    /// The policies under the names a configuration has for them.
    pub const NAMES: [(&'static str, Durable); 3] =
        [("batch", Durable::Batch), ("file", Durable::File), ("none", Durable::None)];
}

impl std::fmt::Display for Durable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(value::name_of(&Durable::NAMES, self))
    }
}

impl<'de> Deserialize<'de> for Durable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::choice(deserializer, &Durable::NAMES)
    }
}
