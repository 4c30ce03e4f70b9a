//! Cooldowns and budgets of the guardrails, as a worker keeps them.

use std::sync::atomic::Ordering;

use heal_guard::{Budget, CooldownRule, Guardrails, Selector};
use heal_runtime::{AttemptOutcome, AttemptResult, Safety};
use heal_testkit::memory::When;
use serde_json::json;

use super::{COOLDOWN_MS, LEASE_MS, Rig, tickets};

/// At most `max` effects in ten minutes.
pub(super) fn budget(name: &str, key: &str, max: u32) -> Guardrails {
    let (name, key, applies_to) = (name.to_owned(), key.to_owned(), Selector::default());
    let budgets =
        vec![Budget { name, applies_to, key, max, max_percent: None, window_seconds: 600, concurrent: false }];
    Guardrails { budgets, ..Guardrails::default() }
}

fn succeeded(result: &AttemptResult) -> bool {
    result.outcome == AttemptOutcome::Succeeded
}

/// The rule that left the target alone.
#[track_caller]
fn rule(result: &AttemptResult) -> &str {
    match &result.outcome {
        AttemptOutcome::CoolingDown { rule: Some(rule), .. } => rule,
        other => panic!("not left alone by a budget: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_used_up_budget_leaves_the_target_alone_and_names_itself_until_a_place_is_free() {
    let rig = Rig::bounded(Safety::Idempotent, budget("restarts", "", 2));
    for run in ["1", "2"] {
        assert!(succeeded(&rig.perform(&rig.command(run, tickets(&[run]))).await));
        rig.clock.advance_ms(60_000);
    }
    let third = rig.perform(&rig.command("3", tickets(&["3"]))).await;
    assert_eq!(rule(&third), "budget \"restarts\": 2 of 2 used, free again in 480 s");
    assert_eq!(rig.touched(), 2);
    rig.clock.advance_ms(480_000);
    assert!(succeeded(&rig.perform(&rig.command("4", tickets(&["3"]))).await), "its cooldown was given back");
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_by_its_rendered_key() {
    let rig = Rig::bounded(Safety::Idempotent, budget("each", "{{ playbook }}/{{ target }}", 1));
    for run in ["1", "2"] {
        assert!(succeeded(&rig.perform(&rig.command(run, tickets(&[run]))).await));
    }
    rig.clock.advance_ms(COOLDOWN_MS);
    let again = rig.perform(&rig.command("3", tickets(&["1"]))).await;
    assert_eq!(rule(&again), "budget \"each\" for p/1: 1 of 1 used, free again in 300 s");
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_performed_as_far_as_the_budget_goes_and_names_the_others() {
    let rig = Rig::bounded(Safety::Idempotent, budget("restarts", "", 2));
    let result = rig.perform(&rig.command("run", tickets(&["c", "b", "a"]))).await;
    assert!(succeeded(&result) && rig.touched() == 2, "{result:?}");
    let why = "cooling down: budget \"restarts\": 2 of 2 used, free again in 600 s";
    assert_eq!(result.follow_up, [format!("a: {why}")]);
    assert_eq!(result.output["denied"], json!([{"target": "a", "reason": why}]));
}

#[tokio::test(start_paused = true)]
async fn a_denied_target_takes_no_place() {
    let rig = Rig::bounded(Safety::Idempotent, budget("restarts", "", 1));
    let denied = rig.perform(&rig.command("1", tickets(&["forbidden"]))).await;
    assert!(matches!(denied.outcome, AttemptOutcome::Denied { .. }), "{denied:?}");
    assert!(succeeded(&rig.perform(&rig.command("2", tickets(&["a"]))).await));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_recovered_counts_once() {
    let rig = Rig::bounded(Safety::Idempotent, budget("restarts", "", 2));
    let command = rig.command("1", tickets(&["a"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    assert!(succeeded(&rig.perform(&command).await));
    assert!(succeeded(&rig.perform(&rig.command("2", tickets(&["b"]))).await));
    assert!(rule(&rig.perform(&rig.command("3", tickets(&["c"]))).await).contains("2 of 2 used"));
}

#[tokio::test(start_paused = true)]
async fn a_place_counts_from_the_end_of_a_long_effect() {
    let rig = Rig::bounded(Safety::Idempotent, budget("restarts", "", 1));
    rig.takes_ms.store(20_000, Ordering::SeqCst);
    rig.perform(&rig.command("1", tickets(&["a"]))).await;
    rig.takes_ms.store(0, Ordering::SeqCst);
    rig.clock.advance_ms(599_999);
    rule(&rig.perform(&rig.command("2", tickets(&["b"]))).await);
    rig.clock.advance_ms(1);
    assert!(succeeded(&rig.perform(&rig.command("3", tickets(&["c"]))).await));
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_rule_overrides_the_actions_own_and_zero_switches_it_off() {
    for seconds in [1, 0] {
        let rule = CooldownRule { action: "touch".to_owned(), seconds };
        let rig = Rig::bounded(Safety::Idempotent, Guardrails { cooldowns: vec![rule], ..Guardrails::default() });
        rig.perform(&rig.command("1", tickets(&["a"]))).await;
        if seconds > 0 {
            rig.clock.advance_ms(seconds * 1_000 - 1);
            let early = rig.perform(&rig.command("2", tickets(&["a"]))).await;
            assert!(matches!(early.outcome, AttemptOutcome::CoolingDown { rule: None, .. }), "{early:?}");
            rig.clock.advance_ms(1);
        }
        assert!(succeeded(&rig.perform(&rig.command("3", tickets(&["a"]))).await), "{seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn the_intent_of_a_batch_names_what_is_done_and_not_what_was_refused() {
    let rig = Rig::bounded(Safety::Probe, budget("restarts", "", 1));
    let command = rig.command("run", tickets(&["a", "b"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    assert_eq!(rig.perform(&command).await.output["intent"], json!(["a"]));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_fails_before_its_effect_gives_everything_back() {
    let rig = Rig::bounded(Safety::Probe, budget("restarts", "", 1));
    rig.fail_reservation(2, When::After);
    assert!(rig.deliver(&rig.command("1", tickets(&["a"]))).await.is_err());
    rig.faults.clear();
    assert!(succeeded(&rig.perform(&rig.command("2", tickets(&["a"]))).await));
}
