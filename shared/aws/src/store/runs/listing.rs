//! Lists runs: live ones by their live rows, ended ones by the index over the commits that ended them.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use heal_runtime::port::{BackendError, Page, Result, RunFilter, RunHead};
use heal_runtime::{RunStatus, Timestamp};

use super::{due, row};
use crate::store::item::Attributes;
use crate::store::{Store, call, key};

const OPERATION: &str = "runs.list";
/// The index over the commits that ended their runs.
const INDEX: &str = "ended";

/// The last run of a page; the next page continues after it. A run never changes its place in the order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    started_at: Timestamp,
    run_id: String,
}

impl Cursor {
    fn from_head(head: &RunHead) -> Self {
        Self { started_at: head.started_at, run_id: head.run_id.to_string() }
    }

    fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once(':').and_then(|(at, run_id)| Some((at.parse().ok()?, run_id.to_owned())));
        let (started_at, run_id) = parts
            .ok_or_else(|| BackendError::corrupt(OPERATION, format!("`{text}` is not a cursor that a listing gave")))?;
        Ok(Self { started_at: Timestamp(started_at), run_id })
    }
}

pub(super) async fn list(store: &Store, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
    let before = cursor.map(Cursor::parse).transpose()?;
    let wanted = |status: &RunStatus| filter.status.is_none_or(|asked| asked == *status);
    let (ended, live): (Vec<RunStatus>, Vec<RunStatus>) =
        RunStatus::ALL.into_iter().filter(wanted).partition(|status| status.is_terminal());
    let mut heads = Vec::new();
    if !live.is_empty() {
        heads.extend(due::heads(store, OPERATION, None).await?);
    }
    // A run that ends meanwhile is in both lists; the later read is newer.
    let ended = try_join_all(ended.iter().map(|status| list_ended(store, *status, filter, limit, before.as_ref())));
    let ended: Vec<RunHead> = ended.await?.into_iter().flatten().collect();
    heads.retain(|head| live.contains(&head.status) && ended.iter().all(|other| other.run_id != head.run_id));
    heads.extend(ended);
    heads.retain(|head| fits(head, filter, before.as_ref()));
    heads.sort_by_key(|head| std::cmp::Reverse(Cursor::from_head(head)));
    let more = heads.len() > limit;
    heads.truncate(limit);
    let next = heads.last().filter(|_| more).map(|last| format!("{}:{}", last.started_at.0, last.run_id));
    Ok(Page { runs: heads, next })
}

fn fits(head: &RunHead, filter: &RunFilter, before: Option<&Cursor>) -> bool {
    filter.playbook.as_ref().is_none_or(|playbook| head.playbook.as_ref() == Some(playbook))
        && filter.since.is_none_or(|since| head.started_at >= since)
        && before.is_none_or(|before| Cursor::from_head(head) < *before)
}

/// Ended runs of one status, newest first: at least `limit` + 1 if there are as many, so that the caller sees whether there are more.
async fn list_ended(
    store: &Store,
    status: RunStatus,
    filter: &RunFilter,
    limit: usize,
    before: Option<&Cursor>,
) -> Result<Vec<RunHead>> {
    let text = |text: String| AttributeValue::S(text);
    // Up to the cursor's run, from the filter's first moment on.
    let last = before.map_or_else(|| "~".to_owned(), |cursor| key::ended(cursor.started_at, &cursor.run_id));
    let first = key::ended(filter.since.unwrap_or(Timestamp(0)), "");
    let mut heads = Vec::new();
    let mut from: Option<Attributes> = None;
    if first > last {
        return Ok(heads);
    }
    loop {
        let mut call = store
            .client
            .query()
            .table_name(&*store.table)
            .index_name(INDEX)
            .key_condition_expression("gsi_pk = :status AND gsi_sk BETWEEN :first AND :last")
            .expression_attribute_values(":status", text(status.as_str().to_owned()))
            .expression_attribute_values(":first", text(first.clone()))
            .expression_attribute_values(":last", text(last.clone()))
            .scan_index_forward(false)
            .set_exclusive_start_key(from);
        if let Some(playbook) = &filter.playbook {
            call = call
                .filter_expression("playbook = :playbook")
                .expression_attribute_values(":playbook", text(playbook.clone()));
        }
        let page = Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(OPERATION, &error))?;
        for row in page.items() {
            heads.push(row::read_head(OPERATION, row)?);
        }
        // The cursor's own run may be among them.
        if page.last_evaluated_key.is_none() || heads.len() > limit + 1 {
            return Ok(heads);
        }
        from = page.last_evaluated_key;
    }
}
