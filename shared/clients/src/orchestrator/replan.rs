//! Replanning. A request that may have arrived is not sent again: the state does not tell whether a replanning is under way, and a
//! second one would undo the first.

use std::collections::BTreeMap;

use heal_proto as proto;

use super::client::{Client, adjustment_id, check_success, require_non_empty};
use super::model::Replanned;
use super::rpc::{Kind, Stub};
use super::trigger::ReplanningTrigger;
use crate::call::CallContext;
use crate::error::{Effect, Error};

const REPLAN: Kind = Kind { operation: "trigger_replanning", at_stake: Effect::Unknown, repeatable: false };

/// The priorities that the orchestrator accepts (`orchestrator.proto`).
const PRIORITIES: std::ops::RangeInclusive<i32> = 1..=10;

/// A request to replan a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replanning {
    /// The plan to replan; must not be empty.
    pub plan_id: String,
    /// Why, for people.
    pub reason: String,
    /// Why, for the orchestrator.
    pub trigger: ReplanningTrigger,
    /// Further facts, such as `incident_id`.
    pub context: BTreeMap<String, String>,
    /// Whether completed work is kept.
    pub preserve_progress: bool,
    /// 1 to 10.
    pub priority: i32,
}

impl Replanning {
    /// A request that keeps progress and has priority 5.
    pub fn new(plan_id: impl Into<String>, reason: impl Into<String>, trigger: ReplanningTrigger) -> Self {
        Self {
            plan_id: plan_id.into(),
            reason: reason.into(),
            trigger,
            context: BTreeMap::new(),
            preserve_progress: true,
            priority: 5,
        }
    }
}

impl Client {
    /// Asks the orchestrator to replan a plan.
    ///
    /// # Errors
    /// Of effect `Unknown` if the request was sent and no answer says what became of it. `Invalid` for an empty `plan_id`, a priority outside 1 to 10, or a context without an idempotency key.
    pub async fn trigger_replanning(&self, replanning: &Replanning, context: &CallContext) -> Result<Replanned, Error> {
        let span = tracing::info_span!(
            "self_healing.orchestrator.trigger_replanning",
            plan_id = replanning.plan_id,
            outcome = tracing::field::Empty
        );
        self.run_change(REPLAN, &replanning.plan_id, span, async {
            require_non_empty("plan_id", &replanning.plan_id)?;
            require_valid_priority(replanning.priority)?;
            let message = proto::TriggerReplanningRequest {
                plan_id: replanning.plan_id.clone(),
                reason: replanning.reason.clone(),
                trigger_type: replanning.trigger.to_wire(),
                adjustment_id: adjustment_id(context)?,
                context: replanning.context.clone(),
                preserve_progress: replanning.preserve_progress,
                priority: replanning.priority,
            };
            let limit = self.limit(REPLAN, context)?;
            let invoke = |mut stub: Stub, request| async move { stub.trigger_replanning(request).await };
            let answer = self.rpc.call(REPLAN, message, limit, context, invoke).await?;
            check_success(REPLAN, answer.success, &answer.message)?;
            Ok(Replanned {
                message: answer.message,
                replanning_id: answer.replanning_id,
                triggered_at_ms: answer.triggered_at,
                estimated_completion_seconds: answer.estimated_completion_seconds,
            })
        })
        .await
    }
}

fn require_valid_priority(priority: i32) -> Result<(), Error> {
    if PRIORITIES.contains(&priority) {
        return Ok(());
    }
    let problem = format!("is {priority}, expected {} to {}", PRIORITIES.start(), PRIORITIES.end());
    Err(Error::Invalid { field: "priority", problem })
}
