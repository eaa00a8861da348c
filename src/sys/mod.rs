//! The kernel: every system call of the program is in this folder, and every `unsafe`.

mod change;
pub mod clock;
pub mod detach;
mod dir;
pub mod env;
mod errno;
pub mod fault;
mod file;
mod file_system;
pub mod ids;
mod input;
pub mod listen;
mod lock;
pub mod logfile;
pub mod pidfile;
pub mod private;
pub mod process;
pub mod slots;
mod spool;
mod stat;
mod state;
pub mod stdio;
mod stream;
pub mod syslog;
pub mod tick;
pub mod xattr;

pub use dir::Dir;
pub use errno::{errno, errno_words};
pub use file::{File, Flushed};
pub use file_system::FileSystem;
pub use input::read_input;
pub use lock::Lock;
pub use spool::{Map, Spool};
pub use stat::{FileKind, Stat};
pub use state::{Dated, Draft, canonical};
pub use stream::{Ready, Stream, resolve};
