//! Who decides on an action, over real sockets; and the policy's own tests in this process.

mod own_tests;

use std::sync::Arc;
use std::time::Duration;

use heal_clients::CallContext;
use heal_clients::config::{Config, PolicyConfig, PolicyFallback};
use heal_clients::policy::{BUNDLED_POLICY, BUNDLED_POLICY_TESTS, Client, Module, run_rego_tests};
use heal_runtime::port::{Decision, DecisionSource, PolicyContext, PolicyInput, PolicyResource};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::spans;
use crate::support::watch::Watch;
use crate::support::wire::{self, Act, Wire, closed_port};

const NOW_NS: u64 = 1_800_000_000_000_000_000;

const MINUTE_NS: u64 = 60_000_000_000;

fn config(addr: std::net::SocketAddr) -> PolicyConfig {
    let port = addr.port().to_string();
    let mut config = Config::read(&[("OPA_HOST", "127.0.0.1"), ("OPA_PORT", port.as_str())]).unwrap().policy;
    config.timeout = Duration::from_millis(400);
    config
}

/// A question about a critical action that names nothing else.
fn critical(action: &str) -> PolicyInput {
    PolicyInput {
        resource: PolicyResource { action: action.to_owned(), ..PolicyResource::default() },
        context: PolicyContext { now_ns: NOW_NS, ..PolicyContext::default() },
        critical: true,
        traceparent: None,
    }
}

fn reallocation() -> PolicyInput {
    let input = critical("reallocate_ticket");
    PolicyInput {
        resource: PolicyResource {
            ticket_id: "t-1".to_owned(),
            reason: "timeout_recovery".to_owned(),
            ..input.resource
        },
        context: PolicyContext {
            incident_id: "inc-1".to_owned(),
            playbook_name: "ticket_timeout_recovery".to_owned(),
            ..input.context
        },
        ..input
    }
}

fn recent_reallocation() -> PolicyInput {
    let mut input = reallocation();
    input.context.last_reallocation_timestamp = NOW_NS - MINUTE_NS;
    input
}

async fn decide(config: &PolicyConfig, question: &PolicyInput) -> Decision {
    let client = Client::new(config, &heal_clients::Wiring::default()).unwrap();
    client.validate_action(question, &CallContext::within(Duration::from_secs(5))).await
}

fn allow() -> Act {
    wire::json(200, &json!({"result": {"allow": true, "violations": []}}))
}

#[tokio::test]
async fn the_question_has_the_contracts_shape_and_the_servers_word_counts() {
    let violation = json!({"policy": "p", "rule": "reallocate_ticket_rate_limited", "msg": "m", "severity": "high"});
    let wire =
        Wire::start([allow(), wire::json(200, &json!({"result": {"allow": false, "violations": [violation]}}))]).await;
    let watch = Arc::new(Watch::default());
    spans::collect();
    let client = Client::new(&config(wire.addr), &watch.wiring()).unwrap();
    let mut question = recent_reallocation();
    question.resource.affected_tickets = vec!["{{ 7*7 }}".to_owned(), "a\r\n\u{202e}../%2e%2e".to_owned()];
    question.context.workflow_state = "PAUSED".to_owned();
    question.context.ticket_status = "RUNNING".to_owned();
    let context = CallContext::within(Duration::from_secs(5))
        .with_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let first = client.validate_action(&question, &context).await;
    assert_eq!(first, Decision::Allow { source: DecisionSource::Server, warning: None });
    let Decision::Deny { source: DecisionSource::Server, violations, warning: None } =
        client.validate_action(&question, &context).await
    else {
        panic!("not denied")
    };
    assert_eq!(violations[0].rule, "reallocate_ticket_rate_limited");
    let seen = &wire.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/v1/data/neuralhive/self_healing/playbook_validation")
    );
    assert_eq!(seen.header("traceparent"), Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    assert_eq!(
        seen.json(),
        json!({"input": {
            "resource": {"action": "reallocate_ticket", "ticket_id": "t-1", "workflow_id": "", "plan_id": "",
                "reason": "timeout_recovery", "affected_tickets": ["{{ 7*7 }}", "a\r\n\u{202e}../%2e%2e"]},
            "context": {"last_reallocation_timestamp": NOW_NS - MINUTE_NS, "workflow_state": "PAUSED",
                "ticket_status": "RUNNING", "incident_id": "inc-1", "playbook_name": "ticket_timeout_recovery", "now_ns": NOW_NS}
        }})
    );
    assert!(spans::names().contains(&"self_healing.opa.validate_action"));
    assert!(watch.told().contains(&"opa reallocate_ticket allow server".to_owned()), "{:?}", watch.told());
    assert!(watch.told().contains(&"opa reallocate_ticket deny server".to_owned()));
}

