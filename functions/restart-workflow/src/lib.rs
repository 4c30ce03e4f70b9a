//! `restart_workflow`: resumes a paused workflow.
//!
//! A workflow that runs already is left alone, one in a terminal state is refused: the way on is a new workflow. The state is read for the
//! policy, and once more just before the effect. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at
//! [`RestartWorkflow`].

mod spec;
mod state;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::Error;
use heal_clients::orchestrator::{self, Confirmation, WorkflowState};
use heal_clients::port::{Manual, Workflows, call_failed};
use heal_runtime::action::{
    Action, Admitted, Call, CallMetric, Cooldown, Facts, Performed, PolicyFacts, Probe, Target, log,
};
use heal_runtime::port::Clock;
use heal_runtime::{ActionSpec, AttemptResult};
use serde::Deserialize;

use state::{Restart, left_alone, output};

pub use spec::{COOLDOWN_MS, NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct RestartWorkflow {
    workflows: Workflows,
    spec: ActionSpec,
}

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    workflow_id: String,
    #[serde(default)]
    reason: Option<String>,
}

impl RestartWorkflow {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { workflows: Workflows::new(orchestrator, clock), spec: spec() }
    }

    async fn resume(&self, call: &Call, parameters: &Parameters) -> Result<AttemptResult, Error> {
        let Parameters { workflow_id, reason } = parameters;
        let workflows = &self.workflows;
        let context = workflows.context(call);
        let state = workflows.state(workflow_id, &context).await?;
        if state != WorkflowState::Paused {
            return Ok(left_alone(call, workflow_id, state));
        }
        let reason = Workflows::reason(call, reason.as_deref());
        let resumed = match workflows.orchestrator().resume_workflow(workflow_id, &reason, &context).await {
            Ok(resumed) => resumed,
            // If it is not paused any more, somebody else resumed or ended it meanwhile.
            Err(error) => match workflows.state_behind(&error, workflow_id, &context).await {
                Some(state) if state != WorkflowState::Paused => return Ok(left_alone(call, workflow_id, state)),
                Some(_) | None => return Err(error),
            },
        };
        let (state, warning) = match resumed.confirmed {
            Confirmation::Answer => (WorkflowState::Running, None),
            Confirmation::State(state) => (state, Some(state::answer_lost(workflow_id, state))),
        };
        let what = format!("workflow {workflow_id:?} is resumed");
        log::done(call, "playbook_executor.workflow_resumed", workflow_id, &what);
        let (resumed_at_ms, pause_duration_seconds) = (resumed.resumed_at_ms, resumed.pause_duration_seconds);
        let restart = Restart { state, resumed_at_ms, pause_duration_seconds };
        let result = AttemptResult::succeeded(output(&restart, true));
        Ok(warning.into_iter().fold(result, AttemptResult::warn))
    }
}

#[async_trait]
impl Action for RestartWorkflow {
    type Parameters = Parameters;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        let cooldown = Cooldown::new(NAME, &parameters.workflow_id, COOLDOWN_MS);
        Ok(vec![Workflows::target(&parameters.workflow_id, parameters.reason.as_deref()).cooling(cooldown)])
    }

    /// The state, for the policy. A workflow that runs needs nothing, also while its cooldown lasts.
    async fn facts(&self, call: &Call, _: &Parameters, target: &Target) -> Result<Facts<()>, AttemptResult> {
        let state = self.workflows.state(&target.id, &self.workflows.context(call)).await;
        let state = state.map_err(|error| call_failed(call, &target.id, &error, &manual(&target.id)))?;
        if state::is_running(state) {
            return Err(left_alone(call, &target.id, state));
        }
        let workflow_state = Some(state.as_str().to_owned());
        Ok(Facts { policy: PolicyFacts { workflow_state, ..PolicyFacts::default() }, ..Facts::default() })
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, _: &[Admitted<()>]) -> Performed {
        let workflow_id = &parameters.workflow_id;
        let result = self.resume(call, parameters).await;
        Workflows::performed(call, workflow_id, result, &manual(workflow_id))
    }

    async fn describe(
        &self,
        call: &Call,
        parameters: &Parameters,
        _: &[Admitted<()>],
    ) -> Result<String, AttemptResult> {
        let workflow_id = &parameters.workflow_id;
        match self.workflows.state(workflow_id, &self.workflows.context(call)).await {
            Ok(WorkflowState::Paused) => Ok(format!("resume workflow {workflow_id:?}")),
            Ok(state) => Err(left_alone(call, workflow_id, state)),
            Err(error) => Err(Workflows::change_failed(call, workflow_id, &error, &manual(workflow_id))),
        }
    }

    /// Paused: not resumed. Running again, or completed: resumed. Failed or cancelled: resuming is refused, so it may be tried.
    async fn probe(&self, call: &Call, parameters: &Parameters, _: &[Target], _: Option<&serde_json::Value>) -> Probe {
        match self.workflows.status(&parameters.workflow_id, &self.workflows.context(call)).await {
            Ok(status) if state::is_resumed(status.state) => {
                let resumed_at_ms = Some(status.updated_at_ms).filter(|at| *at > 0);
                let restart = Restart { state: status.state, resumed_at_ms, pause_duration_seconds: None };
                Probe::Done(Box::new(AttemptResult::succeeded(output(&restart, true))))
            }
            Ok(_) => Probe::NotDone,
            Err(error) if error.is_not_found() => Probe::NotDone,
            Err(error) => Probe::Unclear(error.to_string()),
        }
    }

    fn call_metric(&self, _: &Parameters, _: &Target) -> Option<CallMetric> {
        Some(CallMetric::OrchestratorCall { operation: "resume_workflow" })
    }
}

/// The same either way: a workflow that is not paused any more needs nothing.
fn manual(workflow_id: &str) -> Manual {
    Manual::either_way(format!(
        "check whether workflow {workflow_id:?} is still PAUSED, and resume it by hand, or run the playbook again when the orchestrator answers"
    ))
}
