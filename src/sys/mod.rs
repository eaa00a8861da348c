//! The kernel: every system call of the program is in this folder, and every `unsafe`.

pub mod env;
pub mod private;
