//! What people are told of a run, turn by turn; and the same again from its log alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use heal_engine::autonomy::RunMode;
use heal_engine::event::{Commit, RunOutcome, RunStarted};
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
