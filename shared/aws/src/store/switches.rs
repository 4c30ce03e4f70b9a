//! The halts: few rows of one partition, read by one query.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use heal_guard::Halt;
use heal_runtime::Timestamp;
use heal_runtime::port::{BackendError, HALTS, Result, Switches};

use super::Store;
use super::call::{self, Change, Written};
use super::item::{Attributes, Fields, Item};
use super::key;

/// Says that a halt was resumed. Its row stays until it expires, since the message that ordered the halt may come again.
const RESUMED_AT: &str = "resumed_at";

#[async_trait]
impl Switches for Store {
    async fn halts(&self) -> Result<Vec<Halt>> {
        let operation = "switches.halts";
        // 100 halts have under 100 KB, far less than the megabyte of one page.
        let call = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(key::HALTS.to_owned()))
            .consistent_read(true);
        let page = Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(operation, &error))?;
        let standing = page.items().iter().filter(|row| !row.contains_key(RESUMED_AT));
        standing.map(|row| read(operation, row)).collect()
    }

    /// Two that are ordered at once may both be the last one: the limit is against mistakes, not against a race.
    async fn halt(&self, halt: &Halt) -> Result<bool> {
        let operation = "switches.halt";
        let lasting = self.halts().await?.into_iter().filter(|other| halt.since < other.until && other.id != halt.id);
        if lasting.count() >= HALTS {
            return Ok(false);
        }
        let body = serde_json::to_string(halt).map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        // A storm that comes back soon has the id of the one that a person ended. Nobody orders it by a message.
        let condition = match halt.storm {
            Some(_) => "attribute_not_exists(pk) OR attribute_exists(resumed_at)",
            None => "attribute_not_exists(pk)",
        };
        // Refused: it is there already, or was.
        self.put(operation, item(halt, body), condition, Item::default()).await?;
        Ok(true)
    }

    async fn prolong(&self, halt: &Halt) -> Result<bool> {
        let operation = "switches.prolong";
        let body = serde_json::to_string(halt).map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        // A row that does not exist has no end to compare.
        let values = Item::default().moment(":until", halt.until);
        match self
            .put(operation, item(halt, body), "ends_at < :until AND attribute_not_exists(resumed_at)", values)
            .await?
        {
            Written::Done(_) => Ok(true),
            Written::Refused(_) => Ok(false),
        }
    }

    async fn put_right(&self, halt: &Halt, was: Timestamp) -> Result<bool> {
        let operation = "switches.put_right";
        let body = serde_json::to_string(halt).map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        let values = Item::default().moment(":was", was);
        match self
            .put(operation, item(halt, body), "ends_at = :was AND attribute_not_exists(resumed_at)", values)
            .await?
        {
            Written::Done(_) => Ok(true),
            Written::Refused(_) => Ok(false),
        }
    }

    async fn resume(&self, id: &str, at: Timestamp) -> Result<bool> {
        let change = Change {
            key: key::halt(id),
            update: "SET resumed_at = :at",
            condition: "ends_at > :at AND attribute_not_exists(resumed_at)",
            values: Item::default().moment(":at", at),
        };
        match self.update("switches.resume", change).await? {
            Written::Done(_) => Ok(true),
            Written::Refused(_) => Ok(false),
        }
    }
}

pub(super) fn read(operation: &'static str, row: &Attributes) -> Result<Halt> {
    let fields = Fields::read(operation, row)?;
    serde_json::from_str(fields.text("halt")?).map_err(|error| fields.corrupt("halt", error))
}

fn item(halt: &Halt, body: String) -> Item {
    Item::at(&key::halt(&halt.id)).text("halt", body).moment("ends_at", halt.until).expires(halt.until, 0)
}
