//! Lists runs: live ones by their live rows, ended ones by the index over the commits that ended them.
//!
//! The index only finds. It has the status, the outcome, the playbook, the incident and the start of a run; what else a filter asks for,
//! and what a page shows, is read from the run's newest commit.

mod ended;

pub(in crate::store) use ended::INDEX;
#[cfg(feature = "fuzz")]
pub(super) use ended::position;
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::{Page, Position, Result, RunFilter, RunHead};

use super::{due, read};
use crate::limit::SWEEP_CONCURRENT_READS;
use crate::store::Store;

pub(super) const OPERATION: &str = "runs.list";

pub(super) async fn list(store: &Store, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
    let before = cursor.map(|cursor| filter.parse_cursor(OPERATION, cursor)).transpose()?;
    let mut heads = Vec::new();
    if filter.statuses().any(|status| !status.is_terminal()) {
        heads.extend(due::heads(store, OPERATION, None).await?);
    }
    // A run that ends meanwhile is in both lists; the later read is newer.
    let query = ended::Query { store, filter, limit, before: before.as_ref() };
    let found = try_join_all(ended::partitions(filter).into_iter().map(|partition| query.list(partition))).await?;
    heads.retain(|head| found.iter().flat_map(|found| &found.heads).all(|other| other.run_id != head.run_id));
    // A partition that was not examined to its end says nothing about runs before its last one.
    let horizon = found.iter().filter_map(|found| found.stopped_at.clone()).max();
    heads.extend(found.into_iter().flat_map(|found| found.heads));
    let mut placed: Vec<(Position, RunHead)> = heads.into_iter().map(|head| (filter.position(&head), head)).collect();
    placed.retain(|(position, head)| {
        filter.admits(head)
            && before.as_ref().is_none_or(|before| position < before)
            && (filter.needs_attention || horizon.as_ref().is_none_or(|horizon| position >= horizon))
    });
    placed.sort_by(|(a, _), (b, _)| b.cmp(a));
    let more = placed.len() > limit;
    placed.truncate(limit);
    let last = placed.last().filter(|_| more).map(|(position, _)| position);
    let next = last.or(horizon.as_ref().filter(|_| !filter.needs_attention)).map(|position| filter.cursor(position));
    let unexamined_before = horizon.filter(|_| !more || filter.needs_attention).map(|horizon| horizon.started_at);
    let heads = placed.into_iter().map(|(_, head)| head).collect();
    let runs = if reads_newest(filter) { heads } else { newest(store, heads).await? };
    Ok(Page { runs, next, unexamined_before })
}

/// Whether the index cannot tell which runs the listing has, or in which order.
fn reads_newest(filter: &RunFilter) -> bool {
    let RunFilter { ticket_id, workflow_id, worker_id, severity, needs_attention, .. } = filter;
    *needs_attention || [ticket_id, workflow_id, worker_id, severity].iter().any(|asked| asked.is_some())
}

/// The runs as their newest commits describe them, without those that are removed by now.
async fn newest(store: &Store, heads: Vec<RunHead>) -> Result<Vec<RunHead>> {
    let reads = stream::iter(heads).map(|head| async move {
        if !head.status.is_terminal() {
            return Ok(Some(head));
        }
        let newest = read::newest(store, OPERATION, &head.run_id).await?;
        Ok(newest.map(|newest| newest.head))
    });
    reads.buffered(SWEEP_CONCURRENT_READS).try_filter_map(|head| async { Ok(head) }).try_collect().await
}
