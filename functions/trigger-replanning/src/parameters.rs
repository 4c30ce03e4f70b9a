//! What a playbook says: which plan, why, and how urgently.

use clients::orchestrator::ReplanningTrigger;
use runtime::AttemptResult;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
pub(crate) struct Parameters {
    pub plan_id: Option<String>,
    pub workflow_id: Option<String>,
    pub reason: String,
    trigger_type: Option<String>,
    /// 1 to 10.
    pub priority: Option<i32>,
    pub preserve_progress: Option<bool>,
}

impl Parameters {
    /// What set the replanning off; a failure where the playbook says nothing, for that is what brings incidents here.
    ///
    /// # Errors
    /// A failed attempt that names the trigger types that there are.
    pub(crate) fn trigger(&self) -> Result<ReplanningTrigger, AttemptResult> {
        let Some(text) = &self.trigger_type else { return Ok(ReplanningTrigger::Failure) };
        text.parse().map_err(|error| AttemptResult::failed("bad_parameters", format!("trigger_type: {error}")))
    }
}

pub(crate) fn schema() -> Value {
    let text = |description: &str| json!({"type": "string", "minLength": 1, "description": description});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "plan_id": text("The plan."),
            "workflow_id": text("A workflow of the plan, where the plan itself is not known."),
            "reason": text("Why, for the orchestrator's record and the policy."),
            "trigger_type": text(
                "DRIFT, FAILURE, STRATEGIC, SLA_VIOLATION or RESOURCE_CONSTRAINT, in any case; FAILURE where nothing is said.",
            ),
            "priority": {"type": "integer", "minimum": 1, "maximum": 10, "description": "5 where nothing is said."},
            "preserve_progress": {"type": "boolean", "description": "Whether what is done stays done; true where nothing is said."},
        },
        "required": ["reason"],
        "anyOf": [{"required": ["plan_id"]}, {"required": ["workflow_id"]}],
    })
}
