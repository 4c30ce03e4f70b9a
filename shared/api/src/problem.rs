//! The refusal of a request, with a message for each invalid field.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use heal_engine::incident::{FieldFault, IntakeError};
use heal_runtime::dispatcher::{DispatchError, Rejection};
use heal_runtime::library::RouteError;
use heal_runtime::port::BackendError;
use serde::Serialize;
use serde_json::json;

/// Seconds after which a request that met a busy store may be repeated.
const RETRY_AFTER_SECONDS: &str = "1";

/// A refusal: `{"error": {"message", "fields"}}` with a status.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
    fields: Vec<Field>,
}

/// One wrong field.
#[derive(Debug, Serialize)]
pub(crate) struct Field {
    field: String,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), fields: Vec::new() }
    }

    /// 422 for one field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let fields = vec![Field { field: field.to_owned(), message: message.clone() }];
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, message: format!("{field}: {message}"), fields }
    }

    pub(crate) fn unknown_run(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no remediation `{id}`"))
    }

    fn with(mut self, fields: impl Iterator<Item = (String, String)>) -> Self {
        self.fields = fields.map(|(field, message)| Field { field, message }).collect();
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": {"message": self.message, "fields": self.fields}}));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            return (self.status, [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)], body).into_response();
        }
        (self.status, body).into_response()
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Intake(error) => error.into(),
            Rejection::Route(error) => error.into(),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        let status = match error {
            IntakeError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            IntakeError::NotJson { .. }
            | IntakeError::DuplicateKey { .. }
            | IntakeError::TooDeep { .. }
            | IntakeError::TooManyEnvelopes { .. }
            | IntakeError::NoShape { .. }
            | IntakeError::Fields { .. }
            | IntakeError::NotAnIncident { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, error.to_string());
        match &error {
            IntakeError::Fields { faults, .. } => problem.with(faults.iter().map(|fault| {
                let FieldFault { path, observed, expected } = fault;
                (path.clone(), format!("is {observed}, expected {expected}"))
            })),
            IntakeError::DuplicateKey { path, .. }
            | IntakeError::TooDeep { path, .. }
            | IntakeError::TooManyEnvelopes { path } => {
                problem.with(std::iter::once((path.clone(), error.to_string())))
            }
            IntakeError::TooLarge { .. }
            | IntakeError::NotJson { .. }
            | IntakeError::NoShape { .. }
            | IntakeError::NotAnIncident { .. } => problem,
        }
    }
}

impl From<RouteError> for Problem {
    fn from(error: RouteError) -> Self {
        let status = match error {
            RouteError::UnknownPlaybook { .. } => StatusCode::NOT_FOUND,
            RouteError::NoTrigger { .. }
            | RouteError::Nothing
            | RouteError::TriggerFailed { .. }
            | RouteError::Variables { .. }
            | RouteError::SeveralTickets { .. }
            | RouteError::ConcurrencyKey { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, error.to_string());
        match &error {
            RouteError::UnknownPlaybook { .. } => {
                problem.with(std::iter::once(("playbook_name".to_owned(), error.to_string())))
            }
            RouteError::SeveralTickets { .. } => {
                problem.with(std::iter::once(("parameters.affected_tickets".to_owned(), error.to_string())))
            }
            RouteError::Variables { faults, .. } => problem.with(faults.iter().map(|fault| parameter(fault))),
            RouteError::NoTrigger { .. }
            | RouteError::Nothing
            | RouteError::TriggerFailed { .. }
            | RouteError::ConcurrencyKey { .. } => problem,
        }
    }
}

/// `/ticket_id: …` is about `parameters.ticket_id`, a fault without a place about `parameters` as a whole; its text has the name.
fn parameter(fault: &str) -> (String, String) {
    match fault.strip_prefix('/').and_then(|rest| rest.split_once(": ")) {
        Some((place, message)) => (format!("parameters.{}", place.replace('/', ".")), message.to_owned()),
        None => ("parameters".to_owned(), fault.to_owned()),
    }
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        DispatchError::from(error).into()
    }
}

impl From<DispatchError> for Problem {
    fn from(error: DispatchError) -> Self {
        if let DispatchError::UnknownRun { run_id } = &error {
            return Self::unknown_run(run_id.as_str());
        }
        tracing::error!(error = &error as &dyn std::error::Error, "request failed");
        if error.is_transient() {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("the store is busy, try again: {error}"));
        }
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
