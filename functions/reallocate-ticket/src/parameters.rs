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

    /// Whether `id`, from the ticket's record, names a reallocation by this very step: by any of its attempts.
    pub(crate) fn is_of_step(&self, call: &Call, ticket_id: &str, id: &str) -> bool {
        let suffix = if self.is_batch() { key_suffix(ticket_id) } else { String::new() };
        let Some(key) = id.strip_suffix(&suffix) else { return false };
        let command = &call.command;
        let item = command.item.map_or(String::new(), |item| format!("[{item}]"));
        let step = format!("{}/{}{item}", command.run_id, command.step);
        key == call.idempotency_key || is_key_of_step(key, &step)
    }
}

/// Whether `key` is the step's own, or has the number of an attempt behind it.
fn is_key_of_step(key: &str, step: &str) -> bool {
    key.strip_prefix(step).is_some_and(|rest| {
        let number = rest.strip_prefix(['/', '#']);
        rest.is_empty() || number.is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_one_step_whatever_its_attempt() {
        for (key, belongs) in [
            ("run/heal", true),
            ("run/heal/1", true),
            ("run/heal#2", true),
            ("run/heal_2/1", false),
            ("run/heal[0]/1", false),
            ("run/1", false),
            ("run-2/heal/1", false),
            ("somebody-else", false),
        ] {
            assert_eq!(is_key_of_step(key, "run/heal"), belongs, "{key}");
        }
        assert!(is_key_of_step("run/heal[3]/1", "run/heal[3]"));
    }
}
