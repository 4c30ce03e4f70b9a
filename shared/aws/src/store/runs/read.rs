//! Reads one run.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::port::{BackendError, Result};
use heal_runtime::{Commit, RunId, Seq, StoredCommit};

use super::row::{self, Newest};
use crate::store::item::Attributes;
use crate::store::{Store, call, key};

/// The run's newest commit, strongly consistent.
pub(super) async fn newest(store: &Store, operation: &'static str, run_id: &RunId) -> Result<Option<Newest>> {
    let call = store.query(key::run(run_id)).scan_index_forward(false).limit(1);
    let found = Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(operation, &error))?;
    let newest = found.items().first().map(|row| row::read_newest(operation, row)).transpose()?;
    if let Some(newest) = &newest {
        store.newest_runs.update(newest);
    }
    Ok(newest)
}

/// The run's commits after sequence number `after`; none if the run is being removed.
///
/// # Errors
/// A commit whose events cannot be read, or that does not follow the one before it: named by run and sequence number.
pub(super) async fn load(store: &Store, run_id: &RunId, after: Seq) -> Result<Vec<Commit>> {
    let operation = "runs.load";
    let mut commits: Vec<Commit> = Vec::new();
    let mut from: Option<Attributes> = None;
    loop {
        let page = page(store, operation, run_id, after, from).await?;
        for row in page.items() {
            let commit = row::read_commit(operation, row, run_id)?;
            match check_follows(operation, commits.last(), &commit, after) {
                Ok(()) => commits.push(commit),
                Err(_) if is_being_removed(store, operation, run_id).await? => return Ok(Vec::new()),
                Err(gap) => return Err(gap),
            }
        }
        if page.last_evaluated_key.is_none() {
            if let Some(last) = page.items().last() {
                store.newest_runs.update(&row::read_newest(operation, last)?);
            }
            return Ok(commits);
        }
        from = page.last_evaluated_key;
    }
}

/// The run's commits as they are stored.
///
/// # Errors
/// A row that is not a commit, or that does not unpack: named by its key.
pub(super) async fn stored(store: &Store, run_id: &RunId) -> Result<Vec<StoredCommit>> {
    let operation = "runs.stored";
    let mut commits = Vec::new();
    let mut from: Option<Attributes> = None;
    loop {
        let page = page(store, operation, run_id, 0, from).await?;
        for row in page.items() {
            commits.push(row::read_stored(operation, row, run_id)?);
        }
        if page.last_evaluated_key.is_none() {
            return Ok(commits);
        }
        from = page.last_evaluated_key;
    }
}

/// One page of the run's rows after sequence number `after`, strongly consistent.
async fn page(
    store: &Store,
    operation: &'static str,
    run_id: &RunId,
    after: Seq,
    from: Option<Attributes>,
) -> Result<QueryOutput> {
    let call = store
        .query(key::run(run_id))
        .key_condition_expression("pk = :pk AND sk > :after")
        .expression_attribute_values(":after", AttributeValue::S(key::seq(after)))
        .set_exclusive_start_key(from);
    Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(operation, &error))
}

/// Whether garbage collection removes the run: it removes the first commit first, and the one that ended the run last. An ended run whose
/// first commit is there is not being removed, so a gap in its log is damage.
async fn is_being_removed(store: &Store, operation: &'static str, run_id: &RunId) -> Result<bool> {
    if store.get(operation, &key::commit(run_id, 1)).await?.is_some() {
        return Ok(false);
    }
    let newest = newest(store, operation, run_id).await?;
    Ok(newest.is_none_or(|newest| newest.head.status.is_terminal()))
}

/// Checks that `commit` follows the one before it. If `after` lies inside a commit, the first number to expect is unknown.
fn check_follows(operation: &'static str, last: Option<&Commit>, commit: &Commit, after: Seq) -> Result<()> {
    let expected = last.map_or((after == 0).then_some(1), |last| Some(last.last_seq() + 1));
    match expected {
        Some(expected) if expected != commit.first_seq => Err(BackendError::corrupt(
            operation,
            format!(
                "run {}, commit at sequence number {}: expected sequence number {expected}",
                commit.run_id, commit.first_seq
            ),
        )),
        Some(_) | None => Ok(()),
    }
}
