//! Room among the live runs: runs over a bound wait as `PENDING`, and are admitted in order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

#[path = "rooms/rig.rs"]
mod rig;

use std::sync::Arc;

use heal_engine::event::RunOutcome;
use heal_engine::message::Hold;
use heal_engine::state::Approver;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_guard::{Admission, Guardrails, Halt, HaltScope, LiveBounds};
use heal_runtime::dispatcher::{self, Dispatcher, IntakeOutcome};
use heal_runtime::halts::HaltCache;
use heal_runtime::library::Library;
use heal_runtime::port::{Clock as _, OsEntropy, QueueName, Receiver as _, RunFilter, RunHead, RunReader as _};
use heal_runtime::{RunId, RunStatus, Timestamp};
use heal_testkit::memory::{Faults, ManualClock, Queues, Runs, Switches, When};
use serde_json::{Value, json};

use rig::*;

#[tokio::test]
async fn a_run_over_the_bound_waits_and_the_most_severe_then_the_oldest_goes_on() {
    let rig = Rig::new();
    let first = rig.start("RESTART", "1", "LOW").await;
    let second = rig.start("RESTART", "2", "LOW").await;
    let low = rig.start("RESTART", "3", "LOW").await;
    let older = rig.start("RESTART", "4", "HIGH").await;
    let younger = rig.start("RESTART", "5", "HIGH").await;
    let head = rig.head(&low).await;
    assert_eq!((head.status, head.wake_at, head.last_seq), (RunStatus::Pending, None, 2));
    assert_eq!(rig.cancel(&first).await, RunStatus::Cancelled);
    assert_eq!((rig.status(&older).await, rig.status(&younger).await), (RunStatus::Running, RunStatus::Pending));
    rig.cancel(&second).await;
    assert_eq!((rig.status(&younger).await, rig.status(&low).await), (RunStatus::Running, RunStatus::Pending));
    rig.cancel(&older).await;
    assert_eq!(rig.status(&low).await, RunStatus::Running);
}

#[tokio::test]
async fn a_service_admits_no_more_runs_than_its_bound_whatever_their_playbooks() {
    let rig = Rig::new();
    let mut runs = Vec::new();
    for (kind, id) in [("RESTART", "1"), ("RESTART", "2"), ("REPLAN", "3"), ("REPLAN", "4")] {
        runs.push(rig.start(kind, id, "LOW").await);
    }
    assert_eq!(rig.status(&runs[3]).await, RunStatus::Pending, "three runs change something at the service");
    rig.cancel(&runs[0]).await;
    assert_eq!(rig.status(&runs[3]).await, RunStatus::Running);
}

#[tokio::test]
async fn a_message_that_comes_again_finds_the_run_that_waits() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    rig.start("RESTART", "1", "LOW").await;
    let waiting = rig.start("RESTART", "2", "LOW").await;
    let again = rig.send(json!({"incident_id": "2", "incident_type": "RESTART"})).await;
    assert_eq!(again, IntakeOutcome::Known { run_id: waiting.clone() });
    let joins = rig.send(json!({"incident_id": "3", "incident_type": "RESTART", "key": "2"})).await;
    assert_eq!(joins, IntakeOutcome::Joined { run_id: waiting.clone() });
    assert_eq!((rig.status(&waiting).await, rig.heads().await.len()), (RunStatus::Pending, 2));
}

#[tokio::test]
async fn an_incident_that_joined_a_run_starts_none_when_it_comes_again() {
    let rig = Rig::with(LiveBounds::default());
    let run_id = rig.start("RESTART", "1", "LOW").await;
    let other = json!({"incident_id": "2", "incident_type": "RESTART", "key": "1"});
    assert_eq!(rig.send(other.clone()).await, IntakeOutcome::Joined { run_id: run_id.clone() });
    assert_eq!(rig.send(other.clone()).await, IntakeOutcome::Known { run_id: run_id.clone() });
    rig.cancel(&run_id).await;
    assert_eq!(rig.send(other).await, IntakeOutcome::Known { run_id });
    assert_eq!(rig.heads().await.len(), 1);
}

#[tokio::test]
async fn a_waiting_run_that_is_cancelled_or_whose_alert_is_over_has_done_nothing() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    let first = rig.start("ACT", "1", "LOW").await;
    let cancelled = rig.start("ACT", "2", "LOW").await;
    let resolved = rig.start("ACT", "3", "LOW").await;
    assert_eq!(rig.cancel(&cancelled).await, RunStatus::Cancelled);
    rig.send(json!({"incident_id": "3", "incident_type": "ACT", "status": "RESOLVED"})).await;
    for run_id in [&cancelled, &resolved] {
        let head = rig.head(run_id).await;
        assert_eq!((head.outcome, head.open_follow_ups), (Some(RunOutcome::Cancelled), 0), "{head:?}");
    }
    assert_eq!((rig.commands().await, rig.status(&first).await), (1, RunStatus::Running));
}

