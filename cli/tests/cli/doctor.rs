//! `heal doctor`.

use heal_sandbox::orchestrator::OrchestratorConfig;
use heal_sandbox::spiffe_ca::{SpiffeCa, Validity};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service};
use serde_json::Value;

use crate::deployed::Deployed;
use crate::support::{command, env, finish, heal, path, platform, playbooks, root};

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

/// What `doctor` says of the orchestrator, which has a fault.
fn orchestrators_fault(env: &[(String, String)], own: &[(&str, &str)]) -> String {
    let mut command = command(&["doctor", "--json", "--state", "heal.db"]);
    let findings = finish(command.envs(env.iter().cloned()).envs(own.iter().copied())).exits(1).report();
    let checks = findings["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["what"] == "orchestrator").unwrap();
    assert_eq!(check["well"], false, "{check}");
    check.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_that_does_not_fit_its_settings_is_named_with_the_variable_to_correct() {
    let plain = platform(Seed::healthy_worker());
    let env: Vec<(String, String)> = plain.env().into_iter().collect();
    let away = [("ORCHESTRATOR_GRPC_USE_TLS", "true"), ("SPIFFE_ENDPOINT_SOCKET", "/nowhere/agent.sock")];
    let found = orchestrators_fault(&env, &away);
    assert!(found.contains("the SPIFFE Workload API at unix:///nowhere/agent.sock does not answer"), "{found}");

    let authority = SpiffeCa::new("neural-hive.local").unwrap();
    let impostor = "spiffe://neural-hive.local/ns/other/sa/impostor";
    let server = authority.issue(impostor, Validity::default()).unwrap();
    let orchestrator = OrchestratorConfig { tls: Some(server.server_tls()), ..OrchestratorConfig::default() };
    let secured = Platform::start(PlatformConfig { orchestrator, ..PlatformConfig::default() }).unwrap();
    let files = tempfile::tempdir().unwrap();
    let engine = "spiffe://neural-hive.local/ns/neural-hive-resilience/sa/self-healing-engine";
    let pem = authority.issue(engine, Validity::default()).unwrap().write_pem_files(files.path()).unwrap();
    let identity = [
        ("ORCHESTRATOR_GRPC_USE_TLS", "true"),
        ("SPIFFE_IDENTITY_SOURCE", "files"),
        ("SPIFFE_X509_SVID_FILE", path(&pem.certificate_chain)),
        ("SPIFFE_X509_SVID_KEY_FILE", path(&pem.private_key)),
        ("SPIFFE_TRUST_BUNDLE_FILE", path(&pem.trust_bundle)),
    ];
    let env: Vec<(String, String)> = secured.env().into_iter().collect();
    let found = orchestrators_fault(&env, &identity);
    let expected =
        format!("does not fit ORCHESTRATOR_SPIFFE_ID (during get_workflow_status): observed {impostor}, expected");
    assert!(found.contains(&expected), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_service_that_does_not_fit_its_settings_is_named_with_the_variable() {
    let deployed = Platform::start(PlatformConfig::like_deployed()).unwrap();
    let url = deployed.endpoints().tickets_url;
    let host = url.strip_suffix("/api/v1").unwrap();
    for (name, value, expected) in [
        ("EXECUTION_TICKET_SERVICE_API", "guide", "EXECUTION_TICKET_SERVICE_API=status_patch"),
        ("EXECUTION_TICKET_SERVICE_URL", host, &format!("EXECUTION_TICKET_SERVICE_URL={url}")),
    ] {
        let mut command = command(&["doctor", "--state", "heal.db"]);
        let ran = finish(command.envs(env(&deployed)).env(name, value)).exits(1);
        assert!(ran.stdout.contains(expected), "no {expected:?} in {ran:#?}");
    }
    assert!(deployed.effects().is_empty());
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

/// What a slow name server does to the thread that asks it, a file that nobody writes does for longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_nobody_can_interrupt_does_not_delay_the_exit() {
    let platform = platform(Seed::healthy_worker());
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("svid.pem");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut bounded = std::process::Command::new("timeout");
    bounded.args(["--signal=KILL", "30", env!("CARGO_BIN_EXE_heal"), "doctor", "--json", "--state", "heal.db"]);
    bounded.current_dir(root()).env_clear().envs(env(&platform)).env("SPIFFE_IDENTITY_SOURCE", "files");
    bounded.env("ORCHESTRATOR_GRPC_USE_TLS", "true");
    for name in ["SPIFFE_X509_SVID_FILE", "SPIFFE_X509_SVID_KEY_FILE", "SPIFFE_TRUST_BUNDLE_FILE"] {
        bounded.env(name, &pipe);
    }
    let findings = finish(&mut bounded).exits(1).report();
    let checks = findings["checks"].as_array().unwrap();
    let orchestrator = checks.iter().find(|check| check["what"] == "orchestrator").unwrap();
    assert_eq!(orchestrator["well"], Value::from(false), "{orchestrator}");
}
