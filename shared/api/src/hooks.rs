//! `POST /hooks/{source}`: alerts of other systems.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use heal_hooks::{
    Alert, Headers, Hooks, HooksFile, ReadError, Refused, Source, Translation, Verified, Verifier, limit,
};
use heal_runtime::port::{ClaimStore, Message};
use heal_telemetry::metrics::Id;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::{Caller, Role};
use crate::extract::NamePath;
use crate::problem::Problem;
use crate::request::{Service, traceparent};

/// Incidents that one answer names; it counts the rest.
const NAMED: usize = 100;
/// Messages in one call of the queue.
const BATCH: usize = 100;

mod secrets;
mod taking;

pub use secrets::{HookSecretError, verifier};
use taking::Taking;

/// What turns alerts into incidents, and who may send them.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Hooked {
    /// The mapping file.
    pub hooks: Hooks,
    /// The secrets of the sources that sign.
    pub verifier: Verifier,
    /// Remembers the signed deliveries that were taken.
    pub deliveries: Arc<dyn ClaimStore>,
}

impl Hooked {
    /// The hooks of a canonical text, with which a function is deployed; `read` gives the text behind a secret's reference. `None` if there is
    /// no rule.
    ///
    /// # Errors
    /// What is wrong with the text or with a secret.
    pub async fn compiled(
        text: &str,
        read: impl AsyncFn(&str) -> Result<String, String>,
        deliveries: Arc<dyn ClaimStore>,
    ) -> Result<Option<Self>, String> {
        let file = HooksFile::from_json(text).map_err(|error| heal_engine::text::chain(&error))?;
        if file.rules.is_empty() {
            return Ok(None);
        }
        let verifier = verifier(&file, read).await.map_err(|error| error.to_string())?;
        tracing::info!(digest = %file.digest(), rules = file.rules.len(), "hooks are in force");
        let hooks = Hooks::new(file).map_err(|error| heal_engine::text::chain(&error))?;
        Ok(Some(Self { hooks, verifier, deliveries }))
    }
}

/// What became of a delivery.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct Tally {
    /// Alerts that raised an incident, or whose incident was known.
    raised: usize,
    /// Alerts that are over, whose runs are withdrawn.
    withdrawn: usize,
    /// Alerts that no rule is for.
    ignored: usize,
    /// The ids of the incidents, at most 100.
    incident_ids: Vec<String>,
    /// Fields of incidents that could not be rendered, at most 20; these incidents wait for a person.
    faults: Vec<String>,
}

/// Takes the alerts of another system: answers once every incident is stored, in the queue. A delivery that failed may be repeated: an alert that
/// was stored already starts nothing.
#[utoipa::path(post, path = "/hooks/{source}", operation_id = "receiveAlerts", tag = "incidents",
    params(("source" = String, Path, description = "`alertmanager`, `grafana`, `pagerduty`, `cloudevents` or `generic`")),
    request_body(content = Value, description = "What the source sends", content_type = "application/json"),
    responses((status = 202, description = "What became of the alerts", body = Tally)))]
pub(crate) async fn receive(
    State(service): State<Arc<Service>>,
    NamePath(source): NamePath,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Tally>), Problem> {
    let unknown = || {
        let names = Source::ALL.map(Source::as_str).join(", ");
        Problem::new(StatusCode::NOT_FOUND, format!("there is no such source of alerts; the sources are {names}"))
    };
    let source = Source::named(&source).ok_or_else(unknown)?;
    let Some(hooked) = &service.hooks else {
        let message = "no alert becomes an incident here: there is no mapping file, hooks.yaml";
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    };
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ReadError::TooLarge { observed: limit::DELIVERY_BYTES + 1 }.into(),
        status => Problem::new(status, rejection.body_text()),
    })?;
    let metrics = service.telemetry.metrics();
    let refuse = |reason: &str| metrics.count(Id::AlertDeliveriesRefused, &[source.as_str(), reason]);
    let told: Headers =
        headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let verified = hooked.verifier.verify(source, &told, &body, service.dispatcher.now());
    let verified = verified.inspect_err(|refused| refuse(refused.as_str()))?;
    if verified.is_none() && caller.is_none_or(|Extension(caller)| caller.role < Role::Operator) {
        refuse("unauthorized");
        let message = "this source signs nothing, so its deliveries need a token of the role operator";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, message));
    }
    let alerts = heal_hooks::read(source, &told, &body).inspect_err(|_| refuse("unreadable"))?;
    let store = &*hooked.deliveries;
    let taking = match verified {
        Some(Verified { digest }) => {
            let taking = Taking::begin(store, source, &digest, &*service.entropy, service.dispatcher.now()).await;
            Some(taking.inspect_err(|error| error.refused().into_iter().for_each(|it| refuse(it.as_str())))?)
        }
        None => None,
    };
    let (tally, messages) = translate(&service, hooked, source, &alerts, &headers);
    let sent = send(&service, messages).await;
    if let Some(taking) = taking {
        taking.end(store, sent.is_ok(), service.dispatcher.now()).await;
    }
    sent?;
    tracing::info!(%source, alerts = alerts.len(), raised = tally.raised, withdrawn = tally.withdrawn, "alerts.received");
    Ok((StatusCode::ACCEPTED, Json(tally)))
}

/// What becomes of the alerts, and the messages for the queue of incidents.
fn translate(
    service: &Service,
    hooked: &Hooked,
    source: Source,
    alerts: &[Alert],
    headers: &HeaderMap,
) -> (Tally, Vec<Message>) {
    let mut tally = Tally::default();
    let mut messages = Vec::with_capacity(alerts.len());
    for alert in alerts {
        let translation = hooked.hooks.translate(alert);
        service.telemetry.metrics().count(Id::Alerts, &[source.as_str(), word(&translation)]);
        let traceparent = traceparent(headers);
        let message = |body: String| Message::incident(service.dispatcher.secrets(), None, &body, traceparent);
        messages.extend(tally.add(translation).map(message));
    }
    (tally, messages)
}

async fn send(service: &Service, mut messages: Vec<Message>) -> Result<(), Problem> {
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(BATCH));
        service.sender.send(std::mem::replace(&mut messages, rest)).await?;
    }
    Ok(())
}

const fn word(translation: &Translation) -> &'static str {
    match translation {
        Translation::Raise(message) if message.faults.is_empty() => "raised",
        Translation::Raise(_) => "faulty",
        Translation::Withdraw(_) => "withdrawn",
        Translation::Ignored => "ignored",
    }
}

impl Tally {
    /// Counts what an alert becomes, and gives its message.
    fn add(&mut self, translation: Translation) -> Option<String> {
        let message = match translation {
            Translation::Raise(message) => {
                self.raised += 1;
                message
            }
            Translation::Withdraw(message) => {
                self.withdrawn += 1;
                message
            }
            Translation::Ignored => {
                self.ignored += 1;
                return None;
            }
        };
        let named = |fault: String| format!("{}: {fault}", message.incident_id);
        self.faults.extend(message.faults.into_iter().map(named));
        self.faults.truncate(limit::FAULTS);
        if self.incident_ids.len() < NAMED {
            self.incident_ids.push(message.incident_id);
        }
        Some(message.body)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Replayed => StatusCode::CONFLICT,
            Refused::Missing { .. } | Refused::Malformed { .. } | Refused::Wrong | Refused::OutsideWindow { .. } => {
                StatusCode::UNAUTHORIZED
            }
        };
        Self::new(status, refused.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::TooLarge { .. } | ReadError::TooMany { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
            }
            ReadError::Shape { path, detail, .. } => Self::field(path, detail.clone()),
        }
    }
}
