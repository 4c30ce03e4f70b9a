//! What a playbook gives, and the name of each reallocation that follows from it.

use std::collections::HashSet;

use heal_clients::tickets::{Metadata, key_suffix};
use heal_runtime::action::Call;
use serde::Deserialize;

/// Tickets of one call. A playbook that has more fans out with `for_each`.
pub const MAX_TICKETS: usize = 1_000;

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(from = "Given")]
pub struct Parameters {
    /// Each once, in the order in which the playbook names them.
    pub(crate) tickets: Vec<String>,
    pub(crate) reason: String,
    pub(crate) metadata: Metadata,
}

/// The parameters as a playbook writes them.
#[derive(Deserialize)]
struct Given {
    ticket_id: Option<String>,
    #[serde(default)]
    affected_tickets: Vec<String>,
    reason: String,
    #[serde(default)]
    metadata: Metadata,
}

impl From<Given> for Parameters {
    fn from(given: Given) -> Self {
        let Given { ticket_id, affected_tickets, reason, metadata } = given;
        let mut named = HashSet::new();
        let all = ticket_id.into_iter().chain(affected_tickets);
        let tickets = all.filter(|id| named.insert(id.clone())).collect();
        Self { tickets, reason, metadata }
    }
}

impl Parameters {
    /// Whether several tickets are named. The same for every try of an attempt, whichever tickets are admitted.
    pub(crate) fn is_batch(&self) -> bool {
        self.tickets.len() > 1
    }

    /// The id that the ticket's record keeps, so that a later probe can tell whose reallocation it was: the attempt's idempotency key; in a
    /// batch, with the ticket's id behind it.
    pub(crate) fn reallocation_id(&self, call: &Call, ticket_id: &str) -> String {
        let key = &call.idempotency_key;
        if self.is_batch() { format!("{key}{}", key_suffix(ticket_id)) } else { key.clone() }
    }

    /// The number of the earlier attempt of the same step that made the reallocation of this id.
    pub(crate) fn earlier_attempt(&self, call: &Call, ticket_id: &str, id: &str) -> Option<u32> {
        let key = if self.is_batch() { id.strip_suffix(&key_suffix(ticket_id))? } else { id };
        let (step, attempt) = key.rsplit_once('/')?;
        let own_attempt = call.command.attempt_key();
        let (own_step, _) = own_attempt.rsplit_once('/')?;
        let attempt: u32 = attempt.parse().ok()?;
        (step == own_step && attempt < call.command.attempt).then_some(attempt)
    }
}
