//! What a playbook gives.

use heal_clients::orchestrator::{Replanning, ReplanningTrigger};
use heal_runtime::action::Call;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    #[serde(default)]
    pub(crate) plan_id: Option<String>,
    #[serde(default)]
    pub(crate) workflow_id: Option<String>,
    pub(crate) reason: String,
    #[serde(default = "failure", deserialize_with = "trigger")]
    trigger_type: ReplanningTrigger,
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

    /// The whole request, with the circumstances for the orchestrator's record.
    pub(crate) fn replanning(&self, call: &Call, plan_id: &str) -> Replanning {
        let context = &call.command.context;
        let workflow_id = self.workflow_id.as_ref().or(context.workflow_id.as_ref());
        let circumstances = [
            ("incident_id", Some(context.incident_id.clone())),
            ("playbook", Some(context.playbook.clone())),
            ("workflow_id", workflow_id.cloned()),
            ("source", Some(heal_clients::tickets::SOURCE.to_owned())),
        ];
        let mut replanning = Replanning::new(plan_id, &self.reason, self.trigger_type);
        replanning.context =
            circumstances.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        replanning.priority = self.priority.unwrap_or(replanning.priority);
        replanning.preserve_progress = self.preserve_progress.unwrap_or(replanning.preserve_progress);
        replanning
    }
}

const fn failure() -> ReplanningTrigger {
    ReplanningTrigger::Failure
}

fn trigger<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReplanningTrigger, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
