//! The client, and the steps that all its calls share.

use std::future::Future;
use std::sync::Arc;

use heal_proto as proto;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::SERVICE;
use super::model::WorkflowStatus;
use super::rpc::{Kind, Rpc};
use crate::breaker::{Breaker, Clock, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::OrchestratorConfig;
use crate::error::{Effect, Error, OutageKind, Refusal, RefusalKind, one_line};
use crate::observe::{CallOutcome, Observer};

/// A client of the orchestrator.
#[derive(Debug)]
pub struct Client {
    pub(super) rpc: Rpc,
    breaker: Breaker,
    observer: Arc<dyn Observer>,
}

const STATUS: Kind = Kind { operation: "get_workflow_status", at_stake: Effect::NotApplied, repeatable: true };

/// An id that no workflow has: a health probe reads its state.
const PROBE_WORKFLOW_ID: &str = "self-healing-engine-probe";

impl Client {
    /// Connects at the first call: by mutual TLS with `wiring.identity`, or in plain text if the configuration says so.
    ///
    /// # Errors
    /// `Invalid` if plain text is configured in production or staging, or TLS without an identity.
    pub fn new(config: &OrchestratorConfig, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, wiring, system_clock())
    }

    /// As [`Client::new`], with the breaker's clock given.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_clock(config: &OrchestratorConfig, wiring: &Wiring, clock: Clock) -> Result<Self, Error> {
        if !config.use_tls && config.environment.requires_tls() {
            return Err(Error::Invalid {
                field: "ORCHESTRATOR_GRPC_USE_TLS",
                problem: format!("is false, but plain text is refused in {}; set it to true", config.environment),
            });
        }
        if config.use_tls && !wiring.identity.is_configured() {
            return Err(Error::Invalid {
                field: "SPIFFE_IDENTITY_SOURCE",
                problem: "is none, but mutual TLS (ORCHESTRATOR_GRPC_USE_TLS=true) needs an identity".to_owned(),
            });
        }
        Ok(Self {
            rpc: Rpc::new(config, &wiring.identity),
            breaker: Breaker::new(SERVICE, config.breaker, wiring, clock),
            observer: Arc::clone(&wiring.observer),
        })
    }

    /// The state of this client's circuit breaker.
    pub fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// Reads a workflow's status; with the counts of its tickets if `include_tickets`.
    ///
    /// # Errors
    /// `Refused` of kind `NotFound` if the orchestrator does not know the workflow, whichever way it says so
    /// ([`WorkflowStatus::is_known`]); of kind `BadAnswer` if it answers about another workflow.
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
            require_non_empty("workflow_id", workflow_id)?;
            let limit = self.limit(STATUS, context)?;
            let read = self.read_status(workflow_id, include_tickets, limit, context);
            self.breaker.run_for(STATUS.operation, workflow_id, read).await
        };
        self.observe(STATUS.operation, span, call).await
    }

    /// Probes whether the orchestrator answers this process's identity. Bypasses the breaker, so it also reaches a service that
    /// the breaker has cut off.
    ///
    /// The probe reads the state of a workflow that does not exist; "not found" proves that the orchestrator answers.
    ///
    /// # Errors
    /// Any answer other than a status or "not found".
    pub async fn health(&self, context: &CallContext) -> Result<(), Error> {
        let limit = self.limit(STATUS, context)?;
        match self.read_status(PROBE_WORKFLOW_ID, false, limit, context).await {
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Reads the state without asking the breaker: part of a call that the breaker has already let through.
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
        require_answer(workflow_id, WorkflowStatus::from(answer))
    }

    /// Runs a call that changes `target` under the breaker, its span and the observer.
    pub(super) async fn run_change<T>(
        &self,
        kind: Kind,
        target: &str,
        span: Span,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.observe(kind.operation, span, self.breaker.run_for(kind.operation, target, call)).await
    }

    async fn observe<T>(
        &self,
        operation: &'static str,
        span: Span,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let result = call.instrument(span.clone()).await;
        let outcome = CallOutcome::from_result(&result);
        span.record("outcome", outcome.as_str());
        self.observer.orchestrator_call(operation, outcome, started.elapsed());
        result
    }

    /// The end of a call that starts now.
    pub(super) fn limit(&self, kind: Kind, context: &CallContext) -> Result<Instant, Error> {
        let limit = context.limit(self.rpc.timeout);
        if limit <= Instant::now() {
            let detail = "the deadline had passed before the call was sent".to_owned();
            return Err(super::rpc::outage(kind, OutageKind::DeadlinePassed, Effect::NotApplied, detail));
        }
        Ok(limit)
    }
}

