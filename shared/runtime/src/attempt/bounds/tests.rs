use heal_engine::catalog::Safety;
use heal_guard::{CooldownRule, Selector};
use serde_json::json;

use super::*;
use crate::port::PolicyResource;

fn spec(safety: Safety) -> ActionSpec {
    ActionSpec {
        name: "touch",
        description: "",
        parameters: json!({}),
        outputs: &[],
        safety,
        inherits: &[],
        default_timeout_seconds: 1,
        service: "lamps",
        critical: false,
    }
}

fn budget(name: &str, key: &str, actions: &[&str]) -> Budget {
    let applies_to = Selector { actions: actions.iter().map(|&name| name.to_owned()).collect(), ..Selector::default() };
    Budget {
        name: name.to_owned(),
        applies_to,
        key: key.to_owned(),
        max: 5_000,
        max_percent: None,
        window_seconds: 60,
        concurrent: false,
    }
}

fn call() -> Call {
    let command = json!({
        "run_id": "run-1", "step": "s", "attempt": 1, "token": "t", "action": "touch", "parameters": {},
        "parameters_digest": Digest::of(b"{}"), "issued_at": 0, "deadline": 1_000, "hop": 1,
        "context": {"incident_id": "i", "playbook": "p", "workflow_id": "wf-1"},
    });
    let at = heal_engine::Timestamp(0);
    let command = serde_json::from_value(command).unwrap();
    Call { command, idempotency_key: String::new(), deadline: at.plus_ms(1_000), started_at: at }
}

fn count(guardrails: Guardrails, safety: Safety) -> Counted {
    let spec = spec(safety);
    let bounds = Bounds::compile(&Arc::new(guardrails), &spec).unwrap();
    bounds.count(&spec, &call(), &Target::new("t-1", PolicyResource::default()), &[]).unwrap()
}

#[test]
fn an_effect_counts_in_the_budgets_that_are_for_it_under_their_rendered_keys() {
    let budgets = vec![
        budget("all", "", &[]),
        budget("each", "{{ action }} by {{ playbook }}: {{ service }}/{{ target }} of {{ workflow_id }}", &["touch"]),
        budget("others", "", &["restart_pod"]),
    ];
    let counted = count(Guardrails { budgets, ..Guardrails::default() }, Safety::Unknown);
    let keys: Vec<_> = counted.budgets.iter().map(|request| (&*request.key.name, &*request.key.key)).collect();
    assert_eq!(keys, [("all", ""), ("each", "touch by p: lamps/t-1 of wf-1")]);
    assert!(counted.budgets.iter().all(|request| request.max == BUDGET_MAX && request.window_ms == 60_000));
}

#[test]
fn an_action_without_a_cooldown_has_one_where_a_rule_says_so_and_none_if_it_only_reads() {
    let rule = CooldownRule { action: "touch".to_owned(), seconds: 7 };
    let rails = Guardrails { cooldowns: vec![rule], budgets: vec![budget("all", "", &[])], ..Guardrails::default() };
    let counted = count(rails.clone(), Safety::Unknown);
    assert_eq!(counted.cooldown.unwrap().cooldown_ms, 7_000);
    assert!(count(rails, Safety::ReadOnly).is_free());
    assert!(count(Guardrails::default(), Safety::Unknown).is_free());
}

#[test]
fn a_key_that_is_not_a_template_names_its_budget() {
    let rails = Guardrails { budgets: vec![budget("each", "{{ target", &[])], ..Guardrails::default() };
    let error = Bounds::compile(&Arc::new(rails), &spec(Safety::Unknown)).unwrap_err();
    assert!(error.starts_with("budget \"each\": "), "{error}");
}

#[test]
fn the_key_of_a_budget_that_is_not_for_the_action_is_not_looked_at() {
    let others = Guardrails { budgets: vec![budget("others", "{{ target", &["restart_pod"])], ..Guardrails::default() };
    assert!(Bounds::compile(&Arc::new(others), &spec(Safety::Unknown)).is_ok());
    let all = Guardrails { budgets: vec![budget("all", "{{ target", &[])], ..Guardrails::default() };
    assert!(Bounds::compile(&Arc::new(all), &spec(Safety::ReadOnly)).is_ok(), "what only reads counts in none");
}

#[test]
fn a_budget_of_a_share_has_the_more_places_of_its_number_and_the_share() {
    let shared = Budget { max: 2, max_percent: Some(10), ..budget("pods", "", &[]) };
    let fixed = Budget { max: 2, ..budget("fixed", "", &[]) };
    let rails = Guardrails { budgets: vec![shared, fixed], ..Guardrails::default() };
    for (population, places) in [(None, 2), (Some(5), 2), (Some(29), 2), (Some(30), 3), (Some(u32::MAX), 1_000)] {
        let mut counted = count(rails.clone(), Safety::Unknown);
        counted.allow_share_of(population);
        let max: Vec<_> = counted.budgets.iter().map(|request| request.max).collect();
        assert_eq!(max, [places, 2], "{population:?}");
        let uses = counted.budgets.iter().map(|request| BudgetUse {
            target: request.target.clone(),
            key: request.key.clone(),
            used: 0,
            full_until: None,
        });
        let counters = counted.counters(&Answer { cooling: Vec::new(), budgets: uses.collect() });
        let told: Vec<_> = counters.iter().map(|counter| counter.population.map(|it| it.of)).collect();
        assert_eq!(told, [population, None]);
    }
}

#[test]
fn what_is_in_flight_counts_for_as_long_as_its_attempt_may_last() {
    let at_once = Budget { concurrent: true, window_seconds: 0, ..budget("at_once", "", &[]) };
    let counted = count(Guardrails { budgets: vec![at_once], ..Guardrails::default() }, Safety::Unknown);
    let [request] = counted.budgets.as_slice() else { panic!("{counted:?}") };
    assert!(request.key.is_in_flight() && request.key.budget() == "at_once");
    assert_eq!(request.window_ms, 1_000 + LEASE_MS);
}
