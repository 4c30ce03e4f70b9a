//! Recovery after a process was killed.

use heal_runtime::port::Result;
use rusqlite::{Connection, params};

use crate::column::millis;
use crate::error::JobError;
use crate::store::Store;

/// What [`Store::recover`] released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Messages that were delivered and not settled; they are due now.
    pub messages: usize,
    /// Claims without a result; their lease ends now, so the next worker recovers the attempt.
    pub claims: usize,
    /// Trial calls of circuit breakers that got no answer; each breaker may make another one now.
    pub trials: usize,
}

impl Store {
    /// Releases the deliveries, claims and trials of a process that died. Without this call they are released when their visibility
    /// timeouts and leases end.
    ///
    /// # Assumptions
    /// No process works on this store, since it would lose its claims to a second worker. The caller holds a lock that ensures this.
    ///
    /// # Caveats
    /// A released delivery does not count towards `max_receives`, since the message did not cause the process's death.
    ///
    /// # Errors
    /// As every port.
    pub async fn recover(&self) -> Result<Recovered> {
        let now = millis(self.now());
        self.write("recover", move |connection| recover(connection, now)).await
    }
}

fn recover(connection: &Connection, now: i64) -> std::result::Result<Recovered, JobError> {
    // Clearing `delivered` invalidates the dead process's receipts.
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
