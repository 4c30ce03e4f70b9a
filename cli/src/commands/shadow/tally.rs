//! What one shadow run, and then all of them, would have done, action by action.

use std::collections::{BTreeMap, BTreeSet};

use heal_engine::event::{Commit, Event, StepOutcome};
use heal_engine::id::{StepIndex, StepRef};
use heal_engine::message::{AttemptOutcome, AttemptResult};
use heal_engine::{Map, Plan, RunId, Timestamp};
use serde::Serialize;

use super::afterwards::{self, Afterwards, Sight};

/// The steps of one action of one playbook, over all shadow runs. Each element of a step that fans out counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct ActionTally {
    pub playbook: String,
    pub action: String,
    /// Runs with a step of the action that ended.
    pub runs: usize,
    /// Steps that would have been executed.
    pub would: usize,
    pub denied: usize,
    pub cooling_down: usize,
    /// Steps that had nothing to do, or whose condition was false.
    pub not_needed: usize,
    /// Steps that failed before the effect, or whose service was out of reach.
    pub failed: usize,
    /// The rules that denied, with how often each did.
    pub rules: BTreeMap<String, usize>,
    /// The steps that would have been executed, the newest first.
    pub steps: Vec<WouldStep>,
}

/// One step that would have been executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WouldStep {
    pub run_id: RunId,
    pub incident_id: String,
    pub at: Timestamp,
    /// As `would delete pod "p-1" (uid 7)`; for a step whose parameters a live run alone could have known, why.
    pub would: String,
    pub targets: Vec<String>,
    /// What became of each target whose facts were recorded.
    pub afterwards: Vec<Afterwards>,
    /// The targets as the step read them.
    #[serde(skip)]
    own: Vec<Sight>,
}

type ByAction = BTreeMap<(String, String), ActionTally>;

/// Tallies by playbook and action, and every read of a target.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    actions: ByAction,
    sights: Vec<Sight>,
}

impl Tallies {
    /// Adds a run; false if it is not a shadow run.
    pub(super) fn add(&mut self, plan: &Plan, commits: &[Commit]) -> bool {
        let Some(Event::RunStarted(started)) = commits.first().and_then(|commit| commit.events.first()) else {
            return false;
        };
        if !started.mode.is_shadow() {
            return false;
        }
        let mut run = Run::new(plan, &started.incident_id);
        for commit in commits {
            for event in &commit.events {
                run.event(&mut self.actions, commit, event);
            }
        }
        for action in &run.actions {
            entry(&mut self.actions, plan, action).runs += 1;
        }
        self.sights.extend(run.sights.into_values().flatten());
        true
    }

    /// By playbook and action, the newest steps first.
    pub(super) fn finish(self) -> Vec<ActionTally> {
        let mut sights = self.sights;
        sights.sort_by_key(|sight| sight.at);
        let newest_first = |mut tally: ActionTally| {
            for step in &mut tally.steps {
                step.afterwards = step.own.iter().map(|own| own.afterwards(&sights)).collect();
            }
            tally.steps.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.run_id.cmp(&b.run_id)));
            tally
        };
        self.actions.into_values().map(newest_first).collect()
    }
}

fn entry<'a>(tallies: &'a mut ByAction, plan: &Plan, action: &str) -> &'a mut ActionTally {
    let (playbook, action) = (plan.playbook.name.clone(), action.to_owned());
    tallies.entry((playbook.clone(), action.clone())).or_insert_with(|| ActionTally {
        playbook,
        action,
        ..ActionTally::default()
    })
}

/// One run, while its log is read.
struct Run<'a> {
    plan: &'a Plan,
    incident_id: &'a str,
    /// The actions whose steps have ended.
    actions: BTreeSet<&'a str>,
    fanned_out: BTreeSet<StepIndex>,
    /// The newest result of each step.
    results: BTreeMap<StepRef, &'a AttemptResult>,
    /// The parameters of the newest attempt of each step, and what it read of its targets.
    parameters: BTreeMap<StepRef, &'a Map>,
    sights: BTreeMap<StepRef, Vec<Sight>>,
}

