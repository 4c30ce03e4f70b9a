//! What a remedy is: one trait, implemented once per action, run alike by a function and by the embedded engine.

use async_trait::async_trait;
use heal_engine::catalog::ActionSpec;
use heal_engine::message::{ActionCommand, AttemptResult};
use heal_engine::{Map, Timestamp};

use crate::port::{CooldownKey, PolicyResource};

pub mod log;

/// One remedy.
///
/// # Flow of one attempt
/// 1. `targets`: what would be touched · 2. `facts`: what the policy has to know, read now, per target · 3. the policy, per target ·
/// 4. the claim and the cooldowns · 5. `perform` with the targets that were let through (or `probe` first, after a lost worker).
///
/// # Assumptions
/// `parameters` satisfy the schema of `spec`. An effect happens in `perform` only.
#[async_trait]
pub trait Action: Send + Sync + 'static {
    fn spec(&self) -> &ActionSpec;

    /// What this call would touch: one entry for most, one per ticket of a batch. Never empty where the call is meaningful.
    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult>;

    /// What the policy has to know of `target`, read at the point of effect.
    ///
    /// # Errors
    /// The attempt's result: such as a service out of reach, or a target that does not exist.
    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let _ = (call, target);
        Ok(Facts::default())
    }

    /// Does it. `targets` are those that passed policy and cooldown, in order; never empty.
    async fn perform(&self, call: &Call, targets: &[Target]) -> Performed;

    /// Looks whether an earlier worker of this attempt, which died, has done it. Asked only of actions whose safety is `Probe`.
    async fn probe(&self, call: &Call, targets: &[Target]) -> Probe {
        let _ = (call, targets);
        Probe::Unclear("this action cannot look".to_owned())
    }
}

/// One attempt as an action sees it.
#[derive(Debug, Clone)]
pub struct Call {
    pub command: ActionCommand,
    /// The same for all tries of this attempt, and for no other attempt. Carried to the services.
    pub idempotency_key: String,
    /// Everything is over by then; before the platform would end the process.
    pub deadline: Timestamp,
    pub started_at: Timestamp,
}

impl Call {
    pub const fn parameters(&self) -> &Map {
        &self.command.parameters
    }

    /// The parameters as the action's own type.
    ///
    /// # Errors
    /// A failed attempt that names the parameter: the schema let something through that the type does not.
    pub fn typed<T: serde::de::DeserializeOwned>(&self) -> Result<T, AttemptResult> {
        serde_json::from_value(serde_json::Value::Object(self.command.parameters.clone())).map_err(|error| {
            AttemptResult::failed("bad_parameters", format!("parameters of {}: {error}", self.command.action))
        })
    }
}

/// One thing that an attempt touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What people call it, such as the ticket's id.
    pub id: String,
    /// What the policy is told of it. `action` is filled in by the driver.
    pub resource: PolicyResource,
    pub cooldown: Option<Cooldown>,
}

/// A target is left alone for this long after an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooldown {
    pub key: CooldownKey,
    pub duration_ms: u64,
}

/// What was read at the point of effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Bare, such as `PAUSED`.
    pub workflow_state: Option<String>,
    /// When the service itself says that the target was last reallocated, if it says so.
    pub last_reallocation: Option<Timestamp>,
}

/// What `perform` did.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    pub result: AttemptResult,
    /// Ids of targets whose effect is proven not to have happened: their cooldowns are freed.
    pub proven_not_applied: Vec<String>,
}

impl From<AttemptResult> for Performed {
    /// Everything was touched.
    fn from(result: AttemptResult) -> Self {
        Self { result, proven_not_applied: Vec::new() }
    }
}

/// What a look at the target says of an attempt whose worker died.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// It was done: this is the result.
    Done(Box<AttemptResult>),
    /// It was not done: perform it.
    NotDone,
    /// It cannot be said, and why: a person has to look.
    Unclear(String),
}
