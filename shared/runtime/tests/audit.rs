//! The head of a day: which runs are in it, and what is read for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use heal_engine::Event;
use heal_runtime::audit::Day;
use heal_runtime::port::{NewRun, RunHead, RunLog as _, Subject};
use heal_runtime::{Commit, RunId, RunOutcome, RunStatus, Timestamp};
use heal_testkit::memory::{Faults, Runs};

const HOUR_MS: u64 = 3_600_000;
/// 2026-11-28.
const FIRST: Timestamp = Timestamp(1_795_824_000_000);

/// A run that started and ended so many hours after the first moment of the day.
async fn ended(runs: &Runs, run_id: &str, (start, end): (i64, i64)) {
    let at = |hours: i64| Timestamp(FIRST.0.checked_add_signed(hours * i64::try_from(HOUR_MS).unwrap()).unwrap());
    let event = Event::RunEnded { outcome: RunOutcome::Healed, reason: None };
    let run_id = RunId::new(run_id);
    let commit = Commit {
        run_id: run_id.clone(),
        first_seq: 1,
        cause_id: "test".to_owned(),
        at: at(end),
        events: vec![event],
        chain: None,
    }
    .chained(None);
    let head = RunHead {
        run_id: run_id.clone(),
        incident_id: run_id.to_string(),
        playbook: None,
        status: RunStatus::Completed,
        outcome: Some(RunOutcome::Healed),
        started_at: at(start),
        updated_at: at(end),
        wake_at: None,
        last_seq: 1,
        reason: None,
        subject: Subject::default(),
        open_follow_ups: 0,
        held_by: None,
    };
    let (dedupe_key, dedupe_until) = (run_id.to_string(), at(1_000));
    let new = NewRun { commit, head, dedupe_key, dedupe_until, concurrency_key: None, repeat: None, room: None };
    runs.create(&new).await.unwrap();
}

#[tokio::test]
async fn a_head_has_the_runs_that_ended_on_its_day_and_reads_no_log_of_a_later_one() {
    let faults = Faults::default();
    let runs = Runs::new(faults.clone());
    for (run_id, hours) in [
        ("before", (-30, -1)),
        ("over-midnight", (-1, 1)),
        ("within", (3, 4)),
        ("into-the-next-day", (23, 25)),
        ("long", (-24 * 30, 23)),
    ] {
        ended(&runs, run_id, hours).await;
    }
    // More than are listed at once.
    for number in 0..450 {
        ended(&runs, &format!("later-{number}"), (24, 25)).await;
    }
    let logs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&logs);
    faults.decide_by(move |call| {
        counted.fetch_add(usize::from(call == "runs.stored"), Ordering::Relaxed);
        None
    });
    let day: Day = "2026-11-28".parse().unwrap();
    let mut ends: Vec<_> = day.ends(&runs).await.unwrap().into_iter().map(|end| end.run_id.to_string()).collect();
    ends.sort();
    assert_eq!(ends, ["long", "over-midnight", "within"]);
    assert_eq!(
        logs.load(Ordering::Relaxed),
        4,
        "those that had ended when the day began, or have not begun by its end, are not read"
    );
    let next: Day = "2026-11-29".parse().unwrap();
    assert_eq!(next.ends(&runs).await.unwrap().len(), 451);
}
