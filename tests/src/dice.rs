//! Choices that look random and are the same for the same seed, so that what was found once is found again.

use std::env;
use std::time::SystemTime;

use crate::lime::show;

/// Marsaglia's xorshift64.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// With another seed each time, which a failing test shows; or with that of `LIME_TEST_SEED`.
    #[must_use]
    pub fn new() -> Self {
        let given = env::var("LIME_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap() | 1
        });
        show(&format!("LIME_TEST_SEED={seed} repeats this"));
        Self(seed)
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(count).unwrap()).unwrap()
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
