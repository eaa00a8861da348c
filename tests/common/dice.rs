//! Numbers that look random and are the same every time: a test that fails can be repeated.

/// A small generator of numbers (xorshift64).
pub struct Dice(u64);

impl Dice {
    /// From this seed on. Of 0 the generator makes nothing but 0.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.max(1))
    }

    /// What `SMSYNC_SEED` in the environment says, or this.
    pub fn seed(default: u64) -> u64 {
        std::env::var("SMSYNC_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(default)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below this.
    pub fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.next() % sides as u64).unwrap()
    }

    /// Once out of so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    pub fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.roll(list.len())]
    }
}
