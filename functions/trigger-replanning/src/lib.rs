//! `trigger_replanning`: asks the orchestrator to plan a workflow again.
//!
//! Two replannings at a time undo each other, and the orchestrator's states do not show one. So a replanning that may have been triggered is
//! never triggered again: the workflow is left alone for [`COOLDOWN_MS`], and a lost answer is `unknown` unless the workflow's state
//! tells. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`TriggerReplanning`].

mod parameters;
mod result;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::orchestrator::{self, WorkflowState, WorkflowStatus};
use heal_clients::port::{Workflows, call_failed, reserve_time_for_confirmation};
use heal_clients::{CallContext, Effect, Error};
use heal_runtime::action::{Action, Admitted, Call, CallMetric, Facts, Performed, PolicyFacts, Probe, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};

use parameters::Parameters;
use result::untouched;

pub use spec::{COOLDOWN_MS, NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct TriggerReplanning {
    workflows: Workflows,
    spec: ActionSpec,
}

impl TriggerReplanning {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { workflows: Workflows::new(orchestrator, clock), spec: spec() }
    }

    /// The workflow's status, if a workflow is named.
    async fn status(&self, parameters: &Parameters, context: &CallContext) -> Result<Option<WorkflowStatus>, Error> {
        match &parameters.workflow_id {
            Some(workflow_id) => self.workflows.status(workflow_id, context).await.map(Some),
            None => Ok(None),
        }
    }

    /// The plan to plan again; the inner error is the result if nothing is to be triggered.
    async fn find_plan(
        &self,
        call: &Call,
        parameters: &Parameters,
        context: &CallContext,
    ) -> Result<Result<String, AttemptResult>, Error> {
        let status = self.status(parameters, context).await?;
        if let Some(status) = &status
            && let Some(result) = result::left_alone(call, parameters, status.state)
        {
            return Ok(Err(result));
        }
        let of_workflow = status.as_ref().map(|status| status.plan_id.as_str()).filter(|plan_id| !plan_id.is_empty());
        let plan_id = parameters.plan_id().or(of_workflow).map(str::to_owned);
        Ok(plan_id.ok_or_else(|| result::without_plan(call, parameters)))
    }

    /// # Errors
    /// Nothing was triggered.
    async fn trigger(&self, call: &Call, parameters: &Parameters) -> Result<Performed, Error> {
        let context = self.workflows.context(call);
        let plan_id = match self.find_plan(call, parameters, &context).await? {
            Ok(plan_id) => plan_id,
            Err(result) => return Ok(untouched(parameters, result)),
        };
        let replanning = parameters.replanning(call, &plan_id);
        let changing = reserve_time_for_confirmation(&context);
        match self.workflows.orchestrator().trigger_replanning(&replanning, &changing).await {
            Ok(replanned) => {
                let what = format!("replanning of plan {plan_id:?} triggered");
                log::done(call, "playbook_executor.replanning_triggered", parameters.target(), &what);
                Ok(AttemptResult::succeeded(result::triggered(&replanned)).into())
            }
            Err(error) if error.effect() == Effect::Unknown => {
                let status = self.status(parameters, &context).await.ok().flatten();
                Ok(result::open(call, parameters, &error, status.as_ref()).into())
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

    fn targets(&self, call: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        let resource = PolicyResource {
            workflow_id: parameters.workflow_id.clone().unwrap_or_default(),
            plan_id: parameters.plan_id().unwrap_or_default().to_owned(),
            reason: Workflows::reason(call, parameters.reason.as_deref()),
            ..PolicyResource::default()
        };
        let target = Target::new(parameters.target(), resource);
        Ok(vec![Target { cooldown: Some(parameters.cooldown()), ..target }])
    }

    /// The state of the workflow as the orchestrator has it, so that the policy can refuse a workflow in a terminal state.
    async fn facts(&self, call: &Call, parameters: &Parameters, target: &Target) -> Result<Facts<()>, AttemptResult> {
        let status = self.status(parameters, &self.workflows.context(call)).await;
        let status =
            status.map_err(|error| call_failed(call, &target.id, &error, &result::manual(call, parameters)))?;
        let workflow_state = status.map(|status| status.state.as_str().to_owned());
        Ok(Facts { policy: PolicyFacts { workflow_state, ..PolicyFacts::default() }, ..Facts::default() })
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, _: &[Admitted<()>]) -> Performed {
        self.trigger(call, parameters).await.unwrap_or_else(|error| {
            untouched(parameters, call_failed(call, parameters.target(), &error, &result::manual(call, parameters)))
        })
    }

    async fn describe(
        &self,
        call: &Call,
        parameters: &Parameters,
        _: &[Admitted<()>],
    ) -> Result<String, AttemptResult> {
        match self.find_plan(call, parameters, &self.workflows.context(call)).await {
            Ok(found) => found.map(|plan_id| {
                let of = parameters.workflow_id.as_ref().map(|id| format!(" of workflow {id:?}")).unwrap_or_default();
                format!("trigger a replanning of plan {plan_id:?}{of}")
            }),
            Err(error) => Err(call_failed(call, parameters.target(), &error, &result::manual(call, parameters))),
        }
    }

    /// A workflow that is being replanned proves the trigger. Nothing disproves it: a replanning may have ended by now.
    async fn probe(&self, call: &Call, parameters: &Parameters, _: &[Target], _: Option<&serde_json::Value>) -> Probe {
        match self.status(parameters, &self.workflows.context(call)).await {
            Ok(Some(status)) if status.state == WorkflowState::Replanning => {
                Probe::Done(Box::new(AttemptResult::succeeded(result::told_by_state(&status))))
            }
            Ok(Some(status)) => Probe::Unclear(format!(
                "workflow {:?} is {}, a replanning may be under way or have ended by now",
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
