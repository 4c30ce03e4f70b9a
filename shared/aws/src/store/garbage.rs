//! Garbage collection: removes runs that ended long ago.
//!
//! DynamoDB's own expiry (`expires_at`) deletes claims, cooldowns, inputs and plans, but no commits: it takes the rows of a run in any
//! order and over days. A run that lost its last commit first would read as running again. Here the order is fixed: the first commit
//! first, the one that ended the run last. So at every moment in between the newest commit says that the run has ended, and the missing
//! first one that the run is being removed. The last commit is also the one in the index, by which the next collection finds what an
//! interrupted one left.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::Result;
use heal_runtime::{RunId, RunStatus, Timestamp};

use super::Store;
use super::item::{Attributes, Fields, Item};
use super::{call, key};
use crate::limit::{GARBAGE_CONCURRENT_DELETES, GARBAGE_RUNS};
use crate::store::runs::INDEX;

const OPERATION: &str = "garbage.collect";

impl Store {
    /// Removes runs that ended before the retention (`keeping_runs_for`), at most [`GARBAGE_RUNS`] of each kind of end, the oldest first, and
    /// returns their number. Live runs stay, whatever their age.
    ///
    /// # Errors
    /// As every port. Runs that were removed stay removed; a run that is removed in part reads as removed.
    pub async fn collect_garbage(&self, now: Timestamp) -> Result<usize> {
        let ended_by = Timestamp(now.0.saturating_sub(self.keep_runs_ms));
        let mut removed = 0;
        for partition in key::ENDED {
            for run_id in self.expired(partition, ended_by).await? {
                removed += usize::from(self.remove_run(&run_id).await?);
            }
        }
        Ok(removed)
    }

    /// Runs of this partition of the index that ended at or before `ended_by`.
    async fn expired(&self, partition: &str, ended_by: Timestamp) -> Result<Vec<RunId>> {
        let text = |text: String| AttributeValue::S(text);
        let mut expired = Vec::new();
        let mut from: Option<Attributes> = None;
        loop {
            // A run ends after its start. Only those that took long are filtered out, and they are the last of the range.
            let call = self
                .client
                .query()
                .table_name(&*self.table)
                .index_name(INDEX)
                .key_condition_expression("gsi_pk = :partition AND gsi_sk <= :last")
                .filter_expression("updated_at <= :ended_by")
                .expression_attribute_values(":partition", text(partition.to_owned()))
                .expression_attribute_values(":last", text(key::ended(ended_by, "~")))
                .expression_attribute_values(":ended_by", AttributeValue::N(ended_by.0.to_string()))
                .limit(GARBAGE_RUNS)
                .set_exclusive_start_key(from);
            let page = Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(OPERATION, &error))?;
            for row in page.items() {
                expired.push(RunId::new(Fields::read(OPERATION, row)?.text("run_id")?));
            }
            if page.last_evaluated_key.is_none() || !expired.is_empty() {
                return Ok(expired);
            }
            from = page.last_evaluated_key;
        }
    }

    /// Removes an ended run. False if its log says that it has not ended: the index only finds.
    async fn remove_run(&self, run_id: &RunId) -> Result<bool> {
        let rows = self.rows_of(run_id).await?;
        let Some(end) = rows.iter().position(|row| row.has_ended) else { return Ok(false) };
        let mut rest = rows.iter().enumerate().filter(|(index, _)| *index != end).map(|(_, row)| row.sk.as_str());
        if let Some(first) = rest.next() {
            self.delete_commit(run_id, first).await?;
        }
        let deletes = stream::iter(rest.map(|sk| self.delete_commit(run_id, sk)).collect::<Vec<_>>());
        deletes.buffer_unordered(GARBAGE_CONCURRENT_DELETES).try_collect::<Vec<()>>().await?;
        if let Some(end) = rows.get(end) {
            self.delete_commit(run_id, &end.sk).await?;
        }
        Ok(true)
    }

    async fn delete_commit(&self, run_id: &RunId, sk: &str) -> Result<()> {
        let key = super::item::Key { pk: key::run(run_id), sk: sk.to_owned() };
        self.delete(OPERATION, &key, "attribute_exists(pk)", Item::default()).await.map(drop)
    }

    /// The run's rows, in order.
    async fn rows_of(&self, run_id: &RunId) -> Result<Vec<Row>> {
        let query = self
            .query(key::run(run_id))
            .projection_expression("pk, sk, #status")
            .expression_attribute_names("#status", "status");
        let read = |row: &Fields| {
            let status = row.text("status")?;
            let known = RunStatus::ALL.into_iter().find(|known| known.as_str() == status);
            let has_ended = known.ok_or_else(|| row.corrupt("status", "is not a status"))?.is_terminal();
            Ok(Row { sk: row.text("sk")?.to_owned(), has_ended })
        };
        self.read_all(OPERATION, query, read).await
    }
}

/// A commit, as far as its removal needs it.
struct Row {
    sk: String,
    has_ended: bool,
}