impl<'a> Run<'a> {
    const fn new(plan: &'a Plan, incident_id: &'a str) -> Self {
        Self {
            plan,
            incident_id,
            actions: BTreeSet::new(),
            fanned_out: BTreeSet::new(),
            results: BTreeMap::new(),
            parameters: BTreeMap::new(),
            sights: BTreeMap::new(),
        }
    }

    fn event(&mut self, tallies: &mut ByAction, commit: &Commit, event: &'a Event) {
        match event {
            Event::FannedOut { step, .. } => {
                self.fanned_out.insert(*step);
            }
            Event::AttemptStarted { step, parameters, .. } => {
                self.parameters.insert(*step, parameters);
            }
            Event::AttemptEnded { step, result, .. } => {
                let parameters = self.parameters.get(step).copied();
                self.sights.insert(*step, afterwards::sights(&commit.run_id, commit.at, parameters, result));
                self.results.insert(*step, result);
            }
            Event::ConditionFalse { step } => {
                self.ended(tallies, commit, *step, StepOutcome::ConditionFalse, None);
            }
            Event::StepEnded { step, outcome, reason } => {
                self.ended(tallies, commit, *step, *outcome, reason.as_deref());
            }
            Event::RunStarted(_)
            | Event::IncidentRejected { .. }
            | Event::IncidentJoined { .. }
            | Event::ApprovalExpiring { .. }
            | Event::Approved { .. }
            | Event::Rejected { .. }
            | Event::ApprovalRequested { .. }
            | Event::StepApproved { .. }
            | Event::StepRejected { .. }
            | Event::CancelRequested { .. }
            | Event::RunHeld { .. }
            | Event::RunReleased { .. }
            | Event::RunQueued
            | Event::RunAdmitted
            | Event::AttemptHeld { .. }
            | Event::RunWithdrawn { .. }
            | Event::FollowUpDone { .. }
            | Event::AttemptReissued { .. }
            | Event::WaitStarted { .. }
            | Event::RetryScheduled { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn ended(
        &mut self,
        tallies: &mut ByAction,
        commit: &Commit,
        step: StepRef,
        outcome: StepOutcome,
        reason: Option<&str>,
    ) {
        let Some(planned) = self.plan.step(step.step).filter(|planned| planned.is_change()) else { return };
        // Its elements have been counted one by one.
        if step.item.is_none() && self.fanned_out.contains(&step.step) {
            return;
        }
        self.actions.insert(&planned.spec.kind);
        let tally = entry(tallies, self.plan, &planned.spec.kind);
        let result = self.results.get(&step).map(|result| &result.outcome);
        match outcome {
            StepOutcome::Shadowed => {
                tally.would += 1;
                let targets = match result {
                    Some(AttemptOutcome::Shadowed { targets, .. }) => targets.clone(),
                    Some(_) | None => Vec::new(),
                };
                let own = self.sights.get(&step).cloned().unwrap_or_default();
                tally.steps.push(WouldStep {
                    run_id: commit.run_id.clone(),
                    incident_id: self.incident_id.to_owned(),
                    at: commit.at,
                    would: reason.unwrap_or_default().to_owned(),
                    targets,
                    afterwards: Vec::new(),
                    own: own.into_iter().map(Sight::with_something_to_do).collect(),
                });
            }
            StepOutcome::Denied => {
                tally.denied += 1;
                if let Some(AttemptOutcome::Denied { violations }) = result {
                    violations
                        .iter()
                        .for_each(|violation| *tally.rules.entry(violation.rule.clone()).or_default() += 1);
                }
            }
            StepOutcome::CoolingDown => tally.cooling_down += 1,
            StepOutcome::NoOp | StepOutcome::ConditionFalse => tally.not_needed += 1,
            StepOutcome::Succeeded
            | StepOutcome::Skipped
            | StepOutcome::Failed
            | StepOutcome::TimedOut
            | StepOutcome::Unknown => tally.failed += 1,
        }
    }
}
