//! Creates a run.

use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use heal_runtime::port::{BackendError, Created, JoinedInput, NewRun, Result};
use heal_runtime::{RunId, RunStatus, Timestamp};

use super::due::{AWAITS_APPROVAL, TAKES_ROOM, WAITS};
use super::repeats::Count;
use super::row::{self, Live, Newest};
use super::{held, read, rooms};
use crate::limit::{CONTENTION_TRIES, SWEEP_AFTER_MS};
use crate::store::call::{Committed, check_size, contended, pause};
use crate::store::item::{Attributes, Fields, Item, Key};
use crate::store::{Store, key};

const OPERATION: &str = "runs.create";
/// DynamoDB's cancellation codes of a write that did not fail, and of one whose condition did not hold.
const NOT_FAILED: &str = "None";
const REFUSED: &str = "ConditionalCheckFailed";

/// Why a run was not created.
enum Obstacle {
    /// The input, or the run's id, has a run.
    Duplicate(RunId),
    /// A live run holds the concurrency key.
    Busy(RunId),
    /// The count of runs for the target is another than this create was decided on: that row.
    Count(Option<Attributes>),
    /// Another transaction works on the same rows.
    Contention,
}

/// Stores the first commit, the input's dedupe row, the run's live row, and the count of runs for its target.
///
/// With a concurrency key they are one transaction. Without one there is no contention for the live row, so it is written on its
/// own, and first: the sweep removes a live row without a run, but would never find a run without a live row.
pub(super) async fn create(store: &Store, run: &NewRun) -> Result<Created> {
    let live = Live { sk: live_key(run).sk, look_at: look_at(run) };
    let newest = Newest { head: run.head.clone(), live };
    let commit = row::commit(&run.commit, None, &run.head, &newest.live);
    check_size(OPERATION, &commit)?;
    let is_live = !run.head.status.is_terminal();
    // Held until the rows are written or refused.
    let grant = match &run.room {
        None => None,
        Some(room) => match store.rooms.grant(store, run.commit.at, run.head.playbook.as_deref(), room).await? {
            Some(grant) => Some(grant),
            None => return Ok(Created::Full),
        },
    };
    let created = write(store, run, &newest, commit, is_live).await?;
    match (grant, &created) {
        (None, _) | (Some(_), Created::Created) => {}
        (Some(grant), refused) => {
            grant.give_back();
            let is_other = !matches!(refused, Created::Duplicate { run_id } if *run_id == run.commit.run_id);
            if run.concurrency_key.is_none() && is_other {
                // Else the row of a run that does not exist would take room until the sweep removes it.
                free(store, run, &run.commit.run_id).await?;
            }
        }
    }
    Ok(created)
}

/// Writes the rows, as often as another transaction is in the way.
async fn write(store: &Store, run: &NewRun, newest: &Newest, commit: Item, is_live: bool) -> Result<Created> {
    let mut count = Count::read(store, OPERATION, run).await?;
    let mut owes_live_row = is_live && run.concurrency_key.is_none();
    let mut writes = vec![dedupe_row(store, run)?, put(store, commit, "attribute_not_exists(pk)", Item::default())?];
    if run.concurrency_key.is_some() {
        writes.push(if is_live {
            put(store, live_row(run, &newest.live), "attribute_not_exists(pk)", Item::default())?
        } else {
            check(store, &live_key(run))?
        });
    }
    for tried in 0..CONTENTION_TRIES {
        let is_refused = count.as_ref().is_some_and(Count::is_refused);
        if owes_live_row && !is_refused {
            store.put(OPERATION, live_row(run, &newest.live), "attribute_not_exists(pk)", Item::default()).await?;
            owes_live_row = false;
        }
        let counted = count.as_ref().map(|count| count.write(store)).transpose()?;
        let obstacle = match store.transact(OPERATION, writes.iter().cloned().chain(counted).collect()).await? {
            Committed::Done => {
                store.newest_runs.update(newest);
                mark(store, run, newest).await?;
                return Ok(Created::Created);
            }
            Committed::Cancelled(reasons) => obstacle(run, &reasons)?,
        };
        match obstacle {
            Obstacle::Duplicate(run_id) => return Ok(Created::Duplicate { run_id }),
            Obstacle::Busy(run_id) if has_ended(store, &run_id).await? => free(store, run, &run_id).await?,
            Obstacle::Busy(run_id) => return Ok(Created::Busy { run_id }),
            Obstacle::Count(row) => {
                count = Count::from_row(OPERATION, run, row.as_ref())?;
                if let Some(refusal) = count.as_ref().and_then(Count::refusal) {
                    return Ok(refusal);
                }
            }
            Obstacle::Contention => pause(tried).await,
        }
    }
    Err(contended(OPERATION))
}

/// Says in the live row of a run that exists now what keeps the sweep from reading the run: it is held, or it waits for room.
async fn mark(store: &Store, run: &NewRun, newest: &Newest) -> Result<()> {
    let is_written_before = run.concurrency_key.is_none();
    if is_written_before && run.head.held_by.is_some() {
        held::note(store, OPERATION, &newest.head, &newest.live.sk).await?;
    }
    if rooms::waits(&run.head) {
        if is_written_before {
            rooms::note(store, OPERATION, &newest.head, &newest.live.sk).await?;
        } else {
            store.rooms.note_waiting(&run.head);
        }
    }
    Ok(())
}

