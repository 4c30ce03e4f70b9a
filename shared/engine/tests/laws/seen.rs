//! What a walk has shown so far, held against the laws.

use std::collections::{BTreeMap, BTreeSet};

use heal_engine::StepRef;
use heal_engine::event::Event;
use heal_engine::id::Digest;
use proptest::prelude::*;

use super::fixture::Run;
use crate::walk::PEOPLE;

/// What the laws need to know of a walk.
#[derive(Default)]
pub struct Seen {
    authorised: BTreeSet<(StepRef, u32)>,
    ended: BTreeMap<u32, bool>,
    pub largest_in_flight: usize,
    withdrawn: bool,
    held: bool,
    queued: bool,
    commits: usize,
    /// What is asked about each step now, and who has approved exactly that.
    asked: BTreeMap<StepRef, (Digest, BTreeSet<String>)>,
}

impl Seen {
    /// Reads the commits that are new since the last call.
    pub fn read_new_commits(&mut self, run: &Run) -> Result<(), TestCaseError> {
        for commit in &run.commits[self.commits..] {
            for event in &commit.events {
                self.event(run, event)?;
            }
        }
        self.commits = run.commits.len();
        Ok(())
    }

    fn event(&mut self, run: &Run, event: &Event) -> Result<(), TestCaseError> {
        self.withdrawn |= matches!(event, Event::RunWithdrawn { .. });
        if let Event::AttemptStarted { step, attempt, .. } = event {
            prop_assert!(!self.held, "a held run started {step}#{attempt}");
            prop_assert!(!self.queued, "a run without room started {step}#{attempt}");
            prop_assert!(self.authorised.insert((*step, *attempt)), "attempt {step}#{attempt} was authorised twice");
            let planned = run.plan.step(step.step).unwrap();
            prop_assert!(!(self.withdrawn && planned.is_change()), "a withdrawn run started the change {step}");
            for need in &planned.needs {
                prop_assert_eq!(self.ended.get(need), Some(&true), "step {} started before its need {}", step, need);
            }
        }
        self.approvals(run, event)?;
        match event {
            Event::RunHeld { .. } => self.held = true,
            Event::RunReleased { .. } => self.held = false,
            Event::RunQueued => {
                prop_assert!(self.authorised.is_empty(), "a run that had started waits for room");
                self.queued = true;
            }
            Event::RunAdmitted => {
                prop_assert!(self.queued && !self.held, "a run was admitted that did not wait for room alone");
                self.queued = false;
            }
            _ => {}
        }
        if let Event::StepEnded { step, outcome, .. } = event
            && step.item.is_none()
        {
            let may_fail =
                run.plan.step(step.step).unwrap().spec.on_failure == heal_engine::playbook::OnFailure::Continue;
            self.ended.insert(step.step, outcome.is_ok() || may_fail);
        }
        if let Event::ConditionFalse { step } = event
            && step.item.is_none()
        {
            self.ended.insert(step.step, true);
        }
        Ok(())
    }

    /// An approval counts for exactly what it was given for, once a person, and never from whoever started the run.
    fn approvals(&mut self, run: &Run, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::ApprovalRequested { step, digest, .. } => {
                self.asked.insert(*step, (digest.clone(), BTreeSet::new()));
            }
            Event::StepApproved { step, digest, by, .. } => {
                let (asked, given) = self.asked.get_mut(step).unwrap();
                prop_assert_eq!(&*asked, digest);
                prop_assert!(by != PEOPLE[0], "the requester approved {}", step);
                prop_assert!(given.insert(by.clone()), "{} approved {} twice", by, step);
            }
            Event::AttemptStarted { step, parameters_digest, .. } => {
                let asks = run.plan.step(step.step).unwrap().spec.approval.as_ref();
                // Nobody is asked about what is not done.
                let needed = asks.filter(|_| !run.state.mode.is_shadow()).map_or(0, |asks| asks.min);
                let given = self.asked.get(step).filter(|(digest, _)| digest == parameters_digest);
                let given = given.map_or(0, |(_, given)| given.len());
                prop_assert!(given >= needed as usize, "{} started with {} of {} approvals", step, given, needed);
            }
            _ => {}
        }
        Ok(())
    }
}
