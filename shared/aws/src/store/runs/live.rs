//! Live runs of an alert, by their live rows alone.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::RunId;
use heal_runtime::port::Result;

use crate::limit::LIVE_SHARDS;
use crate::store::item::{Attributes, Fields};
use crate::store::{Store, call, key};

const OPERATION: &str = "runs.live_of_incidents";

/// A live row of an earlier build has no incident, so its run is always among them: the caller asks the log.
pub(super) async fn of_incidents(store: &Store, prefix: &str) -> Result<Vec<RunId>> {
    let shards = stream::iter(0..LIVE_SHARDS).map(|shard| of_shard(store, shard, prefix));
    let runs: Vec<Vec<RunId>> = shards.buffer_unordered(LIVE_SHARDS as usize).try_collect().await?;
    Ok(runs.into_iter().flatten().collect())
}

async fn of_shard(store: &Store, shard: u32, prefix: &str) -> Result<Vec<RunId>> {
    let mut runs = Vec::new();
    let mut from: Option<Attributes> = None;
    loop {
        let call = store
            .client
            .query()
            .table_name(&*store.table)
            .key_condition_expression("pk = :shard")
            .filter_expression("attribute_not_exists(incident_id) OR begins_with(incident_id, :prefix)")
            .expression_attribute_values(":shard", AttributeValue::S(key::live_shard(shard)))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            .set_exclusive_start_key(from)
            .consistent_read(true);
        let page = Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(OPERATION, &error))?;
        for row in page.items() {
            runs.push(RunId::new(Fields::read(OPERATION, row)?.text("run_id")?));
        }
        if page.last_evaluated_key.is_none() {
            return Ok(runs);
        }
        from = page.last_evaluated_key;
    }
}
