//! Receipts, and settling the deliveries that they name: acknowledge and nack.

use heal_runtime::Timestamp;
use heal_runtime::port::QueueName;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::leases::Lease;
use crate::column::millis;
use crate::error::JobError;

/// The name of one delivery: the message's id, and its turn in this life of the process. As a text, the life comes with it, so that no two
/// deliveries of a message ever have the same receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub id: i64,
    pub turn: i64,
}

impl Receipt {
    /// `None` for a text that is not a receipt of this life.
    pub(super) fn parse(text: &str, life: &str) -> Option<Self> {
        let (id, rest) = text.split_once('.')?;
        let (turn, of_life) = rest.split_once('.')?;
        (of_life == life).then_some(Self { id: number(id)?, turn: number(turn)? })
    }

    /// The receipt as consumers get it.
    pub(super) fn to_text(self, life: &str) -> String {
        format!("{}.{}.{life}", self.id, self.turn)
    }
}

/// A number of digits only: `+1` is not an id that this store wrote.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Removes messages, whose receipts are current.
pub(crate) fn acknowledge(connection: &Connection, receipts: &[Receipt]) -> Result<(), JobError> {
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE id = ?1")?;
    for receipt in receipts {
        delete.execute([receipt.id])?;
    }
    Ok(())
}

/// Returns the message, whose receipt is current, to its queue, due at `due_at`. `None` if it is gone.
pub(super) fn nack(
    connection: &Connection,
    receipt: Receipt,
    lease: Lease,
    due_at: Timestamp,
) -> Result<Option<QueueName>, JobError> {
    let mut update = connection.prepare_cached(
        "UPDATE message SET due_at = ?2, turn = ?3, receive_count = ?4 WHERE id = ?1 RETURNING queue",
    )?;
    let values = params![receipt.id, millis(due_at), receipt.turn, lease.receive_count];
    let queue: Option<String> = update.query_row(values, |row| row.get(0)).optional()?;
    queue.map(|name| parse_queue(&name, receipt.id)).transpose()
}

pub(super) fn parse_queue(name: &str, message: i64) -> Result<QueueName, JobError> {
    QueueName::parse(name)
        .ok_or_else(|| JobError::corrupt(format!("message {message}"), format!("`{name}` is not the name of a queue")))
}
