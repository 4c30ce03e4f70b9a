//! Deliveries that are done, or given back.

use heal_runtime::Timestamp;
use heal_runtime::port::QueueName;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::receipt::Receipt;
use crate::column::millis;
use crate::fault::Fault;

pub(super) fn acknowledge(connection: &Connection, receipts: &[Receipt]) -> Result<(), Fault> {
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE id = ?1 AND turn = ?2 AND delivered = 1")?;
    for receipt in receipts {
        delete.execute([receipt.id, receipt.turn])?;
    }
    Ok(())
}

/// The queue that the message is on again; none where the receipt was not current.
pub(super) fn nack(connection: &Connection, receipt: Receipt, due_at: Timestamp) -> Result<Option<QueueName>, Fault> {
    let mut update = connection.prepare_cached(
        "UPDATE message SET due_at = ?3, delivered = 0 WHERE id = ?1 AND turn = ?2 AND delivered = 1 RETURNING queue",
    )?;
    let queue: Option<String> =
        update.query_row(params![receipt.id, receipt.turn, millis(due_at)], |row| row.get(0)).optional()?;
    queue.map(|name| parse_queue(&name, receipt.id)).transpose()
}

pub(super) fn parse_queue(name: &str, message: i64) -> Result<QueueName, Fault> {
    QueueName::parse(name).ok_or_else(|| Fault::corrupt(format!("message {message}"), format!("`{name}` is no queue")))
}
