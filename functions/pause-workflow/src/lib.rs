//! `pause_workflow`: pauses a workflow, for a while or until it is resumed.
//!
//! Pausing a paused workflow succeeds; one in a terminal state, or one that the orchestrator does not know, cannot be paused. The crate knows no claim and no queue; `heal_runtime::attempt`
//! holds those. Start at [`PauseWorkflow`].

mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::Error;
use heal_clients::orchestrator::{self, Confirmation, WorkflowState};
use heal_clients::port::{Manual, Workflows, failed};
use heal_runtime::action::{Action, Admitted, Call, CallMetric, Cooldown, Facts, Performed, Target, log};
use heal_runtime::port::Clock;
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde::Deserialize;
use serde_json::Value;

pub use spec::{COOLDOWN_MS, MAX_PAUSE_SECONDS, NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct PauseWorkflow {
    workflows: Workflows,
    spec: ActionSpec,
}

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    workflow_id: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    duration_seconds: Option<u32>,
}

impl PauseWorkflow {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { workflows: Workflows::new(orchestrator, clock), spec: spec() }
    }

    async fn pause(&self, call: &Call, parameters: &Parameters) -> Result<AttemptResult, Error> {
        let Parameters { workflow_id, reason, duration_seconds } = parameters;
        let workflows = &self.workflows;
        let context = workflows.context(call);
        let reason = Workflows::reason(call, reason.as_deref());
        let answer = workflows.orchestrator().pause_workflow(workflow_id, &reason, *duration_seconds, &context).await;
        let paused = match answer {
            Ok(paused) => paused,
            Err(error) => match workflows.state_behind(&error, workflow_id, &context).await {
                Some(state) if state.is_terminal() => return Ok(terminal(call, workflow_id, state)),
                Some(_) | None => return Err(error),
            },
        };
        let what = format!("workflow {workflow_id:?} is paused");
        log::done(call, "playbook_executor.workflow_paused", workflow_id, &what);
        let result = AttemptResult::succeeded(output(paused.scheduled_resume_at_ms.into()));
        Ok(match paused.confirmed {
            Confirmation::Answer => result,
            Confirmation::State(state) => {
                result.warn(format!("the answer for workflow {workflow_id:?} was lost; its state is {state} now"))
            }
        })
    }
}

/// The result if the workflow has ended.
fn terminal(call: &Call, workflow_id: &str, state: WorkflowState) -> AttemptResult {
    let message = format!("workflow {workflow_id:?} is in the terminal state {state} and cannot be paused");
    failed(call, workflow_id, "terminal_state", message)
}

#[async_trait]
impl Action for PauseWorkflow {
    type Parameters = Parameters;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        let cooldown = Cooldown::new(NAME, &parameters.workflow_id, COOLDOWN_MS);
        Ok(vec![Workflows::target(&parameters.workflow_id, parameters.reason.as_deref()).cooling(cooldown)])
    }

    /// The state: for a site whose policy has a rule on it, and because an orchestrator may make a record of a workflow that it does not
    /// know when that is paused.
    async fn facts(&self, call: &Call, _: &Parameters, target: &Target) -> Result<Facts<()>, AttemptResult> {
        self.workflows.facts(call, target, &manual(&target.id)).await
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, _: &[Admitted<()>]) -> Performed {
        let workflow_id = &parameters.workflow_id;
        let result = self.pause(call, parameters).await;
        Workflows::performed(call, workflow_id, result, &manual(workflow_id))
    }

    async fn describe(
        &self,
        call: &Call,
        parameters: &Parameters,
        _: &[Admitted<()>],
    ) -> Result<String, AttemptResult> {
        let Parameters { workflow_id, duration_seconds, .. } = parameters;
        let length = match duration_seconds {
            Some(seconds) if *seconds > 0 => format!("for {seconds} s"),
            Some(_) | None => "until it is resumed".to_owned(),
        };
        match self.workflows.state(workflow_id, &self.workflows.context(call)).await {
            Ok(state) if state.is_terminal() => Err(terminal(call, workflow_id, state)),
            Ok(state) => Ok(format!("pause workflow {workflow_id:?}, which is {state}, {length}")),
            Err(error) => Err(Workflows::change_failed(call, workflow_id, &error, &manual(workflow_id))),
        }
    }

    fn call_metric(&self, _: &Parameters, _: &Target) -> Option<CallMetric> {
        Some(CallMetric::OrchestratorCall { operation: "pause_workflow" })
    }
}

fn output(scheduled_resume_at: Value) -> Map {
    [("paused".to_owned(), true.into()), ("scheduled_resume_at".to_owned(), scheduled_resume_at)].into_iter().collect()
}

fn manual(workflow_id: &str) -> Manual {
    let act =
        format!("pause workflow {workflow_id:?} by hand, or run the playbook again when the orchestrator answers");
    let check = format!("check whether workflow {workflow_id:?} is PAUSED; if it is not, {act}");
    Manual { act, check }
}
