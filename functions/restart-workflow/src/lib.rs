//! `restart_workflow`: resumes a paused workflow.
//!
//! A workflow that runs already is left alone, one that is over is refused: the way on is a new workflow. The state is read for the policy,
//! and once more just before the effect. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`RestartWorkflow`].

mod spec;
mod state;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::orchestrator::{self, Confirmation, WorkflowState};
use heal_clients::port::{Manual, context, ended};
use heal_clients::{CallContext, Error, RefusalKind};
use heal_runtime::action::{Action, Call, Facts, Performed, Probe, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};
use serde::Deserialize;

use state::{left_alone, output};

pub use spec::{NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct RestartWorkflow {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Debug, Deserialize)]
struct Parameters {
    workflow_id: String,
    #[serde(default)]
    reason: Option<String>,
}

impl RestartWorkflow {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { orchestrator, clock, spec: spec() }
    }

    async fn state(&self, workflow_id: &str, context: &CallContext) -> Result<WorkflowState, Error> {
        self.orchestrator.get_workflow_status(workflow_id, false, context).await.map(|status| status.state)
    }

    async fn resume(&self, call: &Call, parameters: &Parameters) -> Result<AttemptResult, Error> {
        let Parameters { workflow_id, reason } = parameters;
        let context = context(call, &*self.clock);
        let state = self.state(workflow_id, &context).await?;
        if state != WorkflowState::Paused {
            return Ok(left_alone(call, workflow_id, state));
        }
        let reason = reason.clone().unwrap_or_else(|| reason_of(call));
        let resumed = match self.orchestrator.resume_workflow(workflow_id, &reason, &context).await {
            Ok(resumed) => resumed,
            // Somebody was faster.
            Err(error) if is_precondition(&error) => match self.state(workflow_id, &context).await {
                Ok(state) if state != WorkflowState::Paused => return Ok(left_alone(call, workflow_id, state)),
                Ok(_) | Err(_) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        let (state, warning) = match resumed.confirmed {
            Confirmation::Answer => (WorkflowState::Running, None),
            Confirmation::State(state) => (state, Some(state::answer_lost(workflow_id, state))),
        };
        let what = format!("workflow {workflow_id:?} goes on");
        log::done(call, "playbook_executor.workflow_resumed", workflow_id, &what);
        let result = AttemptResult::succeeded(output(true, state, resumed.pause_duration_seconds));
        Ok(warning.into_iter().fold(result, AttemptResult::warn))
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

    /// The state as the orchestrator has it, whatever the incident claims.
    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let state = self.state(&target.id, &context(call, &*self.clock)).await;
        let state = state.map_err(|error| ended(call, &target.id, &error, &manual(&target.id)))?;
        Ok(Facts { workflow_state: Some(state.as_str().to_owned()), ..Facts::default() })
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(result) => return result.into(),
        };
        let workflow_id = &parameters.workflow_id;
        let result = self.resume(call, &parameters).await;
        result.unwrap_or_else(|error| ended(call, workflow_id, &error, &manual(workflow_id))).into()
    }

    /// Paused: not resumed. Going on, or at its end by its own: resumed. Broken off: resuming cannot do anything, so it may be asked for.
    async fn probe(&self, call: &Call, _: &[Target]) -> Probe {
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(_) => return Probe::NotDone,
        };
        match self.state(&parameters.workflow_id, &context(call, &*self.clock)).await {
            Ok(state) if state::is_resumed(state) => {
                Probe::Done(Box::new(AttemptResult::succeeded(output(true, state, None))))
            }
            Ok(_) => Probe::NotDone,
            Err(error) if error.is_not_found() => Probe::NotDone,
            Err(error) => Probe::Unclear(error.to_string()),
        }
    }
}

fn is_precondition(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.kind == RefusalKind::Precondition)
}

fn reason_of(call: &Call) -> String {
    let context = &call.command.context;
    format!("self-healing by playbook {}, incident {}", context.playbook, context.incident_id)
}

/// The same either way: a workflow that is not paused any more needs nothing.
fn manual(workflow_id: &str) -> Manual {
    let act = format!(
        "look whether workflow {workflow_id:?} is still PAUSED, and resume it by hand, or run the playbook again when the \
         orchestrator answers"
    );
    Manual { look: act.clone(), act }
}
