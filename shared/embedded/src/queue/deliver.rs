//! Sending and receiving.

use std::collections::BTreeSet;

use heal_runtime::Timestamp;
use heal_runtime::port::{Message, QueueName, Result};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::leases::View;
use crate::column::{millis, moment, rows};
use crate::error::{JobError, check_size};
use crate::pack;

/// A message, ready to write. Packed by the caller, so that the writer thread only writes; only commands are, which are most of the messages.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub message: Message,
    packed: Option<Vec<u8>>,
}

impl Outgoing {
    /// # Errors
    /// A body is over [`crate::limit::TEXT_BYTES`].
    pub(crate) fn prepare(operation: &'static str, messages: Vec<Message>) -> Result<Vec<Self>> {
        let prepare = |message: Message| {
            check_size(operation, "message", &message.body)?;
            let is_command = matches!(message.queue, QueueName::Action(_));
            Ok(Self { packed: is_command.then(|| pack::pack(&message.body)).flatten(), message })
        };
        messages.into_iter().map(prepare).collect()
    }

    /// Its body as it is stored beside `packed`.
    fn plain(&self) -> &str {
        if self.packed.is_some() { "" } else { &self.message.body }
    }
}

/// A message that is due.
#[derive(Debug)]
pub(super) struct Due {
    pub id: i64,
    /// The turn and the number of deliveries that are stored; those of a lease go before.
    pub turn: i64,
    pub receive_count: u32,
    pub traceparent: Option<String>,
    pub body: String,
}

/// The ids of the messages.
pub(crate) fn send(
    connection: &Connection,
    messages: &[Outgoing],
    now: Timestamp,
) -> std::result::Result<Vec<i64>, JobError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO message (queue, due_at, turn, delivered, receive_count, sent_at, traceparent, body, packed)
         VALUES (?1, ?2, 0, 0, 0, ?3, ?4, ?5, ?6)",
    )?;
    let insert_one = |outgoing: &Outgoing| {
        let Message { queue, delay_ms, traceparent, .. } = &outgoing.message;
        let due_at = now.plus_ms(*delay_ms);
        let (plain, packed) = (outgoing.plain(), &outgoing.packed);
        Ok(insert.insert(params![queue.to_string(), millis(due_at), millis(now), traceparent, plain, packed])?)
    };
    messages.iter().map(insert_one).collect()
}

/// Up to `max` messages that are due, the earliest first: of those in the queue that are not hidden, and those whose leases have expired.
pub(super) fn select(
    connection: &Connection,
    queue: &str,
    now: Timestamp,
    max: usize,
    view: &View,
) -> std::result::Result<Vec<Due>, JobError> {
    let mut ids = connection.prepare_cached(
        "SELECT id, due_at FROM message WHERE queue = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3",
    )?;
    let is_leased = |id: &i64| view.hidden.contains(id) || view.expired.contains_key(id);
    let most = max.saturating_add(view.hidden.len()).saturating_add(view.expired.len());
    let mut found = ids.query(params![queue, millis(now), rows(most)])?;
    let mut due: Vec<(Timestamp, i64)> = view.expired.iter().map(|(id, lease)| (lease.visible_at, *id)).collect();
    while let Some(row) = found.next()? {
        let id: i64 = row.get(0)?;
        if !is_leased(&id) {
            due.push((moment(row, 1)?, id));
        }
    }
    due.sort_unstable();
    let mut select = connection
        .prepare_cached("SELECT id, turn, receive_count, traceparent, body, packed FROM message WHERE id = ?1")?;
    let mut messages = Vec::new();
    for (_, id) in due {
        if messages.len() == max {
            break;
        }
        let message = select.query_row([id], |row| {
            Ok(Due {
                id: row.get(0)?,
                turn: row.get(1)?,
                receive_count: row.get(2)?,
                traceparent: row.get(3)?,
                body: body(row, 4, id)?,
            })
        });
        messages.extend(message.optional()?);
    }
    Ok(messages)
}

/// The body of a message, read from its columns `body` and `packed`, the first of which is `column`. If it cannot be unpacked, the text says so instead.
/// No consumer can read that text, so the message ends as a dead letter and holds up none behind it.
pub(super) fn body(row: &Row<'_>, column: usize, id: i64) -> rusqlite::Result<String> {
    pack::text(row, column).map(|text| text.unwrap_or_else(|why| format!("message {id}: {why}")))
}

/// When the first message of the queue that is not hidden is due.
pub(super) fn next_due(
    connection: &Connection,
    queue: &str,
    hidden: &BTreeSet<i64>,
) -> std::result::Result<Option<Timestamp>, JobError> {
    let mut select =
        connection.prepare_cached("SELECT id, due_at FROM message WHERE queue = ?1 ORDER BY due_at, id LIMIT ?2")?;
    let mut found = select.query(params![queue, rows(hidden.len().saturating_add(1))])?;
    while let Some(row) = found.next()? {
        if !hidden.contains(&row.get(0)?) {
            return Ok(Some(moment(row, 1)?));
        }
    }
    Ok(None)
}
