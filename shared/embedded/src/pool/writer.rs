//! Group commit: one transaction, and one disk sync, for all waiting writes.

use std::sync::Arc;

use rusqlite::Connection;

use super::Job;
use super::job_queue::JobQueue;
use crate::error::JobError;
use crate::limit;
use crate::queue::InHand;

type Group = Vec<Box<dyn Job>>;

/// Commits jobs until the queue is closed.
pub(super) fn commit_all(connection: &Connection, queue: &JobQueue, in_hand: &InHand) {
    let mut group: Group = Vec::with_capacity(limit::GROUP_WRITES);
    let mut waits = Waits::default();
    while queue.wait() {
        if let Some(enough) = waits.next(in_hand.count()) {
            waits.ended(enough, queue.wait_for(enough, limit::GROUP_WAIT));
        }
        queue.take(&mut group, limit::GROUP_WRITES);
        match together(connection, &mut group) {
            Ok(()) => group.drain(..).for_each(|job| job.answer(Ok(()))),
            Err(Failed::Transaction(error)) => {
                let error = Arc::new(error);
                for job in group.drain(..) {
                    job.answer(Err(JobError::Transaction(Arc::clone(&error))));
                }
            }
            Err(Failed::Job) => group.drain(..).for_each(|job| alone(connection, job)),
        }
    }
}

/// When a group of writes waits for others.
#[derive(Debug, Default)]
struct Waits {
    /// Groups that do not wait, since a wait was in vain: the commands in hand do not write now, such as those that call a slow service.
    left_out: usize,
}

impl Waits {
    /// How many writes to wait for while so many commands are in hand. Their attempts will write in a moment, and share a sync and the pages that
    /// all of them change. The wait costs nothing where the processors have enough to do in the meantime; a few would only be held up.
    fn next(&mut self, in_hand: usize) -> Option<usize> {
        if in_hand < limit::CROWD {
            return None;
        }
        if self.left_out > 0 {
            self.left_out -= 1;
            return None;
        }
        Some(in_hand * 3 / 4)
    }

    /// So many came of those that were waited for.
    fn ended(&mut self, enough: usize, came: usize) {
        if came < enough / 4 {
            self.left_out = limit::GROUPS_WITHOUT_WAIT;
        }
    }
}

/// Why a group was rolled back.
enum Failed {
    Transaction(rusqlite::Error),
    /// One job failed, so the transaction of all was rolled back; each is retried alone.
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

/// Runs a job in its own transaction, so that its failure rolls back nothing else.
fn alone(connection: &Connection, mut job: Box<dyn Job>) {
    let outcome = begin(connection).map_err(JobError::from).and_then(|()| match job.run(connection) {
        Ok(()) => commit(connection).map_err(JobError::from),
        Err(fault) => {
            roll_back(connection);
            Err(fault)
        }
    });
    job.answer(outcome);
}

/// Takes the write lock at once. A transaction that starts as a reader fails when it writes after another process's commit.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    execute(connection, "BEGIN IMMEDIATE")
}

fn commit(connection: &Connection) -> rusqlite::Result<()> {
    execute(connection, "COMMIT").inspect_err(|_| roll_back(connection))
}

/// Rolls back, unless SQLite already did so at the error.
fn roll_back(connection: &Connection) {
    if connection.is_autocommit() {
        return;
    }
    if let Err(error) = execute(connection, "ROLLBACK") {
        tracing::error!(%error, "failed to roll back a transaction");
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests;
