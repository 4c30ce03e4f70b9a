//! Group commit: one transaction, and one sync of the disk, for all writes that are waiting.

use std::sync::Arc;

use rusqlite::Connection;

use super::Job;
use super::inbox::Inbox;
use crate::fault::Fault;
use crate::limit;

type Group = Vec<Box<dyn Job>>;

/// Commits what comes until the inbox is closed.
pub(super) fn commit_all(connection: &Connection, inbox: &Inbox) {
    let mut group: Group = Vec::with_capacity(limit::GROUP_WRITES);
    while inbox.take(&mut group, limit::GROUP_WRITES) {
        match together(connection, &mut group) {
            Ok(()) => group.drain(..).for_each(|job| job.answer(Ok(()))),
            Err(Failed::Transaction(error)) => {
                let error = Arc::new(error);
                for job in group.drain(..) {
                    job.answer(Err(Fault::Transaction(Arc::clone(&error))));
                }
            }
            Err(Failed::Job) => group.drain(..).for_each(|job| alone(connection, job)),
        }
    }
}

/// Why a group was not committed. Nothing of it was.
enum Failed {
    Transaction(rusqlite::Error),
    /// One of the jobs failed, and took the others with it.
    Job,
}

fn together(connection: &Connection, group: &mut Group) -> Result<(), Failed> {
    begin(connection).map_err(Failed::Transaction)?;
    for job in group {
        if job.run(connection).is_err() {
            roll_back(connection);
            return Err(Failed::Job);
        }
    }
    commit(connection).map_err(Failed::Transaction)
}

/// Runs a job in a transaction of its own, so that its failure is its own.
fn alone(connection: &Connection, mut job: Box<dyn Job>) {
    let outcome = begin(connection).map_err(Fault::from).and_then(|()| match job.run(connection) {
        Ok(()) => commit(connection).map_err(Fault::from),
        Err(fault) => {
            roll_back(connection);
            Err(fault)
        }
    });
    job.answer(outcome);
}

/// Takes the write lock at once: a transaction that began by reading could not be made a writing one under another process.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    execute(connection, "BEGIN IMMEDIATE")
}

fn commit(connection: &Connection) -> rusqlite::Result<()> {
    execute(connection, "COMMIT").inspect_err(|_| roll_back(connection))
}

/// Some errors have rolled back already.
fn roll_back(connection: &Connection) {
    if connection.is_autocommit() {
        return;
    }
    if let Err(error) = execute(connection, "ROLLBACK") {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests;
