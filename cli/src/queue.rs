//! The place of a run among those of its playbook that wait for room.

use std::collections::BTreeMap;
use std::fmt;

use heal_engine::RunId;
use heal_engine::event::RunStatus;
use heal_runtime::port::{RunFilter, RunHead, RunReader, number_in_queue};
use serde::Serialize;

/// Runs of one query.
const PAGE: usize = 500;
/// Waiting runs that are read for their places; the place of a run in a longer queue is not shown.
const WAITING: usize = 20_000;

/// Where a run stands in the queue of its playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// Counted from 1: the most severe first, then the oldest.
    pub number: usize,
    /// Runs of the playbook that wait.
    pub of: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.number, self.of)
    }
}

/// The place of each of `heads` that waits for room and that nothing holds.
pub(crate) async fn places(runs: &dyn RunReader, heads: &[RunHead]) -> anyhow::Result<BTreeMap<RunId, Place>> {
    let waits = |head: &&RunHead| head.status == RunStatus::Pending && head.held_by.is_none();
    let mut queues: BTreeMap<&str, Vec<RunHead>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for head in heads.iter().filter(waits) {
        let Some(playbook) = head.playbook.as_deref() else { continue };
        if !queues.contains_key(playbook) {
            queues.insert(playbook, waiting(runs, playbook).await?);
        }
        let queue = queues.get(playbook).map(Vec::as_slice).unwrap_or_default();
        // It may have been admitted since the listing.
        if queue.len() < WAITING && queue.iter().any(|waiting| waiting.run_id == head.run_id) {
            let of = queue.iter().filter(waits).count();
            places.insert(head.run_id.clone(), Place { number: number_in_queue(head, queue), of });
        }
    }
    Ok(places)
}

async fn waiting(runs: &dyn RunReader, playbook: &str) -> anyhow::Result<Vec<RunHead>> {
    let filter =
        RunFilter { status: Some(RunStatus::Pending), playbook: Some(playbook.to_owned()), ..RunFilter::default() };
    let mut found = Vec::new();
    let mut cursor = None;
    while found.len() < WAITING {
        let page = runs.list(&filter, PAGE, cursor.as_deref()).await?;
        found.extend(page.runs);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}
