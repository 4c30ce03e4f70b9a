//! The dead letters: messages that were given up, with the reason.

use heal_runtime::Timestamp;
use heal_runtime::port::{DeadLetter, QueueName};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::deliver;
use super::settle::parse_queue;
use crate::column::{millis, moment, rows};
use crate::error::JobError;

/// Moves a message to the dead letters, with its last turn and the number of its deliveries; as they are stored, if none are given. False if it is
/// gone.
pub(crate) fn dead_letter(
    connection: &Connection,
    id: i64,
    delivered: Option<(i64, u32)>,
    reason: &str,
) -> Result<bool, JobError> {
    let (turn, receive_count) = delivered.unzip();
    let mut insert = connection.prepare_cached(
        "INSERT INTO dead_letter (message_id, queue, turn, receive_count, sent_at, traceparent, reason, body, packed)
         SELECT id, queue, coalesce(?3, turn), coalesce(?4, receive_count), sent_at, traceparent, ?2, body, packed FROM message WHERE id = ?1",
    )?;
    let moved = insert.execute(params![id, reason, turn, receive_count])?;
    connection.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([id])?;
    Ok(moved > 0)
}

pub(super) fn list(connection: &Connection, limit: usize) -> Result<Vec<DeadLetter>, JobError> {
    let mut select = connection.prepare_cached(
        "SELECT message_id, queue, body, packed, receive_count, reason, sent_at FROM dead_letter ORDER BY no LIMIT ?1",
    )?;
    let mut found = select.query([rows(limit)])?;
    let mut letters = Vec::new();
    while let Some(row) = found.next()? {
        let id: i64 = row.get(0)?;
        letters.push(DeadLetter {
            message_id: id.to_string(),
            queue: parse_queue(&row.get::<_, String>(1)?, id)?,
            body: deliver::body(row, 2, id)?,
            receive_count: row.get(4)?,
            reason: row.get(5)?,
            sent_at: moment(row, 6)?,
        });
    }
    Ok(letters)
}

/// Returns the message to its queue. `None` if it is not among the dead letters.
pub(super) fn redrive(connection: &Connection, id: i64, now: Timestamp) -> Result<Option<QueueName>, JobError> {
    let mut find = connection.prepare_cached("SELECT queue FROM dead_letter WHERE message_id = ?1")?;
    let Some(name) = find.query_row([id], |row| row.get::<_, String>(0)).optional()? else { return Ok(None) };
    let queue = parse_queue(&name, id)?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO message (id, queue, due_at, turn, delivered, receive_count, sent_at, traceparent, body, packed)
         SELECT message_id, queue, ?2, turn, 0, 0, sent_at, traceparent, body, packed FROM dead_letter WHERE message_id = ?1",
    )?;
    insert.execute(params![id, millis(now)])?;
    connection.prepare_cached("DELETE FROM dead_letter WHERE message_id = ?1")?.execute([id])?;
    Ok(Some(queue))
}
