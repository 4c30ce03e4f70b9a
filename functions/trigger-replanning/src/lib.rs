//! `trigger_replanning`: asks the orchestrator to plan a workflow again.
//!
//! Two replannings at a time undo each other, so a replanning that may have been triggered is never triggered again: a workflow that is being
//! replanned is left alone, and a lost answer is `unknown` unless the workflow's state tells. The crate knows no claim and no queue;
//! `heal_runtime::attempt` holds those. Start at [`TriggerReplanning`].

mod parameters;
mod result;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::orchestrator::{self, WorkflowState, WorkflowStatus};
use heal_clients::port::{call_failed, context, failed, reserve_time_for_confirmation};
use heal_clients::{CallContext, Effect, Error};
use heal_runtime::action::{Action, Admitted, Call, CallMetric, Facts, Performed, PolicyFacts, Probe, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};

use parameters::Parameters;

pub use spec::{NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct TriggerReplanning {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

impl TriggerReplanning {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { orchestrator, clock, spec: spec() }
    }

    /// The workflow's status, if a workflow is named. An unknown workflow is an error only if its plan is needed.
    async fn status(&self, parameters: &Parameters, context: &CallContext) -> Result<Option<WorkflowStatus>, Error> {
        let Some(workflow_id) = &parameters.workflow_id else { return Ok(None) };
        match self.orchestrator.get_workflow_status(workflow_id, false, context).await {
            Err(error) if error.is_not_found() && parameters.plan_id.is_some() => Ok(None),
            status => status.map(Some),
        }
    }

    async fn trigger(&self, call: &Call, parameters: &Parameters) -> Result<AttemptResult, Error> {
        let context = context(call, &*self.clock);
        let status = self.status(parameters, &context).await?;
        if let Some(status) = &status
            && let Some(result) = result::left_alone(call, parameters, status.state)
        {
            return Ok(result);
        }
        let of_workflow = status.as_ref().map(|status| &status.plan_id);
        let Some(plan_id) = parameters.plan_id.as_ref().or(of_workflow).filter(|plan_id| !plan_id.is_empty()) else {
            let message = format!("workflow {:?} has no plan", parameters.target());
            return Ok(failed(call, parameters.target(), "no_plan", message));
        };
        let replanning = parameters.replanning(call, plan_id);
        match self.orchestrator.trigger_replanning(&replanning, &reserve_time_for_confirmation(&context)).await {
            Ok(replanned) => {
                let what = format!("replanning of plan {plan_id:?} triggered");
                log::done(call, "playbook_executor.replanning_triggered", parameters.target(), &what);
                Ok(AttemptResult::succeeded(result::output(Some(replanned.replanning_id))))
            }
            Err(error) if error.effect() == Effect::Unknown => {
                let state = self.status(parameters, &context).await.ok().flatten().map(|status| status.state);
                Ok(result::open(call, parameters, &error, state))
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Action for TriggerReplanning {
    type Parameters = Parameters;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        let resource = PolicyResource {
            workflow_id: parameters.workflow_id.clone().unwrap_or_default(),
            plan_id: parameters.plan_id.clone().unwrap_or_default(),
            reason: parameters.reason.clone(),
            ..PolicyResource::default()
        };
        Ok(vec![Target::new(parameters.target(), resource)])
    }

    /// The state of the workflow as the orchestrator has it, so that the policy can refuse a workflow in a terminal state.
    async fn facts(&self, call: &Call, parameters: &Parameters, target: &Target) -> Result<Facts<()>, AttemptResult> {
        let status = self.status(parameters, &context(call, &*self.clock)).await;
        let status = status.map_err(|error| call_failed(call, &target.id, &error, &result::manual(parameters)))?;
        let workflow_state = status.map(|status| status.state.as_str().to_owned());
        Ok(Facts { policy: PolicyFacts { workflow_state, ..PolicyFacts::default() }, own: () })
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, _: &[Admitted<()>]) -> Performed {
        let result = self.trigger(call, parameters).await;
        let failed = |error| call_failed(call, parameters.target(), &error, &result::manual(parameters));
        result.unwrap_or_else(failed).into()
    }

    /// A workflow that is being replanned proves the trigger. Nothing disproves it: a replanning may have ended by now.
    async fn probe(&self, call: &Call, parameters: &Parameters, _: &[Target], _: Option<&serde_json::Value>) -> Probe {
        match self.status(parameters, &context(call, &*self.clock)).await {
            Ok(Some(status)) if status.state == WorkflowState::Replanning => {
                Probe::Done(Box::new(AttemptResult::succeeded(result::output(None))))
            }
            Ok(Some(status)) => Probe::Unclear(format!(
                "workflow {:?} is {}, a replanning may have ended by now",
                parameters.target(),
                status.state
            )),
            Ok(None) => Probe::Unclear(format!("no workflow tells of plan {:?}", parameters.target())),
            Err(error) => Probe::Unclear(error.to_string()),
        }
    }
    fn call_metric(&self, _: &Parameters, _: &Target) -> Option<CallMetric> {
        Some(CallMetric::OrchestratorCall { operation: "trigger_replanning" })
    }
}
