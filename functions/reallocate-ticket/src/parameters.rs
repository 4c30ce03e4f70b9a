//! What a playbook gives.

use std::collections::HashSet;

use heal_clients::tickets::Metadata;
use serde::Deserialize;

/// Tickets of one call. A playbook that has more fans out with `for_each`.
pub const MAX_TICKETS: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    pub ticket_id: Option<String>,
    #[serde(default)]
    pub affected_tickets: Vec<String>,
    pub reason: String,
    #[serde(default)]
    pub metadata: Metadata,
}

impl Parameters {
    /// The tickets, each once, in the order in which they are named.
    pub(crate) fn tickets(&self) -> Vec<String> {
        let mut named = HashSet::new();
        let all = self.ticket_id.iter().chain(&self.affected_tickets);
        all.filter(|id| named.insert(id.as_str())).cloned().collect()
    }

    /// Whether more than one is named. The same for every try of an attempt, whichever of them are let through.
    pub(crate) fn is_batch(&self) -> bool {
        self.tickets().len() > 1
    }
}
