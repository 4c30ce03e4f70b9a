//! The memory of scheduled checks.

use async_trait::async_trait;
use heal_runtime::port::{CheckStore, Result};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::column::{integer, number};
use crate::error::check_size;
use crate::store::Store;

#[async_trait]
impl CheckStore for Store {
    async fn load(&self, name: &str) -> Result<Option<(u64, String)>> {
        let name = name.to_owned();
        let work = move |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT version, body FROM check_state WHERE name = ?1")?;
            let row = |row: &Row<'_>| Ok((number(row, 0)?, row.get(1)?));
            Ok(select.query_row([&name], row).optional()?)
        };
        Store::read(self, "checks.load", work).await
    }

    async fn store(&self, name: &str, expected_version: u64, json: &str) -> Result<bool> {
        check_size("checks.store", "a check's state", json)?;
        let (name, json) = (name.to_owned(), json.to_owned());
        let work = move |connection: &Connection| {
            let (expected, next) = (integer(expected_version), integer(expected_version.saturating_add(1)));
            let written = if expected == 0 {
                connection
                    .prepare_cached(
                        "INSERT INTO check_state (name, version, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![name, next, json])?
            } else {
                connection
                    .prepare_cached("UPDATE check_state SET version = ?3, body = ?4 WHERE name = ?1 AND version = ?2")?
                    .execute(params![name, expected, next, json])?
            };
            // A retry: the first try may have been committed without its answer arriving.
            let mut again = connection
                .prepare_cached("SELECT 1 FROM check_state WHERE name = ?1 AND version = ?2 AND body = ?3")?;
            Ok(written > 0 || again.exists(params![name, next, json])?)
        };
        self.write("checks.store", work).await
    }
}
