//! Runs that are due.
//!
//! The live rows list candidates; the newest commit decides whether a run is due. So a stale live row costs one read, and never hides a
//! run. A live row that outlived its run is deleted on the way.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::{LiveRuns, Result, RunHead};
use heal_runtime::{RunId, Timestamp};

use super::{held, read, rooms};
use crate::limit::{LIVE_SHARDS, ORPHAN_MS, SWEEP_CONCURRENT_READS};
use crate::store::item::{Fields, Item};
use crate::store::{Store, key};

/// The flag of a live row whose run awaits approval, for its count alone.
pub(super) const AWAITS_APPROVAL: &str = "awaits_approval";

/// The flags of a live row whose run waits for room, or takes it.
pub(super) const WAITS: &str = "waits";
pub(super) const TAKES_ROOM: &str = "room";

/// A live row.
pub(super) struct LiveRow {
    pub sk: String,
    pub run_id: RunId,
    /// When the run was created.
    pub at: Timestamp,
    /// A row of an earlier build does not say so.
    awaits_approval: bool,
    /// What holds the run.
    pub held_by: Option<String>,
    /// The playbook, the severity of a run that waits, and whether it waits or takes room. A row of an earlier build has none of them.
    pub playbook: Option<String>,
    pub severity: Option<String>,
    pub waits: bool,
    pub takes_room: bool,
}

/// Which live rows to read.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Those that the sweep may read by then: not those of runs that are held or wait for room.
    Due(Timestamp),
    /// Those of held runs.
    Held,
}

pub(super) async fn due(store: &Store, now: Timestamp, limit: usize) -> Result<Vec<RunId>> {
    let operation = "runs.due";
    let heads = heads(store, operation, Some(now)).await?;
    let mut due: Vec<(Timestamp, RunId)> = heads
        .into_iter()
        .filter_map(|head| Some((head.wake_at.filter(|wake_at| *wake_at <= now)?, head.run_id)))
        .collect();
    due.sort();
    Ok(due.into_iter().take(limit).map(|(_, run_id)| run_id).collect())
}

pub(super) async fn next_due(store: &Store) -> Result<Option<Timestamp>> {
    let heads = heads(store, "runs.next_due", None).await?;
    Ok(heads.into_iter().filter_map(|head| head.wake_at).min())
}

/// Counts the live rows, without a read of the runs.
pub(super) async fn count_live(store: &Store) -> Result<LiveRuns> {
    let rows = live_rows(store, "runs.count_live", Which::All).await?;
    let awaiting_approval = rows.iter().filter(|row| row.awaits_approval).count() as u64;
    let waiting = || rows.iter().filter(|row| row.waits);
    Ok(LiveRuns {
        active: rows.len() as u64,
        awaiting_approval,
        waiting: waiting().count() as u64,
        waiting_since: waiting().map(|row| row.at).min(),
    })
}

/// The heads of the live runs; with `now`, only of those that the sweep may read by then.
pub(super) async fn heads(store: &Store, operation: &'static str, now: Option<Timestamp>) -> Result<Vec<RunHead>> {
    let rows = live_rows(store, operation, now.map_or(Which::All, Which::Due)).await?;
    let heads = stream::iter(rows).map(|row| head(store, operation, row, now)).buffer_unordered(SWEEP_CONCURRENT_READS);
    heads.try_filter_map(|head| async { Ok(head) }).try_collect().await
}

/// The run's head; `None` if it has ended or was never created.
async fn head(store: &Store, operation: &'static str, row: LiveRow, now: Option<Timestamp>) -> Result<Option<RunHead>> {
    let newest = read::newest(store, operation, &row.run_id).await?;
    // A run has one live row. Another one comes from an input that was refused because the run existed.
    let is_stale = match &newest {
        Some(newest) => newest.head.status.is_terminal() || newest.live.sk != row.sk,
        None => now.is_some_and(|now| now.since_ms(row.at) >= ORPHAN_MS),
    };
    if !is_stale {
        let head = newest.map(|newest| newest.head);
        if let Some(head) = head.as_ref().filter(|head| now.is_some() && head.held_by != row.held_by) {
            held::note(store, operation, head, &row.sk).await?;
        }
        if let Some(head) = head.as_ref().filter(|head| now.is_some() && rooms::waits(head) != row.waits) {
            rooms::note(store, operation, head, &row.sk).await?;
        }
        return Ok(head);
    }
    if now.is_some() {
        let values = Item::default().text(":run", row.run_id.as_str());
        store.delete(operation, &key::live_by_sk(row.sk), "run_id = :run", values).await?;
    }
    Ok(None)
}

pub(super) async fn live_rows(store: &Store, operation: &'static str, which: Which) -> Result<Vec<LiveRow>> {
    let shards = stream::iter(0..LIVE_SHARDS).map(|shard| live_shard(store, operation, shard, which));
    let rows: Vec<Vec<LiveRow>> = shards.buffer_unordered(LIVE_SHARDS as usize).try_collect().await?;
    Ok(rows.into_iter().flatten().collect())
}

async fn live_shard(store: &Store, operation: &'static str, shard: u32, which: Which) -> Result<Vec<LiveRow>> {
    let mut query = store.query(key::live_shard(shard));
    query = match which {
        Which::All => query,
        Which::Held => query.filter_expression("attribute_exists(held_by)"),
        Which::Due(now) => query
            .filter_expression("look_at <= :now AND attribute_not_exists(held_by) AND attribute_not_exists(waits)")
            .expression_attribute_values(":now", AttributeValue::N(now.0.to_string())),
    };
    store.read_all(operation, query, LiveRow::read).await
}

impl LiveRow {
    pub(super) fn read(row: &Fields<'_>) -> Result<Self> {
        let held_by = row.maybe_text("held_by")?.map(ToOwned::to_owned);
        let (sk, run_id, at) = (row.text("sk")?.to_owned(), RunId::new(row.text("run_id")?), row.moment("at")?);
        let maybe = |name: &str| row.maybe_text(name).map(|text| text.map(ToOwned::to_owned));
        Ok(Self {
            sk,
            run_id,
            at,
            awaits_approval: row.flag(AWAITS_APPROVAL),
            held_by,
            playbook: maybe("playbook")?,
            severity: maybe("severity")?,
            waits: row.flag(WAITS),
            takes_room: row.flag(TAKES_ROOM),
        })
    }
}
