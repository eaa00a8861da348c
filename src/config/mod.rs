//! The language of both programs' configurations, which is rsyncd.conf's: `parameter = value` lines and `[sections]`.
//!
//! A line reader of ours knows comments, continuations and line numbers; serde and `serde_ini` know the parameters.
//! Nothing is passed over: what is unknown, doubled or wrong is an error with its line, and all are found at once.

mod durable;
mod error;
mod feed;
mod include;
mod lines;
mod name;
mod part;
mod rate;
pub mod value;

pub use durable::Durable;
pub use error::{At, ConfigError, ConfigErrors};
pub use lines::{Line, lines};
pub use name::{NameError, check_module, check_user};
pub use rate::{Rate, size};

use feed::{Picked, fill, known, pick};
use part::Part;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// Parameters by their names, and where they stand.
pub type Given = Vec<(&'static str, At)>;

/// One `[section]` of a configuration.
#[derive(Debug)]
pub struct Section<M> {
    /// What stands between the brackets, each run of blanks squeezed to one.
    pub name: String,
    /// Where the header is.
    pub at: At,
    /// Which parameters hold for it, its own and defaults, and where they stand.
    pub given: Given,
    /// Its parameters; none if a value is wrong or missing, which is then among the errors.
    pub values: Option<M>,
    /// Where there are none: those that are right, to see what else is wrong.
    pub partial: Option<Partial<M>>,
}

/// What could be read though something is wrong.
#[derive(Debug)]
pub struct Partial<T> {
    /// With defaults for what is wrong.
    pub value: T,
    /// Which parameters those are.
    pub wrong: Vec<&'static str>,
}

/// Reads a configuration: `G` from the parameters outside of sections, an `M` from every section.
///
/// A parameter of `M` that is not one of `G` may stand outside of sections too, and is then the default of those that
/// follow. Parameters are the fields of the two structures under their serde names. A line `&include PATH` reads another
/// file, or those of a directory; `[global]` leaves the sections.
///
/// The first value is none if a value outside of sections is wrong or missing; the second is which of them were given.
pub fn read<G: DeserializeOwned, M: DeserializeOwned>(
    bytes: &[u8],
    errors: &mut ConfigErrors,
) -> (Option<G>, Given, Vec<Section<M>>) {
    let parts = part::parts(&lines(bytes, At::from(0), errors), 0, errors);
    part::check_doubled(&parts, &mut BTreeMap::new(), errors);
    let (ours, theirs) = (known::<G>(), known::<M>());
    let both = ours.iter().chain(theirs.iter().filter(|name| !ours.contains(name))).copied().collect();
    let mut reading =
        Reading { ours, theirs, both, own: Vec::new(), sections: Vec::new(), errors, _of: PhantomData::<M> };
    reading.parts(&parts, Vec::new());
    let Reading { own, sections, errors, .. } = reading;
    let of = |picked: &[Picked<'_>]| picked.iter().map(|one| (one.name, one.at)).collect::<Given>();
    let given = of(&own);
    let globals = fill(Some(At::from(1)), own, errors).ok();
    let section = |(part, picked): (&part::Section, Vec<_>)| {
        let (name, at, given) = (part.name.clone(), part.at, of(&picked));
        match fill(Some(at), picked, errors) {
            Ok(values) => Section { name, at, given, values: Some(values), partial: None },
            Err(partial) => Section { name, at, given, values: None, partial },
        }
    };
    (globals, given, sections.into_iter().map(section).collect())
}

/// A configuration that is being read.
struct Reading<'r, M> {
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
    both: Vec<&'static str>,
    /// What concerns the whole.
    own: Vec<Picked<'r>>,
    /// The sections, each with all that holds for it.
    sections: Vec<(&'r part::Section, Vec<Picked<'r>>)>,
    errors: &'r mut ConfigErrors,
    _of: PhantomData<M>,
}

impl<'r, M: DeserializeOwned> Reading<'r, M> {
    /// Takes these parts in their order, with the defaults that hold before them.
    fn parts(&mut self, parts: &'r [Part], mut defaults: Vec<Picked<'r>>) {
        for part in parts {
            match part {
                Part::Global(parameters) => self.global(parameters, &mut defaults),
                Part::Included(parts) => self.parts(parts, defaults.clone()),
                Part::Section(section) => {
                    let mut picked = pick(self.theirs, self.ours, &section.parameters, self.errors);
                    let given: Vec<_> = picked.iter().map(|picked| picked.name).collect();
                    picked.extend(defaults.iter().filter(|default| !given.contains(&default.name)));
                    self.sections.push((section, picked));
                }
            }
        }
    }

    fn global(&mut self, parameters: &'r [part::Parameter], defaults: &mut Vec<Picked<'r>>) {
        let picked = pick(&self.both, &[], parameters, self.errors).into_iter();
        let (own, given): (Vec<_>, Vec<_>) = picked.partition(|picked| self.ours.contains(&picked.name));
        for parameter in own {
            match self.own.iter().find(|earlier| earlier.name == parameter.name) {
                Some(first) => {
                    self.errors.doubled(parameter.at, &format!("'{}'", parameter.name), first.at);
                }
                None => self.own.push(parameter),
            }
        }
        // On their own, so that a wrong default is found even where no section takes it.
        let _ = fill::<M>(None, given.clone(), self.errors);
        defaults.retain(|default| !given.iter().any(|given| given.name == default.name));
        defaults.extend(given);
    }
}

#[cfg(test)]
pub(crate) mod mutate;
#[cfg(test)]
mod tests;
