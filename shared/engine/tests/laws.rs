//! Laws for every playbook and every order of inputs: random plans, random results, duplicates, late and early wake-ups.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;
#[path = "laws/seen.rs"]
mod seen;

use fixture::{PlaybookCase, Run, Started};
use heal_engine::autonomy::RunMode;
use heal_engine::event::{Commit, Event, RunOutcome};
use heal_engine::id::Digest;
use heal_engine::incident::{Alert, Resolution};
use heal_engine::message::{AttemptOutcome, AttemptResult, Hold};
use heal_engine::state::Approver;
use heal_engine::turn::{self, ApprovalAnswer, Input};
use heal_engine::{ApplyError, Command, Map, Timestamp, limit};
use proptest::prelude::*;
use seen::Seen;
use serde_json::{Value, json};

/// Moves after which a run has to have ended; a run that needs more is a livelock.
const MOVES: usize = 4_000;

/// A playbook of up to 8 actions with random edges, retries, fan-outs, conditions and a verification.
fn playbook() -> impl Strategy<Value = Value> {
    let step = (
        any::<[bool; 3]>(),
        prop_oneof![Just("act"), Just("act"), Just("wait")],
        1_u32..4,
        prop_oneof![Just("stop"), Just("continue")],
        prop_oneof![Just("skip"), Just("fail"), Just("retry")],
        prop_oneof![Just("idempotent"), Just("probe"), Just("unknown")],
        prop_oneof![4 => Just(None), 1 => (0_usize..7).prop_map(Some)],
        prop_oneof![3 => Just(Value::Null), 1 => Just(json!(true)), 1 => Just(json!(false)), 1 => Just(json!("{{ flag }}"))],
        prop_oneof![3 => Just(None), 1 => (1_u32..3).prop_map(Some)],
    );
    (prop::collection::vec(step, 1..8), any::<bool>(), 20_u64..200).prop_map(|(steps, verify, timeout_seconds)| {
        let actions: Vec<_> = steps
            .into_iter()
            .enumerate()
            .map(|(index, (edges, kind, max_attempts, on_failure, on_unavailable, safety, items, condition, people))| {
                let reach = edges.iter().enumerate().filter(|(back, edge)| **edge && index > *back);
                let needs: Vec<_> = reach.map(|(back, _)| format!("s{}", index - 1 - back)).collect();
                let mut step = json!({
                    "name": format!("s{index}"), "type": kind, "needs": needs, "max_attempts": max_attempts, "timeout_seconds": 20,
                    "on_failure": on_failure, "on_unavailable": on_unavailable, "safety": safety, "parameters": {"seconds": 3},
                });
                if !condition.is_null() {
                    step["condition"] = condition;
                }
                if let (Some(min), "act") = (people, kind) {
                    step["approval"] = json!({"min": min, "expires_seconds": 60});
                }
                if let (Some(count), "act") = (items, kind) {
                    step["for_each"] = json!((0..count).collect::<Vec<_>>());
                }
                step
            })
            .collect();
        let verify = if verify { json!([{"name": "v", "until": "{{ flag }}", "within_seconds": 20}]) } else { json!([]) };
        json!({"timeout_seconds": timeout_seconds, "actions": actions, "verify": verify})
    })
}

/// One random move: which of the owed commands, the choice of its outcome, the milliseconds that pass, and whether the input is repeated.
type Move = (u32, u8, u64, bool);

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

/// The first one starts every run.
const PEOPLE: [&str; 4] = ["local:ann", "local:bob", "local:dan", "local:eve"];

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

