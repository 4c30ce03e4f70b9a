//! What a playbook gives.

use heal_clients::tickets::Metadata;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
pub(crate) struct Parameters {
    pub ticket_id: String,
    pub status: String,
    /// Null counts as not given.
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error_message: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
}

impl Parameters {
    /// The result with the error in it, as the service has no other place for that.
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
