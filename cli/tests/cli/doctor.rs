//! `heal doctor`.

use serde_json::Value;
use testkit::{Fault, FaultKind, Seed, Service};

use crate::support::{command, env, finish, heal, path, platform, playbooks};

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_in_the_sandbox() {
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
    let findings = finish(command(&["doctor", "--json"]).envs(env(&platform))).exits(1).report();
    let checks = findings["checks"].as_array().unwrap();
    let well = |what: &str| checks.iter().find(|check| check["what"] == what).unwrap()["well"].clone();
    assert_eq!((well("tickets"), well("kubernetes"), well("policy")), (true.into(), true.into(), true.into()));
    assert_eq!(well("orchestrator"), Value::from(false));
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
