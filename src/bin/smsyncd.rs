//! The server program.

use std::path::Path;
use std::process::ExitCode;

use smsync::exit::Exit;
use smsync::limits;
use smsync::server::log::Destination;
use smsync::server::{Parts, Settings};
use smsync::sys::syslog::Facility;

fn main() -> ExitCode {
    let parts = Parts {
        settings,
        serve: |_connection, peer, _config, log| {
            log.error(format_args!("connection from {peer}: this build has no session yet"));
            Exit::Unavailable
        },
    };
    smsync::server::main(&parts).into()
}

/// What a configuration that says nothing means.
fn settings(_config: &Path) -> Result<Settings, String> {
    let log = Destination::Syslog(Facility::LOG_DAEMON);
    Ok(Settings { log, addresses: Vec::new(), port: limits::PORT, pid_file: None })
}
