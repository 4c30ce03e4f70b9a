//! What a playbook gives.

use heal_clients::orchestrator::{Replanning, ReplanningTrigger};
use heal_clients::port::Workflows;
use heal_runtime::action::{Call, Cooldown};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::spec::{COOLDOWN_MS, NAME};

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    #[serde(default)]
    plan_id: Option<String>,
    #[serde(default)]
    pub(crate) workflow_id: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default = "failure", deserialize_with = "trigger")]
    trigger_type: ReplanningTrigger,
    #[serde(default)]
    priority: Option<i32>,
    #[serde(default)]
    preserve_progress: Option<bool>,
}

impl Parameters {
    /// The plan that the playbook names; an empty one names none.
    pub(crate) fn plan_id(&self) -> Option<&str> {
        self.plan_id.as_deref().filter(|plan_id| !plan_id.is_empty())
    }

    /// What people call the target.
    pub(crate) fn target(&self) -> &str {
        self.workflow_id.as_deref().or(self.plan_id()).unwrap_or_default()
    }

    /// What is left alone after a replanning: the workflow, whichever plan it has by then; the plan only where no workflow is named.
    pub(crate) fn cooldown(&self) -> Cooldown {
        let target = match &self.workflow_id {
            Some(workflow_id) => format!("workflow/{workflow_id}"),
            None => format!("plan/{}", self.target()),
        };
        Cooldown { is_policy_fact: true, ..Cooldown::new(NAME, target, COOLDOWN_MS) }
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
        let reason = Workflows::reason(call, self.reason.as_deref());
        let mut replanning = Replanning::new(plan_id, reason, self.trigger_type);
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
