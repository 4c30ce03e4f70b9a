//! Playbooks of the largest allowed size run to their end, and every step is performed once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use heal_engine::event::{Event, RunOutcome};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Message, OsEntropy, QueueName, RunFilter, RunHead, RunReader, Sender};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Runs};
use heal_testkit::scripted;
use serde_json::{Value, json};

struct Ended {
    head: RunHead,
    done: BTreeMap<String, u32>,
    /// The largest number of attempts in flight at one time, by the log.
    in_flight: usize,
    largest_commit_bytes: usize,
}

async fn run(actions: Value, variables: Value) -> Ended {
    let clock = Arc::new(ManualClock::default());
    let runs = Arc::new(Runs::new(Faults::default()));
    let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
    let done = Arc::new(Mutex::new(BTreeMap::new()));
    let playbook = json!({
        "name": "large", "description": "", "timeout_seconds": 3_600, "triggers": [{"incident_type": "LARGE"}], "actions": actions, "verify": [],
    });
    let library = Library::new([serde_json::from_value(playbook).unwrap()]).unwrap();
    let ports = dispatcher::Ports {
        runs: runs.clone(),
        sender: queues.clone(),
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    let claims = Arc::new(Claims::new(Faults::default()));
    let counts = done.clone();
    let worker = scripted::worker("count", claims, queues.clone(), clock.clone(), move |call| {
        *counts.lock().unwrap().entry(call.command.parameters["id"].to_string()).or_default() += 1;
        json!({"ready": true})
    });
    let host = Host::new(Dispatcher::new(ports, Arc::new(library)), [worker], queues.clone(), runs.clone());
    let mut body = json!({"incident_id": "incident-1", "incident_type": "LARGE"});
    body.as_object_mut().unwrap().extend(variables.as_object().unwrap().clone());
    queues
        .send(vec![Message { queue: QueueName::Incidents, body: body.to_string(), delay_ms: 0, traceparent: None }])
        .await
        .unwrap();
    while queues.pending() > 0 {
        for queue in [QueueName::Incidents, QueueName::Action("count".to_owned()), QueueName::Results] {
            host.once(&queue, 100).await.unwrap();
        }
    }
    let head = runs.list(&RunFilter::default(), 1, None).await.unwrap().runs.remove(0);
    let (mut now, mut in_flight, mut largest_commit_bytes) = (0_usize, 0, 0);
    for commit in runs.load(&head.run_id, 0).await.unwrap() {
        largest_commit_bytes = largest_commit_bytes.max(serde_json::to_string(&commit).unwrap().len());
        for event in commit.events {
            match event {
                Event::AttemptStarted { .. } => now += 1,
                Event::AttemptEnded { .. } => now -= 1,
                _ => {}
            }
            in_flight = in_flight.max(now);
        }
    }
    let done = done.lock().unwrap().clone();
    Ended { head, done, in_flight, largest_commit_bytes }
}

fn step(name: &str, needs: &[String], more: Value) -> Value {
    let mut step = json!({
        "name": name, "type": "count", "needs": needs, "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60},
        "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip", "safety": "idempotent", "parameters": {"id": name},
    });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

/// The largest item of a `DynamoDB` table, in bytes.
const ITEM_BYTES: usize = 400_000;

fn holds(ended: &Ended, expected: usize) {
    assert_eq!(ended.head.outcome, Some(RunOutcome::Completed), "{:?}", ended.head);
    assert_eq!(ended.done.len(), expected);
    assert!(ended.done.values().all(|count| *count == 1), "an action was performed twice");
    assert!(ended.in_flight <= heal_engine::limit::IN_FLIGHT, "{} attempts were in flight", ended.in_flight);
    assert!(ended.largest_commit_bytes < ITEM_BYTES, "a commit has {} bytes", ended.largest_commit_bytes);
}

#[tokio::test]
async fn a_thousand_steps_one_after_another_run() {
    let chain = |index: usize| {
        let needs: Vec<_> = (index > 0).then(|| format!("s{}", index - 1)).into_iter().collect();
        let more = if index > 0 { json!({"condition": "{{ ready }}"}) } else { json!({}) };
        step(&format!("s{index}"), &needs, more)
    };
    holds(&run((0..1_000).map(chain).collect(), json!({})).await, 1_000);
}

#[tokio::test]
async fn a_thousand_steps_at_once_run_within_the_cap() {
    let ended = run((0..1_000).map(|index| step(&format!("s{index}"), &[], json!({}))).collect(), json!({})).await;
    holds(&ended, 1_000);
    assert_eq!(ended.in_flight, heal_engine::limit::IN_FLIGHT);
}

#[tokio::test]
async fn a_thousand_conditions_that_are_false_end_within_bounded_commits() {
    let never = |index: usize| step(&format!("s{index}"), &[], json!({"condition": "{{ no }}"}));
    holds(&run((0..1_000).map(never).collect(), json!({"no": false})).await, 0);
}

#[tokio::test]
async fn a_fan_out_over_five_thousand_elements_runs() {
    let tickets: Vec<_> = (0..5_000).map(|index| format!("ticket-{index}")).collect();
    let more = json!({"for_each": {"items": "{{ tickets }}", "max_parallel": 10}, "parameters": {"id": "{{ item }}"}});
    let ended = run(json!([step("each", &[], more)]), json!({ "tickets": tickets })).await;
    holds(&ended, 5_000);
    assert_eq!(ended.in_flight, 10);
}
