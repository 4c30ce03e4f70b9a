//! What a playbook gives.

use heal_clients::orchestrator::{Replanning, ReplanningTrigger};
use heal_clients::port::failed;
use heal_runtime::AttemptResult;
use heal_runtime::action::Call;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    pub plan_id: Option<String>,
    #[serde(default)]
    pub workflow_id: Option<String>,
    pub reason: String,
    #[serde(default)]
    trigger_type: Option<String>,
    #[serde(default)]
    priority: Option<i32>,
    #[serde(default)]
    preserve_progress: Option<bool>,
}

impl Parameters {
    /// What people call the target.
    pub(crate) fn target(&self) -> &str {
        self.workflow_id.as_deref().or(self.plan_id.as_deref()).unwrap_or_default()
    }

    /// # Errors
    /// A failed attempt that names the trigger types there are.
    pub(crate) fn trigger(&self, call: &Call) -> Result<ReplanningTrigger, AttemptResult> {
        let Some(text) = &self.trigger_type else { return Ok(ReplanningTrigger::Failure) };
        text.parse()
            .map_err(|error| failed(call, self.target(), "bad_parameters", format!("parameters/trigger_type: {error}")))
    }

    /// The whole request, with what the orchestrator may want to know of the circumstances.
    pub(crate) fn replanning(&self, call: &Call, plan_id: &str, trigger: ReplanningTrigger) -> Replanning {
        let context = &call.command.context;
        let workflow_id = self.workflow_id.as_ref().or(context.workflow_id.as_ref());
        let circumstances = [
            ("incident_id", Some(context.incident_id.clone())),
            ("playbook", Some(context.playbook.clone())),
            ("workflow_id", workflow_id.cloned()),
            ("source", Some(heal_clients::tickets::SOURCE.to_owned())),
        ];
        let mut replanning = Replanning::new(plan_id, &self.reason, trigger);
        replanning.context =
            circumstances.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        replanning.priority = self.priority.unwrap_or(replanning.priority);
        replanning.preserve_progress = self.preserve_progress.unwrap_or(replanning.preserve_progress);
        replanning
    }
}
