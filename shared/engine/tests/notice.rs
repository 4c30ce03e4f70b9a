//! What people are told of a run, turn by turn; and the same again from its log alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use heal_engine::autonomy::RunMode;
use heal_engine::event::{Commit, Event, RunOutcome, RunStarted};
use heal_engine::format;
use heal_engine::message::{ActionResult, AttemptOutcome, AttemptResult};
use heal_engine::notice::{FACTS, Notice, NoticeEvent, Owed, from_commit, from_events};
use heal_engine::state::Approver;
use heal_engine::turn::{self, ApprovalAnswer, Input, Turn};
use heal_engine::{Command, Map, Plan, RunId, State, Timestamp, decide};
use serde_json::{Value, json};

const START: Timestamp = Timestamp(1_700_000_000_000);

/// One step; `change` is merged into it.
fn plan(change: Value) -> Plan {
    let mut step = json!({
        "name": "restart", "type": "restart_pod", "needs": [], "parameters": {"pod_name": "{{ pod_name }}"},
        "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "timeout_seconds": 30,
        "on_failure": "stop", "on_unavailable": "skip", "safety": "probe",
    });
    step.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let playbook = json!({
        "name": "fix", "description": "", "timeout_seconds": 600, "triggers": [], "verify": [], "actions": [step],
    });
    Plan::compile(serde_json::from_value(playbook).unwrap()).unwrap()
}

fn started(plan: &Plan, mode: RunMode) -> RunStarted {
    let variables = json!({"pod_name": "worker-1", "severity": "high"});
    RunStarted {
        incident_id: "incident-1".to_owned(),
        incident_type: None,
        playbook: plan.playbook.name.clone(),
        plan_digest: plan.digest.clone(),
        variables: variables.as_object().unwrap().clone(),
        approval: false,
        named: false,
        gate: None,
        mode,
        autonomy: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
    }
}

struct Run {
    plan: Plan,
    state: State,
    log: Vec<Commit>,
    at: Timestamp,
}

impl Run {
    fn begin(plan: Plan, mode: RunMode) -> (Self, Vec<Notice>) {
        let (state, turn) = turn::begin(&plan, RunId::new("run-1"), started(&plan, mode), START, 7).unwrap();
        let mut run = Self { plan, state, log: Vec::new(), at: START };
        let notices = run.commit(turn);
        (run, notices)
    }

    /// As [`Run::begin`], of a run that asks people before its first step.
    fn asking(plan: Plan) -> (Self, Vec<Notice>) {
        let started = RunStarted { approval: true, ..started(&plan, RunMode::Live) };
        let (state, turn) = turn::begin(&plan, RunId::new("run-1"), started, START, 7).unwrap();
        let mut run = Self { plan, state, log: Vec::new(), at: START };
        let notices = run.commit(turn);
        (run, notices)
    }

    fn take(&mut self, input: Input) -> Vec<Notice> {
        self.at = self.at.plus_ms(1_000);
        let turn = turn::take(&self.plan, &mut self.state, input, self.at, 7).unwrap();
        self.commit(turn)
    }

    /// The notices, which have to be the same from the log.
    fn commit(&mut self, turn: Turn) -> Vec<Notice> {
        let first_seq = self.log.last().map_or(1, |last| last.last_seq() + 1);
        let notices = from_events(&self.plan, &self.state, first_seq, self.at, &turn.events);
        let run_id = self.state.run_id.clone();
        let cause_id = first_seq.to_string();
        self.log.push(Commit { run_id, first_seq, cause_id, at: self.at, events: turn.events, chain: None });
        assert_eq!(from_commit(Some(&self.plan), &self.log, first_seq).unwrap().unwrap(), notices);
        assert_eq!(from_commit(Some(&self.plan), &self.log, first_seq + 1_000).unwrap(), None);
        notices
    }

    fn answer(&mut self, result: AttemptResult) -> Vec<Notice> {
        let Some(Command::Perform { command, .. }) = decide::decide(&self.plan, &self.state, self.at).pop() else {
            panic!("no command");
        };
        self.take(Input::Result(Box::new(ActionResult {
            run_id: command.run_id,
            step: command.step,
            item: command.item,
            attempt: command.attempt,
            token: command.token,
            finished_at: self.at,
            started_at: Some(self.at),
            result,
        })))
    }
}

fn keys(notices: &[Notice]) -> Vec<&str> {
    notices.iter().map(|notice| notice.key.as_str()).collect()
}

