//! Decides on paper: what must be done to make one tree like another. Opens nothing.

mod changes;
mod compare;
mod links;
mod merge;
mod moves;
mod owners;
mod protect;

pub use changes::Outcome;
pub use compare::{Action, Because, Plan, PlanStep, Rules, compare, differences};
pub use merge::{Merge, Met};
pub use moves::{Moves, Pair};
pub use owners::{Lookup, Owners};

#[cfg(test)]
mod tests;
