//! `POST /api/v1/incidents`: an incident in any shape that the queues take.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use heal_engine::incident::{self, IntakeError};
use heal_runtime::port::Message;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Caller;
use crate::extract::{JsonText, Parameters};
use crate::preview::Preview;
use crate::problem::Problem;
use crate::request::{Service, traceparent};

/// What to do with an incident.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct IncidentQuery {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// An incident; every further field becomes a variable of its playbook.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names are those on the wire")]
pub(crate) struct Incident {
    /// Names the incident; the same id again starts no second run.
    incident_id: String,
    /// Selects the playbook, such as `TICKET_TIMEOUT`.
    incident_type: Option<String>,
    /// The playbook, if the producer knows it.
    recommended_playbook: Option<String>,
    /// `CRITICAL`, `HIGH`, `MEDIUM`, `LOW` or `INFO`.
    severity: Option<String>,
}

/// What became of an incident.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// The incident's id; absent for a message that an alert is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_id: Option<String>,
    /// `QUEUED`, or `IGNORED` for a message that is not an incident, such as an alarm that returned to OK.
    #[schema(example = "QUEUED")]
    status: &'static str,
    /// The same as a sentence.
    message: String,
}

/// What would be done about an incident.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DryRun {
    /// The steps, as far as they are known before the first one.
    preview: Preview,
}

/// Takes an incident: answers once it is stored, in the queue. One that no playbook fits becomes a failed run that keeps it. An incident's own
/// id is its idempotency key: the same incident again starts no second run.
#[utoipa::path(post, path = "/api/v1/incidents", operation_id = "raiseIncident", tag = "incidents", params(IncidentQuery),
    request_body(content = Incident, description = "An incident, or an EventBridge, SNS or CloudWatch envelope around one",
        example = json!({"incident_id": "inc-1", "incident_type": "TICKET_TIMEOUT", "ticket_id": "ticket-1"})),
    responses((status = 202, description = "The incident is stored", body = Accepted),
        (status = 200, description = "The message is not an incident and is ignored; or, with `dry_run`, what would be done",
            body = AcceptedOrDryRun),
        (status = 404, description = "With `dry_run`: there is no such playbook", body = crate::problem::ProblemBody,
            content_type = "application/problem+json")))]
pub(crate) async fn enqueue(
    State(service): State<Arc<Service>>,
    caller: Option<axum::Extension<Caller>>,
    Parameters(query): Parameters<IncidentQuery>,
    headers: HeaderMap,
    JsonText(text): JsonText,
) -> Result<Response, Problem> {
    let answer = match incident::read(&text) {
        Ok(_) if query.dry_run => {
            let preview = Preview::new(&service.dispatcher.prepare(&text)?);
            return Ok(Json(DryRun { preview }).into_response());
        }
        Ok(intake) => {
            let incident_id = Some(intake.incident_id);
            Accepted { incident_id, status: "QUEUED", message: "accepted".to_owned() }
        }
        // It withdraws the runs of its alert.
        Err(IntakeError::NotAnIncident { reason, resolution: Some(_) }) if !query.dry_run => {
            Accepted { incident_id: None, status: "QUEUED", message: format!("accepted: {reason}") }
        }
        Err(IntakeError::NotAnIncident { reason, .. }) => {
            return Ok(Json(Accepted { incident_id: None, status: "IGNORED", message: reason }).into_response());
        }
        Err(error) => return Err(error.into()),
    };
    let by = caller.and_then(|caller| caller.requester());
    let message = Message::incident(service.dispatcher.secrets(), by.as_deref(), &text, traceparent(&headers));
    service.sender.send(vec![message]).await?;
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// The answer 200.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes a body in the document")]
pub(crate) enum AcceptedOrDryRun {
    /// The message is ignored.
    Accepted(Accepted),
    /// What would be done.
    DryRun(Box<DryRun>),
}
