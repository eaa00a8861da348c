//! Digests of file contents: those an mtree(5) specification names, and BLAKE3.

mod algorithm;
mod hasher;
mod rolling;
mod text;
mod through;

pub use algorithm::{Algorithm, Algorithms};
pub use hasher::{Content, Hasher};
pub use rolling::Rolling;
pub use text::{DigestError, Digests, hex};
pub use through::Through;

#[cfg(test)]
mod tests;
