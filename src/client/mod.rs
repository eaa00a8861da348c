//! The client program: the order of things for each command.

pub mod config;
mod connect;
mod failure;
pub mod options;
pub mod remote;
mod rules;
mod show;
mod source;
mod spec;
mod transfer;

use crate::exit::Exit;
use crate::path::RelPath;
use crate::report::Report;
use crate::sys;
use crate::terms::Keeping;
use crate::wire::{Flags, Message, WireError};
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use config::ClientConfig;
use failure::Failure;
use options::{Check, Choosing, Command, Comparison, Network, Options, Transfer};
use remote::Host;
use show::Show;
use std::ffi::OsString;
use std::io::{self, Write};
use transfer::{Asked, Request, Sides};

/// Runs smsync.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.collect();
    let options = match Options::try_parse_from(&arguments) {
        Ok(options) => options,
        Err(error) => return told(&hinted(error, &arguments)),
    };
    // With fewer there are fewer threads.
    let _ = sys::process::take_descriptors();
    let mut show = Show::new(&options);
    let exit = match run(&options, &mut show) {
        Ok(exit) => exit,
        Err(failure) => {
            // Several errors of a configuration are several lines.
            failure.to_string().lines().for_each(|line| show.error(line));
            show.end("", None, failure.exit, false);
            failure.exit
        }
    };
    show.exit(exit)
}

