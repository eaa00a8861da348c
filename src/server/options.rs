//! The command line of smsyncd.

use core::net::IpAddr;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser};

/// What `-h` says after the options.
const EXAMPLES: &str = "\
Started by inetd, xinetd or systemd (Accept=yes), smsyncd serves the connection
on its standard input and ends.  Started otherwise it becomes a daemon that
listens on port 4242 and starts itself for each connection.

Examples:
  One line of /etc/inetd.conf (xinetd: wait = no):
    smsync stream tcp nowait root /usr/local/libexec/smsyncd smsyncd
  A daemon of its own; kill -HUP checks its configuration, kill -TERM lets
  connections finish:
    /usr/local/libexec/smsyncd
  In the foreground, saying all it does, on another port of this host only:
    /usr/local/libexec/smsyncd -f -dd -p 4343 --address 127.0.0.1
  Is the configuration good, and what does it say, defaults and all?
    /usr/local/libexec/smsyncd --check -c /etc/smsyncd.conf
  What of an rsync daemon's can be moved over, and what cannot?
    /usr/local/libexec/smsyncd --import /etc/rsyncd.conf >smsyncd.conf
  What is going on, and how did it go last?
    /usr/local/libexec/smsyncd --status

The configuration holds secrets: it must be root's or yours, with mode 0600.
Exit codes: 0 ended as asked; 64 usage; 71 the system refused; 75 already
running; 78 configuration; of a connection, as smsync(1) says.
The manual is smsyncd(8) and smsyncd.conf(5).";

/// The options as given.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "smsyncd",
    version,
    about = "smsync server: makes directories here match what an authenticated client sends, or sends them",
    after_help = EXAMPLES,
    max_term_width = 110,
    override_usage = "smsyncd [-c FILE] [-d]... [-f] [-h] [-p PORT] [--address ADDR] [--inetd] [--check] [--status [--json]] [--import FILE] [-V]"
)]
pub struct Options {
    /// Configuration file
    #[arg(short = 'c', value_name = "FILE", default_value = "/etc/smsyncd.conf")]
    pub config: PathBuf,
    /// Log more: the steps of each run; twice, everything
    #[arg(short = 'd', action = ArgAction::Count)]
    pub debug: u8,
    /// Stay in the foreground and log to standard error
    #[arg(short = 'f')]
    pub foreground: bool,
    /// Listen on this port instead of the configuration's, or 4242
    #[arg(short = 'p', value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Listen on this address only; may be given several times
    #[arg(long, value_name = "ADDR")]
    pub address: Vec<IpAddr>,
    /// Serve the connection on standard input, and fail if there is none
    #[arg(long)]
    pub inetd: bool,
    /// Only show the configuration in effect: exit 0 if it is good, 1 if something it names is not
    /// there or cannot be used now; 78 if it is wrong, with all errors
    #[arg(long, conflicts_with = "inetd")]
    pub check: bool,
    /// Print the configuration that an rsyncd.conf makes: exit 1 if something has no equivalent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["inetd", "check"])]
    pub import: Option<PathBuf>,
    /// Only show the sessions in progress, and how the last round of each module went
    #[arg(long, conflicts_with_all = ["inetd", "check"])]
    pub status: bool,
    /// With --status: as one object of JSON
    #[arg(long, requires = "status")]
    pub json: bool,
    /// Where our listener keeps the last good configuration.
    #[arg(long, hide = true, value_name = "FILE")]
    pub kept: Option<PathBuf>,
    /// Standard input is the channel to the process that wants us to become its daemon.
    #[arg(long, hide = true)]
    pub detached: bool,
    /// A process of ours wants the name of the host with this address.
    #[arg(long, hide = true, value_name = "ADDR")]
    pub name_of: Option<IpAddr>,
}

/// Why there is nothing to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Help or the version was asked for: this text.
    Shown(String),
    /// The command line is wrong: this text, of several lines.
    Usage(String),
}

impl Options {
    /// Reads a command line, our own name first. Prints nothing: standard output may be the peer.
    ///
    /// # Errors
    /// It asks for help, or is wrong.
    pub fn read(arguments: &[OsString]) -> Result<Options, Stop> {
        Options::try_parse_from(arguments).map_err(|error| {
            let text = error.render().to_string();
            if error.use_stderr() { Stop::Usage(text) } else { Stop::Shown(text) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, Stop> {
        Options::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_definition_is_sound() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn reads_every_option() {
        let none = Options {
            config: "/etc/smsyncd.conf".into(),
            debug: 0,
            foreground: false,
            port: None,
            address: vec![],
            inetd: false,
            check: false,
            import: None,
            status: false,
            json: false,
            kept: None,
            detached: false,
            name_of: None,
        };
        assert_eq!(read("smsyncd").unwrap(), none);
        let all = Options {
            config: "x".into(),
            debug: 3,
            foreground: true,
            port: Some(65535),
            address: vec!["::1".parse().unwrap(), "10.0.0.1".parse().unwrap()],
            ..none.clone()
        };
        assert_eq!(read("smsyncd -c x -d -dd -f -p 65535 --address ::1 --address 10.0.0.1").unwrap(), all);
        assert_eq!(read("smsyncd --inetd").unwrap(), Options { inetd: true, ..none.clone() });
        assert_eq!(read("smsyncd --check").unwrap(), Options { check: true, ..none.clone() });
        let status = Options { status: true, json: true, ..none.clone() };
        assert_eq!(read("smsyncd --status --json").unwrap(), status);
        let import = Some(PathBuf::from("x"));
        assert_eq!(read("smsyncd --import x").unwrap(), Options { import, ..none.clone() });
        assert_eq!(read("smsyncd --detached").unwrap(), Options { detached: true, ..none.clone() });
        let name_of = Some("::1".parse().unwrap());
        assert_eq!(read("smsyncd --name-of ::1").unwrap(), Options { name_of, ..none });
    }

    #[test]
    fn refuses_the_rest() {
        for line in [
            "-p 0",
            "-p 65536",
            "-p x",
            "-c",
            "--address host",
            "--bogus",
            "file",
            "--check --inetd",
            "--import x --check",
            "--status --check",
            "--json",
        ] {
            let line = format!("smsyncd {line}");
            assert!(matches!(read(&line), Err(Stop::Usage(_))), "{line}");
        }
    }

    #[test]
    fn help_teaches_and_hides_nothing_but_our_own() {
        let Err(Stop::Shown(help)) = read("smsyncd -h") else { panic!() };
        for word in [
            "-c",
            "-d",
            "-f",
            "-h",
            "-p",
            "--address",
            "--inetd",
            "--check",
            "--status",
            "--json",
            "-V",
            "nowait",
            "4242",
        ] {
            assert!(help.contains(word), "{word} is missing in\n{help}");
        }
        assert!(!help.contains("detached") && !help.contains("name-of"));
        let card = "smsync stream tcp nowait root /usr/local/libexec/smsyncd smsyncd";
        assert!(help.lines().any(|line| line.trim() == card), "{help}");
        let Err(Stop::Shown(version)) = read("smsyncd -V") else { panic!() };
        assert_eq!(version, format!("smsyncd {}\n", env!("CARGO_PKG_VERSION")));
    }
}
