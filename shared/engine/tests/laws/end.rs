//! What holds of a run that has ended.

use heal_engine::autonomy::RunMode;
use heal_engine::event::{Commit, Event, RunOutcome};
use heal_engine::turn::{self, Input};
use heal_engine::{ApplyError, Timestamp};
use proptest::prelude::*;

use crate::fixture::Run;

/// It owes nothing, and time changes nothing any more.
pub fn it_stays_ended(run: &mut Run, now: Timestamp) -> Result<(), TestCaseError> {
    prop_assert!(run.owed(now).is_empty(), "a run that has ended owes something");
    let later = run.take(Input::Wake, now.plus_ms(10_000_000)).unwrap_or_default();
    prop_assert!(later.is_empty(), "a run that has ended went on");
    Ok(())
}

/// A shadow run heals nothing, leaves nothing to do, and waits for nothing.
pub fn a_shadow_leaves_nothing(run: &Run, mode: RunMode) -> Result<(), TestCaseError> {
    if !mode.is_shadow() {
        return Ok(());
    }
    let outcome = run.state.outcome();
    let has_healed = matches!(outcome, Some(RunOutcome::Healed | RunOutcome::Completed | RunOutcome::Degraded));
    prop_assert!(!has_healed, "{outcome:?}");
    prop_assert!(run.state.follow_up.entries().is_empty(), "{:?}", run.state.follow_up);
    let waits = |event: &Event| matches!(event, Event::WaitStarted { .. });
    prop_assert!(!run.commits.iter().flat_map(|commit| &commit.events).any(waits), "a shadow run waited");
    Ok(())
}

/// Each follow-up is reported as done once; anything else comes too late.
pub fn only_follow_ups_are_taken_after_the_end(run: &mut Run, now: Timestamp) -> Result<(), TestCaseError> {
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
pub fn log_is_whole(run: &Run) -> Result<(), TestCaseError> {
    let mut next = 1;
    for commit in &run.commits {
        prop_assert_eq!(commit.first_seq, next);
        next = commit.last_seq() + 1;
    }
    prop_assert_eq!(run.state.seq + 1, next);
    Ok(())
}

/// Every prefix of the log folds, also after encoding and decoding, and the whole log folds to the state.
pub fn every_prefix_folds(run: &Run) -> Result<(), TestCaseError> {
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