fn live_key(run: &NewRun) -> Key {
    key::live(&run.commit.run_id, run.concurrency_key.as_deref())
}

fn look_at(run: &NewRun) -> Timestamp {
    let look_at = run.commit.at.plus_ms(SWEEP_AFTER_MS);
    run.head.wake_at.map_or(look_at, |wake_at| wake_at.min(look_at))
}

fn live_row(run: &NewRun, live: &Live) -> Item {
    // A row that is written before its run must not look like that of a run that is held or waits: the sweep reads it, and removes it if no run
    // follows.
    let is_of_a_run = run.concurrency_key.is_some();
    let row = Item::at(&live_key(run))
        .text("run_id", run.commit.run_id.as_str())
        .text("incident_id", &run.head.incident_id)
        .maybe_text("held_by", run.head.held_by.as_ref().filter(|_| is_of_a_run))
        .moment("look_at", live.look_at)
        .moment("at", run.commit.at)
        .maybe_text("playbook", run.head.playbook.as_ref());
    let row = if run.room.is_some() { row.flag(TAKES_ROOM, true) } else { row };
    let row = if is_of_a_run && rooms::waits(&run.head) {
        row.flag(WAITS, true).maybe_text("severity", run.head.subject.severity.as_ref())
    } else {
        row
    };
    if run.head.status == RunStatus::AwaitingApproval { row.flag(AWAITS_APPROVAL, true) } else { row }
}

/// Holds if the input is new: it has no row, or the window of its row has ended.
const IS_NEW: &str = "attribute_not_exists(pk) OR open_until <= :at";

fn dedupe_row(store: &Store, run: &NewRun) -> Result<TransactWriteItem> {
    let item = dedupe_item(&run.dedupe_key, &run.commit.run_id, run.dedupe_until);
    put(store, item, IS_NEW, Item::default().moment(":at", run.commit.at))
}

fn dedupe_item(dedupe_key: &str, run_id: &RunId, until: Timestamp) -> Item {
    Item::at(&key::dedupe(dedupe_key)).text("run_id", run_id.as_str()).moment("open_until", until).expires(until, 0)
}

/// Writes the dedupe row of an input that has no run of its own, unless there is one.
pub(super) async fn remember(store: &Store, input: &JoinedInput) -> Result<()> {
    let item = dedupe_item(&input.dedupe_key, &input.run_id, input.until);
    store.put("runs.remember", item, IS_NEW, Item::default().moment(":at", input.at)).await.map(drop)
}

pub(super) fn put(store: &Store, item: Item, condition: &str, values: Item) -> Result<TransactWriteItem> {
    let values: Attributes = values.into();
    let put = Put::builder()
        .table_name(&*store.table)
        .set_item(item.into())
        .condition_expression(condition)
        .set_expression_attribute_values((!values.is_empty()).then_some(values))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build();
    let put = put.map_err(|error| BackendError::corrupt(OPERATION, error.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Checks that there is no such row. A run that is created as ended holds no key, so the condition only checks that no other run holds it.
pub(super) fn check(store: &Store, key: &Key) -> Result<TransactWriteItem> {
    let check = ConditionCheck::builder()
        .table_name(&*store.table)
        .set_key(Some(key.attributes()))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build();
    let check = check.map_err(|error| BackendError::corrupt(OPERATION, error.to_string()))?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}

/// The dedupe key takes precedence, then the run's id, then the concurrency key, then the count.
fn obstacle(run: &NewRun, reasons: &[CancellationReason]) -> Result<Obstacle> {
    let code = |index: usize| reasons.get(index).and_then(CancellationReason::code).unwrap_or(NOT_FAILED);
    if code(0) == REFUSED {
        return Ok(Obstacle::Duplicate(holder(reasons, 0)?));
    }
    if reasons.iter().any(|reason| !matches!(reason.code(), None | Some(NOT_FAILED | REFUSED))) {
        return Ok(Obstacle::Contention);
    }
    if code(1) == REFUSED {
        return Ok(Obstacle::Duplicate(run.commit.run_id.clone()));
    }
    match run.concurrency_key {
        Some(_) if code(2) == REFUSED => Ok(Obstacle::Busy(holder(reasons, 2)?)),
        Some(_) | None => Ok(Obstacle::Count(reasons.last().and_then(CancellationReason::item).cloned())),
    }
}

/// The run that the conflicting row names.
fn holder(reasons: &[CancellationReason], index: usize) -> Result<RunId> {
    let missing = || BackendError::corrupt(OPERATION, "the cancelled transaction does not return the conflicting row");
    let row = reasons.get(index).and_then(CancellationReason::item).ok_or_else(missing)?;
    Ok(RunId::new(Fields::read(OPERATION, row)?.text("run_id")?))
}

/// Whether the run has ended although its live row remains: its writer died in between.
async fn has_ended(store: &Store, run_id: &RunId) -> Result<bool> {
    let newest = read::newest(store, OPERATION, run_id).await?;
    Ok(newest.is_none_or(|newest| newest.head.status.is_terminal()))
}

async fn free(store: &Store, run: &NewRun, holder: &RunId) -> Result<()> {
    let values = Item::default().text(":run", holder.as_str());
    store.delete(OPERATION, &live_key(run), "run_id = :run", values).await.map(drop)
}
