//! The client program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A bug is a panic, which says where it is; everybody else gets an exit code of the table.
    let ended = std::panic::catch_unwind(|| smsync::client::main(std::env::args_os()));
    ended.unwrap_or(smsync::exit::Exit::Software).into()
}