#[test]
fn a_question_its_answer_and_the_good_end_are_told() {
    let (mut run, asked) = Run::begin(plan(json!({"approval": {}})), RunMode::Live);
    assert_eq!(keys(&asked), ["run-1:2:approval_requested"]);
    let question = asked[0].asked.clone().unwrap();
    let digest = run.state.open_approvals(&run.plan)[0].digest.clone();
    assert_eq!((question.step.as_deref(), question.digest), (Some("restart"), digest.clone()));
    assert_eq!((asked[0].severity.as_deref(), asked[0].playbook.as_deref()), (Some("HIGH"), Some("fix")));
    assert!(!serde_json::to_string(&asked).unwrap().contains("worker-1"), "parameters are not told");
    let by = Approver { identity: "local:anna".to_owned(), groups: Vec::new() };
    let answer =
        ApprovalAnswer { step: Some("restart".to_owned()), item: None, digest: Some(digest), by, rejection: None };
    let decided = run.take(Input::Approval(Box::new(answer)));
    assert_eq!(decided[0].event, NoticeEvent::ApprovalDecided);
    assert!(decided[0].title.contains("approved by local:anna"), "{}", decided[0].title);
    let settled = run.answer(AttemptResult::succeeded(Map::new()));
    assert_eq!((settled[0].event, settled[0].outcome), (NoticeEvent::RunSettled, Some(RunOutcome::Completed)));
}

#[test]
fn a_run_that_ends_well_by_itself_is_told_to_nobody() {
    let (mut run, begun) = Run::begin(plan(json!({})), RunMode::Live);
    assert_eq!(begun, []);
    assert_eq!(run.answer(AttemptResult::succeeded(Map::new())), []);
}

#[test]
fn an_unknown_effect_and_a_bad_end_are_told_with_the_follow_ups() {
    let (mut run, _) = Run::begin(plan(json!({})), RunMode::Live);
    let unknown = AttemptOutcome::Unknown { message: "the worker died".to_owned() };
    let told = run.answer(AttemptResult { outcome: unknown, ..AttemptResult::succeeded(Map::new()) });
    let events: Vec<_> = told.iter().map(|notice| notice.event).collect();
    assert_eq!(events, [NoticeEvent::StepUnknown, NoticeEvent::RunEnded]);
    let open = run.state.follow_up.entries();
    let listed = told[1].facts.iter().filter(|(name, _)| name == "follow-up").count();
    assert_eq!(listed, open.len());
    for entry in open {
        let done = run.take(Input::FollowUpDone { id: entry.id, by: "local:anna".to_owned(), note: None });
        let events: Vec<_> = done.iter().map(|notice| notice.event).collect();
        let is_last = run.state.follow_up.open() == 0;
        assert_eq!(events, if is_last { vec![NoticeEvent::RunSettled] } else { vec![] });
    }
}

#[test]
fn an_escalated_run_is_told_and_a_shadow_run_is_not() {
    let plan = plan(json!({}));
    let reason = "the third run in an hour".to_owned();
    let (state, turn) =
        turn::escalate(&plan, RunId::new("run-1"), started(&plan, RunMode::Live), reason, START).unwrap();
    let told = from_events(&plan, &state, 1, START, &turn.events);
    assert_eq!(told.iter().map(|notice| notice.event).collect::<Vec<_>>(), [NoticeEvent::RunEscalated]);
    let asking = self::plan(json!({"approval": {}}));
    assert_eq!(Run::begin(asking, RunMode::Shadow).1, []);
}

#[test]
fn a_notice_has_as_many_facts_as_the_limit_says_and_no_empty_one() {
    let notice = Notice::new(NoticeEvent::RunEnded, "run-1", START, "A run ended".to_owned()).fact("empty", "");
    assert_eq!(notice.facts, []);
    let notice = (0..=FACTS).fold(notice, |notice, number| notice.fact("number", number.to_string()));
    assert_eq!((notice.facts.len(), notice.facts[FACTS - 1].1.clone()), (FACTS, (FACTS - 1).to_string()));
}

#[test]
fn only_a_digest_needs_the_second_version() {
    let (run_id, channel) = (RunId::new("run-1"), "chat".to_owned());
    let notice = Notice::new(NoticeEvent::RunEnded, "run-1", START, "A run ended".to_owned());
    for (owed, version) in [
        (Owed::Commit { run_id, first_seq: 1, at: START }, 1),
        (Owed::Notice(Box::new(notice)), 1),
        (Owed::Digest { channel, at: START, since: START }, 2),
    ] {
        let text = format::encode(&owed);
        assert_eq!((format::version(&text).unwrap(), format::decode::<Owed>(&text).unwrap()), (version, owed));
    }
}

fn fact<'n>(notice: &'n Notice, name: &str) -> Option<&'n str> {
    notice.facts.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_run_that_asks_before_its_first_step_says_so_and_reminds_until_it_is_answered() {
    let (mut run, asked) = Run::asking(plan(json!({})));
    assert_eq!(keys(&asked), ["run-1:1:approval_requested"]);
    assert_eq!(asked[0].title, "A run waits for approval · fix");
    assert_eq!(
        (asked[0].run_id.as_ref(), &asked[0].actions),
        (Some(&RunId::new("run-1")), &vec!["restart_pod".to_owned()])
    );
    let question = asked[0].asked.clone().unwrap();
    assert_eq!((question.step.as_deref(), fact(&asked[0], "approvals needed")), (None, Some("1")));
    run.at = START.plus_ms(86_400_000 / 2);
    let reminded = run.take(Input::Wake);
    assert_eq!((reminded[0].event, reminded[0].asked.as_ref()), (NoticeEvent::ApprovalExpiring, Some(&question)));
    assert_eq!(reminded[0].title, "An approval is running out: 50 % of its time has passed · fix");
    let answer = ApprovalAnswer::of_run(Approver::new("local:anna"));
    let decided = run.take(Input::Approval(Box::new(answer)));
    assert_eq!(decided[0].title, "A run was approved by local:anna · fix");
}

