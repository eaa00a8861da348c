//! Threads beside the one that has the connection.

use crate::session::Error;
use crate::session::error::START;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Starts one that the session needs.
///
/// # Errors
/// None is to be had: the user, or the host, has as many processes as it may.
pub(super) fn start<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    work: impl FnOnce() -> T + Send + 's,
) -> Result<ScopedJoinHandle<'s, T>, Error> {
    Builder::new().spawn_scoped(scope, work).map_err(|error| Error::System(START, error))
}

/// Whose turn it is, where what several threads make is wanted in the order of its numbers, from 0 on.
#[derive(Default)]
pub(super) struct Turn {
    number: Mutex<usize>,
    passed: Condvar,
}

/// A place in this order. Whoever has it is waited for until this value goes.
pub(super) struct Place<'t> {
    turn: &'t Turn,
    number: usize,
}

impl Turn {
    /// The place of this number, which nobody else has or had.
    pub(super) const fn place(&self, number: usize) -> Place<'_> {
        Place { turn: self, number }
    }
}

impl Place<'_> {
    /// Waits until all before it are gone.
    pub(super) fn wait(&self) {
        drop(self.reached());
    }

    fn reached(&self) -> MutexGuard<'_, usize> {
        let turn = self.turn.number.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.turn.passed.wait_while(turn, |turn| *turn != self.number);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.reached() += 1;
        self.turn.passed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// The later ones are there before the earlier ones, and every other one has nothing to say.
    #[test]
    fn in_their_order_whoever_comes_first() {
        let (turn, made) = (Turn::default(), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for number in (0..9).rev() {
                let place = turn.place(number);
                let made = &made;
                scope.spawn(move || {
                    if number % 2 == 0 {
                        place.wait();
                        made.lock().unwrap().push(number);
                    }
                });
            }
        });
        assert_eq!(made.into_inner().unwrap(), [0, 2, 4, 6, 8]);
    }
}
