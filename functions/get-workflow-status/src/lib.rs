//! `get_workflow_status`: reads where a workflow stands, for the conditions of later steps.
//!
//! It changes nothing. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`GetWorkflowStatus`].

mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::orchestrator::{self, TicketSummary, WorkflowState, WorkflowStatus};
use heal_clients::port::{Manual, context, ended};
use heal_runtime::action::{Action, Call, Performed, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde::Deserialize;
use serde_json::{Value, json};

pub use spec::{NAME, spec};

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct GetWorkflowStatus {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Debug, Deserialize)]
struct Parameters {
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
        Self { orchestrator, clock, spec: spec() }
    }
}

#[async_trait]
impl Action for GetWorkflowStatus {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let Parameters { workflow_id, .. } = call.typed()?;
        let resource = PolicyResource { workflow_id: workflow_id.clone(), ..PolicyResource::default() };
        Ok(vec![Target { id: workflow_id, resource, cooldown: None }])
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        let Parameters { workflow_id, include_tickets } = match call.typed() {
            Ok(parameters) => parameters,
            Err(result) => return result.into(),
        };
        let context = context(call, &*self.clock);
        match self.orchestrator.get_workflow_status(&workflow_id, include_tickets, &context).await {
            Ok(status) => {
                let what = format!("workflow {workflow_id:?} is {}", status.state);
                log::done(call, "playbook_executor.workflow_status_retrieved", &workflow_id, &what);
                let result = AttemptResult::succeeded(output(&status));
                if include_tickets && status.tickets.is_none() {
                    let missing = format!("the orchestrator gave no numbers of tickets for workflow {workflow_id:?}");
                    return result.warn(missing).into();
                }
                result.into()
            }
            Err(error) => ended(call, &workflow_id, &error, &manual(&workflow_id)).into(),
        }
    }
}

/// What is not known is left out, so that a playbook that needs it is told so.
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
    let act = format!(
        "look at workflow {workflow_id:?} by hand: its state could not be read, and what depends on it was not decided"
    );
    Manual { look: act.clone(), act }
}
