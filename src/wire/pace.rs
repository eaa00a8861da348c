//! No more than so many bytes a second, in small portions.

use crate::config::Rate;
use crate::sys::Stream;
use std::io;
use std::time::{Duration, Instant};

/// What passes in this time passes at once, and is waited for afterwards.
const PORTION: Duration = Duration::from_millis(50);

/// The pace of one direction.
pub(super) struct Pace {
    rate: Option<Rate>,
    /// When all that passed had its time.
    due: Instant,
}

impl Pace {
    /// At this rate, or at any.
    pub(super) fn new(rate: Option<Rate>) -> Pace {
        Pace { rate, due: Instant::now() }
    }

    /// How many of so many bytes may pass now; none of some when it is too early.
    pub(super) fn allowed(&self, wanted: usize, now: Instant) -> usize {
        match self.rate {
            None => wanted,
            Some(_) if now < self.due => 0,
            Some(rate) => wanted.min(usize::try_from(rate.bytes(PORTION)).unwrap_or(usize::MAX)),
        }
    }

    /// That so many passed.
    pub(super) fn passed(&mut self, bytes: usize, now: Instant) {
        if let Some(rate) = self.rate {
            // Who woke up late may make good for that, and not for what it left undone for long.
            let from = now.checked_sub(PORTION).map_or(self.due, |early| self.due.max(early));
            self.due = from + rate.time(bytes as u64);
        }
    }

    /// Until when nothing passes, if that is not over.
    pub(super) fn early(&self, now: Instant) -> Option<Instant> {
        (self.rate.is_some() && now < self.due).then_some(self.due)
    }

    /// Waits until more may pass, or until there is something to read; whether that is so.
    pub(super) fn wait(&self, stream: &Stream) -> io::Result<bool> {
        let Some(due) = self.early(Instant::now()) else { return Ok(false) };
        match stream.wait(true, false, due) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes so many bytes on a clock of our own, with a wait of this long after each portion; gives back how long it
    /// took.
    fn pass(bytes: usize, rate: &str, late: Duration) -> Duration {
        let mut pace = Pace::new(Rate::parse(rate).unwrap());
        let begun = pace.due;
        let (mut now, mut left) = (begun, bytes);
        while left > 0 {
            let portion = pace.allowed(left, now);
            if portion == 0 {
                now = pace.early(now).unwrap() + late;
            } else {
                pace.passed(portion, now);
                left -= portion;
            }
        }
        now - begun
    }

    #[test]
    fn bytes_take_their_time_and_little_more() {
        for late in [0, 1, 40] {
            for rate in [4, 100, 5000] {
                let took = pass(10 * 1024 * rate, &rate.to_string(), Duration::from_millis(late));
                // The last portion is not waited for, and may follow at once on a late one.
                let (least, most) = (Duration::from_millis(9850), Duration::from_millis(10_050));
                assert!((least..most).contains(&took), "{rate} KiB/s, {late} ms: {took:?}");
            }
        }
    }

    #[test]
    fn what_was_left_undone_is_not_made_good_for() {
        let mut pace = Pace::new(Rate::parse("1000").unwrap());
        let later = pace.due + Duration::from_secs(3600);
        let mut passed = 0;
        while pace.early(later).is_none() {
            let portion = pace.allowed(1 << 30, later);
            pace.passed(portion, later);
            passed += portion;
        }
        assert!(passed <= 3 * 1000 * 1024 / 20, "{passed}");
    }

    #[test]
    fn without_a_rate_all_passes() {
        let mut pace = Pace::new(None);
        let now = pace.due;
        pace.passed(usize::MAX, now);
        assert_eq!((pace.allowed(usize::MAX, now), pace.early(now)), (usize::MAX, None));
    }
}
