use heal_engine::event::{RunOutcome, RunStarted};
use heal_engine::id::{Digest, Token};
use heal_engine::message::AttemptOutcome;
use heal_engine::{Map, RunId};
use serde_json::json;

use super::*;

const PLAYBOOK: &str = "
actions:
  - {type: restart_workflow, name: first, parameters: {workflow_id: w}}
  - {type: reallocate_ticket, name: many, for_each: \"{{ affected_tickets }}\", parameters: {ticket_id: \"{{ item }}\", reason: r}}
  - {type: wait, name: last, parameters: {seconds: 90}}
";

fn timeline() -> Timeline {
    let reading = heal_language::playbook::read("p", PLAYBOOK, &crate::actions::catalog());
    let playbook = reading.playbook.unwrap_or_else(|| panic!("{:#?}", reading.diagnostics));
    Timeline::new(Some(Arc::new(Plan::compile(playbook).unwrap())))
}

/// The lines of one event at `at` milliseconds, without colours.
fn lines_of(timeline: &mut Timeline, at: u64, event: Event) -> Vec<String> {
    let commit = Commit {
        run_id: RunId::new("run-1"),
        first_seq: 1,
        cause_id: String::new(),
        at: Timestamp(at),
        events: vec![event],
        chain: None,
    };
    timeline.take(&commit).iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
}

fn started(step: StepRef, attempt: u32) -> Event {
    Event::AttemptStarted {
        step,
        attempt,
        token: Token::new("t"),
        parameters: Map::new(),
        parameters_digest: Digest::new("d"),
        deadline: Timestamp(90_000),
        timeout_ms: None,
    }
}

fn ended(step: StepRef, outcome: StepOutcome, reason: Option<&str>) -> Event {
    Event::StepEnded { step, outcome, reason: reason.map(ToOwned::to_owned) }
}

#[test]
fn a_step_is_one_line_with_state_duration_attempt_and_reason() {
    let mut timeline = timeline();
    let first = StepRef::whole(0);
    assert!(lines_of(&mut timeline, 1_000, started(first, 1)).is_empty());
    assert_eq!(timeline.in_progress(Timestamp(1_500)).unwrap(), "first attempt 1 for 500 ms");
    let retry =
        |attempt| Event::RetryScheduled { step: first, attempt, due_at: Timestamp(4_000), reason: "busy".to_owned() };
    assert_eq!(lines_of(&mut timeline, 2_000, retry(2)), ["  ↻ first  attempt 2 in 2.00 s: busy"]);
    assert_eq!(timeline.in_progress(Timestamp(2_100)).unwrap(), "first attempt 2 in 2 s");
    lines_of(&mut timeline, 4_000, started(first, 2));
    assert!(lines_of(&mut timeline, 4_000, retry(3)).is_empty(), "a repeated reason is not printed again");
    let line = lines_of(&mut timeline, 5_250, ended(first, StepOutcome::NoOp, Some("is RUNNING\n")));
    assert_eq!(line, ["  ○ first  no_op                4.25 s  attempt 2    is RUNNING\\n"]);
    assert_eq!(timeline.in_progress(Timestamp(6_000)), None);
}

#[test]
fn a_step_that_fans_out_is_one_line_with_counts() {
    let mut timeline = timeline();
    let items = (0..3).map(|item| json!(item)).collect();
    assert!(lines_of(&mut timeline, 0, Event::FannedOut { step: 1, items }).is_empty());
    for item in 0..3 {
        assert!(lines_of(&mut timeline, 0, started(StepRef::item(1, item), 1)).is_empty());
    }
    for (item, outcome) in [(0, StepOutcome::Succeeded), (1, StepOutcome::Denied)] {
        assert!(lines_of(&mut timeline, 10, ended(StepRef::item(1, item), outcome, Some("x"))).is_empty());
    }
    assert_eq!(timeline.in_progress(Timestamp(10)).unwrap(), "many 2/3");
    lines_of(&mut timeline, 10, ended(StepRef::item(1, 2), StepOutcome::Succeeded, None));
    let line = lines_of(&mut timeline, 20, ended(StepRef::whole(1), StepOutcome::Succeeded, None));
    assert_eq!(line, ["  ✓ many   succeeded             20 ms  3 attempts   3 items: 1 denied, 2 succeeded"]);
}

#[test]
fn a_wait_shows_the_remaining_time() {
    let mut timeline = timeline();
    let wait = Event::WaitStarted { step: StepRef::whole(2), until: Timestamp(90_000) };
    assert!(lines_of(&mut timeline, 0, wait).is_empty());
    assert_eq!(timeline.in_progress(Timestamp(0)).unwrap(), "last 1 min 30 s left");
    assert_eq!(timeline.in_progress(Timestamp(80_500)).unwrap(), "last 10 s left");
    let line = lines_of(&mut timeline, 90_000, ended(StepRef::whole(2), StepOutcome::Succeeded, None));
    assert_eq!(line, ["  ✓ last   succeeded        1 min 30 s"]);
}

#[test]
fn nothing_from_outside_steers_the_terminal_in_any_event() {
    let evil = "x\u{1b}[2J\u{202e}\ny";
    let variables: Map = [(evil.to_owned(), json!(evil))].into_iter().collect();
    let run_started = RunStarted {
        incident_id: evil.to_owned(),
        incident_type: Some(evil.to_owned()),
        playbook: "p".to_owned(),
        plan_digest: Digest::new("d"),
        variables: variables.clone(),
        approval: true,
        named: false,
        gate: None,
        mode: heal_engine::autonomy::RunMode::Live,
        autonomy: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
    };
    let step = StepRef::whole(0);
    let result = AttemptResult { output: variables, ..AttemptResult::failed(evil, evil).warn(evil).follow_up(evil) };
    let denied = AttemptResult::new(AttemptOutcome::Denied {
        violations: vec![heal_engine::message::Violation {
            policy: evil.to_owned(),
            rule: evil.to_owned(),
            msg: evil.to_owned(),
            severity: evil.to_owned(),
        }],
    });
    let events = vec![
        Event::RunStarted(Box::new(run_started)),
        Event::IncidentJoined { incident_id: evil.to_owned() },
        Event::Approved { by: evil.to_owned(), groups: Vec::new() },
        Event::Rejected { by: evil.to_owned(), reason: evil.to_owned() },
        Event::ApprovalRequested {
            step,
            digest: Digest::of(b"x"),
            parameters: Map::new(),
            approvers: vec![evil.to_owned()],
            min: 2,
            until: Timestamp(9),
            why: evil.to_owned(),
            reminder: true,
        },
        Event::StepApproved { step, digest: Digest::of(b"x"), by: evil.to_owned(), groups: Vec::new() },
        Event::StepRejected { step, digest: Digest::of(b"x"), by: evil.to_owned(), reason: evil.to_owned() },
        Event::CancelRequested { by: evil.to_owned() },
        Event::ApprovalExpiring { step: None, percent: 50, until: Timestamp(9) },
        Event::RunWithdrawn { reason: evil.to_owned() },
        Event::FollowUpDone { id: evil.to_owned(), by: evil.to_owned(), note: Some(evil.to_owned()) },
        started(step, 1),
        Event::AttemptEnded { step, attempt: 1, result, started_at: None, finished_at: None },
        Event::AttemptReissued {
            step,
            attempt: 1,
            token: Token::new("t"),
            deadline: Timestamp(90_000),
            reason: evil.to_owned(),
        },
        Event::AttemptEnded { step, attempt: 1, result: denied, started_at: None, finished_at: None },
        Event::RetryScheduled { step, attempt: 2, due_at: Timestamp(9), reason: evil.to_owned() },
        ended(step, StepOutcome::Failed, Some(evil)),
        Event::Stopping { cause: StopCause::Cancelled, reason: evil.to_owned() },
        Event::RunEnded { outcome: RunOutcome::Failed, reason: Some(evil.to_owned()) },
        Event::IncidentRejected { incident_id: evil.to_owned(), reason: evil.to_owned(), message: evil.to_owned() },
    ];
    let mut timeline = timeline();
    let commit = Commit {
        run_id: RunId::new("run-1"),
        first_seq: 1,
        cause_id: String::new(),
        at: Timestamp(1),
        events,
        chain: None,
    };
    let lines = timeline.take(&commit).into_iter().chain(events::lines(None, &commit, Timestamp(0)));
    for line in lines {
        let plain = anstream::adapter::strip_str(&line).to_string();
        assert!(!plain.contains(heal_telemetry::text::is_risky), "{plain:?}");
        assert!(!line.contains("[2J") || line.contains("\\u{1b}[2J") || line.contains("\\u001b[2J"), "{line:?}");
    }
}
