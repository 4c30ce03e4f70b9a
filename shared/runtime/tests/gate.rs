//! The plan gate: what is known to be denied stops a run before its first effect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

#[path = "gate/rig.rs"]
mod rig;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_engine::event::{RunOutcome, RunStatus};
use heal_engine::message::Violation;
use heal_guard::{Budget, Guardrails, Schedule, Selector, Window, WindowKind};
use heal_runtime::dispatcher::{self, Dispatcher, GATE_QUESTIONS, Gatekeeper, IntakeOutcome};
use heal_runtime::library::Library;
use heal_runtime::port::{
    BudgetKey, BudgetRequest, ClaimKey, ClaimRequest, ClaimStore as _, Clock as _, CooldownKey, CooldownRequest,
    Decision, DecisionSource, LeaseOwner, OsEntropy, Policy, PolicyInput, RunReader as _,
};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Runs};
use serde_json::{Value, json};

use rig::*;

#[tokio::test]
async fn a_denial_of_the_last_step_stops_the_first() {
    let rig = Rig::new(playbook(json!({}), json!({})));
    let (outcome, sent, _) = rig.start(json!({"ticket_id": "no-1"})).await;
    assert_eq!((outcome, sent), (Some(RunOutcome::Denied), 0));
    let rig = Rig::new(playbook(json!({}), json!({})));
    let (outcome, sent, warnings) = rig.start(json!({"ticket_id": "t-1"})).await;
    assert_eq!((outcome, sent, warnings), (None, 1, Vec::new()));
    assert_eq!(rig.asked(), ["t-1"]);
}

#[tokio::test]
async fn what_may_not_happen_or_may_fail_only_warns() {
    let warned = "step reallocate will probably be denied: ticket no-1: not this one (no_ticket)";
    for (change, file) in [
        (json!({}), json!({"plan_gate": "warn"})),
        (json!({"on_failure": "continue"}), json!({})),
        (json!({"condition": "{{ replaced_by is defined }}"}), json!({})),
        (json!({"condition": "{{ steps.restart.outcome == 'succeeded' }}"}), json!({})),
    ] {
        let rig = Rig::new(playbook(change.clone(), file));
        let (outcome, sent, warnings) = rig.start(json!({"ticket_id": "no-1"})).await;
        assert_eq!((outcome, sent, warnings), (None, 1, vec![warned.to_owned()]), "{change}");
    }
}

#[tokio::test]
async fn what_is_not_known_or_will_not_happen_is_not_asked() {
    for change in [
        json!({"condition": "{{ severity == 'HIGH' }}"}),
        json!({"parameters": {"ticket_id": "{{ replaced_by }}", "reason": "test"}}),
        json!({"parameters": {"ticket_id": "{{ steps.restart.replaced_by }}", "reason": "test"}}),
        json!({"parameters": {"ticket_id": "{{ nowhere }}", "reason": "test"}}),
        json!({"critical": false}),
    ] {
        let rig = Rig::new(playbook(change.clone(), json!({})));
        let (outcome, sent, warnings) = rig.start(json!({"ticket_id": "no-1", "severity": "LOW"})).await;
        assert_eq!((outcome, sent, warnings), (None, 1, Vec::new()), "{change}");
        assert!(rig.asked().is_empty(), "{change}");
    }
}

#[tokio::test]
async fn a_batch_stops_the_run_only_if_every_ticket_is_denied() {
    let batch = json!({"parameters": {"affected_tickets": "{{ affected_tickets }}", "reason": "test"}});
    let rig = Rig::new(playbook(batch.clone(), json!({})));
    let (outcome, _, warnings) = rig.start(json!({"affected_tickets": ["no-1", "t-1"]})).await;
    assert_eq!((outcome, warnings.len()), (None, 1), "{warnings:?}");
    let rig = Rig::new(playbook(batch.clone(), json!({})));
    let (outcome, sent, _) = rig.start(json!({"affected_tickets": ["no-1", "no-2"]})).await;
    assert_eq!((outcome, sent), (Some(RunOutcome::Denied), 0));
    let rig = Rig::new(playbook(batch, json!({})));
    let many: Vec<_> = (0..2 * GATE_QUESTIONS).map(|index| format!("t-{index}")).collect();
    rig.start(json!({"affected_tickets": many})).await;
    assert_eq!(rig.asked().len(), GATE_QUESTIONS);
}

#[tokio::test]
async fn the_policy_knows_when_the_ticket_was_touched() {
    let rig = touched_by_a_clock_that_is_ahead_by(0).await;
    let (outcome, sent, _) = rig.start(json!({"ticket_id": "t-1"})).await;
    assert_eq!((outcome, sent), (Some(RunOutcome::Denied), 0));
}

#[tokio::test]
async fn what_a_wrong_clock_touched_in_the_future_stops_no_run() {
    let rig = touched_by_a_clock_that_is_ahead_by(365 * 86_400_000).await;
    let (outcome, sent, warnings) = rig.start(json!({"ticket_id": "t-1"})).await;
    assert_eq!((outcome, sent, warnings), (None, 1, Vec::new()));
}

/// A rig whose ticket `t-1` was touched by another attempt.
async fn touched_by_a_clock_that_is_ahead_by(ahead_ms: u64) -> Rig {
    let rig = Rig::new(playbook(json!({}), json!({})));
    let key = CooldownKey { action: "reallocate_ticket".to_owned(), target: "t-1".to_owned() };
    let claim = ClaimKey { action: "reallocate_ticket".to_owned(), attempt: "another".to_owned() };
    let (holder, now) = (LeaseOwner("another".to_owned()), rig.clock.now().plus_ms(ahead_ms));
    let cooldowns = vec![CooldownRequest { key, cooldown_ms: 300_000 }];
    let request = ClaimRequest { cooldowns, ..ClaimRequest::new(claim, holder, now, now.plus_ms(1_000)) };
    rig.claims.reserve(&request).await.unwrap();
    rig
}

