//! What set a replanning off.

use std::str::FromStr;

use heal_proto as proto;

/// Why a plan must be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplanningTrigger {
    /// The execution deviates from the plan.
    Drift,
    /// A part of the plan failed.
    Failure,
    /// The goals changed.
    Strategic,
    /// A deadline was or will be missed.
    SlaViolation,
    /// The plan needs more resources than there are.
    ResourceConstraint,
}

impl ReplanningTrigger {
    /// Every trigger.
    pub const ALL: [Self; 5] =
        [Self::Drift, Self::Failure, Self::Strategic, Self::SlaViolation, Self::ResourceConstraint];

    /// The bare name, such as `SLA_VIOLATION`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "DRIFT",
            Self::Failure => "FAILURE",
            Self::Strategic => "STRATEGIC",
            Self::SlaViolation => "SLA_VIOLATION",
            Self::ResourceConstraint => "RESOURCE_CONSTRAINT",
        }
    }

    pub(super) fn to_wire(self) -> i32 {
        match self {
            Self::Drift => proto::ReplanningTriggerType::TriggerTypeDrift,
            Self::Failure => proto::ReplanningTriggerType::TriggerTypeFailure,
            Self::Strategic => proto::ReplanningTriggerType::TriggerTypeStrategic,
            Self::SlaViolation => proto::ReplanningTriggerType::TriggerTypeSlaViolation,
            Self::ResourceConstraint => proto::ReplanningTriggerType::TriggerTypeResourceConstraint,
        }
        .into()
    }
}

/// A text that does not name a trigger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a replanning trigger; expected one of DRIFT, FAILURE, STRATEGIC, SLA_VIOLATION, RESOURCE_CONSTRAINT"
)]
pub struct UnknownTrigger(pub String);

impl FromStr for ReplanningTrigger {
    type Err = UnknownTrigger;

    /// Accepts any letter case, with or without the prefix `TRIGGER_TYPE_`.
    fn from_str(text: &str) -> Result<Self, UnknownTrigger> {
        let upper = text.trim().to_ascii_uppercase();
        let bare = upper.strip_prefix("TRIGGER_TYPE_").unwrap_or(&upper);
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == bare).ok_or_else(|| UnknownTrigger(text.to_owned()))
    }
}
