//! Decides on paper: what must be done to make one tree like another. Opens nothing.

mod compare;
mod links;
mod merge;

pub use compare::{Action, Because, Owners, Plan, PlanStep, compare};
pub use merge::{Merge, Met};

#[cfg(test)]
mod tests;
