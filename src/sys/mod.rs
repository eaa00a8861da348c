//! The kernel: every system call of the program is in this folder, and every `unsafe`.

mod change;
mod dir;
pub mod fault;
mod file;
mod spool;
mod stat;

pub use dir::Dir;
pub use file::{File, Flushed};
pub use spool::{Map, Spool};
pub use stat::{FileKind, Stat};
