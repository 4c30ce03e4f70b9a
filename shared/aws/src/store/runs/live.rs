//! Live runs of an alert, by their live rows alone.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::RunId;
use heal_runtime::port::Result;

use crate::limit::LIVE_SHARDS;
use crate::store::{Store, key};

const OPERATION: &str = "runs.live_of_incidents";

/// A live row of an earlier build has no incident, so its run is always among them: the caller asks the log.
pub(super) async fn of_incidents(store: &Store, prefix: &str) -> Result<Vec<RunId>> {
    let shards = stream::iter(0..LIVE_SHARDS).map(|shard| of_shard(store, shard, prefix));
    let runs: Vec<Vec<RunId>> = shards.buffer_unordered(LIVE_SHARDS as usize).try_collect().await?;
    Ok(runs.into_iter().flatten().collect())
}

async fn of_shard(store: &Store, shard: u32, prefix: &str) -> Result<Vec<RunId>> {
    let query = store
        .query(key::live_shard(shard))
        .filter_expression("attribute_not_exists(incident_id) OR begins_with(incident_id, :prefix)")
        .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
    store.read_all(OPERATION, query, |row| Ok(RunId::new(row.text("run_id")?))).await
}
