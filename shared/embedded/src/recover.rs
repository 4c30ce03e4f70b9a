//! Recovery after a process was killed.

use heal_runtime::RunStatus;
use heal_runtime::port::Result;
use rusqlite::{Connection, params};

use crate::column::millis;
use crate::error::JobError;
use crate::file;
#[cfg(doc)]
use crate::limit;
use crate::queue::{Survivors, dead};
use crate::store::{Location, Store};

/// What [`Store::recover`] released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Messages that were delivered and not settled; they are due now.
    pub messages: usize,
    /// Those of them that are dead-lettered: the process aborted [`limit::MAX_ABORTS`] times with them in hand, or was
    /// killed [`limit::MAX_KILLS`] times.
    pub dead_lettered: usize,
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
    /// No process works on this store, since it would lose its claims to a second worker: [`crate::Options::exclusive`] ensures this.
    ///
    /// # Caveats
    /// From this call on, a file `<state file>.hand` names the messages in hand, so that the next life can count this one's death. A death counts
    /// for each message in hand, a kill from outside far less than an abort; handling a message once without a death clears its count.
    ///
    /// # Errors
    /// As every port.
    pub async fn recover(&self) -> Result<Recovered> {
        let now = millis(self.now());
        let survivors = match self.location() {
            Location::Memory => Survivors::default(),
            Location::File(path) => self.queues().leases.keep_record(&file::beside(path, file::HAND)),
        };
        let (recovered, forgotten) =
            self.write("recover", move |connection| recover(connection, now, &survivors)).await?;
        self.queues().leases.forget(&forgotten);
        Ok(recovered)
    }
}

/// What was released, and the messages that are in nobody's hand any more.
fn recover(
    connection: &Connection,
    now: i64,
    survivors: &Survivors,
) -> std::result::Result<(Recovered, Vec<i64>), JobError> {
    // Earlier builds noted their deliveries in the rows.
    let messages =
        "UPDATE message SET due_at = ?1, delivered = 0, receive_count = max(receive_count - 1, 0) WHERE delivered = 1";
    let claims = release_claims();
    let trials = "UPDATE breaker SET trial_holder = NULL, trial_until = NULL WHERE trial_holder IS NOT NULL";
    let mut exists = connection.prepare("SELECT 1 FROM message WHERE id = ?1")?;
    let (mut in_hand, mut dead_lettered, mut forgotten) = (0, 0, Vec::new());
    for (id, deaths) in &survivors.deaths {
        let is_there = exists.exists([id])?;
        in_hand += usize::from(is_there && survivors.held.contains(id));
        let verdict = deaths.verdict();
        if let Some(reason) = &verdict {
            dead_lettered += usize::from(dead::dead_letter(connection, *id, None, reason)?);
        }
        if !is_there || verdict.is_some() {
            forgotten.push(*id);
        }
    }
    let recovered = Recovered {
        messages: connection.execute(messages, params![now])? + in_hand,
        dead_lettered,
        claims: connection.execute(&claims, params![now])?,
        trials: connection.execute(trials, [])?,
    };
    Ok((recovered, forgotten))
}

/// Ends the leases of attempts of live runs, and of those whose run is not known, which have the number 0. Found by an index: a file has millions of
/// claims. Nobody waits for an attempt of an ended run, and its lease ends by itself.
fn release_claims() -> String {
    let live = RunStatus::ALL.into_iter().filter(|status| !status.is_terminal());
    let live: Vec<String> = live.map(|status| format!("'{}'", status.as_str())).collect();
    format!(
        "UPDATE claim SET lease_until = ?1
         WHERE run_no IN (SELECT 0 UNION ALL SELECT no FROM run WHERE status IN ({}))
         AND result IS NULL AND result_seq IS NULL AND lease_until > ?1",
        live.join(", ")
    )
}
