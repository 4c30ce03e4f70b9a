//! Runs that something is due for.
//!
//! The live rows say which runs may be looked at; whether one is due is read off its newest commit. So a row that is behind costs a
//! read, and never a run. A row that outlived its run is removed on the way.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::{Result, RunHead};
use heal_runtime::{RunId, Timestamp};

use super::read;
use crate::limit::{LIVE_SHARDS, LOOKS_AT_ONCE, ORPHAN_MS};
use crate::store::item::{Attributes, Fields, Item};
use crate::store::{Store, call, key};

/// A row among the live ones.
struct LiveRow {
    sk: String,
    run_id: RunId,
    at: Timestamp,
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

/// The heads of the runs that are live, or with `now` of those among them that may be looked at by then.
pub(super) async fn heads(store: &Store, operation: &'static str, now: Option<Timestamp>) -> Result<Vec<RunHead>> {
    let rows = live_rows(store, operation, now).await?;
    let heads = stream::iter(rows).map(|row| head(store, operation, row, now)).buffer_unordered(LOOKS_AT_ONCE);
    heads.try_filter_map(|head| async { Ok(head) }).try_collect().await
}

/// The run's head; none where it has ended or was never begun.
async fn head(store: &Store, operation: &'static str, row: LiveRow, now: Option<Timestamp>) -> Result<Option<RunHead>> {
    let newest = read::newest(store, operation, &row.run_id).await?;
    // A run has one live row; another one is from an input that was refused because the run was there.
    let is_rubbish = match &newest {
        Some(newest) => newest.head.status.is_terminal() || newest.live.sk != row.sk,
        None => now.is_some_and(|now| now.since_ms(row.at) >= ORPHAN_MS),
    };
    if !is_rubbish {
        return Ok(newest.map(|newest| newest.head));
    }
    if now.is_some() {
        let values = Item::default().text(":run", row.run_id.as_str());
        store.delete(operation, &key::live_of(row.sk), "run_id = :run", values).await?;
    }
    Ok(None)
}

async fn live_rows(store: &Store, operation: &'static str, now: Option<Timestamp>) -> Result<Vec<LiveRow>> {
    let shards = stream::iter(0..LIVE_SHARDS).map(|shard| live_shard(store, operation, shard, now));
    let rows: Vec<Vec<LiveRow>> = shards.buffer_unordered(LIVE_SHARDS as usize).try_collect().await?;
    Ok(rows.into_iter().flatten().collect())
}

async fn live_shard(
    store: &Store,
    operation: &'static str,
    shard: u32,
    now: Option<Timestamp>,
) -> Result<Vec<LiveRow>> {
    let mut rows = Vec::new();
    let mut from: Option<Attributes> = None;
    loop {
        let mut call = store
            .client
            .query()
            .table_name(&*store.table)
            .key_condition_expression("pk = :shard")
            .expression_attribute_values(":shard", AttributeValue::S(key::live_shard(shard)))
            .set_exclusive_start_key(from)
            .consistent_read(true);
        if let Some(now) = now {
            call = call
                .filter_expression("look_at <= :now")
                .expression_attribute_values(":now", AttributeValue::N(now.0.to_string()));
        }
        let page = Box::pin(call.send()).await.map_err(|error| call::of_sdk(operation, &error))?;
        for row in page.items() {
            let fields = Fields::new(operation, row);
            let run_id = RunId::new(fields.text("run_id")?);
            rows.push(LiveRow { sk: fields.text("sk")?.to_owned(), run_id, at: fields.moment("at")? });
        }
        if page.last_evaluated_key.is_none() {
            return Ok(rows);
        }
        from = page.last_evaluated_key;
    }
}
