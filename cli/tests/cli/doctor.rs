//! `heal doctor`.

use heal_sandbox::{Fault, FaultKind, Seed, Service};
use serde_json::Value;

use crate::deployed::Deployed;
use crate::support::{command, env, finish, heal, path, platform, playbooks};

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_has_no_fault() {
    let platform = platform(Seed::healthy_worker());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("deep/state.db");
    let ran = finish(command(&["doctor", "--state", path(&state)]).envs(env(&platform))).exits(0);
    for part in [
        "EXECUTION_TICKET_SERVICE_URL",
        "environment",
        "default",
        "6 playbooks, no error",
        "can be made",
        "all is well",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    assert!(!state.exists());
    assert!(platform.effects().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_is_named_with_its_error() {
    let platform = platform(Seed::healthy_worker());
    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Refuse)).unwrap();
    let findings = finish(command(&["doctor", "--json", "--state", "heal.db"]).envs(env(&platform))).exits(1).report();
    let checks = findings["checks"].as_array().unwrap();
    let well = |what: &str| checks.iter().find(|check| check["what"] == what).unwrap()["well"].clone();
    assert_eq!((well("tickets"), well("kubernetes"), well("policy")), (true.into(), true.into(), true.into()));
    assert_eq!(well("orchestrator"), Value::from(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_server_the_bundled_policy_is_named() {
    let platform = platform(Seed::healthy_worker());
    let mut command = command(&["doctor", "--json", "--state", "heal.db"]);
    let findings = finish(command.envs(env(&platform)).env("OPA_HOST", "")).exits(0).report();
    let policy = findings["checks"].as_array().unwrap().iter().find(|check| check["what"] == "policy").unwrap();
    assert_eq!((policy["subject"].as_str(), policy["well"].as_bool()), (Some("bundled"), Some(true)), "{policy}");
}

#[test]
fn wrong_variables_are_named_and_passwords_hidden() {
    let mut command = command(&["doctor", "--offline"]);
    command.env("EXECUTION_TICKET_SERVICE_URL", "http://user:secret@host:8000").env("OPA_PORT", "x");
    let ran = finish(&mut command).exits(1);
    for part in ["OPA_PORT is \"x\"", "without credentials", "not tried, the configuration is wrong"] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    assert!(!ran.stdout.contains("secret@"), "{ran:#?}");
}

#[test]
fn a_broken_playbook_is_named_with_its_line() {
    let folder = playbooks(&[("bad.yaml", "actions: []\n")]);
    let ran = heal(&["doctor", "--offline", "--playbooks", path(folder.path())]).exits(1);
    assert!(ran.stdout.contains("bad.yaml") && ran.stdout.contains("line 1"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_shown_with_its_origin_and_its_table_and_queues_are_tried() {
    let platform = platform(Seed::healthy_worker());
    let stack = Deployed::new().await;
    let ran = finish(stack.command(&["doctor"]).envs(env(&platform))).exits(0);
    let table = format!("{}-runs", stack.name);
    for part in ["HEAL_STACK", &table, "can be read", "10 queues, messages on them: 0, dead letters: 0", "all is well"]
    {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    let parts = [("HEAL_TABLE", "nobody-s"), ("HEAL_QUEUE_URL_PREFIX", stack.queues.urls().prefix())];
    let mut wrong = command(&["doctor", "--json"]);
    let findings = finish(wrong.envs(env(&platform)).envs(Deployed::aws()).envs(parts)).exits(1).report();
    let check = |what: &str| {
        let checks = findings["checks"].as_array().unwrap();
        checks.iter().find(|check| check["what"] == what).unwrap().clone()
    };
    assert_eq!((&check("table")["well"], &check("queues")["well"]), (&false.into(), &true.into()), "{findings:#}");
    let variables = findings["configuration"].as_array().unwrap();
    let named = variables.iter().find(|variable| variable["name"] == "HEAL_TABLE").unwrap();
    assert_eq!((&named["value"], &named["source"]), (&"nobody-s".into(), &"environment".into()));
}
