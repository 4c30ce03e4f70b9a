//! `POST /api/v1/incidents`: an incident in any shape that the queues take.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use heal_engine::incident::{self, IntakeError};
use heal_runtime::port::{Message, QueueName};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::request::{Service, json_text, traceparent};

/// Answers once the incident is on the disk, in the queue. An incident that no playbook fits becomes a failed run that keeps it.
///
/// # Errors
/// 413, 415, 422 with the invalid fields. Nothing is stored then: the sender has the reason.
pub(crate) async fn enqueue(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let text = json_text(&headers, body)?;
    let answer = match incident::read(&text) {
        Ok(intake) => json!({"incident_id": intake.incident_id, "status": "QUEUED", "message": "accepted"}),
        // It withdraws the runs of its alert.
        Err(IntakeError::NotAnIncident { reason, resolution: Some(_) }) => {
            json!({"status": "QUEUED", "message": format!("accepted: {reason}")})
        }
        Err(IntakeError::NotAnIncident { reason, resolution: None }) => {
            return Ok((StatusCode::OK, Json(json!({"status": "IGNORED", "message": reason}))));
        }
        Err(error) => return Err(error.into()),
    };
    let message = Message { queue: QueueName::Incidents, body: text, delay_ms: 0, traceparent: traceparent(&headers) };
    service.sender.send(vec![message]).await?;
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
