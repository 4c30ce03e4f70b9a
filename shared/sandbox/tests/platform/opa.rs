use heal_sandbox::opa::{Decision, OpaConfig, PLAYBOOK_VALIDATION, Violation};
use heal_sandbox::{Platform, PlatformConfig, Service, StartError};
use serde_json::{Value, json};

use crate::support::{answer, get, http, platform, start};

const REGO: &str = r#"
package neuralhive.self_healing.playbook_validation

default allow := false

allow if count(violations) == 0

violations contains {"policy": "playbook_validation", "rule": "no_reason", "msg": "no reason", "severity": "medium"} if {
    input.resource.reason == ""
}
"#;

async fn ask(platform: &Platform, reason: &str) -> (u16, Value) {
    let url = format!("{}/v1/data/{PLAYBOOK_VALIDATION}", platform.endpoints().url(Service::Opa));
    let question = json!({"input": {"resource": {"action": "reallocate_ticket", "reason": reason}}});
    answer(http().post(url).json(&question).send().await.unwrap()).await
}

fn with_policy() -> Platform {
    let opa = OpaConfig { policy: Some(REGO.to_owned()), ..OpaConfig::default() };
    start(PlatformConfig { opa, ..PlatformConfig::default() })
}

#[tokio::test]
async fn the_loaded_policy_decides() {
    let platform = with_policy();
    let (status, body) = ask(&platform, "timeout").await;
    assert_eq!((status, &body["result"]["allow"]), (200, &json!(true)));
    let (_, body) = ask(&platform, "").await;
    assert_eq!(body["result"]["allow"], false);
    assert_eq!(body["result"]["violations"][0]["rule"], "no_reason");
    let call = platform.calls().pop().unwrap();
    assert_eq!((call.operation.as_str(), call.target.as_str()), ("evaluate", PLAYBOOK_VALIDATION));
    assert!(call.body.contains("reallocate_ticket") && !call.effect);
    assert_eq!(get(&format!("{}/health", platform.endpoints().url(Service::Opa))).await.0, 200);
}

#[tokio::test]
async fn a_server_without_a_policy_makes_no_decision() {
    let platform = platform();
    assert_eq!(ask(&platform, "x").await, (200, json!({})));
}

#[tokio::test]
async fn a_decision_can_be_set() {
    let platform = with_policy();
    let violation = Violation {
        policy: "playbook_validation".to_owned(),
        rule: "reallocate_ticket_rate_limited".to_owned(),
        msg: String::new(),
        severity: "high".to_owned(),
    };
    let cases = [
        (Decision::Allow, json!({"result": {"allow": true, "violations": []}})),
        (
            Decision::Deny { violations: vec![violation.clone()] },
            json!({"result": {"allow": false, "violations": [violation]}}),
        ),
        (Decision::Undefined, json!({})),
        (Decision::NonBoolean, json!({"result": {"allow": "true", "violations": []}})),
    ];
    for (decision, expected) in cases {
        platform.set_policy(decision.clone(), None).unwrap();
        assert_eq!(ask(&platform, "").await.1, expected, "{decision:?}");
    }
    platform.set_policy(Decision::Rules, None).unwrap();
    assert_eq!(ask(&platform, "").await.1["result"]["violations"][0]["rule"], "no_reason");
}

#[tokio::test]
async fn other_documents_are_undefined_and_invalid_questions_refused() {
    let platform = with_policy();
    let base = platform.endpoints().url(Service::Opa);
    let post = |path: &str, body: &'static str| http().post(format!("{base}/v1/data/{path}")).body(body).send();
    assert_eq!(answer(post("some/where", "{}").await.unwrap()).await, (200, json!({})));
    assert_eq!(answer(post("some/wh%20ere", "{}").await.unwrap()).await, (200, json!({})));
    assert_eq!(post(PLAYBOOK_VALIDATION, "{").await.unwrap().status(), 400);
    assert_eq!(post(PLAYBOOK_VALIDATION, "[]").await.unwrap().status(), 400);
    let allow = format!("{PLAYBOOK_VALIDATION}/allow");
    assert_eq!(
        answer(post(&allow, r#"{"input": {"resource": {"reason": "x"}}}"#).await.unwrap()).await.1,
        json!({"result": true})
    );
    assert_eq!(get(&format!("{base}/v1/query")).await.0, 404);
}

#[tokio::test]
async fn an_invalid_policy_is_refused_with_its_place() {
    let opa = OpaConfig { policy: Some("package a\nallow if {".to_owned()), ..OpaConfig::default() };
    let error = Platform::start(PlatformConfig { opa, ..PlatformConfig::default() }).unwrap_err();
    assert!(matches!(error, StartError::Policy(_)));
    assert!(error.to_string().starts_with("opa.policy: "), "{error}");
    let platform = platform();
    let error = platform.set_policy(Decision::Rules, None).unwrap_err();
    assert_eq!(error.to_string(), "policy: missing, the decision `rules` needs the policy's Rego text");
}
