//! Between the engine's types and SQLite's.

use heal_runtime::Timestamp;
use rusqlite::Row;
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as WordError;

use crate::fault::Fault;

/// SQLite's integers are signed: a later moment than it can write is the last one that it can.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn millis(moment: Timestamp) -> i64 {
    integer(moment.0)
}

/// The number in a column, which is none below 0.
pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// The moment in a column.
pub(crate) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    number(row, column).map(Timestamp)
}

/// The moment in a column that may be null.
pub(crate) fn optional_moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => moment(row, column).map(Some),
    }
}

/// How many rows a caller wants.
pub(crate) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A value of an enum by the word that its serialised form has.
pub(crate) fn word<'a, T: Deserialize<'a>>(text: &'a str, place: impl Fn() -> String) -> Result<T, Fault> {
    T::deserialize(text.into_deserializer()).map_err(|error: WordError| Fault::corrupt(place(), error))
}