#[tokio::test]
async fn the_sweep_admits_whom_a_lost_call_forgot() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    let first = rig.start("RESTART", "1", "LOW").await;
    let waiting = rig.start("RESTART", "2", "LOW").await;
    rig.faults.decide_by(|call| (call == "runs.occupancy").then_some(When::Before));
    assert_eq!(rig.cancel(&first).await, RunStatus::Cancelled);
    assert_eq!(rig.status(&waiting).await, RunStatus::Pending);
    rig.faults.clear();
    rig.sweep().await;
    assert_eq!(rig.status(&waiting).await, RunStatus::Running);
}

/// Whoever ends a run looks for the next ones, and many do so at once.
#[tokio::test]
async fn who_is_slower_to_admit_a_run_sends_nothing() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    let run_id = rig.start("ACT", "1", "LOW").await;
    for _ in 0..3 {
        assert_eq!(rig.take(&run_id, Input::Admit).await, RunStatus::Running);
    }
    assert_eq!(rig.commands().await, 1);
}

/// A write whose answer is lost is tried again, and finds itself there: nobody else sends what follows from it.
#[tokio::test]
async fn who_does_not_hear_that_its_admission_was_written_sends_what_the_run_owes() {
    let rig = Rig::with(LiveBounds { per_service: 2, ..LiveBounds::default() });
    let first = rig.start("RESTART", "1", "LOW").await;
    let second = rig.start("RESTART", "2", "LOW").await;
    let waiting = rig.start("ACT", "3", "LOW").await;
    // As it was before the write.
    let again = rig.another();
    again.take(&waiting, "test:look", &[Input::Wake]).await.unwrap();
    rig.faults.decide_by(|call| (call == "runs.occupancy").then_some(When::Before));
    rig.cancel(&first).await;
    rig.cancel(&second).await;
    rig.faults.clear();
    for (dispatcher, commands) in [(&rig.dispatcher, 1), (&again, 2)] {
        let turn = dispatcher.take(&waiting, "admit:1", &[Input::Admit]).await.unwrap();
        assert_eq!((turn.status, rig.commands().await), (RunStatus::Running, commands));
    }
}

/// On AWS the schedule sends a wake-up to one run that waits.
#[tokio::test]
async fn a_wake_up_of_a_run_that_waits_admits_whom_it_can() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    let first = rig.start("RESTART", "1", "LOW").await;
    let waiting = rig.start("RESTART", "2", "LOW").await;
    let severe = rig.start("RESTART", "3", "HIGH").await;
    rig.faults.decide_by(|call| (call == "runs.occupancy").then_some(When::Before));
    rig.cancel(&first).await;
    rig.faults.clear();
    assert_eq!(rig.take(&waiting, Input::Wake).await, RunStatus::Pending);
    assert_eq!((rig.status(&severe).await, rig.status(&waiting).await), (RunStatus::Running, RunStatus::Pending));
}

#[tokio::test]
async fn a_run_that_a_person_holds_is_passed_over_until_it_is_released() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    let first = rig.start("RESTART", "1", "LOW").await;
    let held = rig.start("RESTART", "2", "CRITICAL").await;
    let other = rig.start("RESTART", "3", "LOW").await;
    let hold = Hold { by: "local:ann".to_owned(), reason: "let me look".to_owned(), halt: None, until: None };
    assert_eq!(rig.take(&held, Input::Hold(hold)).await, RunStatus::Pending);
    rig.cancel(&first).await;
    assert_eq!((rig.status(&held).await, rig.status(&other).await), (RunStatus::Pending, RunStatus::Running));
    let release = || Input::Release { by: "local:ann".to_owned(), reason: "fine".to_owned(), halt: None };
    rig.take(&held, release()).await;
    assert_eq!(rig.status(&held).await, RunStatus::Pending, "the room is taken");
    rig.cancel(&other).await;
    assert_eq!(rig.status(&held).await, RunStatus::Running);
}

#[tokio::test]
async fn a_halt_admits_nobody_and_writes_nothing_into_the_runs_that_wait() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    let first = rig.start("RESTART", "1", "LOW").await;
    let waiting = rig.start("RESTART", "2", "LOW").await;
    let id = rig.halt(HaltScope::All).await;
    rig.cancel(&first).await;
    rig.sweep().await;
    let head = rig.head(&waiting).await;
    assert_eq!((head.status, head.held_by, head.last_seq), (RunStatus::Pending, None, 2));
    rig.dispatcher.resume(&id, "local:ann").await.unwrap();
    rig.sweep().await;
    assert_eq!(rig.status(&waiting).await, RunStatus::Running);
}

