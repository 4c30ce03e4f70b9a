//! What the engine writes beside a change, so that the platform can tell who made it and why.

use serde_json::{Map, Value};

/// Further facts of a change, such as `workflow_id`, `incident_id`, `previous_worker`.
pub type Metadata = Map<String, Value>;

/// Who the engine says it is.
pub const SOURCE: &str = "self-healing-engine";

/// The metadata of a reallocation: what the caller gave, and what every reallocation has.
///
/// `reallocation_timestamp` is the caller's if it gave one, so that a repeated attempt can send the same body.
pub(super) fn of_reallocation(given: &Metadata, reason: &str, key: Option<&str>) -> Metadata {
    let mut metadata = given.clone();
    metadata.insert("reallocation_source".to_owned(), SOURCE.into());
    metadata.insert("reallocation_reason".to_owned(), reason.into());
    metadata.entry("reallocation_timestamp").or_insert_with(|| jiff::Timestamp::now().to_string().into());
    if let Some(key) = key {
        metadata.entry("reallocation_id").or_insert_with(|| key.into());
    }
    metadata
}

/// The metadata of a status update.
pub(super) fn of_status_update(given: &Metadata) -> Metadata {
    let mut metadata = given.clone();
    metadata.insert("updated_by".to_owned(), SOURCE.into());
    metadata
}