fn walk(playbook: Value, flag: bool, mode: RunMode, moves: &[Move]) -> Result<(), TestCaseError> {
    let case: PlaybookCase = serde_json::from_value(playbook).unwrap();
    let variables: Map = serde_json::from_value(json!({"flag": flag})).unwrap();
    let mut now = Timestamp(1_000_000);
    let by = Some(PEOPLE[0].to_owned());
    let mut run = Run::start_as(
        case.into_plan(),
        variables,
        false,
        Started { mode, requested_by: by, is_full: moves[0].3, ..Started::default() },
        now,
        1,
    );
    run.is_full = false;
    let mut seen = Seen::default();
    let mut last: Option<Input> = None;
    // What was sent before the run was held may be answered while it is.
    let mut sent: Vec<Command> = Vec::new();
    let mut moves = moves.iter().copied().cycle();
    for round in 0..MOVES {
        if run.state.is_ended() {
            break;
        }
        let (pick, choice, wait_ms, again) = moves.next().unwrap();
        now = now.plus_ms(wait_ms);
        let owed = run.owed(now);
        if !owed.is_empty() {
            sent.clone_from(&owed);
        }
        let answerable = if run.state.held.is_some() { &sent } else { &owed };
        let performs: Vec<_> = answerable.iter().filter(|command| matches!(command, Command::Perform { .. })).collect();
        seen.largest_in_flight = seen.largest_in_flight.max(performs.len());
        // An answer that does not count lets no time pass.
        let answer = answer(&run, pick, choice).filter(|_| round % 3 != 0 && (again || performs.is_empty()));
        // In the second half every attempt succeeds, so only a livelock goes on.
        let by = || "local:ann".to_owned();
        let hold = |halt: Option<&str>| Hold {
            by: by(),
            reason: "wait".to_owned(),
            halt: halt.map(ToOwned::to_owned),
            until: None,
        };
        let is_early = round <= MOVES / 2;
        if let Some(held) = &run.state.held {
            prop_assert!(owed.is_empty(), "a held run owes {owed:?}");
            prop_assert!(run.state.stopping.is_some() || run.state.wake_at().is_none(), "time goes on in {held:?}");
        }
        if let Some(queued) = run.state.queued {
            prop_assert!(owed.is_empty(), "a run without room owes {owed:?}");
            prop_assert!(run.state.stopping.is_some() || run.state.wake_at().is_none(), "time goes on from {queued:?}");
        }
        let input = match performs.get(pick as usize % performs.len().max(1)) {
            _ if run.state.queued.is_some()
                && run.state.held.is_none()
                && (!is_early || choice < 250 && choice % 4 == 0) =>
            {
                Input::Admit
            }
            _ if choice == 254 && is_early => Input::Resolved(Box::new(Resolution {
                alert: Alert::Incident { id: run.state.incident_id.clone() },
                reason: "it was resolved".to_owned(),
            })),
            _ if choice == 253 && is_early => Input::Hold(hold(None)),
            _ if choice == 252 && is_early => Input::Hold(hold(Some("halt-1"))),
            _ if run.state.held.is_some() && (choice % 4 == 0 || !is_early) => {
                let halt = run.state.held.as_ref().and_then(|held| held.hold.halt.clone());
                Input::Release { by: by(), reason: "go on".to_owned(), halt }
            }
            // It lets no time pass either.
            _ if choice != 255 && answer.is_some() => answer.unwrap(),
            Some(Command::Perform { step, command, .. }) if choice > 245 && choice < 252 && is_early => {
                run.held(*step, command.attempt, hold(Some("halt-2")), choice % 2 == 0)
            }
            Some(Command::Perform { step, command, .. }) if choice > 240 && choice != 255 && round <= MOVES / 2 => {
                run.late(*step, command.attempt, now)
            }
            Some(Command::Perform { step, command, .. }) if choice != 255 || round > MOVES / 2 => {
                prop_assert_eq!(command.shadow, mode.is_shadow());
                let outcome = if round > MOVES / 2 { AttemptOutcome::Succeeded } else { outcome(choice) };
                let outcome = match outcome {
                    // What a worker answers instead of every effect.
                    AttemptOutcome::Succeeded if command.shadow => {
                        AttemptOutcome::Shadowed { would: "would act".to_owned(), targets: Vec::new() }
                    }
                    outcome => outcome,
                };
                let not_applied = choice % 2 == 0;
                let result = AttemptResult { not_applied, ..AttemptResult::new(outcome) };
                // Of a worker whose clock is off by up to two seconds.
                let taken = Timestamp(command.issued_at.0 + wait_ms / 2).plus_ms(u64::from(choice) * 8);
                run.worked(*step, command.attempt, result, (taken, taken.plus_ms(wait_ms)))
            }
            _ => {
                now = now.plus_ms(1_000);
                Input::Wake
            }
        };
        let is_taken = match run.take(input.clone(), now) {
            Ok(_) => true,
            Err(ApplyError::Stale { .. } | ApplyError::Refused { .. }) => false,
            Err(error) => return Err(TestCaseError::fail(format!("illegal: {error}"))),
        };
        seen.read_new_commits(&run)?;
        if again {
            let before = run.state.clone();
            for input in [
                Some(input.clone()),
                last.take().filter(|last| !matches!(last, Input::Hold(_) | Input::Release { .. })),
            ]
            .into_iter()
            .flatten()
            .filter(|input| !matches!(input, Input::Wake))
            {
                let twice = run.take(input, now);
                let is_dropped = matches!(twice, Err(ApplyError::Stale { .. } | ApplyError::Refused { .. }));
                prop_assert!(is_dropped, "a repeated input gave {twice:?}");
            }
            prop_assert_eq!(&before, &run.state, "a repeated input changed the state");
        }
        // What was dropped may be in order later: after a release, a late answer is.
        last = is_taken.then_some(input);
    }
    prop_assert!(run.state.is_ended(), "the run has not ended after {MOVES} moves");
    prop_assert!(seen.largest_in_flight <= limit::IN_FLIGHT);
    prop_assert!(run.owed(now).is_empty(), "a run that has ended owes something");
    prop_assert!(
        run.take(Input::Wake, now.plus_ms(10_000_000)).unwrap_or_default().is_empty(),
        "a run that has ended went on"
    );
    if mode.is_shadow() {
        let outcome = run.state.outcome();
        prop_assert!(
            !matches!(outcome, Some(RunOutcome::Healed | RunOutcome::Completed | RunOutcome::Degraded)),
            "{outcome:?}"
        );
        prop_assert!(run.state.follow_up.entries().is_empty(), "{:?}", run.state.follow_up);
        let waits = |event: &Event| matches!(event, Event::WaitStarted { .. });
        prop_assert!(!run.commits.iter().flat_map(|commit| &commit.events).any(waits), "a shadow run waited");
    }
    only_follow_ups_are_taken_after_the_end(&mut run, now)?;
    log_is_whole(&run)?;
    every_prefix_folds(&run)
}

