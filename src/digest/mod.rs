//! Digests of file contents: those an mtree(5) specification names, and BLAKE3.

mod algorithm;
mod block;
mod hasher;
mod keyed;
mod rolling;
mod text;
mod through;

pub use algorithm::{Algorithm, Algorithms};
pub use block::{BlockDigests, BlockSum};
pub use hasher::{Content, Hasher};
pub use keyed::Keyed;
pub use rolling::{Rolling, Sums};
pub use text::{DigestError, Digests, hex};
pub use through::Through;

#[cfg(test)]
mod tests;
