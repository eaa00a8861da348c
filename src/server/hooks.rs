//! `pre-xfer exec` and `post-xfer exec`: what the administrator has run around the transfers of a session.

use crate::exit::Exit;
use crate::report::Report;
use crate::session::Error;
use crate::sys::broker::{Broker, Ended, How, Outcome};
use crate::vis::shown;
use crate::wire::Channel;

/// The hooks of one session.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// None before the client has opened a module.
    broker: Option<&'static Broker>,
    begun: bool,
    files: u64,
    bytes: u64,
}

impl Transfers {
    pub(super) fn new(broker: &'static Broker) -> Transfers {
        Transfers { broker: Some(broker), ..Transfers::default() }
    }

    /// A round is about to begin. Before the first, the hook is run, which may refuse it.
    ///
    /// # Errors
    /// The hook refused, or could not be run.
    pub(super) fn begin(&mut self, channel: &mut Channel, push: bool) -> Result<(), Error> {
        let Some(broker) = self.broker.filter(|_| !std::mem::replace(&mut self.begun, true)) else {
            return Ok(());
        };
        let ended = channel.while_working(|| broker.before(push))?;
        let ended = ended.map_err(|error| Error::System("run 'pre-xfer exec'", error))?;
        match ended {
            // Why it is not fit to be run is for the log of whoever finds out, and not for the client.
            Some(Ended { how: how @ How::NotStarted(_), .. }) => {
                let fault = fault(&Ended { how, said: Vec::new() }).unwrap_or_default();
                Err(Error::Refused(Exit::System, format!("'pre-xfer exec' {fault}")))
            }
            Some(ended) if let Some(fault) = fault(&ended) => {
                let exit = if matches!(ended.how, How::Exit(_)) { Exit::Refused } else { Exit::System };
                Err(Error::Refused(exit, format!("'pre-xfer exec' {fault}")))
            }
            _ => Ok(()),
        }
    }

    /// A round is over.
    pub(super) fn add(&mut self, report: &Report) {
        self.files = self.files.saturating_add(report.files);
        self.bytes = self.bytes.saturating_add(report.bytes);
    }

    /// The session is over, and its client gone. What went wrong with the hook is given back for the log.
    pub(super) fn end(self, exit: Exit) -> Option<String> {
        let broker = self.broker.filter(|_| self.begun)?;
        let outcome = Outcome { exit: Some(exit.code()), files: self.files, bytes: self.bytes };
        match broker.after(outcome) {
            Ok(ended) => ended.as_ref().and_then(fault).map(|fault| format!("'post-xfer exec' {fault}")),
            Err(_) => Some("'post-xfer exec' cannot be run: the broker of this process is gone".into()),
        }
    }
}

/// How a hook ended and what it said, unless it ended well.
pub(super) fn fault(ended: &Ended) -> Option<String> {
    let how = match ended.how {
        How::Exit(0) => return None,
        How::Exit(code) => format!("ended with exit code {code}"),
        How::Signal(signal) => format!("was ended by signal {signal}"),
        How::TimedOut => "took too long and was killed".into(),
        How::NotStarted(errno) => {
            let errno = i32::try_from(errno).unwrap_or_default();
            format!("cannot be run: {}", crate::sys::errno_words(errno))
        }
    };
    Some(match ended.said.trim_ascii() {
        [] => how,
        said => format!("{how}: {}", shown(said)),
    })
}
