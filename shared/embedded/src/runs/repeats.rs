//! Counts the runs for one target.

use heal_runtime::format;
use heal_runtime::port::{Created, NewRun, RepeatCounter};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::column::millis;
use crate::error::JobError;

/// Counts a new run in the transaction that creates it. `Err`: why it must not be created, with nothing written.
pub(super) fn count(connection: &Connection, run: &NewRun) -> Result<Result<(), Created>, JobError> {
    let Some(repeat) = &run.repeat else { return Ok(Ok(())) };
    let mut find = connection.prepare_cached("SELECT counter FROM repeated WHERE key = ?1")?;
    let stored: Option<String> = find.query_row([&repeat.key], |row| row.get(0)).optional()?;
    let unreadable = |error| JobError::unreadable(format!("repeated {}", repeat.key), &error);
    let before: RepeatCounter =
        stored.map(|text| format::decode(&text)).transpose().map_err(unreadable)?.unwrap_or_default();
    let counter = match before.admit(run, repeat) {
        Ok(counter) => counter,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut keep =
        connection.prepare_cached("INSERT OR REPLACE INTO repeated (key, counter, until) VALUES (?1, ?2, ?3)")?;
    let until = counter.expires_at(run.commit.at, repeat);
    keep.execute(params![repeat.key, format::encode(&counter), millis(until)])?;
    Ok(Ok(()))
}
