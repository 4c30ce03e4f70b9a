//! A limit allows as much as it says, and nothing more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::{PlaybookCase, Run};
use heal_engine::{Event, Map, Timestamp, limit};
use serde_json::{Value, json};

/// The second event of a run with one step and one variable: its name, and its reason if it has one.
fn second(step: &Value, variable: Value) -> (&'static str, String) {
    let case: PlaybookCase = serde_json::from_value(json!({"timeout_seconds": 86_400, "actions": [step]})).unwrap();
    let variables = Map::from_iter([("given".to_owned(), variable)]);
    let run = Run::start(case.into_plan(), variables, false, Timestamp(1_000_000), 7);
    let event = run.commits[0].events[1].clone();
    let reason = if let Event::StepEnded { reason, .. } = &event { reason.clone() } else { None };
    (event.name(), reason.unwrap_or_default())
}

#[test]
fn a_step_fans_out_over_as_many_elements_as_the_limit_says() {
    let fan = |count: usize| second(&json!({"name": "fan", "for_each": "{{ given }}"}), vec![0; count].into());
    assert_eq!(fan(limit::FAN_OUT_ITEMS).0, "fanned_out");
    assert_eq!(fan(limit::FAN_OUT_ITEMS + 1).1, "for_each has 10001 elements, the limit is 10000");
}

#[test]
fn a_step_fans_out_over_as_many_bytes_as_the_limit_says() {
    // Each element is a text in quotes, and a comma.
    let text = |more: usize| "x".repeat(limit::FAN_OUT_BYTES / 16 - 3 + more);
    let fan = |more| {
        let items: Vec<_> = (0..16).map(|item| text(if item == 0 { more } else { 0 })).collect();
        second(&json!({"name": "fan", "for_each": "{{ given }}"}), items.into())
    };
    assert_eq!(fan(0).0, "fanned_out");
    assert_eq!(fan(1).1, "the elements of for_each have 262145 bytes, the limit is 262144 bytes");
}

#[test]
fn the_parameters_of_a_step_have_as_many_bytes_as_the_limit_says() {
    let around = json!({"text": ""}).to_string().len();
    let act = |more| {
        let text = "x".repeat(limit::PARAMETER_BYTES - around + more);
        second(&json!({"name": "act", "parameters": {"text": "{{ given }}"}}), text.into())
    };
    assert_eq!(act(0).0, "attempt_started");
    assert_eq!(act(1).1, "the parameters have 65537 bytes, the limit is 65536 bytes");
}

#[test]
fn a_wait_is_as_long_as_the_limit_says_and_ends_before_its_run() {
    let wait = |seconds: u64| {
        second(&json!({"name": "pause", "type": "wait", "parameters": {"seconds": "{{ given }}"}}), seconds.into())
    };
    assert_eq!(wait(limit::DURATION_SECONDS - 1).0, "wait_started");
    assert_eq!(wait(limit::DURATION_SECONDS).1, "a wait of 86400 s ends after the run's deadline");
    assert_eq!(wait(limit::DURATION_SECONDS + 1).1, "parameters.seconds is 86401, the limit is 86400 seconds");
}
