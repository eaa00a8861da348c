//! The language of both programs' configurations, which is rsyncd.conf's: `parameter = value` lines and `[sections]`.
//!
//! A line reader of ours knows comments, continuations and line numbers; serde and `serde_ini` know the parameters.
//! Nothing is passed over: what is unknown, doubled or wrong is an error with its line, and all are found at once.

mod durable;
mod error;
mod feed;
mod lines;
mod name;
mod part;
mod rate;
pub mod value;

pub use durable::Durable;
pub use error::{ConfigError, ConfigErrors};
pub use lines::{Line, lines};
pub use name::{NameError, check_module, check_user};
pub use rate::{Rate, size};

use feed::{fill, known, pick};
use serde::de::DeserializeOwned;

/// One `[section]` of a configuration.
#[derive(Debug)]
pub struct Section<M> {
    /// What stands between the brackets, each run of blanks squeezed to one.
    pub name: String,
    /// The line of the header.
    pub line: usize,
    /// Its parameters; none if a value is wrong or missing, which is then among the errors.
    pub values: Option<M>,
}

/// Reads a configuration: `G` from the parameters before the first section, an `M` from every section.
///
/// A parameter of `M` that is not one of `G` may stand before the first section too, and is then the default of every
/// section. Parameters are the fields of the two structures under their serde names.
///
/// The first value is none if a value before the first section is wrong or missing.
pub fn read<G: DeserializeOwned, M: DeserializeOwned>(
    bytes: &[u8],
    errors: &mut ConfigErrors,
) -> (Option<G>, Vec<Section<M>>) {
    let (global, parts) = part::parts(&lines(bytes, errors), errors);
    let (ours, theirs) = (known::<G>(), known::<M>());
    let both: Vec<_> =
        ours.iter().chain(theirs.iter().filter(|name| !ours.contains(name))).copied().collect();
    let (own, defaults): (Vec<_>, Vec<_>) =
        pick(&both, &global, errors).into_iter().partition(|picked| ours.contains(&picked.name));
    let globals = fill(Some(1), own, errors);
    // On their own, so that a wrong default is found even where no section takes it.
    fill::<M>(None, defaults.clone(), errors);
    let section = |part: part::Part| {
        let mut picked = pick(theirs, &part.parameters, errors);
        let given: Vec<_> = picked.iter().map(|picked| picked.name).collect();
        picked.extend(defaults.iter().filter(|default| !given.contains(&default.name)));
        Section { name: part.name, line: part.line, values: fill(Some(part.line), picked, errors) }
    };
    (globals, parts.into_iter().map(section).collect())
}

#[cfg(test)]
pub(crate) mod mutate;
#[cfg(test)]
mod tests;
