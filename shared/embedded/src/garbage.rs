//! Garbage collection: removes rows that no answer depends on.

use heal_runtime::Timestamp;
use heal_runtime::port::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::column::millis;
use crate::limit;
use crate::store::Store;

/// Numbers of rows that [`Store::collect_garbage`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Inputs whose deduplication window ended.
    pub inputs: usize,
    /// Claims whose lease ended more than [`limit::KEEP_CLAIMS_MS`] ago.
    pub claims: usize,
    /// Cooldowns that ended more than [`limit::KEEP_COOLDOWNS_MS`] ago.
    pub cooldowns: usize,
    /// Budgets whose last place was free more than [`limit::KEEP_COOLDOWNS_MS`] ago.
    pub budgets: usize,
    /// Counts of repeated runs whose window ended.
    pub counts: usize,
    /// Ended runs without claims, with their logs.
    pub runs: usize,
}

impl Store {
    /// Removes inputs, claims, cooldowns, budgets and counts as [`Collected`] says, and runs that ended more than `keep_runs_ms` before `now`. Live runs,
    /// messages, dead letters and plans stay. Each write removes at most [`limit::GARBAGE_ROWS`], so that other writes are not held up.
    ///
    /// # Errors
    /// As every port. Rows that earlier writes of this call removed stay removed.
    pub async fn collect_garbage(&self, now: Timestamp, keep_runs_ms: u64) -> Result<Collected> {
        let before = |milliseconds: u64| Timestamp(now.0.saturating_sub(milliseconds));
        Ok(Collected {
            inputs: self.sweep(INPUTS, now).await?,
            claims: self.sweep(CLAIMS, before(limit::KEEP_CLAIMS_MS)).await?,
            cooldowns: self.sweep(COOLDOWNS, before(limit::KEEP_COOLDOWNS_MS)).await?,
            budgets: self.remove(BUDGETS, before(limit::KEEP_COOLDOWNS_MS)).await?,
            counts: self.remove(COUNTS, now).await?,
            runs: self.remove(RUNS, before(keep_runs_ms)).await?,
        })
    }

    /// Reads `table` from its first key to its last, and removes the rows that ended at or before `moment`, one write after another.
    async fn sweep(&self, table: Table, moment: Timestamp) -> Result<usize> {
        let (operation, mut removed) = ("garbage.collect", 0);
        let mut last = match table.key {
            Key::Number => Value::Integer(i64::MIN),
            Key::Text => Value::Text(String::new()),
        };
        loop {
            let after = last.clone();
            let find = move |connection: &Connection| {
                let mut select = connection.prepare_cached(table.find)?;
                let keys = select.query_map(params![millis(moment), after, limit::GARBAGE_ROWS], |row| row.get(0))?;
                Ok(keys.collect::<rusqlite::Result<Vec<Value>>>()?)
            };
            let keys = self.read(operation, find).await?;
            let Some(newest) = keys.last() else { return Ok(removed) };
            last = newest.clone();
            let remove = move |connection: &Connection| {
                let mut delete = connection.prepare_cached(table.remove)?;
                let rows = keys.iter().map(|key| delete.execute(params![millis(moment), key]));
                Ok(rows.sum::<rusqlite::Result<usize>>()?)
            };
            removed += self.write(operation, remove).await?;
        }
    }

    /// Removes all rows that `sql` selects at or before `moment`, one write after another.
    async fn remove(&self, sql: &'static str, moment: Timestamp) -> Result<usize> {
        let mut removed = 0;
        loop {
            let work = move |connection: &rusqlite::Connection| {
                Ok(connection.prepare_cached(sql)?.execute(params![millis(moment), limit::GARBAGE_ROWS])?)
            };
            let rows = self.write("garbage.collect", work).await?;
            removed += rows;
            if rows == 0 {
                return Ok(removed);
            }
        }
    }
}

/// A table that each run adds rows to. Its rows are not indexed by their end: the index would take a page in each write of a run, and a sweep by key
/// reads it as fast as the disk is, on the connections of the readers.
#[derive(Clone, Copy)]
struct Table {
    key: Key,
    /// The keys after `?2` of rows that ended at `?1`, in their order; at most `?3`.
    find: &'static str,
    /// Removes the row with the key `?2`, if it still ended at `?1`.
    remove: &'static str,
}

#[derive(Clone, Copy)]
enum Key {
    Number,
    /// Of at least one character.
    Text,
}

const INPUTS: Table = Table {
    key: Key::Text,
    find: "SELECT key FROM dedupe WHERE until <= ?1 AND key > ?2 ORDER BY key LIMIT ?3",
    remove: "DELETE FROM dedupe WHERE until <= ?1 AND key = ?2",
};

/// Includes claims without a result: their runs' deadlines passed long ago.
const CLAIMS: Table = Table {
    key: Key::Number,
    find: "SELECT no FROM claim WHERE lease_until <= ?1 AND no > ?2 ORDER BY no LIMIT ?3",
    remove: "DELETE FROM claim WHERE lease_until <= ?1 AND no = ?2",
};

const COOLDOWNS: Table = Table {
    key: Key::Number,
    find: "SELECT no FROM cooldown WHERE until <= ?1 AND no > ?2 ORDER BY no LIMIT ?3",
    remove: "DELETE FROM cooldown WHERE until <= ?1 AND no = ?2",
};

const BUDGETS: &str = "DELETE FROM budget WHERE rowid IN (SELECT rowid FROM budget WHERE until <= ?1 LIMIT ?2)";
const COUNTS: &str = "DELETE FROM repeated WHERE key IN (SELECT key FROM repeated WHERE until <= ?1 LIMIT ?2)";

/// A run's commits are removed with it, so each write takes a tenth of the rows. Its claims go first, since they name the run by its number.
const RUNS: &str = "DELETE FROM run WHERE no IN
    (SELECT no FROM run WHERE live = 0 AND updated_at <= ?1 AND NOT EXISTS (SELECT 1 FROM claim WHERE run_no = run.no)
     ORDER BY updated_at LIMIT ?2 / 10)";
