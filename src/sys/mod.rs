//! The kernel: every system call of the program is in this folder, and every `unsafe`.

mod change;
mod dir;
mod errno;
pub mod fault;
mod file;
pub mod ids;
mod lock;
mod spool;
mod stat;
mod stream;

pub use dir::Dir;
pub use errno::{errno, errno_words};
pub use file::{File, Flushed};
pub use lock::Lock;
pub use spool::{Map, Spool};
pub use stat::{FileKind, Stat};
pub use stream::{Ready, Stream, resolve};
pub mod env;
pub mod private;
