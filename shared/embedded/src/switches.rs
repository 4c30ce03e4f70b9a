//! The halts.

use async_trait::async_trait;
use heal_guard::Halt;
use heal_runtime::Timestamp;
use heal_runtime::port::{BackendError, HALTS, HALTS_KEPT, Result, Switches};
use rusqlite::{Connection, params};

use crate::column::{millis, number, rows};
use crate::store::Store;

#[async_trait]
impl Switches for Store {
    async fn halts(&self) -> Result<Vec<Halt>> {
        let operation = "switches.halts";
        let work = |connection: &Connection| {
            // Bounded by the limit on halts.
            let mut select = connection.prepare_cached("SELECT body FROM halt ORDER BY until LIMIT 1000")?;
            let found = select.query_map([], |row| row.get::<_, String>(0))?;
            Ok(found.collect::<rusqlite::Result<Vec<String>>>()?)
        };
        let bodies = self.read(operation, work).await?;
        let read = |body: String| {
            serde_json::from_str(&body).map_err(|error| BackendError::corrupt(operation, format!("halt: {error}")))
        };
        bodies.into_iter().map(read).collect()
    }

    async fn halt(&self, halt: &Halt) -> Result<bool> {
        let operation = "switches.halt";
        let body = serde_json::to_string(halt).map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        let (id, since, until) = (halt.id.clone(), halt.since, halt.until);
        let work = move |connection: &Connection| {
            // Whoever has a wrong clock deletes as little as possible.
            let delete =
                "DELETE FROM halt WHERE until <= ?1 AND EXISTS (SELECT 1 FROM halt ORDER BY until LIMIT 1 OFFSET ?2)";
            connection.prepare_cached(delete)?.execute(params![millis(since), rows(HALTS_KEPT - 1)])?;
            if connection.prepare_cached("SELECT 1 FROM halt WHERE id = ?1")?.exists([&id])? {
                return Ok(true);
            }
            let mut count = connection.prepare_cached("SELECT count(*) FROM halt WHERE until > ?1")?;
            let lasting = count.query_row([millis(since)], |row| number(row, 0))?;
            if lasting >= HALTS as u64 {
                return Ok(false);
            }
            let mut insert = connection.prepare_cached("INSERT INTO halt (id, until, body) VALUES (?1, ?2, ?3)")?;
            insert.execute(params![id, millis(until), body])?;
            Ok(true)
        };
        self.write(operation, work).await
    }

    async fn prolong(&self, halt: &Halt) -> Result<bool> {
        let operation = "switches.prolong";
        let body = serde_json::to_string(halt).map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        let (id, until) = (halt.id.clone(), halt.until);
        let work = move |connection: &Connection| {
            let change = "UPDATE halt SET until = ?2, body = ?3 WHERE id = ?1 AND until < ?2";
            Ok(connection.prepare_cached(change)?.execute(params![id, millis(until), body])? > 0)
        };
        self.write(operation, work).await
    }

    async fn put_right(&self, halt: &Halt, was: Timestamp) -> Result<bool> {
        let operation = "switches.put_right";
        let body = serde_json::to_string(halt).map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        let (id, until) = (halt.id.clone(), halt.until);
        let work = move |connection: &Connection| {
            let change = "UPDATE halt SET until = ?2, body = ?3 WHERE id = ?1 AND until = ?4";
            Ok(connection.prepare_cached(change)?.execute(params![id, millis(until), body, millis(was)])? > 0)
        };
        self.write(operation, work).await
    }

    async fn resume(&self, id: &str, at: Timestamp) -> Result<bool> {
        let id = id.to_owned();
        let work = move |connection: &Connection| {
            let mut delete = connection.prepare_cached("DELETE FROM halt WHERE id = ?1 AND until > ?2")?;
            Ok(delete.execute(params![id, millis(at)])? > 0)
        };
        self.write("switches.resume", work).await
    }
}
