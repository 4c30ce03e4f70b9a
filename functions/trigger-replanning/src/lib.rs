//! `trigger_replanning`: has the orchestrator make a plan again.
//!
//! The plan is named by its id, or by one of its workflows; of a workflow the state is read first, so that the policy can refuse one that is over.

mod parameters;

use std::sync::Arc;

use async_trait::async_trait;
use clients::orchestrator::{self, Replanned, Replanning, WorkflowStatus};
use clients::port::{Manual, Memo, context, ended};
use clients::{Effect, Error};
use runtime::action::{Action, Call, Facts, Performed, Target, log};
use runtime::port::{Clock, PolicyResource};
use runtime::{ActionSpec, AttemptResult, Map, OutputType, Safety};
use serde_json::json;

use parameters::Parameters;

pub const NAME: &str = "trigger_replanning";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Has a plan made again, named by itself or by one of its workflows.",
        parameters: parameters::schema(),
        outputs: &[("replanning_id", OutputType::String), ("plan_id", OutputType::String)],
        // The orchestrator recognises a second request by its adjustment id.
        safety: Safety::Idempotent,
        inherits: &[],
        default_timeout_seconds: 60,
        critical: true,
    }
}

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct TriggerReplanning {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
    /// Plans of workflows, between the facts and the effect.
    plans: Memo<String>,
}

impl TriggerReplanning {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { orchestrator, clock, spec: spec(), plans: Memo::default() }
    }

    async fn workflow(&self, call: &Call, workflow_id: &str) -> Result<WorkflowStatus, Performed> {
        let status = self.orchestrator.get_workflow_status(workflow_id, false, &context(call, &*self.clock)).await;
        status
            .map_err(|error| not_replanned(call, &format!("the plan of workflow {workflow_id:?}"), workflow_id, &error))
    }

    async fn replan(&self, call: &Call, target: &Target) -> Result<AttemptResult, Performed> {
        let parameters: Parameters = call.typed().map_err(Performed::from)?;
        let plan_id = self.plan_id(call, target, &parameters).await?;
        let trigger = parameters.trigger().map_err(|result| untouched(&target.id, result))?;
        let mut replanning = Replanning::new(plan_id.clone(), parameters.reason.clone(), trigger);
        replanning.preserve_progress = parameters.preserve_progress.unwrap_or(replanning.preserve_progress);
        replanning.priority = parameters.priority.unwrap_or(replanning.priority);
        let facts =
            [("incident_id", Some(call.command.context.incident_id.clone())), ("workflow_id", parameters.workflow_id)];
        replanning.context = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let replanned = self.orchestrator.trigger_replanning(&replanning, &context(call, &*self.clock)).await;
        let replanned =
            replanned.map_err(|error| not_replanned(call, &format!("plan {plan_id:?}"), &target.id, &error))?;
        Ok(done(call, &plan_id, &replanned))
    }

    async fn plan_id(&self, call: &Call, target: &Target, parameters: &Parameters) -> Result<String, Performed> {
        match (&parameters.plan_id, &parameters.workflow_id, self.plans.take(call, &target.id)) {
            (Some(plan_id), _, _) => Ok(plan_id.clone()),
            (None, _, Some(plan_id)) => Ok(plan_id),
            (None, Some(workflow_id), None) => Ok(self.workflow(call, workflow_id).await?.plan_id),
            (None, None, None) => {
                let result = AttemptResult::failed("bad_parameters", "either plan_id or workflow_id is needed");
                Err(untouched(&target.id, result))
            }
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
        let id = parameters.plan_id.clone().or_else(|| parameters.workflow_id.clone()).unwrap_or_default();
        let resource = PolicyResource {
            plan_id: parameters.plan_id.unwrap_or_default(),
            workflow_id: parameters.workflow_id.unwrap_or_default(),
            reason: parameters.reason,
            ..PolicyResource::default()
        };
        Ok(vec![Target { id, resource, cooldown: None }])
    }

    /// Of a plan that is named by itself there is nothing to read: the orchestrator tells of workflows only.
    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let parameters: Parameters = call.typed()?;
        let Some(workflow_id) = &parameters.workflow_id else { return Ok(Facts::default()) };
        let status = self.workflow(call, workflow_id).await.map_err(|performed| performed.result)?;
        self.plans.put(call, &target.id, status.plan_id);
        Ok(Facts { workflow_state: Some(status.state.as_str().to_owned()), ..Facts::default() })
    }

    async fn perform(&self, call: &Call, targets: &[Target]) -> Performed {
        let Some(target) = targets.first() else {
            return AttemptResult::no_op("there is nothing to replan", Map::new()).into();
        };
        self.replan(call, target).await.map_or_else(|ended| ended, Performed::from)
    }
}

fn done(call: &Call, plan_id: &str, replanned: &Replanned) -> AttemptResult {
    let what = format!("replanning {} has begun: {}", replanned.replanning_id, replanned.message);
    log::done(call, "playbook_executor.replanning_triggered", plan_id, &what);
    let fields = [("replanning_id", json!(replanned.replanning_id)), ("plan_id", json!(plan_id))];
    AttemptResult::succeeded(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn not_replanned(call: &Call, what: &str, target: &str, error: &Error) -> Performed {
    let act = format!("have {what} made again by hand, or run the playbook again when the orchestrator answers");
    let look = format!("look whether {what} is being made again; where it is not, {act}");
    let result = ended(call, target, error, &Manual { act, look });
    match error.effect() {
        Effect::NotApplied => untouched(target, result),
        Effect::Unknown => result.into(),
    }
}

fn untouched(target: &str, result: AttemptResult) -> Performed {
    Performed { result, untouched: vec![target.to_owned()] }
}
