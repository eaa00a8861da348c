//! Tells the log what happens in a round.

use crate::report::{
    Census, Change, Monitor, Problem, Progress, Refusal, Report, Side, Transfer, Unsupported,
};
use crate::server::account::Account;
use crate::server::config::Module;
use crate::server::config::log_format::Where;
use crate::server::door::Visitor;
use crate::server::log::Log;
use std::time::Instant;

/// A round that is logged.
pub(super) struct Logged<'l, 'a> {
    pub(super) log: &'l Log,
    /// Whose it is, in words.
    pub(super) session: String,
    /// What it does, in words that end before a number of files, and since when.
    pub(super) what: String,
    pub(super) started: Instant,
    pub(super) module: &'l Module,
    /// What the client is in this round.
    pub(super) client: Side,
    pub(super) visitor: &'l Visitor,
    /// Where in the module its tree is.
    pub(super) below: String,
    /// What others are told of it.
    pub(super) account: &'l mut Account<'a>,
}

impl Monitor for Logged<'_, '_> {
    fn problem(&mut self, problem: &Problem) {
        let client = if problem.side == self.client { "client: " } else { "" };
        self.log.warning(format_args!("{}: {}: {client}{problem}", self.session, self.module.name));
    }

    fn unsupported(&mut self, lost: &Unsupported) {
        self.log.warning(format_args!("{}: {}: {lost}", self.session, self.module.name));
    }

    fn change(&mut self, change: &Change) {
        self.log.debug(format_args!("{}: {}: {change}", self.session, self.module.name));
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.log.warning(format_args!("{}: {}: {refusal}", self.session, self.module.name));
        self.account.stop(refusal);
    }

    fn census(&mut self, _: &Census) {}

    fn wants_transfers(&self) -> bool {
        self.module.transfer_logging
    }

    fn transfer(&mut self, transfer: &Transfer<'_>) {
        let at = Where {
            address: &self.visitor.peer().to_string(),
            host: self.visitor.known_name(),
            user: self.visitor.user(),
            module: &self.module.name,
            root: &self.module.path.display().to_string(),
            below: &self.below,
        };
        self.log.transfer(self.module.log_format.line(&at, transfer));
    }

    fn progress(&mut self, progress: &Progress) {
        self.account.go_on(progress);
    }

    fn over(&mut self, report: &Report) {
        self.log.notice(format_args!(
            "{}: {}{} files, {} bytes, {} removed, {} problems, {:.1} s, exit {}",
            self.session,
            self.what,
            report.files,
            report.bytes,
            report.removed,
            report.problems,
            self.started.elapsed().as_secs_f64(),
            report.exit().code(),
        ));
        self.account.over(report);
    }
}
