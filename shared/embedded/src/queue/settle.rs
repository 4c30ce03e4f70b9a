//! Receipts, and settling the deliveries that they name: acknowledge and nack.

use std::fmt;

use heal_runtime::Timestamp;
use heal_runtime::port::QueueName;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::column::millis;
use crate::error::JobError;

/// The name of one delivery: the message's id, and its turn. A turn is never reused in a message's life, not even after a redrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub id: i64,
    pub turn: i64,
}

impl Receipt {
    /// `None` for a text that is not a receipt of this store.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, turn) = text.split_once('.')?;
        Some(Self { id: number(id)?, turn: number(turn)? })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.turn)
    }
}

/// A number of digits only: `+1` is not an id that this store wrote.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

pub(super) fn acknowledge(connection: &Connection, receipts: &[Receipt]) -> Result<(), JobError> {
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE id = ?1 AND turn = ?2 AND delivered = 1")?;
    for receipt in receipts {
        delete.execute([receipt.id, receipt.turn])?;
    }
    Ok(())
}

/// Returns the message to its queue, due at `due_at`. `None` if the receipt is not current.
pub(super) fn nack(
    connection: &Connection,
    receipt: Receipt,
    due_at: Timestamp,
) -> Result<Option<QueueName>, JobError> {
    let mut update = connection.prepare_cached(
        "UPDATE message SET due_at = ?3, delivered = 0 WHERE id = ?1 AND turn = ?2 AND delivered = 1 RETURNING queue",
    )?;
    let queue: Option<String> =
        update.query_row(params![receipt.id, receipt.turn, millis(due_at)], |row| row.get(0)).optional()?;
    queue.map(|name| parse_queue(&name, receipt.id)).transpose()
}

pub(super) fn parse_queue(name: &str, message: i64) -> Result<QueueName, JobError> {
    QueueName::parse(name)
        .ok_or_else(|| JobError::corrupt(format!("message {message}"), format!("`{name}` is not the name of a queue")))
}
