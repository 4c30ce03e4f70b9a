//! Asks the policy server, then the bundled policy, then the configuration.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use heal_runtime::port::{Decision, DecisionSource, Policy, PolicyInput};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use super::EvaluationError;
use super::bundled::Bundled;
use super::decision::Answer;
use super::server::Server;
use crate::breaker::{Clock, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::{PolicyConfig, PolicyFallback};
use crate::error::Error;
use crate::observe::Observer;

/// Longest wait for a decision, whatever timeout is configured.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Decides whether an action may be done.
#[derive(Debug)]
pub struct Client {
    /// `None` if `OPA_HOST` is empty.
    server: Option<Server>,
    fallback: PolicyFallback,
    /// Compiled when it is first asked.
    bundled: OnceLock<Result<Bundled, EvaluationError>>,
    enabled: bool,
    fail_open: bool,
    extra_actions: Vec<String>,
    observer: Arc<dyn Observer>,
}

impl Client {
    /// # Errors
    /// `Invalid` if `OPA_HOST` and `OPA_PORT` do not form a URL.
    pub fn new(config: &PolicyConfig, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, wiring, system_clock())
    }

    /// As [`Client::new`], with the breaker's time given.
    pub fn with_clock(config: &PolicyConfig, wiring: &Wiring, clock: Clock) -> Result<Self, Error> {
        let server = config.host.as_ref().map(|host| Server::new(host, config, wiring, clock)).transpose()?;
        Ok(Self {
            server,
            fallback: config.fallback,
            bundled: OnceLock::new(),
            enabled: config.enabled,
            fail_open: config.fail_open,
            extra_actions: config.extra_actions.clone(),
            observer: Arc::clone(&wiring.observer),
        })
    }

    /// Decides on one action, within the caller's deadline. A caller asks about critical and configured actions only.
    pub async fn validate_action(&self, input: &PolicyInput, context: &CallContext) -> Decision {
        let started = Instant::now();
        let action = input.resource.action.as_str();
        let span = tracing::info_span!(
            "self_healing.opa.validate_action",
            action,
            result = tracing::field::Empty,
            source = tracing::field::Empty
        );
        let decision = self.resolve(input, context).instrument(span.clone()).await;
        let source = decision.source().map_or("none", DecisionSource::as_str);
        span.record("result", decision.as_str());
        span.record("source", source);
        if let Some(warning) = decision.warning() {
            span.in_scope(|| tracing::warn!(action, warning, "policy.warning"));
        }
        self.observer.opa_validation(action, decision.as_str(), source, started.elapsed());
        decision
    }

    /// Asks the server for its health. Without a server there is nothing to ask.
    ///
    /// # Errors
    /// The server is out of reach, or reports a fault.
    pub async fn health(&self, context: &CallContext) -> Result<(), Error> {
        match &self.server {
            Some(server) => server.health(context).await,
            None => Ok(()),
        }
    }

    async fn resolve(&self, input: &PolicyInput, context: &CallContext) -> Decision {
        if !input.critical && !self.validates(&input.resource.action) {
            return Decision::Allow { source: DecisionSource::NotValidated, warning: None };
        }
        if !self.enabled {
            let warning = "validation is switched off (OPA_ENABLED=false)".to_owned();
            return Decision::Allow { source: DecisionSource::Disabled, warning: Some(warning) };
        }
        // Plain data with text keys cannot fail to serialize.
        let document = serde_json::to_value(input).unwrap_or_default();
        let no_server = match &self.server {
            Some(server) => match server.ask(&document, context).await {
                Ok(answer) => return answer.into_decision(DecisionSource::Server, None),
                Err(reason) => Some(reason),
            },
            None => None,
        };
        let no_bundled = match self.ask_bundled(input, &document) {
            Ok(answer) => {
                let warning = no_server.map(|reason| format!("decided by the bundled policy, because {reason}"));
                return answer.into_decision(DecisionSource::Bundled, warning);
            }
            Err(reason) => reason,
        };
        let no_server = no_server.as_deref().unwrap_or("no policy server is configured (OPA_HOST is empty)");
        let reason = format!("{no_server}; {no_bundled}");
        if self.fail_open {
            let warning = format!("allowed without a decision (OPA_FAIL_OPEN=true): {reason}");
            Decision::Allow { source: DecisionSource::FailOpen, warning: Some(warning) }
        } else {
            Decision::Unavailable { message: reason }
        }
    }

    /// The bundled policy's answer on `document`, or why it gives none.
    ///
    /// It allows whatever it has no rule for, so its answer means nothing for an action that is not critical.
    fn ask_bundled(&self, input: &PolicyInput, document: &Value) -> Result<Answer, String> {
        match self.fallback {
            PolicyFallback::None => Err("the bundled policy is not asked (OPA_FALLBACK=none)".to_owned()),
            PolicyFallback::Bundled if !input.critical => {
                Err("the bundled policy has no rules for this action".to_owned())
            }
            PolicyFallback::Bundled => match self.bundled.get_or_init(Bundled::new) {
                Ok(bundled) => bundled.evaluate(document).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

#[async_trait]
impl Policy for Client {
    fn validates(&self, action: &str) -> bool {
        self.extra_actions.iter().any(|extra| extra == action)
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        let context = CallContext { traceparent: input.traceparent.clone(), ..CallContext::within(LONGEST_WAIT) };
        self.validate_action(input, &context).await
    }
}
