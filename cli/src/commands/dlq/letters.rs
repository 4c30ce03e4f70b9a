//! Dead letters, wherever they lie.

use std::collections::BTreeSet;

use heal_runtime::port::{DeadLetter, Receiver as _, Result};

use crate::place::Place;

/// Up to `limit` of them, the oldest first.
///
/// # Errors
/// They cannot be read.
pub(super) async fn list(place: &Place, limit: usize) -> Result<Vec<DeadLetter>> {
    match place {
        Place::File { store, .. } => store.dead_letters(limit).await,
        Place::Stack(stack) => stack.queues.parked(limit).await,
    }
}

/// Puts these back on the queues that they came from, and says which were there.
///
/// # Errors
/// One could not be put back. Those before it are.
pub(super) async fn redrive(place: &Place, message_ids: BTreeSet<String>) -> Result<BTreeSet<String>> {
    match place {
        Place::File { store, .. } => {
            let mut moved = BTreeSet::new();
            for message_id in message_ids {
                if store.redrive(&message_id).await? {
                    moved.insert(message_id);
                }
            }
            Ok(moved)
        }
        Place::Stack(stack) => stack.queues.redrive_all(&message_ids).await,
    }
}
