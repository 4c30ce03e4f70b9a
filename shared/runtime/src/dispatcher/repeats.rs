//! The same fix again: the runs of a playbook for one target are counted, and the one over the bound ends `ESCALATED` before any effect.
//!
//! Later incidents about the target join the escalated run until somebody acknowledges it. Its own log says whether somebody has.

use heal_engine::event::RunOutcome;
use heal_engine::gate::Gate;
use heal_engine::time::seconds_to_ms;
use heal_engine::turn::Input;
use heal_engine::{RunId, limit, message};
use heal_guard::Repeats;

use super::{DispatchError, Dispatcher, Prepared};
use crate::port::{BackendError, Repeat, Subject};

/// What a refused create says of the next one.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Why the run is escalated; `None` if it acts.
    pub(super) escalation: Option<String>,
    /// The escalation of its target that somebody has acknowledged.
    pub(super) acknowledged: Option<RunId>,
    /// There is no room for the run.
    pub(super) is_full: bool,
    /// What the plan gate found when the first create was refused.
    pub(super) gate: Option<Gate>,
}

impl Prepared {
    /// What the run is counted by: its concurrency key, else its worker, ticket or workflow. `None` if it has none of them.
    fn target(&self) -> Option<String> {
        self.concurrency_key.clone().or_else(|| Subject::from_variables(&self.intake.variables).target())
    }
}

impl Dispatcher {
    /// How a run of `prepared` is counted.
    pub(super) fn repeat(&self, prepared: &Prepared, again: &Again) -> Option<Repeat> {
        let Repeats { escalate_at, window_seconds } = self.ports.guardrails.repeats;
        Some(Repeat {
            key: format!("{}\n{}", prepared.playbook(), prepared.target()?),
            max: escalate_at.saturating_sub(1).clamp(1, limit::REPEATED_RUNS),
            window_ms: seconds_to_ms(window_seconds),
            escalates: again.escalation.is_some(),
            acknowledged: again.acknowledged.clone(),
        })
    }

    /// Why the run after `runs` is escalated, such as `third worker_failure_recovery of worker:w-1 within 3600 s: run A ended HEALED, …`.
    pub(super) async fn escalation(&self, prepared: &Prepared, runs: &[RunId]) -> Result<String, BackendError> {
        let mut target = prepared.target().unwrap_or_default();
        message::cut(&mut target, limit::TARGET_BYTES);
        let window = self.ports.guardrails.repeats.window_seconds;
        let which = ordinal(runs.len() + 1);
        let newest = runs.iter().rev().take(limit::NAMED_STEPS).rev();
        let mut ends = Vec::new();
        for run_id in newest {
            let head = self.ports.runs.head(run_id).await?;
            ends.push(match head.map(|head| head.outcome.map(RunOutcome::as_str)) {
                Some(Some(outcome)) => format!("run {run_id} ended {outcome}"),
                Some(None) => format!("run {run_id} has not ended"),
                None => format!("run {run_id} is no longer stored"),
            });
        }
        let ends = ends.join(", ");
        Ok(format!("{which} {} of {target} within {window} s: {ends}", prepared.playbook()))
    }

    /// Adds an incident to an escalated run. False if its target is no longer escalated: the run is acknowledged, or no longer stored.
    pub(super) async fn join_escalated(&self, run_id: &RunId, incident_id: &str) -> Result<bool, DispatchError> {
        let joined = Input::Joined { incident_id: incident_id.to_owned() };
        match self.take(run_id, &format!("joined:{incident_id}"), &[joined]).await {
            Ok(turn) if turn.taken > 0 => return Ok(true),
            Ok(_) => {}
            Err(DispatchError::UnknownRun { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        // Either the run knows the incident, or it has too many of them, or it is acknowledged.
        Ok(self.load(run_id).await?.state.awaits_acknowledgement())
    }
}

fn ordinal(number: usize) -> String {
    let words = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
    let word = number.checked_sub(1).and_then(|index| words.get(index));
    word.map_or_else(|| format!("no. {number}"), |word| (*word).to_owned())
}
