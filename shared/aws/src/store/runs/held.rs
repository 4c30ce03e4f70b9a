//! Runs that are held.
//!
//! The live row has the holder, so that held runs cost the sweep no read, and are found once their halt is gone. The newest commit decides: a
//! live row that a lost write has left behind is corrected by whoever finds it.

use heal_runtime::RunId;
use heal_runtime::port::{Result, RunHead};

use super::due::{self, Which};
use super::read;
use crate::store::call::Change;
use crate::store::item::Item;
use crate::store::{Store, key};

pub(super) async fn by_others(store: &Store, halts: &[String], limit: usize) -> Result<Vec<RunId>> {
    let operation = "runs.held_by_others";
    let is_other = |holder: &str| !holder.contains(':') && halts.iter().all(|halt| halt != holder);
    let mut found = Vec::new();
    for row in due::live_rows(store, operation, Which::Held).await? {
        if found.len() == limit {
            break;
        }
        if !row.held_by.as_deref().is_some_and(is_other) {
            continue;
        }
        let Some(newest) = read::newest(store, operation, &row.run_id).await? else { continue };
        if newest.live.sk != row.sk || newest.head.status.is_terminal() {
            continue;
        }
        if newest.head.held_by != row.held_by {
            note(store, operation, &newest.head, &row.sk).await?;
        }
        if newest.head.held_by_halt().is_some_and(is_other) {
            found.push(row.run_id);
        }
    }
    Ok(found)
}

pub(super) async fn count(store: &Store) -> Result<u64> {
    due::live_rows(store, "runs.count_held", Which::Held).await.map(|rows| rows.len() as u64)
}

/// Writes what holds the run into its live row.
pub(super) async fn note(store: &Store, operation: &'static str, head: &RunHead, sk: &str) -> Result<()> {
    let values = Item::default().text(":run", head.run_id.as_str()).maybe_text(":held_by", head.held_by.as_ref());
    let update = if head.held_by.is_some() { "SET held_by = :held_by" } else { "REMOVE held_by" };
    let change = Change { key: key::live_by_sk(sk.to_owned()), update, condition: "run_id = :run", values };
    store.update(operation, change).await.map(drop)
}
