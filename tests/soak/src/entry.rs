//! What the log of one run says about its effects.

use std::collections::{BTreeMap, BTreeSet};

use heal_engine::event::Commit;
use heal_engine::id::StepRef;
use heal_engine::message::{AttemptOutcome, AttemptResult};
use heal_engine::{Event, Map, Plan, RunId};
use heal_sandbox::seed::NAMESPACE;
use serde_json::Value;

/// One effect: the operation of the stand-in service, a space, and its target.
pub(crate) type Effect = String;

/// A run, as far as the account needs it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Entry {
    pub run_id: String,
    pub incident_id: String,
    /// Incidents that joined it.
    pub joined: BTreeSet<String>,
    /// The outcome's word; `None` while the run is live.
    pub outcome: Option<&'static str>,
    /// The message was rejected, so there is no plan.
    pub is_rejected: bool,
    /// Commands that were delivered too often without an answer.
    pub dead_lettered: usize,
    pub effects: BTreeMap<Effect, Claimed>,
}

/// What a log says of one effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// When the first attempt was authorised, in epoch milliseconds.
    pub authorised_ms: u64,
    /// Whether an attempt reports it as done.
    pub is_reported: bool,
    /// Whether an attempt may have done it without knowing: its end was not seen, or proves nothing.
    pub may_be: bool,
}

impl Entry {
    /// Reads a log. `plan` is that of its first event.
    pub(crate) fn read(run_id: &RunId, plan: Option<&Plan>, commits: &[Commit]) -> Self {
        let mut entry = Self { run_id: run_id.to_string(), ..Self::default() };
        // The effects that each step's attempts were authorised for.
        let mut authorised: BTreeMap<StepRef, BTreeSet<Effect>> = BTreeMap::new();
        for commit in commits {
            for event in &commit.events {
                entry.take(plan, event, commit.at.0, &mut authorised);
            }
        }
        entry
    }

    fn take(
        &mut self,
        plan: Option<&Plan>,
        event: &Event,
        at_ms: u64,
        authorised: &mut BTreeMap<StepRef, BTreeSet<Effect>>,
    ) {
        match event {
            Event::RunStarted(started) => self.incident_id.clone_from(&started.incident_id),
            Event::IncidentRejected { incident_id, .. } => {
                self.incident_id.clone_from(incident_id);
                (self.is_rejected, self.outcome) = (true, Some("FAILED"));
            }
            Event::IncidentJoined { incident_id } => {
                self.joined.insert(incident_id.clone());
            }
            Event::AttemptStarted { step, parameters, .. } => {
                let kind = plan.and_then(|plan| plan.step(step.step)).map_or("", |step| step.spec.kind.as_str());
                let effects = effects_of(kind, parameters);
                for effect in &effects {
                    let fresh = Claimed { authorised_ms: at_ms, ..Claimed::default() };
                    self.effects.entry(effect.clone()).or_insert(fresh);
                }
                authorised.entry(*step).or_default().extend(effects);
            }
            Event::AttemptHeld { step, may_have_acted: true, .. } => {
                self.mark(authorised.get(step), |claimed| claimed.may_be = true);
            }
            Event::AttemptEnded { step, result, .. } => {
                self.dead_lettered += usize::from(is_dead_lettered(result));
                let reported = reported(result);
                let is_open = may_have_acted(result);
                for effect in authorised.get(step).into_iter().flatten() {
                    let Some(claimed) = self.effects.get_mut(effect) else { continue };
                    let names_it =
                        reported.as_ref().is_none_or(|named| named.iter().any(|name| effect.ends_with(name)));
                    match result.outcome {
                        AttemptOutcome::Succeeded if names_it => claimed.is_reported = true,
                        _ => claimed.may_be |= is_open,
                    }
                }
            }
            Event::RunEnded { outcome, .. } => self.outcome = Some(outcome.as_str()),
            _ => {}
        }
    }

    fn mark(&mut self, effects: Option<&BTreeSet<Effect>>, change: impl Fn(&mut Claimed)) {
        for effect in effects.into_iter().flatten() {
            if let Some(claimed) = self.effects.get_mut(effect) {
                change(claimed);
            }
        }
    }
}

/// What an attempt of this action changes at the services.
fn effects_of(action: &str, parameters: &Map) -> BTreeSet<Effect> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let one =
        |operation: &str, name: &str| text(name).map(|target| format!("{operation} {target}")).into_iter().collect();
    match action {
        "restart_pod" => text("pod_name").map(|pod| format!("delete_pod {NAMESPACE}/{pod}")).into_iter().collect(),
        "reallocate_ticket" => {
            let several = parameters.get("affected_tickets").and_then(Value::as_array);
            let several = several.into_iter().flatten().filter_map(Value::as_str);
            text("ticket_id").into_iter().chain(several).map(|ticket| format!("reallocate_ticket {ticket}")).collect()
        }
        "update_ticket_status" => one("update_ticket", "ticket_id"),
        "restart_workflow" => one("ResumeWorkflow", "workflow_id"),
        "pause_workflow" => one("PauseWorkflow", "workflow_id"),
        "trigger_replanning" => one("TriggerReplanning", "plan_id"),
        _ => BTreeSet::new(),
    }
}

/// The targets that a success names as done; `None` if it is about all of them.
fn reported(result: &AttemptResult) -> Option<Vec<String>> {
    let named = result.output.get("reallocated")?.as_array()?;
    Some(named.iter().filter_map(Value::as_str).map(|target| format!(" {target}")).collect())
}

/// Whether the end is that of a command that no worker answered, as the dispatcher words it.
fn is_dead_lettered(result: &AttemptResult) -> bool {
    matches!(&result.outcome, AttemptOutcome::Unknown { message } if message.starts_with("dead-lettered:"))
}

/// Whether an effect may stand behind this end. That nothing had to be done says that the target was well, not who made it so.
fn may_have_acted(result: &AttemptResult) -> bool {
    match result.outcome {
        AttemptOutcome::NoOp { .. } | AttemptOutcome::Succeeded => true,
        AttemptOutcome::Denied { .. }
        | AttemptOutcome::NeedsApproval { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Unavailable { .. }
        | AttemptOutcome::Failed { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Unknown { .. }
        | AttemptOutcome::Shadowed { .. } => !result.is_proven_not_applied(),
    }
}
