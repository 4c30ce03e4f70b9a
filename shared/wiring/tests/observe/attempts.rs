//! Metrics of the attempts: decisions, cooldowns, claims, dead letters.

use std::sync::atomic::Ordering;

use heal_runtime::attempt::LEASE_MS;
use heal_runtime::port::{Decision, DecisionSource, QueueName};
use heal_testkit::memory::When;

use crate::rig::{ACTION, Rig, allow, deny};

#[tokio::test(start_paused = true)]
async fn every_decision_has_its_label() {
    let unavailable = || Decision::Unavailable { message: "connection refused".to_owned() };
    let warning = Some("decided by the bundled policy, because opa is unavailable".to_owned());
    let fallback = Decision::Allow { source: DecisionSource::Bundled, warning };
    let cases = [
        (allow(DecisionSource::Server), "allow"),
        (allow(DecisionSource::NotValidated), "allow"),
        (allow(DecisionSource::Bundled), "allow"),
        (fallback, "fallback"),
        (allow(DecisionSource::Disabled), "disabled"),
        (allow(DecisionSource::FailOpen), "fail_open"),
        (deny(DecisionSource::Server), "deny"),
        (deny(DecisionSource::Bundled), "deny"),
        (unavailable(), "error"),
    ];
    for (decision, label) in cases {
        let rig = Rig::new();
        *rig.verdict.lock().unwrap() = decision.clone();
        rig.heal("i-1", "t-1").await;
        let line = format!(r#"self_healing_opa_validation_total{{action="{ACTION}",result="{label}"}} 1"#);
        rig.assert_series(&[&line]);
        if label == "deny" {
            rig.assert_series(&[
                r#"self_healing_ticket_reallocation_total{reason="timeout_recovery",status="denied"} 1"#,
                r#"self_healing_attempts_total{action="reallocate_ticket",status="denied"} 1"#,
                r#"self_healing_decisions_total{action="reallocate_ticket",verdict="deny"} 1"#,
                r#"self_healing_runs_ended_total{outcome="DENIED",playbook="healing"} 1"#,
            ]);
        } else {
            rig.assert_none("self_healing_ticket_reallocation_total");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_service_counts_as_a_skipped_call() {
    let rig = Rig::new();
    rig.unavailable.store(true, Ordering::SeqCst);
    rig.heal("i-1", "t-1").await;
    rig.assert_series(&[
        r#"self_healing_ticket_reallocation_total{reason="timeout_recovery",status="skipped"} 1"#,
        r#"self_healing_attempts_total{action="reallocate_ticket",status="skipped"} 1"#,
    ]);
    rig.assert_none("self_healing_opa_validation_total");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cools_down_counts_as_a_hit() {
    let rig = Rig::new();
    rig.heal("i-1", "t-1").await;
    rig.assert_none("self_healing_cooldown_hits_total");
    rig.heal("i-2", "t-1").await;
    rig.assert_series(&[
        r#"self_healing_cooldown_hits_total{action="reallocate_ticket"} 1"#,
        r#"self_healing_decisions_total{action="reallocate_ticket",verdict="proceed"} 1"#,
        r#"self_healing_decisions_total{action="reallocate_ticket",verdict="hold"} 1"#,
    ]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_claim_is_lost_by_one_worker_and_recovered_by_the_next() {
    let rig = Rig::new();
    rig.takes_ms.store(LEASE_MS + 1, Ordering::SeqCst);
    // The claim, the cooldown, and after the effect the heartbeat that would have extended it.
    let mut reservations = 0;
    rig.claims.decide_by(move |operation| {
        reservations += u32::from(operation == "claims.reserve");
        (operation == "claims.reserve" && reservations == 3).then_some(When::Before)
    });
    rig.incident(&crate::rig::incident("i-1", "t-1")).await;
    rig.host.once(&QueueName::Incidents, 1).await.unwrap();
    rig.host.once(&QueueName::Action(ACTION.to_owned()), 1).await.unwrap();
    rig.assert_series(&[r#"self_healing_claims_lost_total{action="reallocate_ticket"} 1"#]);
    rig.assert_none("self_healing_attempts_total");
    rig.takes_ms.store(0, Ordering::SeqCst);
    rig.work().await;
    rig.assert_series(&[
        r#"self_healing_claims_recovered_total{action="reallocate_ticket"} 1"#,
        r#"self_healing_attempts_total{action="reallocate_ticket",status="success"} 1"#,
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_result_whose_write_was_not_acknowledged_is_neither_counted_nor_recovered() {
    let rig = Rig::new();
    rig.claims.fail_next_of("claims.finish", 1, When::After);
    rig.heal("i-1", "t-1").await;
    for _ in 0..60 {
        rig.clock.advance_ms(1_000);
        rig.work().await;
    }
    // The claim was finished, but the response was lost; the next worker finds it finished.
    rig.assert_none("self_healing_claims_recovered_total");
    rig.assert_none("self_healing_attempts_total");
    rig.assert_series(&[r#"self_healing_runs_ended_total{outcome="COMPLETED",playbook="healing"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_command_is_a_dead_letter() {
    let rig = Rig::new();
    rig.send(QueueName::Action(ACTION.to_owned()), "{\"run_id\": 7}").await;
    rig.work().await;
    rig.assert_series(&[r#"self_healing_dead_lettered_steps_total{action="reallocate_ticket"} 1"#]);
}
