//! The levels of autonomy that people have set: one partition, one row per playbook.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use heal_guard::{AutonomyLevel, AutonomySetting};
use heal_runtime::Timestamp;
use heal_runtime::port::{AutonomyStore, BackendError, Result};

use super::Store;
use super::call::{self, Written};
use super::item::{Attributes, Fields, Item};
use super::key;

#[async_trait]
impl AutonomyStore for Store {
    async fn setting(&self, playbook: &str) -> Result<Option<AutonomySetting>> {
        let operation = "autonomy.setting";
        let found = self.get(operation, &key::autonomy(playbook)).await?;
        found.map(|row| read(operation, &row)).transpose()
    }

    async fn settings(&self) -> Result<Vec<AutonomySetting>> {
        let operation = "autonomy.settings";
        let mut settings = Vec::new();
        let mut from: Option<Attributes> = None;
        loop {
            let query = self
                .client
                .query()
                .table_name(&*self.table)
                .key_condition_expression("pk = :autonomy")
                .expression_attribute_values(":autonomy", AttributeValue::S(key::AUTONOMY.to_owned()))
                .set_exclusive_start_key(from)
                .consistent_read(true);
            let page = Box::pin(query.send()).await.map_err(|error| call::wrap_sdk_error(operation, &error))?;
            for row in page.items() {
                settings.push(read(operation, row)?);
            }
            if page.last_evaluated_key.is_none() {
                return Ok(settings);
            }
            from = page.last_evaluated_key;
        }
    }

    async fn set(&self, setting: &AutonomySetting) -> Result<()> {
        let operation = "autonomy.set";
        // Whatever is stored is replaced, so the condition always holds.
        let condition = "attribute_not_exists(pk) OR attribute_exists(pk)";
        self.put(operation, write(operation, setting)?, condition, Item::default()).await.map(drop)
    }

    async fn replace(&self, setting: &AutonomySetting, before: Option<Timestamp>) -> Result<bool> {
        let operation = "autonomy.replace";
        let (condition, values) = match before {
            None => ("attribute_not_exists(pk)", Item::default()),
            Some(before) => ("since = :before", Item::default().moment(":before", before)),
        };
        let written = self.put(operation, write(operation, setting)?, condition, values).await?;
        Ok(matches!(written, Written::Done(_)))
    }
}

fn write(operation: &'static str, setting: &AutonomySetting) -> Result<Item> {
    let AutonomySetting { playbook, level, by, reason, since, history } = setting;
    let row = Item::at(&key::autonomy(playbook))
        .text("playbook", playbook)
        .text("level", level.as_str())
        .text("set_by", by)
        .text("reason", reason)
        .moment("since", *since);
    if history.is_empty() {
        return Ok(row);
    }
    let history = serde_json::to_string(history);
    Ok(row.text("history", history.map_err(|error| BackendError::corrupt(operation, error.to_string()))?))
}

pub(super) fn read(operation: &'static str, row: &Attributes) -> Result<AutonomySetting> {
    let fields = Fields::read(operation, row)?;
    let word = fields.text("level")?;
    let level = AutonomyLevel::parse(word)
        .ok_or_else(|| fields.corrupt("level", format!("`{word}` is not a level of autonomy")))?;
    Ok(AutonomySetting {
        playbook: fields.text("playbook")?.to_owned(),
        level,
        by: fields.text("set_by")?.to_owned(),
        reason: fields.text("reason")?.to_owned(),
        since: fields.moment("since")?,
        history: match fields.maybe_text("history")? {
            None => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|error| fields.corrupt("history", error))?,
        },
    })
}