fn selector(actions: &[&str]) -> Selector {
    Selector { actions: actions.iter().map(|&name| name.to_owned()).collect(), ..Selector::default() }
}

/// Open for a minute from the clock's start on.
fn window(kind: WindowKind, actions: &[&str]) -> Guardrails {
    let start = ManualClock::default().now();
    let schedule = Schedule::Once { start, end: start.plus_ms(60_000) };
    let (name, reason, applies_to) = ("night".to_owned(), String::new(), selector(actions));
    let window = Window { name, kind, applies_to, schedule, approvers: Vec::new(), reason };
    Guardrails { windows: vec![window], ..Guardrails::default() }
}

#[tokio::test]
async fn a_window_that_denies_the_last_step_stops_the_first() {
    let denies = || window(WindowKind::Deny, &["reallocate_ticket"]);
    let rig = Rig::under(playbook(json!({}), json!({})), denies());
    let (outcome, sent, _) = rig.start(json!({"ticket_id": "t-1"})).await;
    assert_eq!((outcome, sent), (Some(RunOutcome::Denied), 0));
    let rig = Rig::under(playbook(json!({}), json!({})), denies());
    rig.clock.advance_ms(60_000);
    let (outcome, sent, warnings) = rig.start(json!({"ticket_id": "t-1"})).await;
    assert_eq!((outcome, sent, warnings), (None, 1, Vec::new()), "it has closed");
    let rig = Rig::under(playbook(json!({}), json!({"plan_gate": "warn"})), denies());
    let (outcome, _, warnings) = rig.start(json!({"ticket_id": "t-1"})).await;
    let warned = "step reallocate will probably be denied: window night is open; it denies it, and closes in 60 s";
    assert_eq!((outcome, warnings), (None, vec![warned.to_owned()]));
}

#[tokio::test]
async fn a_window_for_a_service_stops_the_run_before_its_first_step() {
    for (service, expected) in [("execution-ticket-service", Some(RunOutcome::Denied)), ("orchestrator", None)] {
        let mut rails = window(WindowKind::Deny, &[]);
        rails.windows[0].applies_to.services = vec![service.to_owned()];
        let rig = Rig::under(playbook(json!({"service": "execution-ticket-service"}), json!({})), rails);
        let (outcome, sent, _) = rig.start(json!({"ticket_id": "t-1"})).await;
        assert_eq!((outcome, sent), (expected, usize::from(expected.is_none())), "{service}");
    }
}

#[tokio::test]
async fn a_window_that_asks_or_holds_an_effect_only_warns() {
    for (kind, warned) in [
        (WindowKind::Ask, "step reallocate: window night is open; it asks for an approval, and closes in 60 s"),
        (WindowKind::Hold, "step reallocate: window night is open"),
    ] {
        let rig = Rig::under(playbook(json!({}), json!({})), window(kind, &["reallocate_ticket"]));
        let (outcome, sent, warnings) = rig.start(json!({"ticket_id": "t-1"})).await;
        assert_eq!((outcome, sent, warnings), (None, 1, vec![warned.to_owned()]));
    }
    let rig = Rig::under(playbook(json!({}), json!({})), window(WindowKind::Ask, &["pause_workflow"]));
    assert_eq!(rig.start(json!({"ticket_id": "t-1"})).await.2, Vec::<String>::new());
}

#[tokio::test]
async fn a_full_budget_warns_since_it_may_have_a_place_by_then() {
    let budget = |name: &str, key: &str, max, percent| Budget {
        name: name.to_owned(),
        applies_to: selector(&["restart_pod"]),
        key: key.to_owned(),
        max,
        max_percent: percent,
        window_seconds: 600,
        concurrent: false,
    };
    let budgets = vec![
        budget("each", "{{ target }}", 1, None),
        budget("roomy", "{{ target }}", 2, None),
        budget("share", "{{ target }}", 1, Some(10)),
    ];
    let rig = Rig::under(playbook(json!({}), json!({})), Guardrails { budgets, ..Guardrails::default() });
    let claim = ClaimKey { action: "restart_pod".to_owned(), attempt: "another".to_owned() };
    let (holder, now) = (LeaseOwner("another".to_owned()), rig.clock.now());
    let target = CooldownKey { action: "restart_pod".to_owned(), target: "p-1".to_owned() };
    let place = |name: &str| BudgetRequest {
        target: target.clone(),
        key: BudgetKey { name: name.to_owned(), key: "p-1".to_owned() },
        max: 2,
        window_ms: 600_000,
    };
    let budgets = vec![place("each"), place("roomy"), place("share")];
    let cooldowns = vec![CooldownRequest { key: target.clone(), cooldown_ms: 30_000 }];
    let request = ClaimRequest { budgets, cooldowns, ..ClaimRequest::new(claim, holder, now, now.plus_ms(1_000)) };
    rig.claims.reserve(&request).await.unwrap();
    let (outcome, sent, warnings) = rig.start(json!({"ticket_id": "t-1"})).await;
    assert_eq!((outcome, sent), (None, 1));
    assert_eq!(
        warnings,
        [
            "step restart: cooldown of restart_pod for p-1: 1 of 1 used, free again in 30 s",
            "step restart: budget \"each\" for p-1: 1 of 1 used, free again in 600 s"
        ]
    );
}
