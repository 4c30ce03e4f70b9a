//! The policy client as the port that an attempt asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_clients::config::Config;
use heal_clients::{Wiring, policy};
use heal_runtime::port::{Decision, DecisionSource, Policy, PolicyContext, PolicyInput, PolicyResource};
use heal_sandbox::opa::{self, OpaConfig, ViolationsForm};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Service};

fn policy(platform: &Platform, fail_open: bool) -> Arc<dyn Policy> {
    let mut env: BTreeMap<String, String> = platform.env().into_iter().collect();
    env.insert("OPA_FAIL_OPEN".to_owned(), fail_open.to_string());
    env.insert("OPA_VALIDATED_ACTIONS".to_owned(), "restart_pod".to_owned());
    let config = Config::read(&env).unwrap();
    Arc::new(policy::Client::new(&config.policy, &Wiring::default()).unwrap())
}

fn of(action: &str) -> PolicyInput {
    PolicyInput {
        resource: PolicyResource { action: action.to_owned(), ..PolicyResource::default() },
        ..PolicyInput::default()
    }
}

fn reallocation(ticket_id: &str) -> PolicyInput {
    let input = of("reallocate_ticket");
    PolicyInput {
        resource: PolicyResource { ticket_id: ticket_id.to_owned(), reason: "r".to_owned(), ..input.resource },
        context: PolicyContext { now_ns: 1_800_000_000_000_000_000, ..input.context },
        traceparent: None,
        critical: true,
    }
}

#[tokio::test]
async fn a_decision_says_who_made_it() {
    let opa = OpaConfig { policy: Some(policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
    let platform = Platform::start(PlatformConfig { opa, ..PlatformConfig::default() }).unwrap();
    let policy = policy(&platform, true);
    let allowed = policy.decide(&reallocation("t-1")).await;
    assert_eq!(allowed, Decision::Allow { source: DecisionSource::Server, warning: None });
    let mut recent = reallocation("t-1");
    recent.context.last_reallocation_timestamp = recent.context.now_ns - 1;
    let Decision::Deny { source: DecisionSource::Server, violations, .. } = policy.decide(&recent).await else {
        panic!("not denied by the server")
    };
    assert_eq!(
        (violations[0].rule.as_str(), violations[0].severity.as_str()),
        ("reallocate_ticket_rate_limited", "high")
    );

    platform.set_fault(Fault::new(Service::Opa, FaultKind::Refuse)).unwrap();
    let decision = policy.decide(&reallocation("t-1")).await;
    assert!(matches!(&decision, Decision::Allow { source: DecisionSource::Bundled, warning: Some(_) }), "{decision:?}");
    let decision = policy.decide(&recent).await;
    assert!(matches!(&decision, Decision::Deny { source: DecisionSource::Bundled, .. }), "{decision:?}");
}

#[tokio::test]
async fn a_ticket_in_a_terminal_status_is_denied_by_the_server_and_in_process_alike() {
    let opa = OpaConfig { policy: Some(policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
    let platform = Platform::start(PlatformConfig { opa, ..PlatformConfig::default() }).unwrap();
    let policy = policy(&platform, true);
    for is_server_up in [true, false] {
        if !is_server_up {
            platform.set_fault(Fault::new(Service::Opa, FaultKind::Refuse)).unwrap();
        }
        for action in ["reallocate_ticket", "update_ticket_status"] {
            let mut input = reallocation("t-1");
            input.resource.action = action.to_owned();
            for (status, is_denied) in
                [("RUNNING", false), ("FAILED", false), ("COMPLETED", true), ("COMPENSATING", true)]
            {
                input.context.ticket_status = status.to_owned();
                let rules: Vec<_> = match policy.decide(&input).await {
                    Decision::Deny { violations, .. } => {
                        violations.into_iter().map(|it| (it.rule, it.severity)).collect()
                    }
                    Decision::Allow { .. } => Vec::new(),
                    Decision::RequireApproval { violations, .. } => panic!("{violations:?}"),
                    Decision::Unavailable { message } => panic!("{message}"),
                };
                let expected = (format!("{action}_terminal_state"), "high".to_owned());
                assert_eq!(rules, if is_denied { vec![expected] } else { Vec::new() }, "{action} {status}");
            }
        }
    }
}

#[tokio::test]
async fn both_forms_of_violations_deny_with_their_reasons_and_allow_without_a_warning() {
    for violations in [ViolationsForm::List, ViolationsForm::Object] {
        let policy_text = Some(policy::BUNDLED_POLICY.to_owned());
        let opa = OpaConfig { policy: policy_text, violations, ..OpaConfig::default() };
        let platform = Platform::start(PlatformConfig { opa, ..PlatformConfig::default() }).unwrap();
        let policy = policy(&platform, true);
        let allowed = policy.decide(&reallocation("t-1")).await;
        assert_eq!(allowed, Decision::Allow { source: DecisionSource::Server, warning: None }, "{violations:?}");
        let mut question = of("reallocate_ticket");
        question.critical = true;
        let Decision::Deny { source: DecisionSource::Server, violations: reasons, warning: None } =
            policy.decide(&question).await
        else {
            panic!("{violations:?}: not denied by the server")
        };
        let reasons: Vec<_> = reasons.iter().map(|it| (it.rule.as_str(), it.msg.as_str())).collect();
        let expected = [
            ("reallocate_ticket_missing_reason", "a reallocation says why"),
            ("reallocate_ticket_missing_ticket_id", "a reallocation names a ticket, or a list of affected tickets"),
        ];
        assert_eq!(reasons, expected, "{violations:?}");
    }
}

#[tokio::test]
async fn what_nobody_can_decide_follows_the_configuration() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    platform.set_policy(opa::Decision::NonBoolean, None).unwrap();
    let input = of("restart_pod");
    let decision = policy(&platform, true).decide(&input).await;
    assert!(
        matches!(&decision, Decision::Allow { source: DecisionSource::FailOpen, warning: Some(_) }),
        "{decision:?}"
    );
    let decision = policy(&platform, false).decide(&input).await;
    assert!(matches!(&decision, Decision::Unavailable { message } if message.contains("allow")), "{decision:?}");
}

#[tokio::test]
async fn an_action_that_is_neither_critical_nor_configured_is_not_put_to_it() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let policy = policy(&platform, true);
    for (action, is_validated) in [("restart_pod", true), ("pause_workflow", false), ("check_worker_health", false)] {
        assert_eq!(policy.validates(action), is_validated, "{action}");
    }
    let decision = policy.decide(&of("check_worker_health")).await;
    assert_eq!(decision, Decision::Allow { source: DecisionSource::NotValidated, warning: None });
    assert!(platform.calls().is_empty());
}
