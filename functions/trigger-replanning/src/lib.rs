//! `trigger_replanning`: has the plan of a workflow made again.
//!
//! Two replannings at a time undo each other, so it is never asked for twice where once may have worked: a workflow that is being replanned
//! is left alone, and a lost answer is `unknown` unless the workflow's state tells. The crate knows no claim and no queue;
//! `heal_runtime::attempt` holds those. Start at [`TriggerReplanning`].

mod parameters;
mod result;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::orchestrator::{self, ReplanningTrigger, WorkflowState, WorkflowStatus};
use heal_clients::port::{context, ended, failed, reserve_time_for_confirmation};
use heal_clients::{CallContext, Effect, Error};
use heal_runtime::action::{Action, Call, Facts, Performed, Probe, Target, log};
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

    /// Where the workflow stands, if one is named. One that is not known matters only where the plan is to come from it.
    async fn status(&self, parameters: &Parameters, context: &CallContext) -> Result<Option<WorkflowStatus>, Error> {
        let Some(workflow_id) = &parameters.workflow_id else { return Ok(None) };
        match self.orchestrator.get_workflow_status(workflow_id, false, context).await {
            Err(error) if error.is_not_found() && parameters.plan_id.is_some() => Ok(None),
            status => status.map(Some),
        }
    }

    async fn trigger(
        &self,
        call: &Call,
        parameters: &Parameters,
        trigger: ReplanningTrigger,
    ) -> Result<AttemptResult, Error> {
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
        let replanning = parameters.replanning(call, plan_id, trigger);
        match self.orchestrator.trigger_replanning(&replanning, &reserve_time_for_confirmation(&context)).await {
            Ok(replanned) => {
                let what = format!("plan {plan_id:?} is made again");
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
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let parameters: Parameters = call.typed()?;
        parameters.trigger(call)?;
        let id = parameters.target().to_owned();
        let resource = PolicyResource {
            workflow_id: parameters.workflow_id.unwrap_or_default(),
            plan_id: parameters.plan_id.unwrap_or_default(),
            reason: parameters.reason,
            ..PolicyResource::default()
        };
        Ok(vec![Target { id, resource, cooldown: None }])
    }

    /// The state of the workflow as the orchestrator has it, so that the policy can refuse one that is over.
    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let parameters: Parameters = call.typed()?;
        let status = self.status(&parameters, &context(call, &*self.clock)).await;
        let status = status.map_err(|error| ended(call, &target.id, &error, &result::manual(&parameters)))?;
        Ok(Facts { workflow_state: status.map(|status| status.state.as_str().to_owned()), ..Facts::default() })
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(result) => return result.into(),
        };
        let trigger = match parameters.trigger(call) {
            Ok(trigger) => trigger,
            Err(result) => return result.into(),
        };
        let result = self.trigger(call, &parameters, trigger).await;
        result.unwrap_or_else(|error| ended(call, parameters.target(), &error, &result::manual(&parameters))).into()
    }

    /// A workflow that is being replanned tells that it was done. Nothing tells that it was not: a replanning may be over by now.
    async fn probe(&self, call: &Call, _: &[Target]) -> Probe {
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(_) => return Probe::NotDone,
        };
        match self.status(&parameters, &context(call, &*self.clock)).await {
            Ok(Some(status)) if status.state == WorkflowState::Replanning => {
                Probe::Done(Box::new(AttemptResult::succeeded(result::output(None))))
            }
            Ok(Some(status)) => Probe::Unclear(format!(
                "workflow {:?} is {}, a replanning may be over by now",
                parameters.target(),
                status.state
            )),
            Ok(None) => Probe::Unclear(format!("no workflow tells of plan {:?}", parameters.target())),
            Err(error) => Probe::Unclear(error.to_string()),
        }
    }
}
