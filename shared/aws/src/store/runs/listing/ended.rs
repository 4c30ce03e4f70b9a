//! The ended runs of one partition of the index.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::port::{Position, Result, RunFilter, RunHead};
use heal_runtime::{RunOutcome, RunStatus, Timestamp};

use super::{OPERATION, newest, reads_newest};
use crate::limit::{LIST_EXAMINED_RUNS, LIST_PAGE_RUNS};
use crate::store::item::{Attributes, Fields};
use crate::store::runs::row;
use crate::store::{Store, call, key};

/// The index over the commits that ended their runs.
pub(in crate::store) const INDEX: &str = "ended";

/// The partitions that can have runs of this listing.
///
/// A run that completed without a shortfall needs nobody, so the listing of those that do reads none of them.
pub(super) fn partitions(filter: &RunFilter) -> Vec<&'static str> {
    let is_wanted = |partition: &&'static str| {
        let degraded = RunOutcome::Degraded.as_str();
        let completed = RunStatus::Completed.as_str();
        let status = if *partition == degraded { completed } else { *partition };
        let fits_outcome = match filter.outcome {
            Some(outcome) => (outcome == RunOutcome::Degraded) == (*partition == degraded),
            None => !filter.needs_attention || *partition != completed,
        };
        fits_outcome && filter.statuses().any(|wanted| wanted.as_str() == status)
    };
    key::ENDED.into_iter().filter(is_wanted).collect()
}

/// What to list.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub store: &'a Store,
    pub filter: &'a RunFilter,
    pub limit: usize,
    pub before: Option<&'a Position>,
}

/// Runs that the filter admits.
pub(super) struct Found {
    pub heads: Vec<RunHead>,
    /// The last run that was examined, if there may be more before it.
    pub stopped_at: Option<Position>,
}

impl Query<'_> {
    /// Newest first: more than the limit if there are as many, so that the caller sees whether there are more; for a listing by urgency,
    /// all. Examines [`LIST_EXAMINED_RUNS`] at most.
    pub(super) async fn list(self, partition: &'static str) -> Result<Found> {
        let mut heads = Vec::new();
        let mut examined = 0;
        let mut from: Option<Attributes> = None;
        let (first, last) = self.range();
        if first > last {
            return Ok(Found { heads, stopped_at: None });
        }
        loop {
            let page = self.page(partition, (&first, &last), from).await?;
            examined += usize::try_from(page.scanned_count()).unwrap_or(0);
            heads.extend(self.admitted(&page).await?);
            let is_enough = heads.len() > self.limit && !self.filter.needs_attention;
            match page.last_evaluated_key {
                Some(last) if !is_enough && examined >= LIST_EXAMINED_RUNS => {
                    return Ok(Found { heads, stopped_at: Some(position(&last)?) });
                }
                Some(last) if !is_enough => from = Some(last),
                Some(_) | None => return Ok(Found { heads, stopped_at: None }),
            }
        }
    }

    /// The sort keys from the filter's first moment to the cursor's run. An urgent run may have started at any time.
    fn range(&self) -> (String, String) {
        let before = self.before.filter(|_| !self.filter.needs_attention);
        let last = before.map_or_else(|| "~".to_owned(), |position| key::ended(position.started_at, &position.run_id));
        (key::ended(self.filter.since.unwrap_or(Timestamp(0)), ""), last)
    }

    async fn page(&self, partition: &str, range: (&str, &str), from: Option<Attributes>) -> Result<QueryOutput> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut call = self
            .store
            .client
            .query()
            .table_name(&*self.store.table)
            .index_name(INDEX)
            .key_condition_expression("gsi_pk = :partition AND gsi_sk BETWEEN :first AND :last")
            .expression_attribute_values(":partition", text(partition))
            .expression_attribute_values(":first", text(range.0))
            .expression_attribute_values(":last", text(range.1))
            .scan_index_forward(false)
            .set_exclusive_start_key(from);
        let outcome = self.filter.outcome.map(|outcome| outcome.as_str().to_owned());
        let mut conditions = Vec::new();
        for (condition, name, value) in [
            ("playbook = :playbook", ":playbook", &self.filter.playbook),
            ("incident_id = :incident", ":incident", &self.filter.incident_id),
            ("outcome = :outcome", ":outcome", &outcome),
        ] {
            if let Some(value) = value {
                conditions.push(condition);
                call = call.expression_attribute_values(name, text(value));
            }
        }
        // The cursor's own run may be among them, and one more tells whether there is a next page.
        let is_filtered = !conditions.is_empty() || reads_newest(self.filter);
        let rows = if is_filtered { LIST_PAGE_RUNS } else { self.limit.saturating_add(2).min(LIST_PAGE_RUNS) };
        call = call.limit(i32::try_from(rows).unwrap_or(i32::MAX));
        if !conditions.is_empty() {
            call = call.filter_expression(conditions.join(" AND "));
        }
        Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(OPERATION, &error))
    }

    /// The runs of the page that the filter admits.
    async fn admitted(&self, page: &QueryOutput) -> Result<Vec<RunHead>> {
        let mut heads = page.items().iter().map(|row| row::read_head(OPERATION, row)).collect::<Result<Vec<_>>>()?;
        if reads_newest(self.filter) {
            heads = newest(self.store, heads).await?;
        }
        let before = |head: &RunHead| self.before.is_none_or(|before| self.filter.position(head) < *before);
        heads.retain(|head| self.filter.admits(head) && before(head));
        Ok(heads)
    }
}

/// The place of the run with this key in the index, in a listing by start.
pub(in crate::store::runs) fn position(key: &Attributes) -> Result<Position> {
    let fields = Fields::read(OPERATION, key)?;
    let sk = fields.text("gsi_sk")?;
    let (started_at, run_id) =
        sk.split_once('#').ok_or_else(|| fields.corrupt("gsi_sk", "is not a start and a run"))?;
    let started_at = started_at.parse().map_err(|error| fields.corrupt("gsi_sk", error))?;
    Ok(Position { urgency: 0, started_at: Timestamp(started_at), run_id: run_id.to_owned() })
}
