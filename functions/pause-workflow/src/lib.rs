//! `pause_workflow`: pauses a running workflow, for a while or until someone resumes it.

use std::sync::Arc;

use async_trait::async_trait;
use clients::orchestrator::{self, Paused, WorkflowState};
use clients::port::{Manual, context, ended};
use clients::{Effect, Error};
use runtime::action::{Action, Call, Facts, Performed, Target, log};
use runtime::port::{Clock, PolicyResource};
use runtime::{ActionSpec, AttemptResult, Map, OutputType, Safety};
use serde::Deserialize;
use serde_json::json;

pub const NAME: &str = "pause_workflow";

/// The reason that the orchestrator is told where the playbook gives none.
const REASON: &str = "self-healing";

/// The longest pause that can be asked for, in seconds: 30 days. A longer one is better left open-ended.
pub const MAX_PAUSE_SECONDS: u32 = 30 * 86_400;

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Pauses a running workflow; one that is paused already stays so.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "workflow_id": {"type": "string", "minLength": 1, "description": "The workflow."},
                "reason": {"type": "string", "minLength": 1, "description": "Why, for the workflow's record and the policy."},
                "duration_seconds": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX_PAUSE_SECONDS,
                    "description": "For how long; 0, or nothing, until someone resumes it.",
                },
            },
            "required": ["workflow_id"],
        }),
        outputs: &[("paused", OutputType::Boolean), ("scheduled_resume_at", OutputType::Any)],
        // Pausing a paused workflow is a success of its own, so a second try does no harm.
        safety: Safety::Idempotent,
        inherits: &[],
        default_timeout_seconds: 60,
        critical: false,
    }
}

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct PauseWorkflow {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Deserialize)]
struct Parameters {
    workflow_id: String,
    reason: Option<String>,
    duration_seconds: Option<u32>,
}

impl PauseWorkflow {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { orchestrator, clock, spec: spec() }
    }

    async fn state(&self, call: &Call, workflow_id: &str) -> Result<WorkflowState, Error> {
        let context = context(call, &*self.clock);
        self.orchestrator.get_workflow_status(workflow_id, false, &context).await.map(|status| status.state)
    }

    async fn pause(&self, call: &Call) -> Result<AttemptResult, Performed> {
        let Parameters { workflow_id, reason, duration_seconds } = call.typed().map_err(Performed::from)?;
        let stopped = |error: Error| not_paused(call, &workflow_id, &error);
        match self.state(call, &workflow_id).await.map_err(stopped)? {
            WorkflowState::Paused => {
                let reason = format!("workflow {workflow_id:?} is paused already");
                return Err(untouched(&workflow_id, AttemptResult::no_op(reason, output(None))));
            }
            state @ (WorkflowState::Completed | WorkflowState::Failed | WorkflowState::Cancelled) => {
                return Err(untouched(&workflow_id, over(call, &workflow_id, state)));
            }
            // The orchestrator knows best whether it can pause what is in a state that we have no name for.
            WorkflowState::Pending
            | WorkflowState::Running
            | WorkflowState::Replanning
            | WorkflowState::Unspecified
            | WorkflowState::Unknown(_) => {}
        }
        let reason = reason.as_deref().unwrap_or(REASON);
        let context = context(call, &*self.clock);
        let paused = self.orchestrator.pause_workflow(&workflow_id, reason, duration_seconds, &context).await;
        Ok(done(call, &workflow_id, &paused.map_err(stopped)?))
    }
}

#[async_trait]
impl Action for PauseWorkflow {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let Parameters { workflow_id, reason, .. } = call.typed()?;
        let resource = PolicyResource {
            workflow_id: workflow_id.clone(),
            reason: reason.unwrap_or_default(),
            ..PolicyResource::default()
        };
        Ok(vec![Target { id: workflow_id, resource, cooldown: None }])
    }

    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let state = self.state(call, &target.id).await.map_err(|error| not_paused(call, &target.id, &error).result)?;
        Ok(Facts { workflow_state: Some(state.as_str().to_owned()), ..Facts::default() })
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        self.pause(call).await.map_or_else(|ended| ended, Performed::from)
    }
}

fn done(call: &Call, workflow_id: &str, paused: &Paused) -> AttemptResult {
    log::done(
        call,
        "playbook_executor.workflow_paused",
        workflow_id,
        &format!("the workflow stands still: {}", paused.message),
    );
    AttemptResult::succeeded(output(paused.scheduled_resume_at_ms))
}

fn over(call: &Call, workflow_id: &str, state: WorkflowState) -> AttemptResult {
    let message = format!("workflow {workflow_id:?} is in the terminal state {state} and cannot be paused");
    log::failed(call, "playbook_executor.pause_workflow_failed", workflow_id, &message, None);
    AttemptResult::failed("terminal_state", message)
}

fn not_paused(call: &Call, workflow_id: &str, error: &Error) -> Performed {
    let act =
        format!("pause workflow {workflow_id:?} by hand, or run the playbook again when the orchestrator answers");
    let look = format!("look whether workflow {workflow_id:?} is PAUSED; where it is not, {act}");
    let result = ended(call, workflow_id, error, &Manual { act, look });
    match error.effect() {
        Effect::NotApplied => untouched(workflow_id, result),
        Effect::Unknown => result.into(),
    }
}

fn untouched(workflow_id: &str, result: AttemptResult) -> Performed {
    Performed { result, untouched: vec![workflow_id.to_owned()] }
}

/// `scheduled_resume_at` in milliseconds since the epoch; null where the pause is open-ended, or nobody said.
fn output(scheduled_resume_at_ms: Option<i64>) -> Map {
    let fields = [("paused", json!(true)), ("scheduled_resume_at", json!(scheduled_resume_at_ms))];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
