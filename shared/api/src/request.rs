//! What the handlers share: the service that they work on, and the parts of a request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use heal_engine::catalog::Catalog;
use heal_engine::check::Check;
use heal_engine::state::approval::ANONYMOUS;
use heal_engine::{RunId, limit, traceparent};
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::port::{
    AutonomyStore, CheckStore, ClaimStore, DeadLetters, DueRuns, Entropy, RunNews, RunReader, Sender,
};
use heal_telemetry::Telemetry;

use crate::approval_link::ApprovalLinks;
use crate::caller::Caller;
use crate::changes::Changes;
use crate::hooks::Hooked;
use crate::problem::Problem;
use crate::worklist::Worklist;

/// What the handlers work on: one home of the engine.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Service {
    /// The playbooks, and the runs by the plans that are stored with them. Only [`Service::changes`] makes turns.
    pub dispatcher: Dispatcher,
    /// Starts runs and changes them.
    pub changes: Arc<dyn Changes>,
    /// The runs, to read.
    pub runs: Arc<dyn RunReader>,
    /// The index of overdue runs: a read of it says whether the store works.
    pub due_runs: Arc<dyn DueRuns>,
    /// The queue of incidents.
    pub sender: Arc<dyn Sender>,
    /// The levels of autonomy.
    pub autonomy: Arc<dyn AutonomyStore>,
    /// Messages that could not be processed.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The states of the scheduled checks.
    pub check_store: Arc<dyn CheckStore>,
    /// The scheduled checks.
    pub checks: Vec<Check>,
    /// The actions that playbooks can name; `None` in a home that has only compiled playbooks, where none can be linted.
    pub catalog: Option<Catalog>,
    /// How full the counters of the guardrails are.
    pub claims: Arc<dyn ClaimStore>,
    /// Names halts.
    pub entropy: Arc<dyn Entropy>,
    /// The metrics of this process.
    pub telemetry: Telemetry,
    /// How readers of this home wait for news.
    pub waiting: Waiting,
    /// What turns alerts into incidents; `None`: nothing does.
    pub hooks: Option<Hooked>,
    /// What links of notifications to approvals lead to; `None`: notifications have none.
    pub approval_links: Option<ApprovalLinks>,
}

/// How readers wait for news of a run.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a port is behaviour, there is nothing to print")]
pub struct Waiting {
    /// How often a run's head is read while a reader waits: for what `news` does not tell.
    pub poll: Duration,
    /// Tells of what this process writes; `None` in a home whose runs are written by others.
    pub news: Option<Arc<dyn RunNews>>,
    /// Whether an answer can go on for minutes: a function's cannot.
    pub streams: bool,
}

impl Service {
    /// What waits for people.
    pub(crate) fn worklist(&self) -> Worklist<'_> {
        Worklist { runs: &*self.runs, reader: &self.dispatcher }
    }
}

impl Caller {
    /// The identity that requests a run, which may not approve it. Nobody, if the caller is nobody in particular.
    pub(crate) fn requester(&self) -> Option<String> {
        (self.identity != ANONYMOUS).then(|| self.identity.clone())
    }
}

/// The body of a request whose content type is JSON.
///
/// Refusing forms is a safety measure: a web page can make a browser post a form to this address, but not JSON.
///
/// # Errors
/// 413, 415, or 422 if the body is not text.
pub(crate) fn json_text(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<String, Problem> {
    if !is_json(headers) {
        let claimed = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
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

/// Whether the request says that its body is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let claimed = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// The W3C trace context of the caller.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    given.filter(|given| traceparent::is_valid(given)).map(ToOwned::to_owned)
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