/// What a server can answer that is no decision.
fn no_decisions() -> Vec<Act> {
    let result = |value: Value| wire::json(200, &json!({ "result": value }));
    vec![
        wire::json(200, &json!({})),
        wire::json(200, &json!({"decision_id": "x"})),
        result(json!({})),
        result(json!({"allow": "true"})),
        result(json!({"allow": 1})),
        result(json!({"allow": null})),
        result(json!(true)),
        wire::json(200, &json!(true)),
        wire::reply(200, "content-type: text/html\r\n", "<b>true</b>"),
        wire::reply(200, "content-type: application/json\r\n", "{\"result\": {\"allow\": tr"),
        wire::json(500, &json!({"result": {"allow": true}})),
        wire::json(404, &json!({"result": {"allow": true}})),
        wire::json(302, &json!({"result": {"allow": true}})),
        Act::Hang,
        Act::Drip,
        Act::DropAnswer,
        Act::CutBody,
        Act::Big { bytes: 100 * 1024 * 1024, announced: false },
    ]
}

#[tokio::test]
async fn what_is_no_decision_is_never_an_allow_of_the_server() {
    for act in no_decisions() {
        let wire = Wire::start([act.clone()]).await;
        let started = Instant::now();
        match decide(&config(wire.addr), &recent_reallocation()).await {
            Decision::Deny { source: DecisionSource::Bundled, violations, warning: Some(_) } => {
                assert_eq!(violations[0].rule, "reallocate_ticket_rate_limited", "{act:?}");
            }
            other => panic!("{act:?}: {other:?}"),
        }
        assert!(started.elapsed() < Duration::from_millis(1500), "{act:?} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn the_bundled_policy_decides_while_the_server_is_down() {
    let config = config(closed_port().await);
    match decide(&config, &reallocation()).await {
        Decision::Allow { source: DecisionSource::Bundled, warning: Some(warning) } => {
            assert!(warning.starts_with("decided by the bundled policy, because opa is unavailable"), "{warning}");
        }
        other => panic!("{other:?}"),
    }
    for (action, rule) in [
        ("reallocate_ticket", "reallocate_ticket_missing_ticket_id"),
        ("restart_workflow", "restart_workflow_missing_workflow_id"),
        ("update_ticket_status", "update_ticket_status_missing_ticket_id"),
        ("trigger_replanning", "trigger_replanning_missing_id"),
    ] {
        let Decision::Deny { source: DecisionSource::Bundled, violations, .. } =
            decide(&config, &critical(action)).await
        else {
            panic!("{action} is not denied")
        };
        assert!(violations.iter().any(|violation| violation.rule == rule), "{violations:?}");
    }
}

#[tokio::test]
async fn what_nobody_can_decide_is_left_to_the_configuration() {
    let mut config = config(closed_port().await);
    config.extra_actions = vec!["restart_pod".to_owned()];
    let question = PolicyInput { critical: false, ..critical("restart_pod") };
    match decide(&config, &question).await {
        Decision::Allow { source: DecisionSource::FailOpen, warning: Some(warning) } => {
            assert!(warning.contains("OPA_FAIL_OPEN=true"), "{warning}");
        }
        other => panic!("{other:?}"),
    }
    config.fail_open = false;
    assert!(matches!(decide(&config, &question).await, Decision::Unavailable { .. }));
    // A critical action is still decided: the bundled policy can.
    assert!(matches!(decide(&config, &reallocation()).await, Decision::Allow { source: DecisionSource::Bundled, .. }));
}

#[tokio::test]
async fn without_the_fallback_an_outage_is_left_to_the_configuration() {
    let mut config = config(closed_port().await);
    config.fallback = PolicyFallback::None;
    match decide(&config, &recent_reallocation()).await {
        Decision::Allow { source: DecisionSource::FailOpen, warning: Some(warning) } => {
            assert!(warning.contains("opa is unavailable") && warning.contains("OPA_FALLBACK=none"), "{warning}");
        }
        other => panic!("{other:?}"),
    }
    config.fail_open = false;
    match decide(&config, &reallocation()).await {
        Decision::Unavailable { message } => assert!(message.contains("OPA_FALLBACK=none"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_server_the_bundled_policy_decides_and_warns_of_nothing() {
    let mut config = Config::read(&[("OPA_HOST", ""), ("OPA_FAIL_OPEN", "false")]).unwrap().policy;
    config.extra_actions = vec!["restart_pod".to_owned()];
    let decision = decide(&config, &reallocation()).await;
    assert_eq!(decision, Decision::Allow { source: DecisionSource::Bundled, warning: None });
    match decide(&config, &recent_reallocation()).await {
        Decision::Deny { source: DecisionSource::Bundled, violations, warning: None } => {
            assert_eq!(violations[0].rule, "reallocate_ticket_rate_limited");
        }
        other => panic!("{other:?}"),
    }
    match decide(&config, &PolicyInput { critical: false, ..critical("restart_pod") }).await {
        Decision::Unavailable { message } => assert!(message.contains("OPA_HOST is empty"), "{message}"),
        other => panic!("{other:?}"),
    }
    let client = Client::new(&config, &heal_clients::Wiring::default()).unwrap();
    client.health(&CallContext::within(Duration::from_secs(1))).await.unwrap();
}

#[tokio::test]
async fn only_critical_and_configured_actions_are_put_to_the_policy() {
    let wire = Wire::start([allow()]).await;
    let mut config = config(wire.addr);
    config.extra_actions = vec!["restart_pod".to_owned()];
    let optional = |action: &str| PolicyInput { critical: false, ..critical(action) };
    let skipped = decide(&config, &optional("pause_workflow")).await;
    assert_eq!(skipped, Decision::Allow { source: DecisionSource::NotValidated, warning: None });
    assert!(wire.seen().is_empty());
    for input in [critical("reallocate_ticket"), critical("an_action_of_a_site"), optional("restart_pod")] {
        let decision = decide(&config, &input).await;
        assert_eq!(decision, Decision::Allow { source: DecisionSource::Server, warning: None });
    }
    assert_eq!(wire.seen().len(), 3);
}

#[tokio::test]
async fn switched_off_it_says_so() {
    let wire = Wire::start([allow()]).await;
    let mut config = config(wire.addr);
    config.enabled = false;
    match decide(&config, &reallocation()).await {
        Decision::Allow { source: DecisionSource::Disabled, warning: Some(warning) } => {
            assert!(warning.contains("OPA_ENABLED=false"));
        }
        other => panic!("{other:?}"),
    }
    assert!(wire.seen().is_empty());
}

#[tokio::test]
async fn a_dead_server_is_not_asked_again_and_again() {
    let wire = Wire::start([wire::reply(503, "", "")]).await;
    let client = Client::new(&config(wire.addr), &heal_clients::Wiring::default()).unwrap();
    for _ in 0..20 {
        let context = CallContext::within(Duration::from_secs(5));
        let decision = client.validate_action(&reallocation(), &context).await;
        assert!(matches!(decision, Decision::Allow { source: DecisionSource::Bundled, .. }));
    }
    assert_eq!(wire.seen().len(), 5, "then the breaker is open");
}

#[tokio::test]
async fn a_deadline_that_is_over_still_gets_a_decision() {
    let wire = Wire::start([allow()]).await;
    let client = Client::new(&config(wire.addr), &heal_clients::Wiring::default()).unwrap();
    let decision = client.validate_action(&reallocation(), &CallContext::until(Instant::now())).await;
    assert!(matches!(decision, Decision::Allow { source: DecisionSource::Bundled, .. }), "{decision:?}");
    assert!(wire.seen().is_empty());
}
