//! The kill switch: the halts of a home.

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_guard::Halt;

use super::Result;

/// Halts of one home that can last at the same time: each effect is held against all of them.
pub const HALTS: usize = 100;

/// Rows of halts from which on a store deletes those that have ended. Until then it keeps them: whoever orders a halt may have a clock that is ahead.
pub const HALTS_KEPT: usize = 2 * HALTS;

/// Stores halts. A halt ends by the clock of who reads it; the store need not remove it then.
#[async_trait]
pub trait Switches: Send + Sync + 'static {
    /// Every stored halt, in any order. Those that have ended may be among them.
    ///
    /// # Guarantees
    /// A halt whose storing was acknowledged before the call is among them.
    async fn halts(&self) -> Result<Vec<Halt>>;

    /// Stores a halt under its id; the same halt again changes nothing. False if [`HALTS`] others last at `halt.since`: then nothing is stored.
    /// Halts that had ended by then may be removed, once there are [`HALTS_KEPT`].
    async fn halt(&self, halt: &Halt) -> Result<bool>;

    /// Stores `halt` in place of the halt of its id, if that one is stored and ends before `halt.until`; otherwise nothing changes. True if
    /// this call stored it.
    async fn prolong(&self, halt: &Halt) -> Result<bool>;

    /// Stores `halt` in place of the halt of its id, if that one is stored and ends at `was`. True if this call stored it.
    async fn put_right(&self, halt: &Halt, was: Timestamp) -> Result<bool>;

    /// Ends the halt `id` at `at`. False if there is none, or it had ended by then.
    async fn resume(&self, id: &str, at: Timestamp) -> Result<bool>;
}
