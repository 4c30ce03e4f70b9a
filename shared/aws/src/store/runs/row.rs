//! One commit as a row: its events, and what the index knows of the run after it.

use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::port::{Result, RunHead};
use heal_runtime::{Commit, RunId, RunOutcome, RunStatus, Seq, Timestamp};
use serde::de::DeserializeOwned;

use super::unwritable;
use crate::limit::WRITE_UNIT_BYTES;
use crate::store::item::{Attributes, Fields, Item};
use crate::store::{key, pack};

/// What a run's newest commit says of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Newest {
    pub head: RunHead,
    pub live: Live,
}

/// A run's row among the live ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    /// Its sort key, from which its partition follows.
    pub sk: String,
    /// The sweep looks at the run from here on. It only ever becomes earlier.
    pub look_at: Timestamp,
}

/// The commit as a row. One that ends its run is also what the index of ended runs is made of.
pub(super) fn commit(operation: &'static str, commit: &Commit, head: &RunHead, live: &Live) -> Result<Item> {
    let events = serde_json::to_string(&commit.events).map_err(|error| unwritable(operation, &error))?;
    let mut item = Item::at(&key::commit(&commit.run_id, commit.first_seq))
        .text("cause_id", &commit.cause_id)
        .moment("at", commit.at)
        .text("live_sk", &live.sk)
        .moment("look_at", live.look_at)
        .text("run_id", commit.run_id.as_str())
        .text("incident_id", &head.incident_id)
        .maybe_text("playbook", head.playbook.as_ref())
        .text("status", head.status.as_str())
        .maybe_text("outcome", head.outcome.map(RunOutcome::as_str))
        .moment("started_at", head.started_at)
        .moment("updated_at", head.updated_at)
        .maybe_moment("wake_at", head.wake_at)
        .number("last_seq", commit.last_seq())
        .maybe_text("reason", head.reason.as_ref());
    if head.status.is_terminal() {
        item = item
            .text("gsi_pk", head.status.as_str())
            .text("gsi_sk", key::ended(head.started_at, commit.run_id.as_str()));
    }
    let room = WRITE_UNIT_BYTES.saturating_sub(item.bytes() + "events".len());
    Ok(item.value("events", pack::pack(&events, room)))
}

/// The commit in a row of the log.
pub(super) fn read_commit(operation: &'static str, row: &Attributes, run_id: &RunId) -> Result<Commit> {
    let fields = Fields::new(operation, row);
    let events = fields.packed("events")?;
    Ok(Commit {
        run_id: run_id.clone(),
        first_seq: first_seq(&fields)?,
        cause_id: fields.text("cause_id")?.to_owned(),
        at: fields.moment("at")?,
        events: serde_json::from_str(&events).map_err(|error| fields.corrupt("events", error))?,
    })
}

pub(super) fn read_newest(operation: &'static str, row: &Attributes) -> Result<Newest> {
    let fields = Fields::new(operation, row);
    let live = Live { sk: fields.text("live_sk")?.to_owned(), look_at: fields.moment("look_at")? };
    Ok(Newest { head: read_head(operation, row)?, live })
}

/// The head in a row of the log, or of the index over it.
pub(super) fn read_head(operation: &'static str, row: &Attributes) -> Result<RunHead> {
    let fields = Fields::new(operation, row);
    Ok(RunHead {
        run_id: RunId::new(fields.text("run_id")?),
        incident_id: fields.text("incident_id")?.to_owned(),
        playbook: fields.maybe_text("playbook")?.map(ToOwned::to_owned),
        status: word::<RunStatus>(&fields, "status")?,
        outcome: fields.maybe_text("outcome")?.map(|_| word::<RunOutcome>(&fields, "outcome")).transpose()?,
        started_at: fields.moment("started_at")?,
        updated_at: fields.moment("updated_at")?,
        wake_at: fields.maybe_moment("wake_at")?,
        last_seq: fields.number("last_seq")?,
        reason: fields.maybe_text("reason")?.map(ToOwned::to_owned),
    })
}

fn first_seq(fields: &Fields<'_>) -> Result<Seq> {
    let sk = fields.text("sk")?;
    sk.parse().map_err(|_| fields.corrupt("sk", "is no sequence number"))
}

/// One of the engine's own words.
fn word<T: DeserializeOwned>(fields: &Fields<'_>, name: &str) -> Result<T> {
    let word = fields.text(name)?;
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|error| fields.corrupt(name, error))
}

/// Whether a stored commit is the one that was to be written: the same input led to it.
pub(super) fn is_of(row: &Attributes, cause_id: &str) -> bool {
    matches!(row.get("cause_id"), Some(AttributeValue::S(stored)) if stored == cause_id)
}
