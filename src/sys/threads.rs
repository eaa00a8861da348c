//! Threads that share what there is to do.

use crate::limits;
use crate::sys::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};

/// Descriptors that a round holds besides those of its threads.
const BESIDES: usize = 64;

/// How many threads may do one thing at once, each of which holds so many descriptors at most, where others hold so many
/// meanwhile: one at least.
pub fn at_once(limit: usize, each: usize, others: usize) -> usize {
    let room = process::descriptors().saturating_sub(BESIDES + others) / each;
    process::parallelism().min(limit).min(room).max(1)
}

/// Does what there is to do on this thread and on others: each takes the next when it is done with one, so that all of
/// them end together. There are [`limits::SCANNERS`] at most, and no more than are to be had, or than have descriptors for
/// two ways of any depth. Gives back what came of it on each.
pub fn spread<I: Iterator + Send, R: Send>(todo: I, work: impl Fn(&Shared<I>) -> R + Sync) -> Vec<R> {
    spread_over(2, todo, work)
}

/// The same of what has so many ways at once on each thread.
pub fn spread_over<I: Iterator + Send, R: Send>(
    ways: usize,
    todo: I,
    work: impl Fn(&Shared<I>) -> R + Sync,
) -> Vec<R> {
    let most = todo.size_hint().1.unwrap_or(usize::MAX);
    let todo = Shared(Mutex::new(Some(todo)));
    let work = || work(&todo);
    thread::scope(|scope| {
        let others = 1..at_once(limits::SCANNERS, ways * limits::DEPTH, 0).min(most);
        let others: Vec<_> = others.filter_map(|_| Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut done = vec![work()];
        for other in others {
            done.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    })
}

/// What several threads take from.
pub struct Shared<I>(Mutex<Option<I>>);

impl<I> Shared<I> {
    /// Nothing more is to be done.
    pub fn end(&self) {
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
}
