//! What the halts mean for a run: it is held before it starts anything, and goes on once no halt holds it any more.

use std::sync::Arc;

use heal_engine::message::Hold;
use heal_engine::plan::PlannedStep;
use heal_engine::turn::Input;
use heal_engine::{Map, Plan, RunId, State, Timestamp};
use heal_guard::{Effect, Halt, STORM_BY};
use serde_json::Value;

use super::cache::Live;
use super::{DispatchError, Dispatcher};
use crate::halts;
use crate::port::{BackendError, DueRuns};

/// Who releases a run whose halt has ended.
const BY: &str = "system:switch";

/// What a person's order to the switches came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// It is done.
    Done,
    /// There is no such halt.
    Unknown,
    /// The halt breaks a bound.
    Invalid(halts::Invalid),
    /// [`HALTS`](crate::port::HALTS) halts last already.
    TooMany,
}

/// Parameters that name what an action touches, the first that is there alone. For an action that names it otherwise, the worker decides.
const TARGET_PARAMETERS: [&str; 6] = ["pod_name", "ticket_id", "affected_tickets", "workflow_id", "plan_id", "target"];

/// What the halts do to the run now. A halt of everything, or of the run's playbook, holds it; other halts hold it before the step that they
/// stop ([`of_step`]), or by a worker's answer. A run that one halt holds goes on once that halt has ended, unless another one of its playbook
/// lasts. What a person holds stays held. A run that waits for room starts nothing, so no halt holds it: it is not admitted.
///
/// A run that a storm has held for a window tries again once it is woken: it may get a place of the trickle, or is held anew by its worker.
pub(super) fn input(live: &Live, inputs: &[Input], halts: &[Halt], now: Timestamp) -> Option<Input> {
    let state = &live.state;
    if state.is_ended() || state.stopping.is_some() {
        return None;
    }
    let of_run = halts::of_run(halts, &live.plan.playbook.name, now).filter(|_| state.queued.is_none());
    let holding = of_run.map(halts::hold);
    let Some(held) = &state.held else { return holding.map(Input::Hold) };
    let id = held.hold.halt.as_ref()?;
    if let Some(halt) = halts.iter().find(|halt| halt.id == *id && now < halt.until) {
        let storm = halt.storm.as_ref().filter(|_| inputs.iter().any(|input| matches!(input, Input::Wake)))?;
        let may_try = storm.trickle > 0 && held.since.plus_ms(storm.window_ms) <= now && holding.is_none();
        let reason = format!("it may be one of the {} effects that the storm lets pass", storm.trickle);
        return may_try.then(|| Input::Release { by: STORM_BY.to_owned(), reason, halt: Some(id.clone()) });
    }
    let reason = format!("{id} has ended");
    Some(holding.map_or(Input::Release { by: BY.to_owned(), reason, halt: Some(id.clone()) }, Input::Hold))
}

/// The hold of the longest halt that stops a step with these parameters.
pub(super) fn of_step(
    halts: &[Halt],
    plan: &Plan,
    step: &PlannedStep,
    parameters: &Map,
    now: Timestamp,
) -> Option<Hold> {
    let effect = |target: &str| Effect {
        service: step.spec.service.clone(),
        ..Effect::new(&step.spec.kind, &plan.playbook.name, target)
    };
    let named = TARGET_PARAMETERS.iter().find_map(|name| parameters.get(*name));
    let targets = match named {
        Some(Value::String(target)) => vec![target.as_str()],
        Some(Value::Array(targets)) => targets.iter().filter_map(Value::as_str).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    };
    let effects: Vec<_> = targets.into_iter().chain([""]).map(effect).collect();
    // Whether an effect is one of a storm's trickle, its worker decides.
    let trickles = |halt: &Halt| halt.storm.as_ref().is_some_and(|storm| storm.trickle > 0);
    let holds = |halt: &&Halt| !trickles(halt) && effects.iter().any(|effect| halt.holds(effect, now));
    halts.iter().filter(holds).max_by_key(|halt| halt.until).map(halts::hold)
}

impl Dispatcher {
    /// The halts, for a turn of a run. Those of a held run are read after it was held: a worker may have read its halt before this process.
    pub(super) async fn halts_for(&self, state: &State, now: Timestamp) -> Result<Arc<[Halt]>, BackendError> {
        let halts = &self.ports.halts;
        if state.held.is_some() { halts.read_after(state.updated_at, now).await } else { halts.read(now).await }
    }

    /// Up to `limit` runs whose halt has ended.
    pub(super) async fn releasable(
        &self,
        due_runs: &dyn DueRuns,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunId>, BackendError> {
        let halts = self.ports.halts.read(now).await?;
        due_runs.held_by_others(&halts::lasting(&halts, now), limit).await
    }

    /// Continues up to `limit` runs whose halt has ended, and returns their number. One that cannot continue is logged.
    ///
    /// # Errors
    /// `due_runs` or the halts cannot be read.
    pub async fn release_held(&self, due_runs: &dyn DueRuns, limit: usize) -> Result<usize, BackendError> {
        let now = self.now();
        let runs = self.releasable(due_runs, now, limit).await?;
        Ok(self.wake(&runs, now).await)
    }

    /// Continues the runs, and returns their number.
    pub(super) async fn wake(&self, runs: &[RunId], now: Timestamp) -> usize {
        let cause_id = format!("sweep:{}", now.0);
        for run_id in runs {
            if let Err(error) = self.take(run_id, &cause_id, &[Input::Wake]).await {
                tracing::error!(run_id = %run_id, error = &error as &dyn std::error::Error, "failed to continue an overdue run");
            }
        }
        runs.len()
    }

    /// The halts in force, the one that ends last first.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn halts(&self) -> Result<Vec<Halt>, BackendError> {
        let now = self.now();
        let mut halts: Vec<_> =
            self.ports.halts.read(now).await?.iter().filter(|halt| now < halt.until).cloned().collect();
        halts.sort_by(|a, b| (b.until, &b.id).cmp(&(a.until, &a.id)));
        Ok(halts)
    }

    /// Stores a halt. From now on this process starts nothing that it holds; other processes within
    /// [`HALT_CACHE_MS`](halts::HALT_CACHE_MS).
    ///
    /// # Errors
    /// The switches cannot be written.
    pub async fn halt(&self, halt: &Halt) -> Result<SwitchOutcome, DispatchError> {
        // Only the engine itself finds storms.
        let halt = &Halt { storm: None, ..halt.clone() };
        if let Err(invalid) = halts::check(halt) {
            return Ok(SwitchOutcome::Invalid(invalid));
        }
        if !self.ports.halts.halt(halt).await? {
            return Ok(SwitchOutcome::TooMany);
        }
        let Halt { id, scope, until, reason, by, .. } = halt;
        let until = heal_telemetry::logs::rfc3339(until.0);
        tracing::warn!(event = "switch.halted", id, %scope, until, reason, by, "effects are halted");
        self.tell_halted(halt).await;
        Ok(SwitchOutcome::Done)
    }

    /// Ends a halt. The sweep releases its runs.
    ///
    /// # Errors
    /// The switches cannot be written.
    pub async fn resume(&self, id: &str, by: &str) -> Result<SwitchOutcome, DispatchError> {
        if !self.ports.halts.resume(id, self.now()).await? {
            return Ok(SwitchOutcome::Unknown);
        }
        tracing::warn!(event = "switch.resumed", id, by, "a halt has ended");
        self.tell_resumed(id, by).await;
        Ok(SwitchOutcome::Done)
    }
}
