//! Who is asked, in which order.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use serde_json::Value;
use tracing::Instrument;

use super::EvaluationError;
use super::bundled::Bundled;
use super::decision::{Answer, Decision, Source};
use super::question::Question;
use super::server::Server;
use crate::breaker::{Clock, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::PolicyConfig;
use crate::error::Error;
use crate::observe::Observer;

/// The actions that are always validated, and that the bundled policy has rules for.
pub const CRITICAL_ACTIONS: [&str; 4] =
    ["reallocate_ticket", "restart_workflow", "update_ticket_status", "trigger_replanning"];

/// Decides whether an action may be done.
#[derive(Debug)]
pub struct Client {
    server: Server,
    /// Compiled when the server is first out of reach.
    bundled: OnceLock<Result<Bundled, EvaluationError>>,
    enabled: bool,
    fail_open: bool,
    extra_actions: Vec<String>,
    observer: Arc<dyn Observer>,
}

impl Client {
    /// # Errors
    /// `Invalid` where the host is none.
    pub fn new(config: &PolicyConfig, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, wiring, system_clock())
    }

    /// As [`Client::new`], with the breaker's time given.
    pub fn with_clock(config: &PolicyConfig, wiring: &Wiring, clock: Clock) -> Result<Self, Error> {
        Ok(Self {
            server: Server::new(config, wiring, clock)?,
            bundled: OnceLock::new(),
            enabled: config.enabled,
            fail_open: config.fail_open,
            extra_actions: config.extra_actions.clone(),
            observer: Arc::clone(&wiring.observer),
        })
    }

    /// Whether `action` is asked about at all.
    pub fn is_validated(&self, action: &str) -> bool {
        CRITICAL_ACTIONS.contains(&action) || self.extra_actions.iter().any(|extra| extra == action)
    }

    /// Decides on one action. Always gives a decision, within the caller's deadline.
    pub async fn validate_action(&self, question: &Question, context: &CallContext) -> Decision {
        let started = Instant::now();
        let span = tracing::info_span!(
            "self_healing.opa.validate_action",
            action = question.action,
            result = tracing::field::Empty,
            source = tracing::field::Empty
        );
        let decision = self.decide(question, context).instrument(span.clone()).await;
        span.record("result", decision.result());
        span.record("source", decision.source());
        if let Some(warning) = decision.warning() {
            span.in_scope(|| tracing::warn!(action = question.action, warning, "policy.warning"));
        }
        self.observer.opa_validation(&question.action, decision.result(), decision.source(), started.elapsed());
        decision
    }

    /// Whether the server says that it is well.
    pub async fn health(&self, context: &CallContext) -> Result<(), Error> {
        self.server.health(context).await
    }

    async fn decide(&self, question: &Question, context: &CallContext) -> Decision {
        if !self.is_validated(&question.action) {
            return Decision::Allow { source: Source::NotValidated, warning: None };
        }
        if !self.enabled {
            let warning = "validation is switched off (OPA_ENABLED=false)".to_owned();
            return Decision::Allow { source: Source::Disabled, warning: Some(warning) };
        }
        let input = question.input();
        let no_server = match self.server.ask(&input, context).await {
            Ok(answer) => return answer.into_decision(Source::Server, None),
            Err(reason) => reason,
        };
        // What the bundled policy has no rules for it would wave through: that is no decision of anybody's.
        let no_bundled = if CRITICAL_ACTIONS.contains(&question.action.as_str()) {
            match self.evaluate(&input) {
                Ok(answer) => {
                    let warning = format!("decided by the bundled policy, because {no_server}");
                    return answer.into_decision(Source::Bundled, Some(warning));
                }
                Err(error) => error.to_string(),
            }
        } else {
            "the bundled policy has no rules for this action".to_owned()
        };
        let reason = format!("{no_server}; {no_bundled}");
        if self.fail_open {
            let warning = format!("allowed without a decision (OPA_FAIL_OPEN=true): {reason}");
            Decision::Allow { source: Source::FailOpen, warning: Some(warning) }
        } else {
            Decision::Unavailable { reason }
        }
    }
    /// What the policy that this build carries says.
    fn evaluate(&self, input: &Value) -> Result<Answer, EvaluationError> {
        self.bundled.get_or_init(Bundled::new).as_ref().map_err(Clone::clone)?.evaluate(input)
    }
}
