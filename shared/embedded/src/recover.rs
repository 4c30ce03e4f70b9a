//! Going on where a process was killed.

use heal_runtime::port::Result;
use rusqlite::{Connection, params};

use crate::column::millis;
use crate::fault::Fault;
use crate::store::Store;

/// What a dead process had in hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Messages that were delivered and not settled: due again now.
    pub messages: usize,
    /// Claims without a result: their lease is over now, so that the next worker recovers the attempt.
    pub claims: usize,
    /// Trial calls of circuit breakers: another one may be made now.
    pub trials: usize,
}

impl Store {
    /// Lets everything go on at once that a process which died had in hand; without it, visibility and leases have to run out first.
    ///
    /// # Assumptions
    /// No other process works on this store, and this one has not begun to: whoever has something in hand would lose it to a second
    /// worker. The caller holds a lock that says so.
    ///
    /// # Caveats
    /// A delivery that was under way does not count towards the dead letters: the process was killed, and the message had no say in it.
    ///
    /// # Errors
    /// As every port.
    pub async fn recover(&self) -> Result<Recovered> {
        let now = millis(self.now());
        self.write("recover", move |connection| recover(connection, now)).await
    }
}

fn recover(connection: &Connection, now: i64) -> std::result::Result<Recovered, Fault> {
    // `delivered` goes: a receipt of the dead process is no longer current.
    let messages =
        "UPDATE message SET due_at = ?1, delivered = 0, receive_count = max(receive_count - 1, 0) WHERE delivered = 1";
    let claims = "UPDATE claim SET lease_until = ?1 WHERE result IS NULL AND lease_until > ?1";
    let trials = "UPDATE breaker SET trial_holder = NULL, trial_until = NULL WHERE trial_holder IS NOT NULL";
    Ok(Recovered {
        messages: connection.execute(messages, params![now])?,
        claims: connection.execute(claims, params![now])?,
        trials: connection.execute(trials, [])?,
    })
}
