//! The client, and what its calls share.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use heal_proto as proto;
use tracing::{Instrument, Span};

use super::SERVICE;
use super::model::{WorkflowState, WorkflowStatus};
use super::rpc::{Kind, Rpc};
use crate::breaker::{Breaker, Clock, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::OrchestratorConfig;
use crate::error::{Effect, Error, OutageKind, Refusal, RefusalKind, one_line};
use crate::observe::{CallOutcome, Observer};

/// The orchestrator.
#[derive(Debug)]
pub struct Client {
    pub(super) rpc: Rpc,
    breaker: Breaker,
    observer: Arc<dyn Observer>,
}

const STATUS: Kind = Kind { operation: "get_workflow_status", at_stake: Effect::NotApplied, repeatable: true };

/// The workflow that a look at the orchestrator itself asks about.
const NOBODY: &str = "self-healing-engine-probe";

impl Client {
    /// Connects at the first call, by mutual TLS as `wiring.identity`, or in plain text where the configuration says so.
    ///
    /// # Errors
    /// `Invalid` where plain text is asked for in production or staging, or TLS without an identity.
    pub fn new(config: &OrchestratorConfig, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, wiring, system_clock())
    }

    /// As [`Client::new`], with the breaker's time given.
    pub fn with_clock(config: &OrchestratorConfig, wiring: &Wiring, clock: Clock) -> Result<Self, Error> {
        if !config.use_tls && config.environment.requires_tls() {
            return Err(Error::Invalid {
                field: "ORCHESTRATOR_GRPC_USE_TLS",
                problem: format!("plain text is refused in {}", config.environment),
            });
        }
        if config.use_tls && !wiring.identity.is_configured() {
            return Err(Error::Invalid {
                field: "SPIFFE_IDENTITY_SOURCE",
                problem: "is none, but mutual TLS needs an identity (ORCHESTRATOR_GRPC_USE_TLS=true)".to_owned(),
            });
        }
        Ok(Self {
            rpc: Rpc::new(config, &wiring.identity),
            breaker: Breaker::new(SERVICE, config.breaker, wiring, clock),
            observer: Arc::clone(&wiring.observer),
        })
    }

    pub fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// Where a workflow stands; with the numbers of its tickets if `include_tickets`.
    ///
    /// # Errors
    /// `Refused` of kind `NotFound` for a workflow that the orchestrator does not know, however it says so.
    pub async fn get_workflow_status(
        &self,
        workflow_id: &str,
        include_tickets: bool,
        context: &CallContext,
    ) -> Result<WorkflowStatus, Error> {
        let span = tracing::info_span!(
            "self_healing.orchestrator.get_workflow_status",
            workflow_id,
            outcome = tracing::field::Empty
        );
        let call = async {
            given("workflow_id", workflow_id)?;
            let limit = self.limit(STATUS, context)?;
            self.breaker.run(STATUS.operation, self.read_status(workflow_id, include_tickets, limit, context)).await
        };
        self.observed(STATUS.operation, span, call).await
    }

    /// Whether the orchestrator answers, with the identity of this process. Does not ask the breaker: this is how one finds out.
    ///
    /// It is asked about a workflow that nobody has: that it is not there is an answer.
    pub async fn health(&self, context: &CallContext) -> Result<(), Error> {
        let limit = self.limit(STATUS, context)?;
        match self.read_status(NOBODY, false, limit, context).await {
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Reads the state past the breaker: part of a call that the breaker let through already.
    pub(super) async fn read_status(
        &self,
        workflow_id: &str,
        include_tickets: bool,
        limit: Instant,
        context: &CallContext,
    ) -> Result<WorkflowStatus, Error> {
        let message = proto::GetWorkflowStatusRequest {
            workflow_id: workflow_id.to_owned(),
            include_tickets,
            include_history: false,
        };
        let invoke = |mut stub: super::rpc::Stub, request| async move { stub.get_workflow_status(request).await };
        let answer = self.rpc.call(STATUS, message, limit, context, invoke).await?;
        let status = WorkflowStatus::from(answer);
        if status.state == WorkflowState::Unspecified {
            return Err(refused(STATUS, RefusalKind::NotFound, "UNSPECIFIED", "no such workflow"));
        }
        Ok(status)
    }

    /// Runs a changing call under the breaker, its span and the observer.
    pub(super) async fn changing<T>(
        &self,
        kind: Kind,
        span: Span,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.observed(kind.operation, span, self.breaker.run(kind.operation, call)).await
    }

    async fn observed<T>(
        &self,
        operation: &'static str,
        span: Span,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let result = call.instrument(span.clone()).await;
        let outcome = CallOutcome::of(&result);
        span.record("outcome", outcome.as_str());
        self.observer.orchestrator_call(operation, outcome, started.elapsed());
        result
    }

    /// The end of a call that starts now.
    pub(super) fn limit(&self, kind: Kind, context: &CallContext) -> Result<Instant, Error> {
        let limit = context.limit(self.rpc.timeout);
        if limit <= Instant::now() {
            let detail = "the deadline was over before the call".to_owned();
            return Err(super::rpc::outage(kind, OutageKind::Timeout, Effect::NotApplied, detail));
        }
        Ok(limit)
    }
}

/// The key of a changing call, which is its `adjustment_id`.
pub(super) fn adjustment_id(context: &CallContext) -> Result<String, Error> {
    match context.idempotency_key.as_deref() {
        Some(key) if !key.is_empty() => Ok(key.to_owned()),
        Some(_) | None => Err(Error::Invalid {
            field: "adjustment_id",
            problem: "a changing call needs one, so that a repetition is recognised".to_owned(),
        }),
    }
}

pub(super) fn given(field: &'static str, value: &str) -> Result<(), Error> {
    if value.is_empty() { Err(Error::Invalid { field, problem: "is empty".to_owned() }) } else { Ok(()) }
}

/// `success: false` is a refusal with the orchestrator's reason.
pub(super) fn accepted(kind: Kind, success: bool, message: &str) -> Result<(), Error> {
    if success { Ok(()) } else { Err(refused(kind, RefusalKind::Other, "success=false", message)) }
}

pub(super) fn refused(kind: Kind, refusal: RefusalKind, code: &str, message: &str) -> Error {
    Error::Refused(Refusal {
        service: SERVICE,
        operation: kind.operation,
        kind: refusal,
        code: code.to_owned(),
        message: one_line(message),
        effect: Effect::NotApplied,
    })
}
