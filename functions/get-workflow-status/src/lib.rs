//! `get_workflow_status`: reads the state of a workflow, for the conditions of later steps.
//!
//! It changes nothing. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`GetWorkflowStatus`].

mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::orchestrator::{self, TicketSummary, WorkflowState, WorkflowStatus};
use heal_clients::port::{Manual, Workflows, call_failed};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target, log};
use heal_runtime::port::Clock;
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde::Deserialize;
use serde_json::{Value, json};

pub use spec::{NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct GetWorkflowStatus {
    workflows: Workflows,
    spec: ActionSpec,
}

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    workflow_id: String,
    #[serde(default = "yes")]
    include_tickets: bool,
}

const fn yes() -> bool {
    true
}

impl GetWorkflowStatus {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<orchestrator::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { workflows: Workflows::new(orchestrator, clock), spec: spec() }
    }
}

#[async_trait]
impl Action for GetWorkflowStatus {
    type Parameters = Parameters;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        Ok(vec![Workflows::target(&parameters.workflow_id, None)])
    }

    async fn facts(&self, _: &Call, _: &Parameters, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, _: &[Admitted<()>]) -> Performed {
        let Parameters { workflow_id, include_tickets } = parameters;
        let (workflows, include_tickets) = (&self.workflows, *include_tickets);
        let context = workflows.context(call);
        match workflows.orchestrator().get_workflow_status(workflow_id, include_tickets, &context).await {
            Ok(status) => {
                let what = format!("workflow {workflow_id:?} is {}", status.state);
                log::done(call, "playbook_executor.workflow_status_retrieved", workflow_id, &what);
                let result = AttemptResult::succeeded(output(&status));
                if include_tickets && status.tickets.is_none() {
                    let missing = format!("the orchestrator did not count the tickets of workflow {workflow_id:?}");
                    return result.warn(missing).into();
                }
                result.into()
            }
            Err(error) => call_failed(call, workflow_id, &error, &manual(workflow_id)).into(),
        }
    }
}

/// What is not known is left out, so that a playbook that needs it fails with the output's name.
fn output(status: &WorkflowStatus) -> Map {
    let state = status.state;
    let mut output = Map::new();
    let mut put = |name: &str, value: Value| output.insert(name.to_owned(), value);
    put("state", state.as_str().into());
    put("plan_id", status.plan_id.clone().into());
    put("progress_percent", json!(status.progress_percent));
    put("current_priority", status.current_priority.into());
    put("is_terminal", state.is_terminal().into());
    put("is_paused", (state == WorkflowState::Paused).into());
    put("sla_remaining_seconds", status.sla_remaining_seconds.into());
    for (name, at_ms) in [("started_at", status.started_at_ms), ("updated_at", status.updated_at_ms)] {
        if at_ms > 0 {
            put(name, at_ms.into());
        }
    }
    if let Some(TicketSummary { total, completed, pending, running, failed }) = status.tickets {
        put("tickets_total", total.into());
        put("tickets_completed", completed.into());
        put("tickets_pending", pending.into());
        put("tickets_running", running.into());
        put("tickets_failed", failed.into());
    }
    output
}

fn manual(workflow_id: &str) -> Manual {
    Manual::either_way(format!(
        "check workflow {workflow_id:?} by hand: its state could not be read, and what depends on it was not decided"
    ))
}
