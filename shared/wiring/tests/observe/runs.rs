//! Metrics of the dispatcher's commits.

use std::sync::atomic::Ordering;

use heal_runtime::port::{LiveRuns, QueueName};
use heal_testkit::memory::When;
use serde_json::json;

use crate::rig::{Rig, incident};

#[tokio::test(start_paused = true)]
async fn a_run_is_counted_and_timed_from_its_incident_to_its_end() {
    let rig = Rig::new();
    rig.takes_ms.store(4_000, Ordering::SeqCst);
    rig.heal("i-1", "t-1").await;
    rig.assert_series(&[
        r#"self_healing_runs_started_total{playbook="healing"} 1"#,
        r#"self_healing_runs_ended_total{outcome="COMPLETED",playbook="healing"} 1"#,
        r#"self_healing_run_duration_seconds_sum{outcome="COMPLETED",playbook="healing"} 4"#,
        r#"self_healing_step_duration_seconds_sum{action="reallocate_ticket",outcome="succeeded"} 4"#,
        r#"self_healing_incident_to_first_action_seconds_sum{playbook="healing"} 2"#,
        r#"self_healing_incident_to_first_action_seconds_count{playbook="healing"} 1"#,
        r#"self_healing_run_hops_sum{playbook="healing"} 1"#,
        r#"self_healing_attempts_total{action="reallocate_ticket",status="success"} 1"#,
    ]);
    // A step that did not start has no duration.
    rig.assert_none(r#"self_healing_step_duration_seconds_sum{action="reallocate_ticket",outcome="condition_false"}"#);
}

#[tokio::test(start_paused = true)]
async fn the_same_fix_again_is_counted_as_escalated_once() {
    let rig = Rig::new();
    for number in 1..=6 {
        rig.heal(&format!("i-{number}"), "t-1").await;
        rig.clock.advance_ms(301_000);
    }
    rig.assert_series(&[
        r#"self_healing_runs_ended_total{outcome="COMPLETED",playbook="healing"} 2"#,
        r#"self_healing_runs_ended_total{outcome="ESCALATED",playbook="healing"} 1"#,
        r#"self_healing_attempts_total{action="reallocate_ticket",status="success"} 2"#,
        r#"self_healing_incidents_total{result="joined"} 3"#,
    ]);
}

#[tokio::test(start_paused = true)]
async fn an_incident_without_a_usable_time_counts_from_its_acceptance() {
    let rig = Rig::new();
    for (id, created_at) in [("none", json!(null)), ("in_seconds", json!(1_800_000_000)), ("ahead", json!(u64::MAX))] {
        let mut body = incident(id, id);
        body["created_at"] = created_at;
        rig.incident(&body).await;
    }
    rig.work().await;
    rig.assert_series(&[
        r#"self_healing_incident_to_first_action_seconds_sum{playbook="healing"} 0"#,
        r#"self_healing_incident_to_first_action_seconds_count{playbook="healing"} 3"#,
    ]);
}

#[tokio::test(start_paused = true)]
async fn messages_are_counted_by_their_outcome() {
    let rig = Rig::new();
    rig.incident(&incident("i-1", "t-1")).await;
    rig.incident(&incident("i-1", "t-1")).await;
    rig.host.once(&QueueName::Incidents, 1).await.unwrap();
    rig.host.once(&QueueName::Incidents, 1).await.unwrap();
    rig.incident(&incident("i-2", "t-1")).await;
    rig.incident(&json!({"incident_id": "i-3", "incident_type": "UNHEARD_OF"})).await;
    let alarm = json!({"AlarmName": "a", "NewStateValue": "OK", "OldStateValue": "ALARM", "NewStateReason": "r",
        "StateChangeTime": "2026-11-23T20:21:00.123+0000", "Region": "EU", "AlarmArn": "arn:x"});
    rig.incident(&alarm).await;
    rig.host.once(&QueueName::Incidents, 10).await.unwrap();
    rig.assert_series(&[
        r#"self_healing_incidents_total{result="started"} 1"#,
        r#"self_healing_incidents_total{result="known"} 1"#,
        r#"self_healing_incidents_total{result="joined"} 1"#,
        r#"self_healing_incidents_total{result="rejected"} 1"#,
        r#"self_healing_incidents_total{result="ignored"} 1"#,
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_retried_is_counted_once() {
    let rig = Rig::new();
    rig.runs.fail_next_of("runs.create", 1, When::Before);
    rig.runs.fail_next_of("runs.append", 2, When::Before);
    rig.incident(&incident("i-1", "t-1")).await;
    for _ in 0..10 {
        rig.work().await;
        rig.clock.advance_ms(1_000);
    }
    rig.assert_series(&[
        r#"self_healing_runs_started_total{playbook="healing"} 1"#,
        r#"self_healing_runs_ended_total{outcome="COMPLETED",playbook="healing"} 1"#,
        r#"self_healing_incidents_total{result="started"} 1"#,
    ]);
}

#[tokio::test(start_paused = true)]
async fn runs_that_have_not_ended_are_counted_over_all_statuses() {
    let rig = Rig::new();
    rig.incident(&incident("i-1", "t-1")).await;
    let mut asks = incident("i-2", "t-2");
    asks["auto_remediation_enabled"] = false.into();
    rig.incident(&asks).await;
    rig.host.once(&QueueName::Incidents, 10).await.unwrap();
    let count = async || rig.host.dispatcher().count_active(&*rig.due_runs).await.unwrap();
    assert_eq!(count().await, LiveRuns { active: 2, awaiting_approval: 1, ..LiveRuns::default() });
    rig.assert_series(&["self_healing_runs_active 2", "self_healing_runs_awaiting_approval 1"]);
    rig.work().await;
    assert_eq!(count().await, LiveRuns { active: 1, awaiting_approval: 1, ..LiveRuns::default() });
    rig.assert_series(&["self_healing_runs_active 1", "self_healing_runs_awaiting_approval 1"]);
}
