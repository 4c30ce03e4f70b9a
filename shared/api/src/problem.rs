//! The refusal of a request, with a message for each invalid field: problem details by RFC 9457.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use heal_engine::incident::{FieldFault, IntakeError};
use heal_runtime::dispatcher::{DispatchError, Rejection};
use heal_runtime::library::RouteError;
use heal_runtime::port::BackendError;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::worklist;

/// Seconds after which a request that met a busy store may be repeated.
const RETRY_AFTER_SECONDS: &str = "1";
/// Faults in one answer; the others are counted. A request of 240 KB can have tens of thousands.
pub(crate) const FAULTS: usize = 20;
/// Bytes of one message in an answer, with a mark where it is cut.
const MESSAGE_BYTES: usize = 2_000;
/// The content type of problem details.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// A refusal with a status.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    message: String,
    faults: Vec<Fault>,
}

/// One invalid field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// The field's path in the request, such as `parameters.ticket_id`, or `body`.
    field: String,
    /// What is wrong with it, and what is expected.
    message: String,
}

/// Why a request was refused, by RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Always `about:blank`: the status says which kind of problem it is.
    #[schema(example = "about:blank")]
    r#type: String,
    /// The status as a phrase.
    #[schema(example = "Unprocessable Entity")]
    title: String,
    /// The status.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong with this request, as a sentence.
    detail: String,
    /// The invalid fields, 20 at most.
    errors: Vec<Fault>,
    /// Invalid fields beyond those; absent if there are none.
    errors_omitted: Option<usize>,
    /// The same in the form of the remediation API.
    error: ErrorBody,
}

/// A refusal in the form of the remediation API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RemediationError)]
pub(crate) struct ErrorBody {
    /// What is wrong with this request.
    message: String,
    /// The invalid fields, 20 at most.
    fields: Vec<Fault>,
}

impl Problem {
    /// The status of the answer.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in one sentence.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), faults: Vec::new() }
    }

    /// 422 for one field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let faults = vec![Fault { field: field.to_owned(), message: message.clone() }];
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, message: format!("{field}: {message}"), faults }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn unknown_run(id: &str) -> Self {
        Self::not_found(format!("there is no remediation `{id}`"))
    }

    fn with(mut self, faults: impl Iterator<Item = (String, String)>) -> Self {
        self.faults = faults.map(|(field, message)| Fault { field, message }).collect();
        self
    }
}

/// `text`, cut to [`MESSAGE_BYTES`].
fn bounded(mut text: String) -> String {
    heal_engine::message::cut(&mut text, MESSAGE_BYTES);
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, message, mut faults } = self;
        let omitted = faults.len().saturating_sub(FAULTS);
        faults.truncate(FAULTS);
        for fault in &mut faults {
            fault.message = bounded(std::mem::take(&mut fault.message));
            fault.field = bounded(std::mem::take(&mut fault.field));
        }
        let message = bounded(message);
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Refused"),
            "status": status.as_u16(),
            "detail": message,
            "errors": faults,
            "error": {"message": message, "fields": faults},
        });
        if let (1.., Some(fields)) = (omitted, body.as_object_mut()) {
            fields.insert("errors_omitted".to_owned(), json!(omitted));
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
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

impl From<worklist::Error> for Problem {
    fn from(error: worklist::Error) -> Self {
        match error {
            worklist::Error::List(error) => error.into(),
            worklist::Error::Lost(lost) => lost.into(),
            worklist::Error::Read(error) => error.into(),
            worklist::Error::Log(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn an_answer_has_at_most_20_faults_of_bounded_length_and_counts_the_rest() {
        let long = "x".repeat(100_000);
        let faults = (0..10_000).map(|index| (format!("parameters.{index}"), long.clone()));
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, long.clone()).with(faults);
        let response = problem.into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        let bytes = to_bytes(response.into_body(), 200_000).await.unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((body["status"].as_u64(), body["errors_omitted"].as_u64()), (Some(422), Some(9_980)));
        assert_eq!((body["errors"].as_array().unwrap().len(), &body["errors"]), (FAULTS, &body["error"]["fields"]));
        assert_eq!(body["detail"], body["error"]["message"]);
    }
}
