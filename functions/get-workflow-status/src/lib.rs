//! `get_workflow_status`: reads where a workflow stands. It changes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use clients::orchestrator::{self, WorkflowStatus};
use clients::port::{Manual, context, ended};
use runtime::action::{Action, Call, Performed, Target, log};
use runtime::port::{Clock, PolicyResource};
use runtime::{ActionSpec, AttemptResult, Map, OutputType, Safety};
use serde::Deserialize;
use serde_json::json;

pub const NAME: &str = "get_workflow_status";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Reads the state and the progress of a workflow.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "workflow_id": {"type": "string", "minLength": 1, "description": "The workflow."},
                "include_tickets": {
                    "type": "boolean",
                    "description": "Whether its tickets are counted too; true where nothing is said.",
                },
            },
            "required": ["workflow_id"],
        }),
        outputs: &[
            ("state", OutputType::String),
            ("plan_id", OutputType::String),
            ("progress_percent", OutputType::Number),
            ("current_priority", OutputType::Integer),
            ("is_terminal", OutputType::Boolean),
            ("is_paused", OutputType::Boolean),
            ("tickets_total", OutputType::Integer),
            ("tickets_completed", OutputType::Integer),
            ("tickets_pending", OutputType::Integer),
            ("tickets_running", OutputType::Integer),
            ("tickets_failed", OutputType::Integer),
            ("sla_remaining_seconds", OutputType::Any),
        ],
        safety: Safety::Idempotent,
        inherits: &[],
        default_timeout_seconds: 30,
        critical: false,
    }
}

/// The action over the orchestrator.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct GetWorkflowStatus {
    orchestrator: Arc<orchestrator::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Deserialize)]
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

    async fn look(&self, call: &Call) -> Result<AttemptResult, AttemptResult> {
        let Parameters { workflow_id, include_tickets } = call.typed()?;
        let context = context(call, &*self.clock);
        let status = self.orchestrator.get_workflow_status(&workflow_id, include_tickets, &context).await;
        let status = status.map_err(|error| {
            let look = format!(
                "look where workflow {workflow_id:?} stands, and run the playbook again when the orchestrator answers"
            );
            ended(call, &workflow_id, &error, &Manual { act: look.clone(), look })
        })?;
        let what = format!("the workflow is {}", status.state);
        log::done(call, "playbook_executor.workflow_status_read", &workflow_id, &what);
        Ok(AttemptResult::succeeded(output(&status)))
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
        self.look(call).await.unwrap_or_else(|ended| ended).into()
    }
}

/// The ticket counts are there only where they were asked for: a playbook that names one it did not ask for is told so, not given a 0.
fn output(status: &WorkflowStatus) -> Map {
    let fields = [
        ("state", json!(status.state.as_str())),
        ("plan_id", json!(status.plan_id)),
        ("progress_percent", json!(status.progress_percent)),
        ("current_priority", json!(status.current_priority)),
        ("is_terminal", json!(status.state.is_terminal())),
        ("is_paused", json!(status.state == orchestrator::WorkflowState::Paused)),
        ("sla_remaining_seconds", json!(status.sla_remaining_seconds)),
    ];
    let tickets = status.tickets.iter().flat_map(|tickets| {
        [
            ("tickets_total", json!(tickets.total)),
            ("tickets_completed", json!(tickets.completed)),
            ("tickets_pending", json!(tickets.pending)),
            ("tickets_running", json!(tickets.running)),
            ("tickets_failed", json!(tickets.failed)),
        ]
    });
    fields.into_iter().chain(tickets).map(|(name, value)| (name.to_owned(), value)).collect()
}
