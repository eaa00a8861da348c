//! The kernel: every system call of the program is in this folder, and every `unsafe`.

pub mod clock;
pub mod detach;
pub mod listen;
pub mod logfile;
pub mod pidfile;
pub mod process;
pub mod stdio;
pub mod syslog;
