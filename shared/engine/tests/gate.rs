//! The plan gate: which effects of a run are known before its first one, and what follows if one would be denied.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::{PlaybookCase, Run};
use heal_engine::gate::{Gate, KnownStep, known_steps};
use heal_engine::playbook::{OnFailure, PlanGate};
use heal_engine::{Map, Plan, Timestamp};
use serde_json::{Value, json};

/// A step that gives `healthy` comes first, so that the others may read it.
fn run(step: &Value, key: &str) -> Run {
    let mut named = json!({"name": "act", "needs": [], "safety": "idempotent"});
    named.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
    let before = json!({"name": "before", "needs": [], "safety": "read_only", "outputs": ["healthy"]});
    let (actions, verify) =
        if key == "verify" { (vec![before], vec![named]) } else { (vec![before, named], Vec::new()) };
    let case: PlaybookCase = serde_json::from_value(json!({"actions": actions, "verify": verify})).unwrap();
    let variables = Map::from_iter([("pod".to_owned(), "p-1".into()), ("night".to_owned(), true.into())]);
    Run::start(case.into_plan(), variables, false, Timestamp(1_000_000), 7)
}

/// The parameters of the step `act` and whether it is certain to start; `None` if it is not known.
fn known(step: &Value, key: &str) -> Option<(Value, bool)> {
    let run = run(step, key);
    let steps = known_steps(&run.plan, &run.state);
    let mut found = steps.into_iter().map(|known| {
        assert_eq!(known.step.spec.name, "act");
        (Value::Object(known.parameters), known.is_certain)
    });
    found.next()
}

#[test]
fn an_effect_is_known_if_no_template_of_it_reads_what_a_step_gives() {
    let pod = json!({"pod": "p-1"});
    let reads = |text: &str| json!({"parameters": {"pod": text}});
    assert_eq!(known(&reads("{{ pod }}"), "actions"), Some((pod.clone(), true)));
    for given in ["{{ healthy }}", "{{ healthy.text }}", "{{ steps.before.healthy }}", "{{ unknown }}"] {
        assert_eq!(known(&reads(given), "actions"), None, "{given}");
    }
    assert_eq!(known(&json!({"inherits": ["pod"]}), "actions"), Some((pod, true)));
    assert_eq!(known(&json!({"inherits": ["healthy"]}), "actions"), None);
}

#[test]
fn an_effect_of_a_fan_out_or_a_verification_and_what_changes_nothing_is_not_known() {
    assert_eq!(known(&json!({}), "actions"), Some((json!({}), true)));
    assert_eq!(known(&json!({}), "verify"), None);
    assert_eq!(known(&json!({"for_each": [1, 2]}), "actions"), None);
    assert_eq!(known(&json!({"safety": "read_only"}), "actions"), None);
    assert_eq!(known(&json!({"type": "wait", "parameters": {"seconds": 1}}), "actions"), None);
}

#[test]
fn a_step_is_certain_to_start_if_its_condition_is_true_already_and_left_out_if_it_is_false() {
    for (condition, expected) in [
        (json!("{{ night }}"), Some(true)),
        (json!("{{ not night }}"), None),
        (json!("{{ unknown }}"), None),
        (json!("{{ healthy }}"), Some(false)),
        (json!("{{ steps.before.skipped }}"), Some(false)),
    ] {
        let found = known(&json!({"condition": condition.clone()}), "actions").map(|(_, is_certain)| is_certain);
        assert_eq!(found, expected, "{condition}");
    }
}

/// What the gate finds if a step of this kind would be denied.
fn denied(is_certain: bool, on_failure: OnFailure, plan_gate: PlanGate, times: usize) -> Gate {
    let Run { plan, .. } = run(&json!({"on_failure": on_failure}), "actions");
    let plan = Plan::compile(heal_engine::playbook::Playbook { plan_gate, ..plan.playbook }).unwrap();
    let step = plan.step(plan.find("act").unwrap()).unwrap();
    let mut gate = Gate::default();
    assert!(gate.is_clear());
    for _ in 0..times {
        gate.deny(&plan, &KnownStep { step, parameters: Map::new(), is_certain }, "not this one");
    }
    assert!(!gate.is_clear());
    gate
}

#[test]
fn a_denial_stops_the_run_only_if_the_step_is_certain_and_its_failure_would_stop_it() {
    let stop = Some("nothing was done: step act would be denied: not this one".to_owned());
    let warning = || "step act will probably be denied: not this one".to_owned();
    let stopped = denied(true, OnFailure::Stop, PlanGate::Stop, 2);
    assert_eq!(stopped, Gate { stop, warnings: vec![warning()] });
    for (is_certain, on_failure, plan_gate) in [
        (false, OnFailure::Stop, PlanGate::Stop),
        (true, OnFailure::Continue, PlanGate::Stop),
        (true, OnFailure::Stop, PlanGate::Warn),
    ] {
        let warned = denied(is_certain, on_failure, plan_gate, 1);
        assert_eq!(warned, Gate { stop: None, warnings: vec![warning()] });
    }
}
