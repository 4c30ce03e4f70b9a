//! What a playbook gives.

use heal_clients::tickets::{Metadata, TicketStatus};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    pub(crate) ticket_id: String,
    #[serde(deserialize_with = "status")]
    pub(crate) status: TicketStatus,
    /// Null counts as not given.
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error_message: Option<String>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

impl Parameters {
    /// Whether more than a status is to be written.
    pub(crate) fn has_result(&self) -> bool {
        self.result.is_some() || self.error_message.is_some()
    }

    /// The result with the error in it: the service has no other field for an error.
    pub(crate) fn result(&self) -> Option<Value> {
        match (&self.result, &self.error_message) {
            (result, None) => result.clone(),
            (None, Some(message)) => Some(json!({"error_message": message})),
            (Some(Value::Object(fields)), Some(message)) => {
                let mut fields = fields.clone();
                fields.insert("error_message".to_owned(), message.clone().into());
                Some(fields.into())
            }
            (Some(other), Some(message)) => Some(json!({"result": other, "error_message": message})),
        }
    }
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TicketStatus, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
