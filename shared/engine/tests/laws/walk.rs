//! One run under random inputs: its commands are answered in any order, late, twice or not at all, and it is held and released in between.

use heal_engine::Command;
use heal_engine::autonomy::RunMode;
use heal_engine::id::Digest;
use heal_engine::incident::{Alert, Resolution};
use heal_engine::message::{AttemptOutcome, AttemptResult, Hold};
use heal_engine::state::Approver;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_engine::{ApplyError, Map, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::MOVES;
use crate::fixture::{PlaybookCase, Run, Started};
use crate::seen::Seen;

/// One random move: which of the owed commands, the choice of its outcome, the milliseconds that pass, and whether the input is repeated.
pub type Move = (u32, u8, u64, bool);

/// The first one starts every run.
pub const PEOPLE: [&str; 4] = ["local:ann", "local:bob", "local:dan", "local:eve"];

pub struct Walk {
    pub run: Run,
    pub now: Timestamp,
    mode: RunMode,
    seen: Seen,
    last: Option<Input>,
    /// What was sent before the run was held may be answered while it is.
    sent: Vec<Command>,
}

impl Walk {
    pub fn start(playbook: Value, flag: bool, mode: RunMode, is_full: bool) -> Self {
        let case: PlaybookCase = serde_json::from_value(playbook).unwrap();
        let variables: Map = serde_json::from_value(json!({"flag": flag})).unwrap();
        let now = Timestamp(1_000_000);
        let started = Started { mode, requested_by: Some(PEOPLE[0].to_owned()), is_full, ..Started::default() };
        let mut run = Run::start_as(case.into_plan(), variables, false, started, now, 1);
        run.is_full = false;
        Self { run, now, mode, seen: Seen::default(), last: None, sent: Vec::new() }
    }

    /// Makes one move, and holds the laws of a run that goes on.
    pub fn go(&mut self, round: usize, one: Move) -> Result<(), TestCaseError> {
        self.now = self.now.plus_ms(one.2);
        let owed = self.run.owed(self.now);
        self.nothing_is_owed_while_it_stands_still(&owed)?;
        if !owed.is_empty() {
            self.sent.clone_from(&owed);
        }
        let answerable = if self.run.state.held.is_some() { self.sent.clone() } else { owed };
        let performs: Vec<_> =
            answerable.into_iter().filter(|command| matches!(command, Command::Perform { .. })).collect();
        self.seen.largest_in_flight = self.seen.largest_in_flight.max(performs.len());
        let input = self.input(round, one, &performs)?;
        let is_taken = match self.run.take(input.clone(), self.now) {
            Ok(_) => true,
            Err(ApplyError::Stale { .. } | ApplyError::Refused { .. }) => false,
            Err(error) => return Err(TestCaseError::fail(format!("illegal: {error}"))),
        };
        self.seen.read_new_commits(&self.run)?;
        if one.3 {
            self.again(&input)?;
        }
        // What was dropped may be in order later: after a release, a late answer is.
        self.last = is_taken.then_some(input);
        Ok(())
    }

    pub fn largest_in_flight(&self) -> usize {
        self.seen.largest_in_flight
    }

    fn nothing_is_owed_while_it_stands_still(&self, owed: &[Command]) -> Result<(), TestCaseError> {
        let state = &self.run.state;
        if let Some(held) = &state.held {
            prop_assert!(owed.is_empty(), "a held run owes {owed:?}");
            prop_assert!(state.stopping.is_some() || state.wake_at().is_none(), "time goes on in {held:?}");
        }
        if let Some(queued) = state.queued {
            prop_assert!(owed.is_empty(), "a run without room owes {owed:?}");
            prop_assert!(state.stopping.is_some() || state.wake_at().is_none(), "time goes on from {queued:?}");
        }
        Ok(())
    }

    /// What arrives with this move. In the second half every attempt succeeds, so only a livelock goes on.
    fn input(&mut self, round: usize, one: Move, performs: &[Command]) -> Result<Input, TestCaseError> {
        let (pick, choice, _, again) = one;
        let is_early = round <= MOVES / 2;
        if let Some(input) = self.of_people(choice, is_early) {
            return Ok(input);
        }
        // An answer that does not count lets no time pass.
        let answer =
            answer(&self.run, pick, choice).filter(|_| !round.is_multiple_of(3) && (again || performs.is_empty()));
        if let Some(answer) = answer.filter(|_| choice != 255) {
            return Ok(answer);
        }
        if let Some(Command::Perform { step, command, .. }) = performs.get(pick as usize % performs.len().max(1)) {
            let attempt = command.attempt;
            match choice {
                246..252 if is_early => {
                    return Ok(self.run.held(*step, attempt, hold(Some("halt-2")), choice.is_multiple_of(2)));
                }
                241..255 if is_early => return Ok(self.run.late(*step, attempt, self.now)),
                255 if is_early => {}
                _ => {
                    prop_assert_eq!(command.shadow, self.mode.is_shadow());
                    let result = result(choice, is_early, command.shadow);
                    // Of a worker whose clock is off by up to two seconds.
                    let taken = Timestamp(command.issued_at.0 + one.2 / 2).plus_ms(u64::from(choice) * 8);
                    return Ok(self.run.worked(*step, attempt, result, (taken, taken.plus_ms(one.2))));
                }
            }
        }
        self.now = self.now.plus_ms(1_000);
        Ok(Input::Wake)
    }

    /// Room, holds, releases, and the word that the incident is over.
    fn of_people(&self, choice: u8, is_early: bool) -> Option<Input> {
        let state = &self.run.state;
        if state.queued.is_some() && state.held.is_none() && (!is_early || choice < 250 && choice.is_multiple_of(4)) {
            return Some(Input::Admit);
        }
        match choice {
            254 if is_early => Some(Input::Resolved(Box::new(Resolution {
                alert: Alert::Incident { id: state.incident_id.clone() },
                reason: "it was resolved".to_owned(),
            }))),
            253 if is_early => Some(Input::Hold(hold(None))),
            252 if is_early => Some(Input::Hold(hold(Some("halt-1")))),
            _ if choice.is_multiple_of(4) || !is_early => {
                let halt = state.held.as_ref()?.hold.halt.clone();
                Some(Input::Release { by: PEOPLE[0].to_owned(), reason: "go on".to_owned(), halt })
            }
            _ => None,
        }
    }

    /// A repeated input, and the one before it, change nothing.
    fn again(&mut self, input: &Input) -> Result<(), TestCaseError> {
        let before = self.run.state.clone();
        let may_come_again = |last: &Input| !matches!(last, Input::Hold(_) | Input::Release { .. });
        let inputs = [Some(input.clone()), self.last.take().filter(may_come_again)];
        for input in inputs.into_iter().flatten().filter(|input| !matches!(input, Input::Wake)) {
            let twice = self.run.take(input, self.now);
            let is_dropped = matches!(twice, Err(ApplyError::Stale { .. } | ApplyError::Refused { .. }));
            prop_assert!(is_dropped, "a repeated input gave {twice:?}");
        }
        prop_assert_eq!(&before, &self.run.state, "a repeated input changed the state");
        Ok(())
    }
}

fn hold(halt: Option<&str>) -> Hold {
    Hold { by: PEOPLE[0].to_owned(), reason: "wait".to_owned(), halt: halt.map(ToOwned::to_owned), until: None }
}

/// What a worker answers; in a shadow instead of every effect.
fn result(choice: u8, is_early: bool, shadow: bool) -> AttemptResult {
    let outcome = match if is_early { outcome(choice) } else { AttemptOutcome::Succeeded } {
        AttemptOutcome::Succeeded if shadow => {
            AttemptOutcome::Shadowed { would: "would act".to_owned(), targets: Vec::new() }
        }
        outcome => outcome,
    };
    AttemptResult { not_applied: choice.is_multiple_of(2), ..AttemptResult::new(outcome) }
}

fn outcome(choice: u8) -> AttemptOutcome {
    let message = "m".to_owned();
    match choice % 12 {
        0..=4 => AttemptOutcome::Succeeded,
        5 => AttemptOutcome::NoOp { reason: message },
        6 => AttemptOutcome::Denied { violations: Vec::new() },
        7 => AttemptOutcome::Unavailable { service: "s".to_owned(), message, retry_after_ms: Some(100) },
        8 => AttemptOutcome::Failed { code: "c".to_owned(), message, retryable: true },
        9 => AttemptOutcome::Failed { code: "c".to_owned(), message, retryable: false },
        10 => AttemptOutcome::TimedOut { message },
        _ => AttemptOutcome::Unknown { message },
    }
}

/// An answer to one of the open questions: by anybody, sometimes for something else, sometimes a rejection.
fn answer(run: &Run, pick: u32, choice: u8) -> Option<Input> {
    let open = run.state.open_approvals(&run.plan);
    let asked = open.get(pick as usize % open.len().max(1))?.clone();
    let digest = if choice.is_multiple_of(7) { Digest::of(b"something else") } else { asked.digest };
    let by = Approver::new(PEOPLE[(pick / 8) as usize % PEOPLE.len()]);
    let rejection = (choice.is_multiple_of(11)).then(|| "no".to_owned());
    let (step, item, digest) = (asked.step, asked.item, Some(digest));
    Some(Input::Approval(Box::new(ApprovalAnswer { step, item, digest, by, rejection })))
}
