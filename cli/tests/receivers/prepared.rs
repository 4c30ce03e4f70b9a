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
    let catalog = heal_engine::catalog::Catalog::new([heal_check_worker_health::spec()]);
    let reading = heal_language::playbook::read(playbook, yaml, &catalog);
    let plan = Plan::compile(reading.playbook.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))).unwrap();
    store.put_plan(&plan.digest, plan.to_json(), now).await.unwrap();
    let run_id = RunId::new("run-at-its-budget");
    // Nobody looks at it before it is whole.
    let head = |last_seq, wake_at| RunHead {
        run_id: run_id.clone(),
        incident_id: "inc-in-circles".to_owned(),
        playbook: Some(playbook.to_owned()),
        status: RunStatus::Running,
        outcome: None,
        started_at: now,
        updated_at: now,
        wake_at,
        last_seq,
        reason: None,
        subject: Subject::default(),
        open_follow_ups: 0,
    };
    let commit = |first_seq, events: Vec<Event>| Commit {
        run_id: run_id.clone(),
        first_seq,
        cause_id: format!("prepared:{first_seq}"),
        at: now,
        events,
    };
    let first = commit(1, vec![started(&plan)]);
    let dedupe_until = now.plus_ms(1);
    let run = NewRun {
        head: head(1, None),
        commit: first,
        dedupe_key: "prepared".to_owned(),
        dedupe_until,
        concurrency_key: None,
    };
    assert_eq!(store.create(&run).await.unwrap(), Created::Created);
    let mut seq = 1;
    let history = history(now);
    for events in history.chunks(EVENTS_PER_COMMIT) {
        let next = commit(seq + 1, events.to_vec());
        seq = next.last_seq();
        let wake_at = (seq > history.len() as u64).then_some(now);
        assert_eq!(store.append(&next, &head(seq, wake_at), None).await.unwrap(), Appended::Appended);
    }
}

fn started(plan: &Plan) -> Event {
    Event::RunStarted(Box::new(RunStarted {
        incident_id: "inc-in-circles".to_owned(),
        incident_type: None,
        playbook: plan.playbook.name.clone(),
        plan_digest: plan.digest.clone(),
        variables: Map::new(),
        approval: false,
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
            });
            events.push(Event::AttemptEnded { step, attempt, result: AttemptResult::transient("busy", "later") });
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
    let request = ClaimRequest {
        key: ClaimKey { action: action.to_owned(), attempt: attempt.to_owned() },
        holder: LeaseOwner("another worker".to_owned()),
        now: until.plus_ms(3_600_000),
        lease_until: until,
        cooldowns: Vec::new(),
    };
    let taken = store.reserve(&request).await.unwrap();
    assert!(matches!(taken, Reservation::Held { recovered: true, .. }), "{taken:?}");
}
