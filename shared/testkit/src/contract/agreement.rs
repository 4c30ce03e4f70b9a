//! Two backends of one port, put the same random calls: every answer has to be the same.
//!
//! The calls come from a small set of names and moments, so that they meet: the same run, attempt, target and message again and again.
//! `TEST_SEED` repeats a run; it is printed with every failure.

mod claims;
mod queues;
mod runs;

pub use claims::{breakers_agree, claims_agree};
pub use queues::queues_agree;
pub use runs::runs_agree;

use heal_runtime::Timestamp;
use heal_runtime::port::{Entropy, OsEntropy};

/// The seed in `TEST_SEED`, or a new one. It is printed with the output of a failing test.
pub fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a person repeats a failure with `TEST_SEED`")]
    let given = std::env::var("TEST_SEED").ok().map(|text| text.parse().expect("TEST_SEED: a number"));
    let seed = given.unwrap_or_else(|| OsEntropy.next().expect("the operating system has random numbers"));
    eprintln!("TEST_SEED={seed}");
    seed
}

/// Numbers that a seed repeats (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number below `sides`; 0 where `sides` is 0.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(sides).unwrap_or(0)
    }

    /// True once in `sides`.
    pub fn once_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    /// One of a few names that begin with `stem`.
    fn name(&mut self, stem: &str, sides: u64) -> String {
        format!("{stem}-{}", self.roll(sides))
    }

    /// A moment at most `most_ms` after `from`.
    fn after(&mut self, from: Timestamp, most_ms: u64) -> Timestamp {
        from.plus_ms(self.roll(most_ms))
    }
}