#[tokio::test]
async fn a_run_that_awaits_approval_takes_no_room_and_waits_for_it_afterwards() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    let asking = json!({"incident_id": "1", "incident_type": "RESTART", "auto_remediation_enabled": false});
    let IntakeOutcome::Started { run_id: asking, status } = rig.send(asking).await else { panic!("no run") };
    assert_eq!(status, RunStatus::AwaitingApproval);
    let first = rig.start("RESTART", "2", "LOW").await;
    assert_eq!(rig.status(&first).await, RunStatus::Running, "an unanswered question keeps nobody waiting");
    let answer = ApprovalAnswer::of_run(Approver::new("local:ann"));
    assert_eq!(rig.take(&asking, Input::Approval(Box::new(answer))).await, RunStatus::Pending);
    rig.cancel(&first).await;
    assert_eq!(rig.status(&asking).await, RunStatus::Running);
}

#[tokio::test]
async fn a_run_that_ends_at_once_needs_no_room() {
    let rig = Rig::with(LiveBounds { per_playbook: 1, ..LiveBounds::default() });
    rig.start("ACT", "1", "LOW").await;
    let idle = json!({"incident_id": "2", "incident_type": "ACT", "acts": false});
    let outcome = rig.send(idle).await;
    assert!(matches!(outcome, IntakeOutcome::Started { status: RunStatus::Completed, .. }), "{outcome:?}");
}

#[tokio::test]
async fn no_run_of_a_storm_is_late_and_the_bounds_hold_throughout() {
    const RUNS: usize = 400;
    let rig = Rig::with(LiveBounds { per_playbook: 20, per_service: 30, ..LiveBounds::default() });
    for number in 0..RUNS {
        let (kind, severity) = (["RESTART", "REPLAN"][number % 2], ["LOW", "HIGH", "CRITICAL"][number % 3]);
        rig.start(kind, &format!("{number}"), severity).await;
    }
    for _ in 0..1_000 {
        let heads = rig.heads().await;
        let of = |playbook: &str| {
            let running =
                |head: &&RunHead| head.status == RunStatus::Running && head.playbook.as_deref() == Some(playbook);
            heads.iter().filter(running).count()
        };
        assert!(of("restart") <= 20 && of("replan") <= 20 && of("restart") + of("replan") <= 30);
        if heads.iter().all(|head| head.status.is_terminal()) {
            break;
        }
        rig.clock.advance_ms(1_000);
        rig.sweep().await;
    }
    let heads = rig.heads().await;
    assert_eq!(heads.len(), RUNS);
    let late: Vec<_> = heads.iter().filter(|head| head.outcome != Some(RunOutcome::Completed)).collect();
    assert!(late.is_empty(), "{} of {RUNS} runs, such as {:?}", late.len(), late[0]);
    let last = heads.iter().map(|head| head.updated_at).max().unwrap_or(Timestamp(0));
    assert!(last.since_ms(ManualClock::START) > 60_000, "they waited for longer than their timeout");
}

#[tokio::test]
async fn a_run_is_held_before_it_sends_what_is_halted() {
    let target = |name: &str| HaltScope::Target { name: name.to_owned() };
    let (action, service) = ("act".to_owned(), "world".to_owned());
    let scopes = [HaltScope::Action { name: action }, HaltScope::Service { name: service }, target("ticket-1")];
    for (number, scope) in scopes.into_iter().enumerate() {
        let rig = Rig::new();
        let id = rig.halt(scope.clone()).await;
        let incident = json!({"incident_id": format!("{number}"), "incident_type": "ACT", "ticket_id": "ticket-1"});
        let IntakeOutcome::Started { run_id, .. } = rig.send(incident).await else { panic!("no run") };
        assert_eq!((rig.head(&run_id).await.held_by.as_deref(), rig.commands().await), (Some("halt-1"), 0), "{scope}");
        rig.dispatcher.resume(&id, "local:ann").await.unwrap();
        rig.clock.advance_ms(5_000);
        rig.sweep().await;
        assert_eq!((rig.head(&run_id).await.held_by, rig.commands().await), (None, 1), "{scope}");
    }
}

#[tokio::test]
async fn a_halt_of_something_else_holds_nothing() {
    for scope in [
        HaltScope::Action { name: "other".to_owned() },
        HaltScope::Service { name: "moon".to_owned() },
        HaltScope::Target { name: "ticket-2".to_owned() },
    ] {
        let rig = Rig::new();
        rig.halt(scope.clone()).await;
        rig.send(json!({"incident_id": "1", "incident_type": "ACT", "ticket_id": "ticket-1"})).await;
        assert_eq!(rig.commands().await, 1, "{scope}");
    }
}
