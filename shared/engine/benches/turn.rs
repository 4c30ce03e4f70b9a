//! The engine's cost of one step: take a result, start the next step, decide what is owed.
//!
//! The run is in the middle of 10, 100 or 1,000 steps, which shows a cost that grows with the run.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use heal_engine::autonomy::RunMode;
use heal_engine::event::RunStarted;
use heal_engine::message::{ActionResult, AttemptResult};
use heal_engine::turn::{self, Input};
use heal_engine::{Map, Plan, RunId, State, Timestamp};
use serde_json::json;

/// A chain of steps; each has a condition and two templated parameters, and reads an output of the one before.
fn plan(steps: usize) -> Plan {
    let step = |index: usize| {
        let needs: Vec<_> = (index > 0).then(|| format!("s{}", index - 1)).into_iter().collect();
        json!({
            "name": format!("s{index}"), "type": "act", "needs": needs, "condition": "{{ ready }}",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "timeout_seconds": 60,
            "on_failure": "stop", "on_unavailable": "skip", "safety": "idempotent",
            "parameters": {"ticket_id": "{{ ticket_id }}", "note": "step {{ count }} of {{ ticket_id }}"},
        })
    };
    let playbook = json!({
        "name": "bench", "description": "", "timeout_seconds": 3_600, "triggers": [], "verify": [],
        "actions": (0..steps).map(step).collect::<Vec<_>>(),
    });
    Plan::compile(serde_json::from_value(playbook).unwrap()).unwrap()
}

fn output() -> Map {
    serde_json::from_value(json!({"ready": true, "count": 3, "phase": "Running"})).unwrap()
}

/// The run after `done` of its steps, with the input that ends the next one.
fn run(plan: &Plan, done: usize) -> (State, Input) {
    let now = Timestamp(1_000);
    let started = RunStarted {
        incident_id: "incident-1".to_owned(),
        incident_type: None,
        playbook: "bench".to_owned(),
        plan_digest: plan.digest.clone(),
        variables: serde_json::from_value(json!({"ready": true, "count": 0, "ticket_id": "ticket-1"})).unwrap(),
        approval: false,
        named: false,
        gate: None,
        mode: RunMode::Live,
        autonomy: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
    };
    let (mut state, _) = turn::begin(plan, RunId::new("run-1"), started, now, 1).unwrap();
    for _ in 0..done {
        let input = answer(plan, &state);
        turn::take(plan, &mut state, input, now, 1).unwrap();
    }
    let input = answer(plan, &state);
    (state, input)
}

fn answer(plan: &Plan, state: &State) -> Input {
    let owed = heal_engine::decide::decide(plan, state, Timestamp(1_000));
    let Some(heal_engine::Command::Perform { command, .. }) = owed.into_iter().next() else {
        unreachable!("an attempt is owed")
    };
    Input::Result(Box::new(ActionResult {
        run_id: command.run_id,
        step: command.step,
        item: command.item,
        attempt: command.attempt,
        token: command.token,
        finished_at: Timestamp(1_000),
        started_at: None,
        result: AttemptResult::succeeded(output()),
    }))
}

/// A copy that shares nothing, as a live state does: shared variables would be copied inside the measured time.
fn own(state: &State) -> State {
    let mut state = state.clone();
    let _ = Arc::make_mut(&mut state.variables);
    state
}

fn one_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply and decide, one step");
    for steps in [10, 100, 1_000] {
        let plan = plan(steps);
        let (state, input) = run(&plan, steps / 2);
        let seq = state.seq;
        group.bench_function(BenchmarkId::from_parameter(format!("of {steps}")), |bencher| {
            bencher.iter_batched_ref(
                || (own(&state), input.clone()),
                |(state, input)| {
                    let turn = turn::take(&plan, state, input.clone(), Timestamp(1_000), 2).unwrap();
                    (turn, heal_engine::decide::since(&plan, state, Timestamp(1_000), seq))
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, one_step);
criterion_main!(benches);
