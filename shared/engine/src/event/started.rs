//! What a run starts with.

use serde::{Deserialize, Serialize};

use crate::Map;
use crate::autonomy::{Autonomy, AutonomyLevel, RunMode};
use crate::gate::Gate;
use crate::id::Digest;

/// What a run starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The incident that the run is for.
    pub incident_id: String,
    /// The incident's type; `None` if a message named its playbook without one.
    pub incident_type: Option<String>,
    /// The playbook's name.
    pub playbook: String,
    /// Pins the plan: the run uses the plan with this digest and no other.
    pub plan_digest: Digest,
    /// Every variable that the incident carried.
    pub variables: Map,
    /// Whether a person has to approve the run before its first step.
    pub approval: bool,
    /// Whether the request named the run: an earlier run, collected since, may have had the same id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named: bool,
    /// What the plan gate found; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Whether the run may change its targets.
    #[serde(default, skip_serializing_if = "RunMode::is_live")]
    pub mode: RunMode,
    /// The playbook's level of autonomy, if anybody set one; `off` ends the run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy: Option<Autonomy>,
    /// Who started the run, as an identity `KIND:NAME` that somebody attested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// The rendered key; runs with equal keys are not live at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// W3C `traceparent` that the run continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl RunStarted {
    /// Whether the run may change its targets.
    pub fn acts(&self) -> bool {
        let is_off = self.autonomy.as_ref().is_some_and(|autonomy| autonomy.level == AutonomyLevel::Off);
        !self.mode.is_shadow() && !is_off
    }
}
