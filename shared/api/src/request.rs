//! What the handlers share: the service that they work on, and the parts of a request.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use heal_engine::{RunId, limit};
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::port::{DueRuns, RunReader, Sender};
use heal_telemetry::Telemetry;

use crate::hooks::Hooked;
use crate::problem::Problem;

/// What the handlers work on.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Service {
    /// Starts runs, changes them and reads them.
    pub dispatcher: Dispatcher,
    /// The runs, to read.
    pub runs: Arc<dyn RunReader>,
    /// The index of overdue runs: a read of it says whether the store works.
    pub due_runs: Arc<dyn DueRuns>,
    /// The queue of incidents.
    pub sender: Arc<dyn Sender>,
    /// The metrics of this process.
    pub telemetry: Telemetry,
    /// What turns alerts into incidents; `None`: nothing does.
    pub hooks: Option<Hooked>,
}

/// The body of a request whose content type is JSON.
///
/// Refusing forms is a safety measure: a web page can make a browser post a form to this address, but not JSON.
///
/// # Errors
/// 413, 415, or 422 if the body is not text.
pub(crate) fn json_text(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<String, Problem> {
    let claimed = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        let message = format!("content-type is `{claimed}`, expected application/json");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body has more than {} bytes", limit::MESSAGE_BYTES);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        }
        status => Problem::new(status, rejection.body_text()),
    })?;
    String::from_utf8(bytes.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::field("body", format!("is not UTF-8 text, the first invalid byte is at offset {at}"))
    })
}

/// The W3C trace context of the caller.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    headers.get("traceparent").and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

/// The run that a path names.
///
/// # Errors
/// 404 if the text cannot be the id of a run.
pub(crate) fn run_id(id: &str) -> Result<RunId, Problem> {
    if RunId::is_legal(id) {
        Ok(RunId::new(id))
    } else {
        Err(Problem::unknown_run(&id.chars().take(128).collect::<String>()))
    }
}