#[test]
fn nobody_is_asked_about_a_run_that_is_escalated_at_its_start() {
    let plan = plan(json!({}));
    let started = RunStarted { approval: true, ..started(&plan, RunMode::Live) };
    let (state, turn) = turn::escalate(&plan, RunId::new("run-1"), started, "too often".to_owned(), START).unwrap();
    assert_eq!(keys(&from_events(&plan, &state, 1, START, &turn.events)), ["run-1:2:run_escalated"]);
}

#[test]
fn a_question_of_an_element_names_it_and_its_action_alone() {
    let mut playbook = plan(json!({"approval": {}, "for_each": {"items": [1, 2], "max_parallel": 2}})).playbook;
    let other = heal_engine::playbook::Step {
        name: "other".to_owned(),
        kind: "wait_for".to_owned(),
        approval: None,
        for_each: None,
        ..playbook.actions[0].clone()
    };
    playbook.actions.push(other);
    let (mut run, asked) = Run::begin(Plan::compile(playbook).unwrap(), RunMode::Live);
    let titles: Vec<_> = asked.iter().map(|notice| notice.title.as_str()).collect();
    let title = |item| format!("Step `restart` ({item}) waits for approval · fix");
    assert_eq!(titles, [title(0), title(1)]);
    assert_eq!(asked[1].asked.clone().unwrap().item, Some(1));
    assert_eq!((&asked[0].actions, fact(&asked[0], "action")), (&vec!["restart_pod".to_owned()], Some("restart_pod")));
    let cancelled = run.take(Input::CancelRequested { by: "local:anna".to_owned() });
    assert_eq!(cancelled, []);
    let ended = run.answer(AttemptResult::succeeded(Map::new()));
    assert_eq!((ended[0].event, ended[0].actions.len()), (NoticeEvent::RunEnded, 2));
}

#[test]
fn a_run_that_is_no_longer_needed_closes_its_alert_and_a_cancelled_one_is_told() {
    let (mut run, _) = Run::asking(plan(json!({})));
    let alert = heal_engine::incident::Alert::Incident { id: "incident-1".to_owned() };
    let resolution = heal_engine::incident::Resolution { alert, reason: "resolved".to_owned() };
    let ended = run.take(Input::Resolved(Box::new(resolution)));
    assert_eq!((ended[0].event, ended[0].outcome), (NoticeEvent::RunSettled, Some(RunOutcome::Cancelled)));
    let (mut run, _) = Run::asking(plan(json!({})));
    let ended = run.take(Input::CancelRequested { by: "local:anna".to_owned() });
    assert_eq!((ended[0].event, ended[0].outcome), (NoticeEvent::RunEnded, Some(RunOutcome::Cancelled)));
}

#[test]
fn five_follow_ups_are_listed_and_the_others_counted() {
    for (count, not_listed) in [(5, None), (6, Some("1"))] {
        let (mut run, _) = Run::begin(plan(json!({})), RunMode::Live);
        let follow_up = (0..count).map(|number| format!("do {number}")).collect();
        let ended = run.answer(AttemptResult { follow_up, ..AttemptResult::succeeded(Map::new()) });
        let listed = ended[0].facts.iter().filter(|(name, _)| name == "follow-up").count();
        assert_eq!((listed, fact(&ended[0], "follow-ups not listed")), (5, not_listed));
        let id = run.state.follow_up.entries()[0].id.clone();
        let done = run.take(Input::FollowUpDone { id, by: "local:anna".to_owned(), note: None });
        assert_eq!(done, [], "the others are open");
    }
}

#[test]
fn a_rejected_message_is_told_and_so_is_that_nothing_is_left_to_do() {
    let run_id = RunId::new("run-1");
    let commit = |first_seq: u64, event| {
        let (run_id, cause_id) = (run_id.clone(), first_seq.to_string());
        Commit { run_id, first_seq, cause_id, at: START, events: vec![event], chain: None }
    };
    let (incident_id, reason) = ("incident-1".to_owned(), "no incident_type".to_owned());
    let rejected = Event::IncidentRejected { incident_id, reason, message: "{}".to_owned() };
    let done = Event::FollowUpDone { id: "f".to_owned(), by: "local:anna".to_owned(), note: None };
    let log = [commit(1, rejected), commit(2, done)];
    let told = |first_seq| from_commit(None, &log, first_seq).unwrap().unwrap().remove(0);
    let (first, second) = (told(1), told(2));
    assert_eq!([first.key.as_str(), second.key.as_str()], ["run-1:1:run_ended", "run-1:2:run_settled"]);
    assert_eq!([&first.run_id, &second.run_id], [&Some(run_id.clone()), &Some(run_id.clone())]);
    assert_eq!((first.outcome, first.detail.as_str()), (Some(RunOutcome::Failed), "no incident_type"));
    assert_eq!(second.title, "Nothing is left to do · incident-1");
}
