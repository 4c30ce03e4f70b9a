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

    /// Reads `table` from its first key to its last, a part at a time with a pause after each, and removes the rows that ended at or before `moment`.
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
                let rows = params![millis(moment), after, limit::GARBAGE_EXAMINED];
                let rows = select.query_map(rows, |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<rusqlite::Result<Vec<(Value, bool)>>>()?)
            };
            let rows = self.read(operation, find).await?;
            let Some((newest, _)) = rows.last() else { return Ok(removed) };
            last = newest.clone();
            let is_last = rows.len() < limit::GARBAGE_EXAMINED as usize;
            let ended: Vec<Value> = rows.into_iter().filter_map(|(key, has_ended)| has_ended.then_some(key)).collect();
            for keys in ended.chunks(limit::GARBAGE_ROWS as usize) {
                removed += self.remove_rows(table, keys.to_vec(), moment).await?;
            }
            if is_last {
                return Ok(removed);
            }
            tokio::time::sleep(limit::GARBAGE_PAUSE).await;
        }
    }

    async fn remove_rows(&self, table: Table, keys: Vec<Value>, moment: Timestamp) -> Result<usize> {
        let remove = move |connection: &Connection| {
            let mut delete = connection.prepare_cached(table.remove)?;
            let rows = keys.iter().map(|key| delete.execute(params![millis(moment), key]));
            Ok(rows.sum::<rusqlite::Result<usize>>()?)
        };
        self.write("garbage.collect", remove).await
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

/// A table that each run adds rows to. Its rows are not indexed by their end: the index would take a page in each write of a run, and the readers have
/// an hour for a sweep by key.
#[derive(Clone, Copy)]
struct Table {
    key: Key,
    /// The keys after `?2` in their order, at most `?3`, and whether each row has ended at `?1`.
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
    find: "SELECT key, until <= ?1 FROM dedupe WHERE key > ?2 ORDER BY key LIMIT ?3",
    remove: "DELETE FROM dedupe WHERE until <= ?1 AND key = ?2",
};

/// Includes claims without a result: their runs' deadlines passed long ago.
const CLAIMS: Table = Table {
    key: Key::Number,
    find: "SELECT no, lease_until <= ?1 FROM claim WHERE no > ?2 ORDER BY no LIMIT ?3",
    remove: "DELETE FROM claim WHERE lease_until <= ?1 AND no = ?2",
};

const COOLDOWNS: Table = Table {
    key: Key::Number,
    find: "SELECT no, until <= ?1 FROM cooldown WHERE no > ?2 ORDER BY no LIMIT ?3",
    remove: "DELETE FROM cooldown WHERE until <= ?1 AND no = ?2",
};

const BUDGETS: &str = "DELETE FROM budget WHERE rowid IN (SELECT rowid FROM budget WHERE until <= ?1 LIMIT ?2)";
const COUNTS: &str = "DELETE FROM repeated WHERE key IN (SELECT key FROM repeated WHERE until <= ?1 LIMIT ?2)";

/// A run's commits are removed with it, so each write takes a tenth of the rows. Its claims go first, since they name the run by its number.
const RUNS: &str = "DELETE FROM run WHERE no IN
    (SELECT no FROM run WHERE live = 0 AND updated_at <= ?1 AND NOT EXISTS (SELECT 1 FROM claim WHERE run_no = run.no)
     ORDER BY updated_at LIMIT ?2 / 10)";
