//! The server program.

use std::process::ExitCode;

fn main() -> ExitCode {
    smsync::server::main().into()
}
