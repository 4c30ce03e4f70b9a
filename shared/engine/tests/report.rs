//! A run's report: words, times, and what is said of messages that were no incident.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::{PlaybookCase, Run};
use heal_engine::event::{Commit, StepOutcome};
use heal_engine::message::{AttemptOutcome, AttemptResult};
use heal_engine::report::{OpenStatus, Report, StepStatus, lines, report};
use heal_engine::state::Approver;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_engine::{Event, Map, RunId, StepRef, Timestamp};
use serde_json::{Value, json};

const START: Timestamp = Timestamp(1_000_000);

fn start(actions: &Value) -> Run {
    let case: PlaybookCase = serde_json::from_value(json!({"timeout_seconds": 3_600, "actions": actions})).unwrap();
    Run::start(case.into_plan(), Map::new(), false, START, 7)
}

fn at(seconds: u64) -> Timestamp {
    START.plus_ms(seconds * 1_000)
}

fn report_of(run: &Run) -> Report {
    report(Some(&run.plan), &run.state.run_id, &run.commits).unwrap()
}

fn answer(run: &mut Run, attempt: u32, result: AttemptResult, seconds: u64) {
    let result = run.result(StepRef::whole(0), attempt, result);
    run.take(result, at(seconds)).unwrap();
}

#[test]
fn a_status_has_the_word_that_the_report_has() {
    let ended = StepOutcome::ALL.map(StepStatus::Ended);
    let open = [OpenStatus::NotRun, OpenStatus::Running, OpenStatus::Waiting, OpenStatus::AwaitingApproval];
    for status in ended.into_iter().chain(open.map(StepStatus::Open)) {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}

#[test]
fn a_step_is_reported_as_it_stands() {
    let mut run = start(&json!([{"name": "act", "max_attempts": 2}, {"name": "next"}]));
    let step = |run: &Run| {
        let step = report_of(run).steps[0].clone();
        (step.status, step.attempts, step.duration_ms, step.success)
    };
    let open = |status| StepStatus::Open(status);
    assert_eq!(step(&run), (open(OpenStatus::Running), 1, None, false));
    answer(&mut run, 1, AttemptResult::transient("flaky", "it broke").warn("be careful"), 1);
    assert_eq!(step(&run), (open(OpenStatus::Waiting), 1, None, false));
    assert_eq!(report_of(&run).steps[1].status, open(OpenStatus::NotRun));
    run.take(Input::Wake, at(5)).unwrap();
    assert_eq!(step(&run), (open(OpenStatus::Running), 2, None, false));
    answer(&mut run, 2, AttemptResult::succeeded(Map::new()).warn("be careful").warn("look again"), 9);
    assert_eq!(report_of(&run).steps[0].warning.as_deref(), Some("be careful; look again"));
    assert_eq!(step(&run), (StepStatus::Ended(StepOutcome::Succeeded), 2, Some(9_000), true));
    assert_eq!(report_of(&run).steps[1].status, open(OpenStatus::Running));
    run.take(Input::CancelRequested { by: "ann".to_owned() }, at(10)).unwrap();
    run.take(Input::Wake, at(2_000)).unwrap();
    assert_eq!(report_of(&run).ended_at, Some(at(2_000)));
}

#[test]
fn a_step_says_its_error_its_reason_or_why_it_was_skipped() {
    let texts = |outcome: AttemptOutcome| {
        let mut run = start(&json!([{"name": "act"}]));
        let result = AttemptResult::new(outcome).warn("be careful");
        let result = run.result(StepRef::whole(0), 1, result);
        run.take(result, at(1)).unwrap();
        let step = report_of(&run).steps[0].clone();
        (step.error, step.reason, step.warning, step.skipped)
    };
    let text = |text: &str| Some(text.to_owned());
    let message = "it broke".to_owned();
    let failed = AttemptOutcome::Failed { code: "broken".to_owned(), message: message.clone(), retryable: false };
    assert_eq!(texts(failed), (text("broken: it broke"), None, text("be careful"), false));
    let no_op = AttemptOutcome::NoOp { reason: "nothing to do".to_owned() };
    assert_eq!(texts(no_op), (None, text("nothing to do"), text("be careful"), false));
    let unavailable = AttemptOutcome::Unavailable { service: "ets".to_owned(), message, retry_after_ms: None };
    assert_eq!(texts(unavailable), (None, None, text("ets is out of reach: it broke; be careful"), true));
    assert_eq!(texts(AttemptOutcome::Succeeded), (None, None, text("be careful"), false));
}

#[test]
fn a_rejected_message_is_reported_as_failed_with_one_thing_to_do() {
    let run_id = RunId::new("run-1");
    let commit = |first_seq, at, event| {
        let (run_id, cause_id) = (run_id.clone(), "test".to_owned());
        Commit { run_id, first_seq, cause_id, at, events: vec![event], chain: None }
    };
    let (incident_id, reason) = ("incident-1".to_owned(), "no incident_type".to_owned());
    let rejected = Event::IncidentRejected { incident_id, reason, message: "{}".to_owned() };
    let mut log = vec![commit(1, START, rejected)];
    let found = report(None, &run_id, &log).unwrap();
    assert_eq!(found.follow_up, ["correct the message and send it again: no incident_type"]);
    assert_eq!((found.started_at, found.ended_at, found.follow_ups[0].is_open()), (START, Some(START), true));
    let id = found.follow_ups[0].id.rsplit('.').next().unwrap().to_owned();
    let (by, note) = ("local:ann".to_owned(), Some("sent again".to_owned()));
    log.push(commit(2, at(9), Event::FollowUpDone { id, by, note }));
    let done = report(None, &run_id, &log).unwrap().follow_ups.remove(0);
    assert_eq!((done.done_at, done.done_by.as_deref(), done.is_open()), (Some(at(9)), Some("local:ann"), false));
}

#[test]
fn a_log_that_is_empty_or_has_lost_its_plan_has_no_report() {
    let run = start(&json!([{"name": "act"}]));
    let fault = |plan, log: &[Commit]| report(plan, &run.state.run_id, log).unwrap_err().to_string();
    assert!(fault(Some(&run.plan), &[]).contains("run run-1 has no event"));
    assert!(fault(None, &run.commits).contains("the run's plan is missing"));
}

#[test]
fn an_event_is_printed_with_its_number_its_step_and_without_its_token() {
    let run = start(&json!([{"name": "act", "type": "restart_pod"}]));
    let printed = lines(Some(&run.plan), &run.commits[0]);
    let [first, second] = &printed[..] else { panic!("{printed:?}") };
    assert_eq!((&first["seq"], &first["event"], first.get("step")), (&json!(1), &json!("run_started"), None));
    assert_eq!((&second["seq"], &second["step"], &second["action"]), (&json!(2), &json!("act"), &json!("restart_pod")));
    assert_eq!((&second["run_id"], &second["at"], second.get("token")), (&json!("run-1"), &json!(START), None));
    assert_eq!(lines(None, &run.commits[0])[1]["step"], 0);
}

#[test]
fn only_a_run_that_has_waited_says_how_long() {
    let waited = |run: &Run| serde_json::to_value(report_of(run)).unwrap().get("waited_ms").cloned();
    let mut run = start(&json!([{"name": "asks", "approval": {}}]));
    assert_eq!(waited(&run), None);
    let digest = run.state.open_approvals(&run.plan).remove(0).digest;
    let (step, by) = (Some("asks".to_owned()), Approver::new("local:ann"));
    let answer = ApprovalAnswer { step, item: None, digest: Some(digest), by, rejection: None };
    run.take(Input::Approval(Box::new(answer)), at(10)).unwrap();
    assert_eq!(waited(&run), Some(json!(10_000)));
}

#[test]
fn an_element_that_asks_or_is_tried_again_does_not_change_how_its_step_stands() {
    let status = |run: &Run| report_of(run).steps[0].status;
    let whole = start(&json!([{"name": "asks", "approval": {}}]));
    assert_eq!(status(&whole), StepStatus::Open(OpenStatus::AwaitingApproval));
    let asks = start(&json!([{"name": "asks", "for_each": [1, 2], "approval": {}}]));
    assert_eq!(status(&asks), StepStatus::Open(OpenStatus::Running));
    let mut fan = start(&json!([{"name": "act", "for_each": [1, 2], "max_attempts": 2}]));
    let flaky = fan.result(StepRef::item(0, 0), 1, AttemptResult::transient("flaky", "it broke"));
    fan.take(flaky, at(1)).unwrap();
    assert_eq!(status(&fan), StepStatus::Open(OpenStatus::Running));
}

#[test]
fn the_waits_of_a_step_are_those_around_the_work_on_each_of_its_commands() {
    let mut run = start(&json!([{"name": "act", "max_attempts": 2}]));
    let flaky = AttemptResult::transient("flaky", "it broke");
    let first = run.worked(StepRef::whole(0), 1, flaky, (at(5), at(7)));
    run.take(first, at(10)).unwrap();
    assert_eq!(report_of(&run).steps[0].waited_ms, 8_000);
    run.take(Input::Wake, at(20)).unwrap();
    let second = run.worked(StepRef::whole(0), 2, AttemptResult::succeeded(Map::new()), (at(21), at(22)));
    run.take(second, at(24)).unwrap();
    assert_eq!(report_of(&run).steps[0].waited_ms, 11_000);
}
