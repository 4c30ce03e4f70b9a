//! What an action is: one trait, implemented once per action, executed alike by a function and by the embedded engine.

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::catalog::ActionSpec;
use heal_engine::message::{ActionCommand, AttemptResult};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub mod log;
mod performed;
mod target;

pub use heal_guard::Marks;
pub use performed::Performed;
pub use target::{Admitted, Cooldown, Facts, PolicyFacts, Target};

/// One action.
///
/// # Flow of one attempt
/// 1. The driver holds the parameters against the schema of `spec`, and parses them once. · 2. `targets`: what the call touches. ·
/// 3. After a lost worker, `probe`. · 4. Per target: `facts`, then the policy. · 5. The cooldowns and budgets, with the `intent`. ·
/// 6. `perform` with the targets that passed, each with the facts that were read of it. In a shadow run, 4 reads
/// the cooldowns, 5 is left out, and `describe` takes the place of `perform`.
///
/// # Assumptions
/// An effect happens in `perform` only.
///
/// # Example
/// ```
/// use async_trait::async_trait;
/// use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target};
/// use heal_runtime::port::PolicyResource;
/// use heal_runtime::{ActionSpec, AttemptResult, Map, Safety};
/// use serde_json::json;
///
/// #[derive(serde::Deserialize)]
/// struct Parameters {
///     lamp_id: String,
/// }
///
/// struct SwitchOff {
///     spec: ActionSpec,
/// }
///
/// #[async_trait]
/// impl Action for SwitchOff {
///     type Parameters = Parameters;
///     type Facts = ();
///
///     fn spec(&self) -> &ActionSpec {
///         &self.spec
///     }
///
///     fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
///         Ok(vec![Target::new(&parameters.lamp_id, PolicyResource::default())])
///     }
///
///     async fn facts(&self, _: &Call, _: &Parameters, _: &Target) -> Result<Facts<()>, AttemptResult> {
///         Ok(Facts::default())
///     }
///
///     async fn perform(&self, _: &Call, _: &Parameters, _: &[Admitted<()>]) -> Performed {
///         // Here the lamp's service is called, with the call's idempotency key.
///         AttemptResult::succeeded(Map::new()).into()
///     }
/// }
///
/// let spec = ActionSpec {
///     name: "switch_off",
///     description: "Switches a lamp off.",
///     parameters: json!({
///         "type": "object",
///         "additionalProperties": false,
///         "properties": {"lamp_id": {"type": "string", "description": "The lamp."}},
///         "required": ["lamp_id"],
///     }),
///     outputs: &[],
///     safety: Safety::Idempotent,
///     inherits: &[],
///     default_timeout_seconds: 30,
///     service: "lamps",
///     critical: false,
/// };
/// assert_eq!(SwitchOff { spec }.spec().name, "switch_off");
/// ```
#[async_trait]
pub trait Action: Send + Sync + 'static {
    /// The parameters as the action's own type. Whatever the schema of `spec` lets through should parse.
    type Parameters: DeserializeOwned + Send + Sync;
    /// What `facts` reads of one target for `perform`; `()` where that is nothing.
    type Facts: Send + Sync;

    /// The action's description. The same at every call.
    fn spec(&self) -> &ActionSpec;

    /// What this call touches: one target for most actions, one per ticket of a batch.
    ///
    /// # Errors
    /// The attempt's result: the parameters fit the schema, and still make no sense.
    fn targets(&self, call: &Call, parameters: &Self::Parameters) -> Result<Vec<Target>, AttemptResult>;

    /// What the policy and `perform` have to know of `target`, read at the point of effect.
    ///
    /// # Errors
    /// The attempt's result for this target: its service is unavailable, or the target does not exist.
    async fn facts(
        &self,
        call: &Call,
        parameters: &Self::Parameters,
        target: &Target,
    ) -> Result<Facts<Self::Facts>, AttemptResult>;

    /// Names the population that a target with `facts` is one of, such as the pods of a controller; `None` if it is not known. Called only if a
    /// budget allows a share of it.
    fn population(&self, facts: &Self::Facts) -> Option<String> {
        let _ = facts;
        None
    }

    /// How many there are of the population that [`Action::population`] named for `facts`, by one read at most; `None` if it cannot be read. Called once an
    /// attempt for each name.
    async fn count_population(&self, call: &Call, facts: &Self::Facts) -> Option<u32> {
        let _ = (call, facts);
        None
    }

    /// The effect. `targets` are those that passed policy and cooldown, in order; never empty.
    async fn perform(&self, call: &Call, parameters: &Self::Parameters, targets: &[Admitted<Self::Facts>])
    -> Performed;

    /// What `perform` would do to `targets` now, as the rest of a sentence that begins with "would": ``delete pod "p-1" (uid 7)``. Called in
    /// place of `perform` in a shadow run, and only for an action that changes something. It may read, and changes nothing.
    ///
    /// # Errors
    /// The result that `perform` would have without any effect, such as that there is nothing to do.
    async fn describe(
        &self,
        call: &Call,
        parameters: &Self::Parameters,
        targets: &[Admitted<Self::Facts>],
    ) -> Result<String, AttemptResult> {
        let _ = parameters;
        let targets: Vec<_> = targets.iter().map(|admitted| format!("{:?}", admitted.target.id)).collect();
        Ok(format!("execute {} for {}", call.command.action, targets.join(", ")))
    }

    /// What `perform` is about to do to `targets`, in the action's own form, for a later `probe`. Stored in the claim before the effect.
    /// Called only where the safety is `Probe`.
    fn intent(&self, call: &Call, parameters: &Self::Parameters, targets: &[Admitted<Self::Facts>]) -> Option<Value> {
        let _ = (call, parameters, targets);
        None
    }

    /// Reads from the targets whether an earlier worker of this attempt, which died, had performed it. Called only where the safety is `Probe`,
    /// and before `facts`: a target that the effect has changed may have no facts any more.
    ///
    /// `intent` is what the worker stored; `None` if it died before that, or the action has none.
    async fn probe(
        &self,
        call: &Call,
        parameters: &Self::Parameters,
        targets: &[Target],
        intent: Option<&Value>,
    ) -> Probe {
        let _ = (call, parameters, targets, intent);
        Probe::Unclear("this action has no probe".to_owned())
    }

    /// How the guide's metrics count the call for `target`. The driver counts the calls that the policy or an outage prevented;
    /// the clients count those that were made.
    fn call_metric(&self, parameters: &Self::Parameters, target: &Target) -> Option<CallMetric> {
        let _ = (parameters, target);
        None
    }
}

/// One attempt as an action sees it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The command as the dispatcher sent it.
    pub command: ActionCommand,
    /// The same for all tries of this step, until an attempt of it is proven not to have taken effect. Sent to the services.
    pub idempotency_key: String,
    /// When the attempt has to have ended; before the platform would end the process.
    pub deadline: Timestamp,
    /// When the worker took the command.
    pub started_at: Timestamp,
}

/// What the target says of an attempt whose worker died.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// The effect happened: this is the result.
    Done(Box<AttemptResult>),
    /// The effect did not happen: perform it.
    NotDone,
    /// The target does not say, and why: a person has to decide.
    Unclear(String),
}

/// A call as the guide's metrics count it: which metric, with its labels but the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallMetric {
    /// The reallocations of tickets, by reason.
    TicketReallocation {
        /// As the call would have given it.
        reason: String,
    },
    /// The changes of a ticket's status.
    TicketStatusUpdate {
        /// In upper case.
        new_status: String,
    },
    /// The orchestrator's calls.
    OrchestratorCall {
        /// In snake case, such as `pause_workflow`.
        operation: &'static str,
    },
}