/// Whoever comes from rsync(1) is told that what its letters ask for is done anyway, and not how to pass them as a value;
/// and where options stand.
fn hinted(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    const DONE: [&str; 4] = ["-a", "-H", "-A", "-X"];
    // Others do not take any number of them.
    let of_trees = || arguments.iter().any(|word| ["push", "pull", "check"].iter().any(|name| word == name));
    let tip = match error.get(ContextKind::InvalidArg) {
        _ if error.kind() != ErrorKind::UnknownArgument => None,
        Some(ContextValue::String(argument)) if DONE.contains(&argument.as_str()) => {
            Some("smsync does without being told what -aHAX asks rsync for: leave it out")
        }
        Some(ContextValue::String(argument)) if !argument.starts_with('-') && of_trees() => {
            Some("options stand before the first or behind the last SRC or DEST, not between them")
        }
        _ => None,
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Tells what is wrong with the command line, or the help or version that it asks for: all of it, or that is said. A reader
/// that went away is none of ours.
fn told(error: &clap::Error) -> Exit {
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if error.use_stderr() => Exit::Usage,
        Err(lost) if lost.kind() != io::ErrorKind::BrokenPipe => {
            let words = crate::sys::error_words(&lost);
            // When that cannot be told either, the exit code says it.
            let _ = writeln!(io::stderr(), "smsync: cannot write to standard output: {words}");
            Exit::Io
        }
        _ => Exit::Ok,
    }
}

fn run(options: &Options, show: &mut Show) -> Result<Exit, Failure> {
    match &options.command {
        Command::Push(transfer) => one_way(options, transfer, true, show),
        Command::Pull(transfer) => one_way(options, transfer, false, show),
        Command::Check(check) => compare(options, check, show),
        Command::List { host, network } => list(options, host, network, show),
        Command::Spec(options) => spec::run(options, show),
        Command::Keygen => {
            let secret =
                crate::secret::Secret::generate().map_err(|error| Failure::new(Exit::System, error))?;
            show.answer(secret.to_base64().as_str());
            Ok(Exit::Ok)
        }
    }
}

fn read_config(options: &Options) -> Result<ClientConfig, Failure> {
    ClientConfig::read(options.config.as_deref()).map_err(|errors| Failure::new(Exit::Config, errors))
}

/// Push or pull.
fn one_way(options: &Options, transfer: &Transfer, push: bool, show: &mut Show) -> Result<Exit, Failure> {
    let sides = Sides::parse(&transfer.sources, &transfer.dest)?;
    match (&sides, push) {
        (Sides::Push(..), true) | (Sides::Pull(..), false) => {}
        (Sides::Push(..), false) => {
            return Err(Failure::new(Exit::Usage, "to send to a server, use 'smsync push'"));
        }
        (Sides::Pull(..), true) => {
            return Err(Failure::new(Exit::Usage, "to fetch from a server, use 'smsync pull'"));
        }
    }
    show.transfer(&transfer.output, transfer.dry_run)?;
    show.greet(transfer.network.no_motd, false);
    let flags = Flags::NONE
        .with(Flags::DRY_RUN, transfer.dry_run)
        .with(Flags::DELETE, transfer.delete || transfer.comparison.selection.given.delete_excluded)
        .with(Flags::DELTA, transfer.delta)
        .with(Flags::ITEMIZE, show.itemizes())
        .with(Flags::COMPRESS, transfer.compress);
    let keeping = transfer.keeping.terms().map_err(|error| Failure::new(Exit::Usage, error))?;
    if transfer.keeping.link_dest.len() > crate::limits::LINK_DEST {
        let text = format!("--link-dest: more than {} directories", crate::limits::LINK_DEST);
        return Err(Failure::new(Exit::Usage, text));
    }
    let Transfer { comparison, choosing, network, remove_source_files: remove, .. } = transfer;
    let (link_dest, whole_file) = (transfer.keeping.link_dest.as_slice(), transfer.whole_file);
    let asked = Asked { flags, remove_source: *remove, keeping, link_dest, whole_file };
    let report = carry_out(options, &sides, (comparison, choosing), network, asked, show)?;
    let exit = report.exit();
    show.end(if push { "push" } else { "pull" }, Some(&report), exit, transfer.dry_run);
    Ok(exit)
}

/// Compares only.
fn compare(options: &Options, check: &Check, show: &mut Show) -> Result<Exit, Failure> {
    let sides = Sides::parse(&check.sources, &check.dest)?;
    show.check();
    show.greet(check.network.no_motd, false);
    let flags = Flags::DRY_RUN.with(Flags::DELETE, true).with(Flags::ITEMIZE, show.itemizes());
    let Check { comparison, choosing, network, .. } = check;
    // Nothing is removed: there is no limit to what is told.
    let keeping = Keeping { force: true, ..Keeping::default() };
    let asked = Asked { flags, remove_source: false, keeping, link_dest: &[], whole_file: true };
    let report = carry_out(options, &sides, (comparison, choosing), network, asked, show)?;
    let exit = match report.exit() {
        Exit::Ok if !report.equal() => Exit::Different,
        exit => exit,
    };
    show.end("check", Some(&report), exit, true);
    Ok(exit)
}

fn carry_out(
    options: &Options,
    sides: &Sides,
    (comparison, choosing): (&Comparison, &Choosing),
    network: &Network,
    asked: Asked<'_>,
    show: &mut Show,
) -> Result<Report, Failure> {
    let config = read_config(options)?;
    let guise = choosing.guise()?;
    let taking = comparison.selection.given.taking();
    let request = Request { config: &config, network, comparison, choosing, guise, taking, asked };
    match sides {
        Sides::Push(sources, dest) => request.push(sources, dest, show),
        Sides::Pull(..) if comparison.spec.is_some() => {
            Err(Failure::new(Exit::Usage, "--spec describes what is here: it goes with a push"))
        }
        Sides::Pull(sources, dest) => {
            let mut sum = Report::default();
            for source in sources {
                // One directory goes contents to contents; of several, each under its last name.
                let below = match source.path.split_last() {
                    _ if sources.len() == 1 => RelPath::ROOT,
                    Some((_, name)) => RelPath::ROOT.join(name).unwrap_or(RelPath::ROOT),
                    None => {
                        let text = "one of several sources must have a last name: host::module/path";
                        return Err(Failure::new(Exit::Usage, text).about(source));
                    }
                };
                sum = sum.plus(&request.pull(source, dest, &below, show)?);
            }
            Ok(sum)
        }
    }
}

/// Names the modules of a server.
fn list(options: &Options, host: &str, network: &Network, show: &mut Show) -> Result<Exit, Failure> {
    let host =
        Host::parse(host).map_err(|error| Failure::new(Exit::Usage, format_args!("{host}: {error}")))?;
    let config = read_config(options)?;
    show.greet(network.no_motd, true);
    let mut channel =
        connect::connect(&config, &host, None, network).map_err(|failure| failure.about(&host))?;
    let mut ask = || -> Result<(), WireError> {
        let mut speaker = channel.speak();
        speaker.say(&Message::List)?;
        speaker.end()?;
        let (mut count, mut told) = (0, false);
        loop {
            match channel.listen().message()? {
                Message::Motd(text) if count == 0 && !std::mem::replace(&mut told, true) => show.motd(&text),
                Message::Module { name, comment, read_only, write_only }
                    if count < crate::limits::MODULES =>
                {
                    show.module((&name, &comment), read_only, write_only);
                    count += 1;
                }
                Message::ModulesEnd => return Ok(()),
                _ => return Err(WireError::Violation("something else than its modules")),
            }
        }
    };
    match ask() {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(transfer::explain(&mut channel, error.into()).about(&host)),
    }
}
