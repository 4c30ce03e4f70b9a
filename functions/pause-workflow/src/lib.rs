//! `pause_workflow`: pauses a workflow, for a while or until it is resumed.
//!
//! Pausing a paused workflow succeeds; one that is over cannot be paused. The crate knows no claim and no queue; `heal_runtime::attempt` holds
//! those. Start at [`PauseWorkflow`].

mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::orchestrator::{self, Confirmation, WorkflowState};
use heal_clients::port::{Manual, context, ended, failed};
use heal_clients::{CallContext, Error, RefusalKind};
use heal_runtime::action::{Action, Call, Facts, Performed, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde::Deserialize;

pub use spec::{MAX_PAUSE_SECONDS, NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct PauseWorkflow {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Debug, Deserialize)]
struct Parameters {
    workflow_id: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    duration_seconds: Option<u32>,
}

impl PauseWorkflow {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { orchestrator, clock, spec: spec() }
    }

    async fn state(&self, workflow_id: &str, context: &CallContext) -> Result<WorkflowState, Error> {
        self.orchestrator.get_workflow_status(workflow_id, false, context).await.map(|status| status.state)
    }

    async fn pause(&self, call: &Call, parameters: &Parameters) -> Result<AttemptResult, Error> {
        let Parameters { workflow_id, reason, duration_seconds } = parameters;
        let context = context(call, &*self.clock);
        let reason = reason.clone().unwrap_or_else(|| reason_of(call));
        let paused = match self.orchestrator.pause_workflow(workflow_id, &reason, *duration_seconds, &context).await {
            Ok(paused) => paused,
            Err(error) if is_precondition(&error) => match self.state(workflow_id, &context).await {
                Ok(state) if state.is_terminal() => {
                    let message =
                        format!("workflow {workflow_id:?} is in the terminal state {state} and cannot be paused");
                    return Ok(failed(call, workflow_id, "terminal_state", message));
                }
                Ok(_) | Err(_) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        log::done(
            call,
            "playbook_executor.workflow_paused",
            workflow_id,
            &format!("workflow {workflow_id:?} is paused"),
        );
        let output: Map = [
            ("paused".to_owned(), true.into()),
            ("scheduled_resume_at".to_owned(), paused.scheduled_resume_at_ms.into()),
        ]
        .into_iter()
        .collect();
        let result = AttemptResult::succeeded(output);
        Ok(match paused.confirmed {
            Confirmation::Answer => result,
            Confirmation::State(state) => {
                result.warn(format!("the answer for workflow {workflow_id:?} was lost; its state is {state} now"))
            }
        })
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

    /// The state as the orchestrator has it, for a site whose policy has a rule on it.
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
        let result = self.pause(call, &parameters).await;
        result.unwrap_or_else(|error| ended(call, workflow_id, &error, &manual(workflow_id))).into()
    }
}

fn is_precondition(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.kind == RefusalKind::Precondition)
}

fn reason_of(call: &Call) -> String {
    let context = &call.command.context;
    format!("self-healing by playbook {}, incident {}", context.playbook, context.incident_id)
}

/// The same either way: pausing a paused workflow changes nothing.
fn manual(workflow_id: &str) -> Manual {
    let act =
        format!("pause workflow {workflow_id:?} by hand, or run the playbook again when the orchestrator answers");
    Manual { look: act.clone(), act }
}
