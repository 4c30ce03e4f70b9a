//! Random numbers from a seed, so that a failure can be repeated.

use std::sync::Mutex;

use heal_runtime::port::{Entropy, Result};

/// splitmix64.
#[derive(Debug)]
pub struct Rng(Mutex<u64>);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// True in `percent` of all cases.
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A number of milliseconds from `-bound` to `bound`.
    pub fn skew(&self, bound: u64) -> i64 {
        self.below(2 * bound + 1) as i64 - bound as i64
    }

    fn number(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Rng {
    fn next(&self) -> Result<u64> {
        Ok(self.number())
    }
}
