//! Appends a commit to a run.

use heal_runtime::port::{Appended, Result, RunHead};
use heal_runtime::{Commit, RunStatus, Timestamp};

use super::held;
use super::read;
use super::rooms;
use super::row::{self, Live, Newest};
use crate::store::call::{Change, Written};
use crate::store::item::Item;
use crate::store::{Store, key};

const OPERATION: &str = "runs.append";

/// Writes the commit after the last one, by one write. At the run's end a second write deletes its live row.
pub(super) async fn append(store: &Store, commit: &Commit, head: &RunHead) -> Result<Appended> {
    append_after(store, commit, head, false).await
}

/// As [`append`]; `is_noted` if the live row says already whether the run waits for room.
pub(super) async fn append_after(store: &Store, commit: &Commit, head: &RunHead, is_noted: bool) -> Result<Appended> {
    let Some(last) = last_before(store, commit).await? else { return refused(store, commit).await };
    // These fields never change after the run's start.
    let head = RunHead {
        run_id: commit.run_id.clone(),
        incident_id: last.head.incident_id.clone(),
        playbook: last.head.playbook.clone(),
        started_at: last.head.started_at,
        subject: last.head.subject.clone(),
        last_seq: commit.last_seq(),
        ..head.clone()
    };
    let earlier = head.wake_at.filter(|wake_at| *wake_at < last.live.look_at);
    let live = Live { look_at: earlier.unwrap_or(last.live.look_at), sk: last.live.sk };
    let item = row::commit(commit, Some(&last.head), &head, &live);
    let appended = match store.put(OPERATION, item, "attribute_not_exists(pk)", Item::default()).await? {
        Written::Done(_) => Appended::Appended,
        Written::Refused(Some(there)) if row::is_of(&there, &commit.cause_id) => Appended::AlreadyThere,
        Written::Refused(_) => return Ok(Appended::Conflict),
    };
    let awaits_approval = |head: &RunHead| head.status == RunStatus::AwaitingApproval;
    let has_changed = awaits_approval(&last.head) != awaits_approval(&head);
    let changes = LiveChanges {
        earlier,
        awaits: has_changed.then(|| awaits_approval(&head)),
        is_held_otherwise: head.held_by != last.head.held_by,
        waits_otherwise: !is_noted && rooms::waits(&head) != rooms::waits(&last.head),
    };
    let newest = Newest { head, live };
    store.newest_runs.update(&newest);
    if let Err(error) = follow(store, &newest, &changes).await {
        // The log decides. The sweep finds the run through the stale row, and corrects the row.
        tracing::warn!(run = %commit.run_id, error = &error as &dyn std::error::Error, "failed to update the live row; the sweep will correct it");
    }
    Ok(appended)
}

/// The commit right before this one; `None` if the log's end is elsewhere.
async fn last_before(store: &Store, commit: &Commit) -> Result<Option<Newest>> {
    let is_last = |newest: &Newest| newest.head.last_seq + 1 == commit.first_seq;
    if let Some(newest) = store.newest_runs.get(&commit.run_id).filter(is_last) {
        return Ok(Some(newest));
    }
    Ok(read::newest(store, OPERATION, &commit.run_id).await?.filter(is_last))
}

/// Why the log's end is elsewhere: this commit is in the log already, or another one took its place.
async fn refused(store: &Store, commit: &Commit) -> Result<Appended> {
    let there = store.get(OPERATION, &key::commit(&commit.run_id, commit.first_seq)).await?;
    let same = there.is_some_and(|there| row::is_of(&there, &commit.cause_id));
    Ok(if same { Appended::AlreadyThere } else { Appended::Conflict })
}

/// What a commit changes of the live row of a run that goes on.
struct LiveChanges {
    /// The sweep has to read the run earlier.
    earlier: Option<Timestamp>,
    /// The run awaits approval now, or no longer does.
    awaits: Option<bool>,
    /// Another holder, or none any more.
    is_held_otherwise: bool,
    /// The run waits for room from now on, or no longer does.
    waits_otherwise: bool,
}

/// Updates the live row, or deletes it at the run's end.
async fn follow(store: &Store, newest: &Newest, changes: &LiveChanges) -> Result<()> {
    let LiveChanges { earlier, awaits, is_held_otherwise, waits_otherwise } = *changes;
    let key = key::live_by_sk(newest.live.sk.clone());
    let values = Item::default().text(":run", newest.head.run_id.as_str());
    if newest.head.status.is_terminal() {
        let deleted = store.delete(OPERATION, &key, "run_id = :run", values).await.map(drop);
        store.rooms.note_change();
        return deleted;
    }
    if waits_otherwise {
        rooms::note(store, OPERATION, &newest.head, &newest.live.sk).await?;
    }
    if is_held_otherwise {
        store.rooms.note_change();
        held::note(store, OPERATION, &newest.head, &newest.live.sk).await?;
    }
    if let Some(look_at) = earlier {
        let change = Change {
            key: key.clone(),
            update: "SET look_at = :look_at",
            condition: "run_id = :run AND look_at > :look_at",
            values: values.clone().moment(":look_at", look_at),
        };
        store.update(OPERATION, change).await?;
    }
    if let Some(awaits) = awaits {
        let change = Change {
            key,
            update: "SET awaits_approval = :awaits",
            condition: "run_id = :run",
            values: values.flag(":awaits", awaits),
        };
        store.update(OPERATION, change).await?;
    }
    Ok(())
}
