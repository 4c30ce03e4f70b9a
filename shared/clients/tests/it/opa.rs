//! The bundled policy against a real OPA: the same text, the same answers.
//!
//! The binary is `OPA_BIN`, or `.tools/bin/opa` (`scripts/install-opa.sh`). Without one the test is skipped.

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

/// Inputs that both evaluate.
const CORPUS: usize = 1500;

/// In the past of every evaluator's clock, so that it is the time of the decision.
const NOW_NS: u64 = 1_700_000_000_000_000_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The path of a real OPA. Without one the test is skipped, which `CI` forbids and `HEAL_TEST_SKIPS` (a file) records.
#[expect(clippy::disallowed_methods, reason = "scripts/test.sh sets the variables")]
fn opa() -> Option<PathBuf> {
    let path = std::env::var_os("OPA_BIN").map_or_else(|| root().join(".tools/bin/opa"), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    let skipped =
        format!("skipped: the policy against a real OPA: {} does not exist (scripts/install-opa.sh)", path.display());
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "1" || ci == "true"), "{skipped}");
    eprintln!("{skipped}");
    if let Some(skips) = std::env::var_os("HEAL_TEST_SKIPS") {
        let mut skips = std::fs::OpenOptions::new().append(true).open(skips).unwrap();
        std::io::Write::write_all(&mut skips, format!("{skipped}\n").as_bytes()).unwrap();
    }
    None
}

struct Running {
    process: Child,
    addr: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running {
    async fn start(opa: &Path, policy: &Path) -> Self {
        let addr = crate::support::wire::closed_port().await;
        let process = Command::new(opa)
            .args(["run", "--server", "--disable-telemetry", "--log-level", "error", "--addr"])
            .arg(addr.to_string())
            .arg(policy)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let running = Self { process, addr };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(addr).await.is_ok() {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("OPA does not listen on {addr}");
    }
}

/// Text with what such fields hold, and what they should not.
fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("")),
        Just(json!("t-1")),
        Just(json!(" \t\u{a0}\u{2003}")),
        Just(json!("\u{202e}{{ 7*7 }}../%2e%2e\r\n")),
        any::<String>().prop_map(Value::from),
        any_json(),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0e18..1.0e18_f64).prop_map(Value::from),
        Just(json!([])),
        Just(json!({"a": 1})),
    ]
}

fn action() -> impl Strategy<Value = Value> {
    let named = proptest::sample::select(vec![
        "reallocate_ticket",
        "restart_workflow",
        "update_ticket_status",
        "trigger_replanning",
        "pause_workflow",
        "REALLOCATE_TICKET",
        "",
    ]);
    prop_oneof![9 => named.prop_map(Value::from), 1 => any_json()]
}

fn state() -> impl Strategy<Value = Value> {
    let states =
        ["COMPLETED", "FAILED", "CANCELLED", "PAUSED", "RUNNING", "completed", " Failed ", "WORKFLOW_STATE_CANCELLED"];
    prop_oneof![
        6 => proptest::sample::select(states.to_vec()).prop_map(Value::from),
        1 => Just(json!("fa\u{131}led")),
        1 => Just(json!("CANCE\u{2113}\u{2113}ED")),
        1 => any::<String>().prop_map(Value::from),
        1 => any_json(),
    ]
}

fn status() -> impl Strategy<Value = Value> {
    let statuses = ["COMPLETED", "COMPENSATING", "COMPENSATED", "FAILED", "RUNNING", "completed", " Compensated "];
    prop_oneof![
        6 => proptest::sample::select(statuses.to_vec()).prop_map(Value::from),
        1 => Just(json!("COMPENSAT\u{131}NG")),
        1 => any::<String>().prop_map(Value::from),
        1 => any_json(),
    ]
}

/// Epoch nanoseconds around the edge of five minutes, and elsewhere.
fn last() -> impl Strategy<Value = Value> {
    let edge = NOW_NS - 300_000_000_000;
    prop_oneof![
        4 => (edge - 3..edge + 3).prop_map(Value::from),
        2 => (NOW_NS - 600_000_000_000..NOW_NS + 600_000_000_000).prop_map(Value::from),
        1 => Just(json!(0)),
        1 => Just(json!(-5)),
        1 => any_json(),
        1 => any::<String>().prop_map(Value::from),
    ]
}

/// A whole input document; any field may be missing.
fn input() -> impl Strategy<Value = Value> {
    let tickets = prop_oneof![collection::vec(text(), 0..3).prop_map(Value::from), any_json()];
    let resource = (
        option::of(action()),
        option::of(text()),
        option::of(text()),
        option::of(text()),
        option::of(text()),
        option::of(tickets),
    )
        .prop_map(|(action, ticket, workflow, plan, reason, tickets)| {
            object([
                ("action", action),
                ("ticket_id", ticket),
                ("workflow_id", workflow),
                ("plan_id", plan),
                ("reason", reason),
                ("affected_tickets", tickets),
            ])
        });
    let now = prop_oneof![19 => Just(json!(NOW_NS)), 1 => any_json()];
    let context = (option::of(last()), option::of(state()), option::of(status()), now);
    let context = context.prop_map(|(last, state, status, now)| {
        object([
            ("last_reallocation_timestamp", last),
            ("workflow_state", state),
            ("ticket_status", status),
            ("now_ns", Some(now)),
        ])
    });
    let whole = (option::weighted(0.97, resource), option::weighted(0.97, context))
        .prop_map(|(resource, context)| object([("resource", resource), ("context", context)]));
    prop_oneof![50 => whole, 1 => any_json(), 1 => any_json().prop_map(|value| json!({"resource": value, "context": value}))]
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

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
