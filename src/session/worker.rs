//! Threads beside the one that has the connection.

use crate::limits;
use crate::session::Error;
use crate::session::error::START;
use crate::sys::process;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

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

/// Descriptors that a round holds besides those of its threads.
const BESIDES: usize = 64;

/// How many threads may do one thing at once, each of which holds so many descriptors at most, where others hold so many
/// meanwhile: one at least.
pub(super) fn threads(limit: usize, each: usize, others: usize) -> usize {
    let room = process::descriptors().saturating_sub(BESIDES + others) / each;
    process::parallelism().min(limit).min(room).max(1)
}

/// Does what there is to do on this thread and on others: each takes the next when it is done with one, so that all of
/// them end together. There are [`limits::SCANNERS`] at most, and no more than are to be had, or than have descriptors for
/// two ways of any depth. Gives back what came of it on each.
pub(super) fn spread<I: Iterator + Send, R: Send>(todo: I, work: impl Fn(&Shared<I>) -> R + Sync) -> Vec<R> {
    let most = todo.size_hint().1.unwrap_or(usize::MAX);
    let todo = Shared(Mutex::new(Some(todo)));
    let work = || work(&todo);
    thread::scope(|scope| {
        let others = 1..threads(limits::SCANNERS, 2 * limits::DEPTH, 0).min(most);
        let others: Vec<_> = others.filter_map(|_| Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut done = vec![work()];
        for other in others {
            done.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    })
}

/// What several threads take from.
pub(super) struct Shared<I>(Mutex<Option<I>>);

impl<I> Shared<I> {
    /// Nothing more is to be done.
    pub(super) fn end(&self) {
        *self.left() = None;
    }

    fn left(&self) -> MutexGuard<'_, Option<I>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Iterator> Iterator for &Shared<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.left().as_mut()?.next()
    }
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

    #[test]
    fn what_is_to_be_done_is_done_once() {
        let mut done = vec![0; 10_000];
        let counts =
            spread(done.iter_mut().enumerate(), |todo| todo.map(|(number, done)| *done += number).count());
        assert!(counts.len() <= process::parallelism());
        assert_eq!(counts.iter().sum::<usize>(), 10_000);
        assert!(done.into_iter().eq(0..10_000));
        assert_eq!(spread(std::iter::empty::<u8>(), |todo| todo.count()), [0]);
    }

    #[test]
    fn what_is_ended_is_not_gone_on_with() {
        let done = spread(0..1_000_000_000_000u64, |mut todo| {
            let last = todo.find(|number| *number > 100);
            todo.end();
            (last, todo.next())
        });
        assert!(done.iter().all(|(_, next)| next.is_none()), "{done:?}");
        assert!(done.iter().any(|(last, _)| last.is_some()), "{done:?}");
    }

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
