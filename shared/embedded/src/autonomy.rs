//! The levels of autonomy that people have set.

use async_trait::async_trait;
use heal_guard::{AutonomyLevel, AutonomySetting};
use heal_runtime::Timestamp;
use heal_runtime::port::{AutonomyStore, Result};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::column::{millis, moment};
use crate::error::JobError;
use crate::store::Store;

#[async_trait]
impl AutonomyStore for Store {
    async fn setting(&self, playbook: &str) -> Result<Option<AutonomySetting>> {
        let playbook = playbook.to_owned();
        let work = move |connection: &Connection| {
            let mut select = connection.prepare_cached(
                "SELECT playbook, level, set_by, reason, since, history FROM autonomy WHERE playbook = ?1",
            )?;
            Ok(select.query_row([&playbook], read).optional()?)
        };
        self.look("autonomy.setting", work).await
    }

    async fn settings(&self) -> Result<Vec<AutonomySetting>> {
        let work = |connection: &Connection| {
            // A few rows, one a playbook.
            let mut select = connection.prepare_cached(
                "SELECT playbook, level, set_by, reason, since, history FROM autonomy WHERE playbook > '' ORDER BY playbook",
            )?;
            Ok(select.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
        };
        Store::read(self, "autonomy.settings", work).await
    }

    async fn set(&self, setting: &AutonomySetting) -> Result<()> {
        let setting = setting.clone();
        self.write("autonomy.set", move |connection| write(connection, &setting)).await
    }

    async fn replace(&self, setting: &AutonomySetting, before: Option<Timestamp>) -> Result<bool> {
        let setting = setting.clone();
        let work = move |connection: &Connection| {
            let mut select = connection.prepare_cached("SELECT since FROM autonomy WHERE playbook = ?1")?;
            let stored = select.query_row([&setting.playbook], |row| moment(row, 0)).optional()?;
            let is_as_before = stored == before;
            if is_as_before {
                write(connection, &setting)?;
            }
            Ok(is_as_before)
        };
        self.write("autonomy.replace", work).await
    }
}

fn write(connection: &Connection, setting: &AutonomySetting) -> std::result::Result<(), JobError> {
    let AutonomySetting { playbook, level, by, reason, since, history } = setting;
    let history = serde_json::to_string(history)
        .map_err(|error| JobError::corrupt(format!("history of the autonomy of {playbook}"), error))?;
    let mut upsert = connection.prepare_cached(
        "INSERT INTO autonomy (playbook, level, set_by, reason, since, history) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (playbook) DO UPDATE SET level = excluded.level, set_by = excluded.set_by,
         reason = excluded.reason, since = excluded.since, history = excluded.history",
    )?;
    upsert.execute(params![playbook, level.as_str(), by, reason, millis(*since), history])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<AutonomySetting> {
    let level: String = row.get(1)?;
    Ok(AutonomySetting {
        playbook: row.get(0)?,
        level: AutonomyLevel::parse(&level).ok_or_else(|| unknown_level(&level))?,
        by: row.get(2)?,
        reason: row.get(3)?,
        since: moment(row, 4)?,
        history: serde_json::from_str(&row.get::<_, String>(5)?)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(5, Type::Text, error.into()))?,
    })
}

fn unknown_level(word: &str) -> rusqlite::Error {
    let cause = format!("`{word}` is not a level of autonomy");
    rusqlite::Error::FromSqlConversionFailure(1, Type::Text, cause.into())
}
