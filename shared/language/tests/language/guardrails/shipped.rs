//! The guardrails that ship.

use super::read;
use crate::shipped_guardrails;

#[test]
fn the_shipped_guardrails_are_without_fault_and_bound_something() {
    let reading = read(&shipped_guardrails());
    assert_eq!(reading.diagnostics, []);
    let guardrails = reading.guardrails.expect("no diagnostic, so guardrails");
    assert!(!guardrails.budgets.is_empty());
    let restarts = guardrails.budgets.iter().find(|budget| budget.applies_to.actions == ["restart_pod"]);
    let restarts = restarts.expect("a budget of pod restarts");
    assert_eq!((restarts.key.as_str(), restarts.max, restarts.window_seconds), ("", 10, 600));
}

#[test]
fn the_shipped_guardrails_name_their_schema_for_editors() {
    let first = "# yaml-language-server: $schema=guardrails.schema.json";
    assert_eq!(shipped_guardrails().lines().next(), Some(first));
}
