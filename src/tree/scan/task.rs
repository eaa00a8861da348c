//! Work that is done by whoever comes to it first: a thread that helps, or the one that needs what comes of it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What is to be done, then what came of it.
#[derive(Debug)]
pub(super) struct Task<A, R> {
    state: Mutex<State<A, R>>,
    over: Condvar,
}

#[derive(Debug)]
enum State<A, R> {
    Waiting(A),
    Begun,
    /// `None` when nothing came of it, or that was taken.
    Over(Option<R>),
}

impl<A, R> Task<A, R> {
    pub(super) fn new(to_do: A) -> Task<A, R> {
        Task { state: Mutex::new(State::Waiting(to_do)), over: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<A, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is to be done, which nobody began.
    pub(super) fn change(&self, change: impl FnOnce(&mut A)) {
        if let State::Waiting(to_do) = &mut *self.state() {
            change(to_do);
        }
    }

    /// Does it, unless somebody else began.
    pub(super) fn work(&self, work: impl FnOnce(A) -> Option<R>) {
        let State::Waiting(to_do) = self.begin() else { return };
        // Whatever happens, whoever waits for it goes on.
        let mut end = End { task: self, result: None };
        end.result = work(to_do);
    }

    /// What is to be done, if nobody began.
    fn begin(&self) -> State<A, R> {
        let mut state = self.state();
        if matches!(*state, State::Waiting(_)) {
            std::mem::replace(&mut *state, State::Begun)
        } else {
            State::Begun
        }
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        matches!(*self.state(), State::Over(_))
    }

    /// Waits until it is over; gives back what came of it. Somebody must have begun.
    pub(super) fn wait(&self) -> Option<R> {
        let mut state = self.state();
        loop {
            if let State::Over(result) = &mut *state {
                return result.take();
            }
            state = self.over.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Ends a task when it goes.
struct End<'t, A, R> {
    task: &'t Task<A, R>,
    result: Option<R>,
}

impl<A, R> Drop for End<'_, A, R> {
    fn drop(&mut self) {
        *self.task.state() = State::Over(self.result.take());
        self.task.over.notify_all();
    }
}
