//! Conversions between the engine's types and SQLite's.

use heal_runtime::Timestamp;
use rusqlite::Row;
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as WordError;

use crate::error::JobError;

/// SQLite's integers are signed; a larger number is stored as the largest one.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn millis(moment: Timestamp) -> i64 {
    integer(moment.0)
}

/// The number in a column.
///
/// # Errors
/// The number is negative.
pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// The timestamp in a column.
pub(crate) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    number(row, column).map(Timestamp)
}

/// The timestamp in a nullable column.
pub(crate) fn optional_moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => moment(row, column).map(Some),
    }
}

/// A `LIMIT` from a number of rows.
pub(crate) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Parses an enum from its serialised word.
pub(crate) fn word<'a, T: Deserialize<'a>>(text: &'a str, place: impl Fn() -> String) -> Result<T, JobError> {
    T::deserialize(text.into_deserializer()).map_err(|error: WordError| JobError::corrupt(place(), error))
}
