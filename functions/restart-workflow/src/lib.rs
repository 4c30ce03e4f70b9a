//! `restart_workflow`: resumes a paused workflow.
//!
//! The state is read twice: once for the policy, and once right before the effect. A workflow that runs needs nothing; one that is over cannot be
//! restarted, and a new one has to be made.

use std::sync::Arc;

use async_trait::async_trait;
use clients::orchestrator::{self, Resumed, WorkflowState};
use clients::port::{Manual, context, ended};
use clients::{Effect, Error};
use runtime::action::{Action, Call, Facts, Performed, Probe, Target, log};
use runtime::port::{Clock, PolicyResource};
use runtime::{ActionSpec, AttemptResult, Map, OutputType, Safety};
use serde::Deserialize;
use serde_json::json;

pub const NAME: &str = "restart_workflow";

/// The reason that the orchestrator is told where the playbook gives none.
const REASON: &str = "self-healing";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Resumes a paused workflow; one that runs needs nothing, one that is over cannot be restarted.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "workflow_id": {"type": "string", "minLength": 1, "description": "The workflow."},
                "reason": {"type": "string", "minLength": 1, "description": "Why, for the workflow's record and the policy."},
            },
            "required": ["workflow_id"],
        }),
        outputs: &[
            ("resumed", OutputType::Boolean),
            ("state", OutputType::String),
            ("pause_duration_seconds", OutputType::Any),
        ],
        safety: Safety::Probe,
        inherits: &[],
        default_timeout_seconds: 60,
        critical: true,
    }
}

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct RestartWorkflow {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Deserialize)]
struct Parameters {
    workflow_id: String,
    reason: Option<String>,
}

impl RestartWorkflow {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { orchestrator, clock, spec: spec() }
    }

    async fn state(&self, call: &Call, workflow_id: &str) -> Result<WorkflowState, Error> {
        let context = context(call, &*self.clock);
        self.orchestrator.get_workflow_status(workflow_id, false, &context).await.map(|status| status.state)
    }

    async fn restart(&self, call: &Call) -> Result<AttemptResult, Performed> {
        let Parameters { workflow_id, reason } = call.typed().map_err(Performed::from)?;
        let stopped = |error: Error| not_resumed(call, &workflow_id, &error);
        match self.state(call, &workflow_id).await.map_err(stopped)? {
            WorkflowState::Paused => {}
            state @ (WorkflowState::Completed | WorkflowState::Failed | WorkflowState::Cancelled) => {
                return Err(untouched(&workflow_id, over(call, &workflow_id, state)));
            }
            state @ (WorkflowState::Running | WorkflowState::Replanning | WorkflowState::Pending) => {
                let reason = format!("workflow {workflow_id:?} is {state}, so there is nothing to resume");
                return Err(untouched(&workflow_id, AttemptResult::no_op(reason, output(false, state, None))));
            }
            state @ (WorkflowState::Unspecified | WorkflowState::Unknown(_)) => {
                let result = AttemptResult::failed("unknown_state", format!("workflow {workflow_id:?} is {state}"));
                return Err(untouched(&workflow_id, result));
            }
        }
        let reason = reason.as_deref().unwrap_or(REASON);
        let resumed = self.orchestrator.resume_workflow(&workflow_id, reason, &context(call, &*self.clock)).await;
        Ok(done(call, &workflow_id, &resumed.map_err(stopped)?))
    }
}

#[async_trait]
impl Action for RestartWorkflow {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let Parameters { workflow_id, reason } = call.typed()?;
        let resource = PolicyResource {
            workflow_id: workflow_id.clone(),
            reason: reason.unwrap_or_default(),
            ..PolicyResource::default()
        };
        Ok(vec![Target { id: workflow_id, resource, cooldown: None }])
    }

    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let state = self.state(call, &target.id).await.map_err(|error| not_resumed(call, &target.id, &error).result)?;
        Ok(Facts { workflow_state: Some(state.as_str().to_owned()), ..Facts::default() })
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        self.restart(call).await.map_or_else(|ended| ended, Performed::from)
    }

    /// A workflow that is still paused was not resumed; one that runs was, by this attempt or by somebody else.
    async fn probe(&self, call: &Call, targets: &[Target]) -> Probe {
        let Some(target) = targets.first() else { return Probe::NotDone };
        match self.state(call, &target.id).await {
            Err(error) => Probe::Unclear(error.to_string()),
            Ok(state @ WorkflowState::Running) => {
                Probe::Done(Box::new(AttemptResult::succeeded(output(true, state, None))))
            }
            Ok(_) => Probe::NotDone,
        }
    }
}

fn done(call: &Call, workflow_id: &str, resumed: &Resumed) -> AttemptResult {
    log::done(
        call,
        "playbook_executor.workflow_resumed",
        workflow_id,
        &format!("the workflow goes on: {}", resumed.message),
    );
    AttemptResult::succeeded(output(true, WorkflowState::Running, resumed.pause_duration_seconds))
}

fn over(call: &Call, workflow_id: &str, state: WorkflowState) -> AttemptResult {
    let message = format!("workflow {workflow_id:?} is in the terminal state {state} and cannot be restarted");
    let follow_up = format!("create a new workflow instead of {workflow_id:?}, which is {state}");
    log::failed(call, "playbook_executor.restart_workflow_failed", workflow_id, &message, Some(&follow_up));
    AttemptResult::failed("terminal_state", message).follow_up(follow_up)
}

fn not_resumed(call: &Call, workflow_id: &str, error: &Error) -> Performed {
    let act =
        format!("resume workflow {workflow_id:?} by hand, or run the playbook again when the orchestrator answers");
    let look = format!("look whether workflow {workflow_id:?} is RUNNING; where it is PAUSED, {act}");
    let result = ended(call, workflow_id, error, &Manual { act, look });
    match error.effect() {
        Effect::NotApplied => untouched(workflow_id, result),
        Effect::Unknown => result.into(),
    }
}

fn untouched(workflow_id: &str, result: AttemptResult) -> Performed {
    Performed { result, untouched: vec![workflow_id.to_owned()] }
}

fn output(resumed: bool, state: WorkflowState, pause_duration_seconds: Option<i64>) -> Map {
    let fields = [
        ("resumed", json!(resumed)),
        ("state", json!(state.as_str())),
        ("pause_duration_seconds", json!(pause_duration_seconds)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
