//! The bundled policy against a real OPA: the same text, the same answers.
//!
//! The binary is `OPA_BIN`, or `.tools/bin/opa` (`scripts/install-opa.sh`). Without one the test is skipped.

mod inputs;
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use heal_clients::CallContext;
use heal_clients::config::Config;
use heal_clients::policy::{Answer, Bundled, Client};
use heal_runtime::port::{Decision, DecisionSource, PolicyInput};
use proptest::prelude::{Just, Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use proptest::{collection, option, prop_oneof};
use serde_json::{Value, json};

use inputs::*;
use server::*;

/// Inputs that both evaluate.
const CORPUS: usize = 1500;

/// In the past of every evaluator's clock, so that it is the time of the decision.
const NOW_NS: u64 = 1_700_000_000_000_000_000;

async fn ask(http: &reqwest::Client, addr: SocketAddr, input: &Value) -> Value {
    let url = format!("http://{addr}/v1/data/neuralhive/self_healing/playbook_validation");
    let body = json!({ "input": input }).to_string();
    let answer = http.post(url).body(body).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn the_server_and_the_bundled_policy_give_the_same_answers() {
    let Some(opa) = opa() else { return };
    let server = Running::start(&opa, &root().join("policies/self_healing/playbook_validation.rego")).await;
    let bundled = Bundled::new().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut runner = TestRunner::deterministic();
    let (mut allowed, mut rules) = (0, std::collections::BTreeSet::new());
    for _ in 0..CORPUS {
        let input = input().new_tree(&mut runner).unwrap().current();
        let answer = ask(&http, server.addr, &input).await;
        let result = &answer["result"];
        let Answer { allow, violations, .. } =
            bundled.evaluate(&input).unwrap_or_else(|error| panic!("{error}: {input}"));
        assert_eq!(result["allow"], json!(allow), "{input}");
        let mut theirs: Vec<Value> = result["violations"].as_array().unwrap().clone();
        let mut ours: Vec<Value> =
            violations.iter().map(|violation| serde_json::to_value(violation).unwrap()).collect();
        theirs.sort_by_key(Value::to_string);
        ours.sort_by_key(Value::to_string);
        assert_eq!(theirs, ours, "{input}");
        allowed += usize::from(allow);
        rules.extend(violations.into_iter().map(|violation| violation.rule));
    }
    assert_eq!(rules.len(), 10, "the corpus breaks every rule: {rules:?}");
    assert!(allowed > CORPUS / 20 && allowed < CORPUS, "{allowed} of {CORPUS} are allowed");
}

/// The second evaluator of the library, which walks the text instead of a compiled program.
#[test]
fn the_compiled_policy_and_its_text_give_the_same_answers() {
    let bundled = Bundled::new().unwrap();
    let mut engine = regorus::Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.add_policy("policy.rego".to_owned(), heal_clients::policy::BUNDLED_POLICY.to_owned()).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut rules = std::collections::BTreeSet::new();
    for _ in 0..CORPUS {
        let input = input().new_tree(&mut runner).unwrap().current();
        engine.set_input_json(&input.to_string()).unwrap();
        let mut rule = |name: &str| {
            let path = format!("data.neuralhive.self_healing.playbook_validation.{name}");
            serde_json::to_value(engine.eval_rule(path).unwrap()).unwrap()
        };
        let (allow, violations) = (rule("allow"), rule("violations"));
        let answer = bundled.evaluate(&input).unwrap_or_else(|error| panic!("{error}: {input}"));
        assert_eq!(json!(answer.allow), allow, "{input}");
        let mut texts: Vec<String> = violations.as_array().unwrap().iter().map(Value::to_string).collect();
        let mut ours: Vec<String> =
            answer.violations.iter().map(|violation| serde_json::to_value(violation).unwrap().to_string()).collect();
        texts.sort();
        ours.sort();
        assert_eq!(ours, texts, "{input}");
        rules.extend(answer.violations.into_iter().map(|violation| violation.rule));
    }
    assert_eq!(rules.len(), 10, "the corpus breaks every rule: {rules:?}");
}

#[tokio::test]
async fn the_client_understands_a_real_server_with_and_without_the_policy() {
    let Some(opa) = opa() else { return };
    let empty = tempfile::tempdir().unwrap();
    for (policy, source) in
        [(root().join("policies"), DecisionSource::Server), (empty.path().to_owned(), DecisionSource::Bundled)]
    {
        let server = Running::start(&opa, &policy).await;
        let port = server.addr.port().to_string();
        let config = Config::read(&[("OPA_HOST", "127.0.0.1"), ("OPA_PORT", port.as_str())]).unwrap().policy;
        let client = Client::new(&config, &heal_clients::Wiring::default()).unwrap();
        let context = CallContext::within(Duration::from_secs(10));
        client.health(&context).await.unwrap();
        let mut question = PolicyInput { critical: true, ..PolicyInput::default() };
        question.resource.action = "reallocate_ticket".to_owned();
        question.resource.ticket_id = "t-1".to_owned();
        question.resource.reason = "r".to_owned();
        question.context.now_ns = NOW_NS;
        match client.validate_action(&question, &context).await {
            Decision::Allow { source: found, .. } => assert_eq!(found, source),
            other => panic!("{other:?}"),
        }
        question.context.last_reallocation_timestamp = NOW_NS - 1;
        match client.validate_action(&question, &context).await {
            Decision::Deny { source: found, violations, .. } => {
                assert_eq!(found, source);
                assert_eq!(violations[0].rule, "reallocate_ticket_rate_limited");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The rule form that a real OPA answers with an object.
#[tokio::test]
async fn violations_that_a_real_server_answers_as_an_object_are_read() {
    let Some(opa) = opa() else { return };
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("object.rego");
    let text = r#"package neuralhive.self_healing.playbook_validation
import rego.v1
violations[violation] if {
	input.resource.reason == ""
	violation := {"policy": "p", "rule": "no_reason", "msg": "says \"why\"", "severity": "low"}
}

default allow := false
allow if count(violations) == 0"#;
    std::fs::write(&policy, text).unwrap();
    let server = Running::start(&opa, &policy).await;
    let port = server.addr.port().to_string();
    let config = Config::read(&[("OPA_HOST", "127.0.0.1"), ("OPA_PORT", port.as_str())]).unwrap().policy;
    let client = Client::new(&config, &heal_clients::Wiring::default()).unwrap();
    let context = CallContext::within(Duration::from_secs(10));
    let mut question = PolicyInput { critical: true, ..PolicyInput::default() };
    let Decision::Deny { source: DecisionSource::Server, violations, warning: None } =
        client.validate_action(&question, &context).await
    else {
        panic!("not denied by the server")
    };
    assert_eq!((violations[0].rule.as_str(), violations[0].msg.as_str()), ("no_reason", "says \"why\""));
    question.resource.reason = "r".to_owned();
    let allowed = client.validate_action(&question, &context).await;
    assert_eq!(allowed, Decision::Allow { source: DecisionSource::Server, warning: None });
}

#[test]
fn the_policys_own_tests_pass_in_a_real_opa() {
    let Some(opa) = opa() else { return };
    let output = Command::new(opa).arg("test").arg(root().join("policies")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