/// The idempotency key of a changing call: its `adjustment_id` on the wire.
pub(super) fn adjustment_id(context: &CallContext) -> Result<String, Error> {
    match context.idempotency_key.as_deref() {
        Some(key) if !key.is_empty() => Ok(key.to_owned()),
        Some(_) | None => Err(Error::Invalid {
            field: "adjustment_id",
            problem: "is missing; a changing call needs an idempotency key so that the orchestrator recognises a repeated call".to_owned(),
        }),
    }
}

/// The status, if it is about the workflow that was asked for, and that is known.
fn require_answer(workflow_id: &str, status: WorkflowStatus) -> Result<WorkflowStatus, Error> {
    if !status.is_known() {
        let state = status.state;
        let message = format!("workflow {workflow_id:?} is not known: it is {state}, without a plan and without times");
        return Err(refusal(STATUS, RefusalKind::NotFound, state.as_str(), &message));
    }
    if status.workflow_id != workflow_id {
        let message = format!("asked for workflow {workflow_id:?}, answered about workflow {:?}", status.workflow_id);
        return Err(refusal(STATUS, RefusalKind::BadAnswer, "OK", &message));
    }
    Ok(status)
}

pub(super) fn require_non_empty(field: &'static str, value: &str) -> Result<(), Error> {
    if value.is_empty() { Err(Error::Invalid { field, problem: "is empty".to_owned() }) } else { Ok(()) }
}

/// A response with `success: false` is a refusal, with the orchestrator's reason.
pub(super) fn check_success(kind: Kind, success: bool, message: &str) -> Result<(), Error> {
    if success { Ok(()) } else { Err(refusal(kind, RefusalKind::Other, "success=false", message)) }
}

pub(super) fn refusal(kind: Kind, reason: RefusalKind, code: &str, message: &str) -> Error {
    Error::Refused(Refusal {
        service: SERVICE,
        operation: kind.operation,
        kind: reason,
        code: code.to_owned(),
        message: one_line(message),
        effect: Effect::NotApplied,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(workflow_id: &str, state: proto::WorkflowState, plan_id: &str, updated_at: i64) -> WorkflowStatus {
        let (workflow_id, plan_id) = (workflow_id.to_owned(), plan_id.to_owned());
        let answer = proto::GetWorkflowStatusResponse {
            workflow_id,
            plan_id,
            updated_at,
            state: state.into(),
            ..Default::default()
        };
        WorkflowStatus::from(answer)
    }

    #[test]
    fn an_answer_about_another_workflow_is_no_answer() {
        let running = proto::WorkflowState::Running;
        assert!(require_answer("wf-1", answer("wf-1", running, "", 0)).is_ok());
        for other in ["wf-2", ""] {
            let error = require_answer("wf-1", answer(other, running, "plan-2", 1)).unwrap_err();
            let Error::Refused(refusal) = error else { panic!("{error:?}") };
            assert_eq!(refusal.kind, RefusalKind::BadAnswer);
            assert!(refusal.message.contains(&format!("{other:?}")), "{}", refusal.message);
        }
    }

    #[test]
    fn a_pending_workflow_is_known_by_its_plan_or_its_times() {
        let pending = proto::WorkflowState::Pending;
        assert!(require_answer("wf-1", answer("wf-1", pending, "plan-1", 0)).is_ok());
        assert!(require_answer("wf-1", answer("wf-1", pending, "", 1)).is_ok());
        for state in [pending, proto::WorkflowState::Unspecified] {
            assert!(require_answer("wf-1", answer("wf-1", state, "", 0)).unwrap_err().is_not_found());
        }
    }
}
