//! The name of one reallocation: the ticket's record carries it, so that a later look can tell whose it was.

use heal_runtime::action::Call;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::parameters::Parameters;

/// The attempt's idempotency key; in a batch, with the ticket's id behind it.
pub(crate) fn reallocation_id(call: &Call, parameters: &Parameters, ticket_id: &str) -> String {
    let key = &call.idempotency_key;
    if parameters.is_batch() { format!("{key}{}", suffix(ticket_id)) } else { key.clone() }
}

/// The number of the earlier attempt of the same step that made the reallocation of this id.
pub(crate) fn earlier_attempt(call: &Call, parameters: &Parameters, ticket_id: &str, id: &str) -> Option<u32> {
    let key = if parameters.is_batch() { id.strip_suffix(&suffix(ticket_id))? } else { id };
    let (step, attempt) = key.rsplit_once('/')?;
    let (own_step, _) = call.idempotency_key.rsplit_once('/')?;
    let attempt: u32 = attempt.parse().ok()?;
    (step == own_step && attempt < call.command.attempt).then_some(attempt)
}

/// Such that keys of different tickets differ, and a key stays one that a header can carry.
fn suffix(ticket_id: &str) -> String {
    format!(":{}", utf8_percent_encode(ticket_id, NON_ALPHANUMERIC))
}