/// Each follow-up is reported as done once; anything else comes too late.
fn only_follow_ups_are_taken_after_the_end(run: &mut Run, now: Timestamp) -> Result<(), TestCaseError> {
    let ended = run.state.outcome();
    for entry in run.state.follow_up.entries() {
        let done = Input::FollowUpDone { id: entry.id, by: "ann".to_owned(), note: None };
        prop_assert_eq!(run.take(done.clone(), now).unwrap().len(), 1);
        let twice = run.take(done, now);
        prop_assert!(matches!(twice, Err(ApplyError::Stale { .. })), "done twice gave {twice:?}");
    }
    let cancel = run.take(Input::CancelRequested { by: "ann".to_owned() }, now);
    prop_assert!(matches!(cancel, Err(ApplyError::Stale { .. })), "a cancellation gave {cancel:?}");
    prop_assert_eq!((run.state.follow_up.open(), run.state.outcome()), (0, ended));
    Ok(())
}

/// Sequence numbers have no gap and no duplicate.
fn log_is_whole(run: &Run) -> Result<(), TestCaseError> {
    let mut next = 1;
    for commit in &run.commits {
        prop_assert_eq!(commit.first_seq, next);
        next = commit.last_seq() + 1;
    }
    prop_assert_eq!(run.state.seq + 1, next);
    Ok(())
}

/// Every prefix of the log folds, also after encoding and decoding, and the whole log folds to the state.
fn every_prefix_folds(run: &Run) -> Result<(), TestCaseError> {
    let decoded: Vec<Commit> = serde_json::from_str(&serde_json::to_string(&run.commits).unwrap()).unwrap();
    prop_assert_eq!(&decoded, &run.commits);
    for length in 1..=decoded.len() {
        let state =
            turn::fold(&run.plan, &decoded[..length]).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(state.map(|state| state.seq), Some(decoded[length - 1].last_seq()));
    }
    let folded = turn::fold(&run.plan, &decoded).unwrap();
    prop_assert_eq!(folded.as_ref(), Some(&run.state));
    let reparsed = heal_engine::Plan::parse(&run.plan.digest, run.plan.to_json()).unwrap();
    let folded = turn::fold(&reparsed, &decoded).unwrap();
    prop_assert_eq!(folded.as_ref(), Some(&run.state), "the pinned plan folds differently");
    let report = heal_engine::report::report(Some(&run.plan), &run.state.run_id, &decoded).unwrap();
    prop_assert_eq!(report.outcome, run.state.outcome());
    prop_assert_eq!(report.steps.len(), run.plan.steps().count());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_keeps_its_order_and_is_the_fold_of_its_log(
        playbook in playbook(),
        flag in any::<bool>(),
        moves in prop::collection::vec((any::<u32>(), any::<u8>(), 0_u64..4_000, any::<bool>()), 1..60),
    ) {
        walk(playbook, flag, RunMode::Live, &moves)?;
    }

    #[test]
    fn a_shadow_run_ends_too_waits_for_nothing_and_leaves_nothing_to_do(
        playbook in playbook(),
        flag in any::<bool>(),
        moves in prop::collection::vec((any::<u32>(), any::<u8>(), 0_u64..4_000, any::<bool>()), 1..60),
    ) {
        walk(playbook, flag, RunMode::Shadow, &moves)?;
    }
}
