//! Sending and receiving.

use heal_runtime::Timestamp;
use heal_runtime::port::{Delivery, Message};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::dead;
use super::settle::Receipt;
use crate::column::{millis, moment, rows};
use crate::error::JobError;
use crate::limit;

/// What a consumer asks for.
pub(super) struct ReceiveRequest {
    pub queue: String,
    pub max: usize,
    pub now: Timestamp,
    pub visible_at: Timestamp,
    pub max_receives: u32,
}

/// A message that is due.
struct Due {
    receipt: Receipt,
    receive_count: u32,
    traceparent: Option<String>,
    body: String,
}

pub(super) fn send(connection: &Connection, messages: &[Message], now: Timestamp) -> Result<(), JobError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO message (queue, due_at, turn, delivered, receive_count, sent_at, traceparent, body)
         VALUES (?1, ?2, 0, 0, 0, ?3, ?4, ?5)",
    )?;
    for message in messages {
        let due_at = now.plus_ms(message.delay_ms);
        insert.execute(params![
            message.queue.to_string(),
            millis(due_at),
            millis(now),
            message.traceparent,
            message.body
        ])?;
    }
    Ok(())
}

pub(super) fn receive(connection: &Connection, request: &ReceiveRequest) -> Result<Vec<Delivery>, JobError> {
    let due = select_fresh(connection, request)?;
    let mut update = connection.prepare_cached(
        "UPDATE message SET due_at = ?2, turn = turn + 1, delivered = 1, receive_count = receive_count + 1 WHERE id = ?1",
    )?;
    let mut deliveries = Vec::with_capacity(due.len());
    for Due { receipt, receive_count, traceparent, body } in due {
        update.execute(params![receipt.id, millis(request.visible_at)])?;
        deliveries.push(Delivery {
            receipt: Receipt { turn: receipt.turn + 1, ..receipt }.to_string(),
            message_id: receipt.id.to_string(),
            body,
            receive_count: receive_count + 1,
            traceparent,
            // Whoever can write to the state file can write any sender into it.
            sender: None,
        });
    }
    Ok(deliveries)
}

/// The messages to deliver. Dead-letters those that reached `max_receives`, which do not count towards `max`.
fn select_fresh(connection: &Connection, request: &ReceiveRequest) -> Result<Vec<Due>, JobError> {
    let mut due = Vec::new();
    for _ in 0..limit::DEAD_LETTER_ROUNDS {
        let (worn_out, fresh): (Vec<Due>, Vec<Due>) =
            select(connection, request)?.into_iter().partition(|due| due.receive_count >= request.max_receives);
        due = fresh;
        if worn_out.is_empty() {
            break;
        }
        for Due { receipt, receive_count, .. } in worn_out {
            let reason = format!("delivered {receive_count} times and never acknowledged");
            dead::dead_letter(connection, receipt.id, &reason)?;
        }
    }
    Ok(due)
}

fn select(connection: &Connection, request: &ReceiveRequest) -> Result<Vec<Due>, JobError> {
    let mut select = connection.prepare_cached(
        "SELECT id, turn, receive_count, traceparent, body FROM message
         WHERE queue = ?1 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3",
    )?;
    let found = select.query_map(params![request.queue, millis(request.now), rows(request.max)], |row| {
        Ok(Due {
            receipt: Receipt { id: row.get(0)?, turn: row.get(1)? },
            receive_count: row.get(2)?,
            traceparent: row.get(3)?,
            body: row.get(4)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// When the first message of the queue is due, whether it is delayed or with a consumer.
pub(super) fn next_due(connection: &Connection, queue: &str) -> Result<Option<Timestamp>, JobError> {
    let mut select =
        connection.prepare_cached("SELECT due_at FROM message WHERE queue = ?1 ORDER BY due_at LIMIT 1")?;
    Ok(select.query_row([queue], |row| moment(row, 0)).optional()?)
}
