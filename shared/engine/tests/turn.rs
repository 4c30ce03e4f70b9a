//! The bounds of one turn: what exceeds them is left to the next one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::PlaybookCase;
use heal_engine::autonomy::RunMode;
use heal_engine::event::{Commit, RunStarted};
use heal_engine::state::ANSWER_GRACE_MS;
use heal_engine::turn::{self, Input, Turn};
use heal_engine::{Event, Map, Plan, RunId, State, Timestamp, limit};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_000_000);

fn plan(actions: &[Value]) -> Plan {
    let case: PlaybookCase = serde_json::from_value(json!({"actions": actions})).unwrap();
    case.into_plan()
}

fn begin(plan: &Plan) -> (State, Turn) {
    let started = RunStarted {
        incident_id: "incident-1".to_owned(),
        incident_type: None,
        playbook: plan.playbook.name.clone(),
        plan_digest: plan.digest.clone(),
        variables: Map::new(),
        approval: false,
        named: false,
        gate: None,
        mode: RunMode::Live,
        autonomy: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
    };
    turn::begin(plan, RunId::new("run-1"), started, NOW, 7).unwrap()
}

/// `count` steps that end without an attempt, each with one event.
fn left_out(count: usize) -> Plan {
    let step = |step| json!({"name": format!("s{step}"), "needs": [], "condition": false});
    plan(&(0..count).map(step).collect::<Vec<_>>())
}

#[test]
fn a_turn_is_cut_at_its_number_of_events_and_a_wake_up_continues_it() {
    let plan = left_out(limit::EVENTS_PER_TURN);
    let (mut state, first) = begin(&plan);
    assert_eq!((first.events.len(), first.more), (limit::EVENTS_PER_TURN, true));
    let second = turn::take(&plan, &mut state, Input::Wake, NOW, 7).unwrap();
    let names: Vec<_> = second.events.iter().map(Event::name).collect();
    assert_eq!((names, second.more), (vec!["condition_false", "run_ended"], false));
}

#[test]
fn a_run_that_ends_at_the_bound_of_its_turn_has_nothing_more_to_do() {
    // The first event and the last one are the run's own.
    let (state, turn) = begin(&left_out(limit::EVENTS_PER_TURN - 2));
    assert_eq!((turn.events.len(), turn.more, state.is_ended()), (limit::EVENTS_PER_TURN, false, true));
}

#[test]
fn a_turn_is_cut_at_its_number_of_bytes() {
    // One text of a playbook has at most 8 KiB.
    let parameters: Map = (0..8).map(|field| (format!("text{field}"), "x".repeat(7_000).into())).collect();
    let bytes = Value::Object(parameters.clone()).to_string().len();
    let step = |step| json!({"name": format!("s{step}"), "needs": [], "parameters": parameters});
    let plan = plan(&(0..10).map(step).collect::<Vec<_>>());
    let (mut state, first) = begin(&plan);
    let attempts = |turn: &Turn| turn.events.iter().filter(|event| event.name() == "attempt_started").count();
    let expected = limit::TURN_BYTES / bytes + 1;
    assert_eq!((attempts(&first), first.more), (expected, true));
    let second = turn::take(&plan, &mut state, Input::Wake, NOW, 7).unwrap();
    assert_eq!((attempts(&second), second.more), (expected, true));
}

/// An attempt without `timeout_ms`, as an older build started it: its deadline is the last moment to end.
#[test]
fn an_attempt_of_an_older_build_ends_by_its_deadline() {
    let plan = plan(&[json!({"name": "act", "safety": "probe"})]);
    let (_, Turn { mut events, .. }) = begin(&plan);
    for event in &mut events {
        if let Event::AttemptStarted { deadline, timeout_ms, .. } = event {
            (*deadline, *timeout_ms) = (NOW.plus_ms(30_000), None);
        }
    }
    let (run_id, cause_id) = (RunId::new("run-1"), "test".to_owned());
    let commit = Commit { run_id, first_seq: 1, cause_id, at: NOW, events, chain: None };
    let mut state = turn::fold(&plan, [&commit]).unwrap().unwrap();
    let due = NOW.plus_ms(30_000 + ANSWER_GRACE_MS);
    assert_eq!(state.wake_at(), Some(due));
    assert_eq!(turn::take(&plan, &mut state, Input::Wake, Timestamp(due.0 - 1), 7).unwrap(), Turn::default());
    let turn = turn::take(&plan, &mut state, Input::Wake, due, 7).unwrap();
    let reasons = turn
        .events
        .iter()
        .find_map(|event| if let Event::StepEnded { reason, .. } = event { reason.as_deref() } else { None });
    assert_eq!(reasons, Some("no result of attempt 1 of act by its deadline, 30 s after its start"));
}
