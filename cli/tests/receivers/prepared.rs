//! What a state file can hold that no playbook brings about within the time of a test.

use heal_engine::event::{Commit, Event, RunStarted, RunStatus, StepOutcome};
use heal_engine::id::{StepRef, Token};
use heal_engine::message::AttemptResult;
use heal_engine::{Digest, Map, Plan, RunId, Timestamp, limit};
use heal_runtime::port::{
    Appended, ClaimKey, ClaimRequest, ClaimStore as _, Created, LeaseOwner, Message, NewRun, QueueName, Reservation,
    RunHead, RunLog as _, Sender as _, Subject,
};

/// Attempts that each element of the run at its budget has had.
const ATTEMPTS: u32 = 5;
/// Events of one stored commit: far below what a row may hold.
const EVENTS_PER_COMMIT: usize = 600;

/// A run that has sent all the commands that one run may send, and would go on: `playbook` with the text `yaml`, whose first step fans out.
pub(crate) async fn run_at_its_budget(store: &heal_embedded::Store, playbook: &str, yaml: &str, now: Timestamp) {
    let plan = stored_plan(store, playbook, yaml, now).await;
    let run_id = RunId::new("run-at-its-budget");
    // Nobody looks at it before it is whole.
    let head = |last_seq, wake_at| RunHead { last_seq, wake_at, ..head(&run_id, &plan, now) };
    let commit = |first_seq, events: Vec<Event>| Commit {
        run_id: run_id.clone(),
        first_seq,
        cause_id: format!("prepared:{first_seq}"),
        at: now,
        events,
        chain: None,
    };
    create(store, head(1, None), commit(1, vec![started(&plan)])).await;
    let mut seq = 1;
    let history = history(now);
    for events in history.chunks(EVENTS_PER_COMMIT) {
        let next = commit(seq + 1, events.to_vec());
        seq = next.last_seq();
        let wake_at = (seq > history.len() as u64).then_some(now);
        assert_eq!(store.append(&next, &head(seq, wake_at), None).await.unwrap(), Appended::Appended);
    }
}

/// A run that started an hour ago and has done nothing since: `playbook` with the text `yaml`, whose timeout is shorter.
pub(crate) async fn overdue_run(store: &heal_embedded::Store, playbook: &str, yaml: &str, now: Timestamp) -> RunId {
    let plan = stored_plan(store, playbook, yaml, now).await;
    let (run_id, started_at) = (RunId::new("overdue-run"), Timestamp(now.0 - 3_600_000));
    let events = vec![started(&plan)];
    let commit = Commit {
        run_id: run_id.clone(),
        first_seq: 1,
        cause_id: "prepared".to_owned(),
        at: started_at,
        events,
        chain: None,
    };
    create(store, RunHead { wake_at: Some(now), ..head(&run_id, &plan, started_at) }, commit).await;
    run_id
}

async fn stored_plan(store: &heal_embedded::Store, playbook: &str, yaml: &str, now: Timestamp) -> Plan {
    let catalog = heal_engine::catalog::Catalog::new([heal_check_worker_health::spec()]);
    let reading = heal_language::playbook::read(playbook, yaml, &catalog);
    let plan = Plan::compile(reading.playbook.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))).unwrap();
    store.put_plan(&plan.digest, plan.to_json(), now).await.unwrap();
    plan
}

/// A running run after its first event, which nothing wakes.
fn head(run_id: &RunId, plan: &Plan, started_at: Timestamp) -> RunHead {
    RunHead {
        run_id: run_id.clone(),
        incident_id: "inc-prepared".to_owned(),
        playbook: Some(plan.playbook.name.clone()),
        status: RunStatus::Running,
        outcome: None,
        started_at,
        updated_at: started_at,
        wake_at: None,
        last_seq: 1,
        reason: None,
        subject: Subject::default(),
        open_follow_ups: 0,
        held_by: None,
    }
}

async fn create(store: &heal_embedded::Store, head: RunHead, commit: Commit) {
    let dedupe_key = format!("prepared:{}", commit.run_id);
    let run = NewRun {
        dedupe_until: commit.at.plus_ms(1),
        head,
        commit,
        dedupe_key,
        concurrency_key: None,
        repeat: None,
        room: None,
    };
    assert_eq!(store.create(&run).await.unwrap(), Created::Created);
}

fn started(plan: &Plan) -> Event {
    Event::RunStarted(Box::new(RunStarted {
        incident_id: "inc-prepared".to_owned(),
        incident_type: None,
        playbook: plan.playbook.name.clone(),
        plan_digest: plan.digest.clone(),
        variables: Map::new(),
        approval: false,
        named: false,
        gate: None,
        mode: heal_engine::autonomy::RunMode::Live,
        autonomy: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
    }))
}

/// One element after another, each failing until it has had its attempts; one more than the budget has room for.
fn history(now: Timestamp) -> Vec<Event> {
    let elements = u32::try_from(limit::COMMANDS_PER_RUN).unwrap() / ATTEMPTS;
    let mut events = vec![Event::FannedOut { step: 0, items: (0..=elements).map(Into::into).collect() }];
    let parameters_digest = Digest::of(b"{}");
    for element in 0..elements {
        let step = StepRef::item(0, element);
        for attempt in 1..=ATTEMPTS {
            events.push(Event::AttemptStarted {
                step,
                attempt,
                token: Token::new("t"),
                parameters: Map::new(),
                parameters_digest: parameters_digest.clone(),
                deadline: now.plus_ms(1_000),
                timeout_ms: None,
            });
            let result = AttemptResult::transient("busy", "later");
            events.push(Event::AttemptEnded { step, attempt, result, started_at: None, finished_at: None });
            events.push(if attempt < ATTEMPTS {
                Event::RetryScheduled { step, attempt: attempt + 1, due_at: now, reason: "busy".to_owned() }
            } else {
                Event::StepEnded { step, outcome: StepOutcome::Failed, reason: None }
            });
        }
    }
    events
}

/// Puts a command on the queue of `action` that nobody can read.
pub(crate) async fn unreadable_command(store: &heal_embedded::Store, action: &str) {
    let body = "{\"run_id\": 7}".to_owned();
    let message = Message { queue: QueueName::Action(action.to_owned()), body, delay_ms: 0, traceparent: None };
    store.send(vec![message]).await.unwrap();
}

/// Takes the claim of an attempt that is under way, as a worker does whose clock says that its lease has run out, and holds it until then.
pub(crate) async fn take_over(store: &heal_embedded::Store, action: &str, attempt: &str, until: Timestamp) {
    let key = ClaimKey { action: action.to_owned(), attempt: attempt.to_owned() };
    let request = ClaimRequest::new(key, LeaseOwner("another worker".to_owned()), until.plus_ms(3_600_000), until);
    let taken = store.reserve(&request).await.unwrap();
    assert!(matches!(taken, Reservation::Held { recovered: true, .. }), "{taken:?}");
}
