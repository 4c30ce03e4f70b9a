//! What a playbook compiles to, and why it does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::PlaybookCase;
use heal_engine::playbook::{Approval, Condition, ForEach, PlanGate, Playbook, Step, Until};
use heal_engine::{Plan, PlanError, format, limit};
use serde_json::{Value, json};

fn playbook(actions: &Value) -> Playbook {
    let case: PlaybookCase = serde_json::from_value(json!({"actions": actions})).unwrap();
    case.into_plan().playbook
}

fn one_step() -> Playbook {
    playbook(&json!([{"name": "act"}]))
}

fn fault(change: impl FnOnce(&mut Playbook)) -> String {
    let mut playbook = one_step();
    change(&mut playbook);
    Plan::compile(playbook).unwrap_err().to_string()
}

fn fault_of_step(change: impl FnOnce(&mut Step)) -> String {
    fault(|playbook| change(&mut playbook.actions[0]))
}

#[test]
fn a_playbook_has_as_many_steps_as_the_limit_says() {
    let with = |steps: usize| {
        let step = one_step().actions.remove(0);
        let actions = (0..steps).map(|index| Step { name: format!("s{index}"), ..step.clone() }).collect();
        Plan::compile(Playbook { actions, ..one_step() }).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with(limit::STEPS), Ok(()));
    let fault = "failed to compile playbook case: it has 1001 steps, the limit is 1000";
    assert_eq!(with(limit::STEPS + 1), Err(fault.to_owned()));
}

#[test]
fn a_template_that_does_not_compile_is_found_by_its_place() {
    let broken = || "{{ a b }}".to_owned();
    let condition = || Condition::Expression(broken());
    let until = || Until { condition: condition(), within_seconds: 1, every_seconds: 1 };
    let asks = || Approval { when: Some(condition()), ..Approval::default() };
    for (fault, place) in [
        (fault(|playbook| playbook.concurrency_key = Some(broken())), "concurrency_key"),
        (fault(|playbook| playbook.approval = Some(asks())), "approval.when"),
        (fault_of_step(|step| step.approval = Some(asks())), "approval.when of step act"),
        (fault_of_step(|step| step.condition = Some(condition())), "condition of step act"),
        (fault_of_step(|step| step.until = Some(until())), "until of step act"),
        (fault_of_step(|step| step.parameters = one("pod", broken().into())), "parameters.pod of step act"),
        (fault_of_step(|step| step.parameters = one("pods", json!([1, broken()]))), "parameters.pods[1] of step act"),
        (fault_of_step(|step| step.for_each = Some(each(broken().into()))), "for_each of step act"),
        (fault_of_step(|step| step.for_each = Some(each(json!([1, broken()])))), "for_each[1] of step act"),
        (fault_of_step(|step| step.for_each = Some(each(json!([{"a": broken()}])))), "for_each[0].a of step act"),
    ] {
        assert_eq!(fault, format!("failed to compile {place} of playbook case"));
    }
    let needs = fault_of_step(|step| step.needs = vec!["other".to_owned()]);
    assert_eq!(needs, "failed to compile playbook case: step act needs `other`, which is not a step of it");
}

fn one(key: &str, value: Value) -> heal_engine::Map {
    heal_engine::Map::from_iter([(key.to_owned(), value)])
}

fn each(items: Value) -> ForEach {
    ForEach { items, max_parallel: 1 }
}

/// An older build would start without asking anybody, so it has to refuse the plan.
#[test]
fn a_plan_that_asks_people_is_of_the_second_version() {
    let version = |change: fn(&mut Playbook)| {
        let mut playbook = one_step();
        change(&mut playbook);
        let plan = Plan::compile(playbook).unwrap();
        let read = Plan::parse(&plan.digest, plan.to_json()).unwrap();
        assert_eq!((&read.playbook, &read.digest), (&plan.playbook, &plan.digest));
        format::version(read.to_json()).unwrap()
    };
    assert_eq!(version(|_| ()), 1);
    assert_eq!(version(|playbook| playbook.plan_gate = PlanGate::Warn), 1);
    assert_eq!(version(|playbook| playbook.approval = Some(Approval::default())), 2);
    assert_eq!(version(|playbook| playbook.actions[0].approval = Some(Approval::default())), 2);
}

#[test]
fn a_stored_plan_with_another_digest_is_refused() {
    let (plan, other) = (Plan::compile(one_step()).unwrap(), Plan::compile(playbook(&json!([]))).unwrap());
    assert!(matches!(Plan::parse(&other.digest, plan.to_json()), Err(PlanError::Tampered { .. })));
}
