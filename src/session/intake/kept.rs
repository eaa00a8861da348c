//! Takes what a file has in common with the older one that is here.

use super::{HOLE, Writer};
use crate::install::Failure;
use crate::report::Step;
use crate::session::Error;
use crate::wire::WireError;
use std::io;
use std::sync::atomic::Ordering;

/// What came of the older file is not what the sender has: it was changed under our hands, or two of its blocks had one
/// digest. The next run asks again.
pub(super) fn broken() -> Failure {
    (Step::Verify, io::Error::from_raw_os_error(libc::EBADMSG))
}

impl Writer<'_> {
    /// Takes a part of the older file. A large one takes long, as a hole does.
    pub(super) fn kept(&mut self, from: u64, length: u64) -> Result<(), Error> {
        self.count(length)?;
        let Some(current) = &mut self.current else { return Ok(()) };
        let reach = self.intake.bases.reach(current.index).unwrap_or_default();
        if length == 0 || from.checked_add(length).is_none_or(|end| end > reach) {
            return Err(WireError::Violation("a part of what the receiver does not have").into());
        }
        let mut basis = match current.basis.take().map_or_else(|| self.intake.bases.open(current.index), Ok) {
            Ok(basis) => basis,
            Err(error) => {
                current.incoming = Err((Step::Read, error));
                return Ok(());
            }
        };
        let (mut at, end) = (from, from + length);
        while at < end && !self.gone.load(Ordering::Relaxed) {
            let part = HOLE.min(end - at);
            self.write(|incoming| incoming.copy(&mut basis, at, part))?;
            at += part;
        }
        if let Some(current) = &mut self.current {
            current.basis = Some(basis);
        }
        Ok(())
    }
}
