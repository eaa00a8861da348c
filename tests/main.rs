//! All tests but those of the sandbox, which need a process of their own: one program, compiled once.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod common;
#[path = "crash/play.rs"]
mod play;

mod architecture;
mod attributes;
mod baselines;
mod borders;
mod bounds;
mod choosing;
mod confined;
mod connections;
mod crash;
mod crowded;
mod daemon;
mod deletion;
mod delta;
mod dialects;
mod differential;
mod edits;
mod examples;
mod exclude;
mod filters;
mod follow;
mod full;
mod fuzz_corpus;
mod given;
mod hooks;
mod hostile;
mod injected;
mod itemize;
mod keeping;
mod kept;
mod killed;
mod links;
mod listener;
mod manual;
mod moved;
mod moving;
mod network;
mod options;
mod oracle;
mod permissions;
mod power;
mod push;
mod quiet;
mod racer;
mod refusals;
mod remembered;
mod remove_source;
mod reserved;
mod rounds;
mod said;
mod selection;
mod sharing;
mod slow;
mod snapshots;
mod spec;
mod spec_check;
mod starters;
mod status;
mod strangers;
mod syslogd;
mod taken_over;
mod thin;
mod versions;
