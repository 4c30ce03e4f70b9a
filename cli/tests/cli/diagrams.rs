//! The guide's two sequence diagrams, over HTTP and gRPC with mutual TLS: who is called, and in which order.

use std::time::Duration;

use heal_sandbox::opa::OpaConfig;
use heal_sandbox::orchestrator::OrchestratorConfig;
use heal_sandbox::spiffe_ca::{SpiffeCa, Validity};
use heal_sandbox::{Platform, PlatformConfig, Seed};
use tempfile::TempDir;

use crate::support::{GUIDE_EXAMPLE, Ran, command, finish, path, playbooks};

const TRUST_DOMAIN: &str = "neural-hive.local";
const ENGINE_ID: &str = "spiffe://neural-hive.local/ns/neural-hive-resilience/sa/self-healing-engine";
/// Audience of the tokens for the orchestrator (contracts, section 2).
const AUDIENCE: &str = "orchestrator-dynamic.neural-hive.local";

/// The restart alone, without the waits of the shipped playbook.
const RESTART: &str = r#"
name: workflow_restart
description: Resume a workflow
triggers: [{incident_type: WORKFLOW_STUCK}]
actions:
  - type: restart_workflow
    parameters: {workflow_id: "{{ workflow_id }}"}
"#;

/// A platform whose orchestrator accepts the engine alone, and the variables that point a process at it with the identity of the engine.
struct Secured {
    platform: Platform,
    env: Vec<(String, String)>,
    authority: SpiffeCa,
    _files: TempDir,
}

fn secured(seed: Seed) -> Secured {
    let authority = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let orchestrator = OrchestratorConfig {
        tls: Some(authority.orchestrator_tls().unwrap()),
        clients: vec![ENGINE_ID.to_owned()],
        bearer_required: true,
        ..OrchestratorConfig::default()
    };
    let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
    let platform = Platform::start(PlatformConfig { seed, opa, orchestrator, ..PlatformConfig::default() }).unwrap();
    let files = tempfile::tempdir().unwrap();
    let life = Validity::lasting(Duration::from_mins(10));
    let pem = authority.issue(ENGINE_ID, life).unwrap().write_pem_files(files.path()).unwrap();
    let token = files.path().join("token.jwt");
    std::fs::write(&token, authority.issue_token(ENGINE_ID, &[AUDIENCE], life).unwrap()).unwrap();
    let own = [
        ("ENVIRONMENT", "production"),
        ("SPIFFE_IDENTITY_SOURCE", "files"),
        ("SPIFFE_X509_SVID_FILE", path(&pem.certificate_chain)),
        ("SPIFFE_X509_SVID_KEY_FILE", path(&pem.private_key)),
        ("SPIFFE_TRUST_BUNDLE_FILE", path(&pem.trust_bundle)),
        ("SPIFFE_JWT_SVID_FILE", path(&token)),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = platform.env().into_iter().chain(own).collect();
    Secured { platform, env, authority, _files: files }
}

impl Secured {
    fn heal(&self, args: &[&str]) -> Ran {
        finish(command(args).envs(self.env.iter().cloned()))
    }

    /// `service operation` of every call, in order.
    fn calls(&self) -> Vec<String> {
        self.platform.calls().iter().map(|call| format!("{:?} {}", call.service, call.operation)).collect()
    }
}

/// Whether `whole` contains `part` in this order, with other calls between.
fn has_in_order(whole: &[String], part: &[&str]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|wanted| whole.any(|call| call == wanted))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ticket_timeout_is_recovered_in_the_order_of_the_diagram() {
    let secured = secured(Seed::healthy_worker());
    let folder = playbooks(&[("ticket_timeout_recovery.yaml", GUIDE_EXAMPLE)]);
    let ran = secured.heal(&["run", "tests/events/ticket_timeout.json", "--json", "--playbooks", path(folder.path())]);
    assert_eq!(ran.exits(0).report()["status"], "COMPLETED");
    let calls = secured.calls();
    let diagram =
        ["Kubernetes get_pod", "Opa evaluate", "Tickets reallocate_ticket", "Opa evaluate", "Tickets update_ticket"];
    assert!(has_in_order(&calls, &diagram), "{calls:#?}");
    let once = |wanted: &str| calls.iter().filter(|call| *call == wanted).count();
    assert_eq!((once("Tickets reallocate_ticket"), once("Tickets update_ticket")), (1, 1), "{calls:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_is_restarted_in_the_order_of_the_diagram_and_under_the_engines_identity() {
    let secured = secured(Seed::healthy_worker());
    let ran = secured.heal(&["run", "tests/events/workflow_stuck.json", "--json"]);
    assert_eq!(ran.exits(0).report()["status"], "COMPLETED");
    let calls = secured.calls();
    let diagram = ["Opa evaluate", "Orchestrator GetWorkflowStatus", "Orchestrator ResumeWorkflow"];
    assert!(has_in_order(&calls, &diagram), "{calls:#?}");
    for call in secured.platform.calls().iter().filter(|call| call.service == heal_sandbox::Service::Orchestrator) {
        assert_eq!(call.spiffe_id.as_deref(), Some(ENGINE_ID), "{call:?}");
        let token = call.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer ")).unwrap();
        assert_eq!(secured.authority.token_subject(token, AUDIENCE).unwrap(), ENGINE_ID);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_with_another_identity_is_not_called() {
    let secured = secured(Seed::healthy_worker());
    let stranger = "spiffe://neural-hive.local/ns/neural-hive-orchestration/sa/somebody-else";
    let stranger = secured.authority.issue(stranger, Validity::default()).unwrap();
    secured.platform.set_orchestrator_tls(&stranger.server_tls()).unwrap();
    let folder = playbooks(&[("workflow_restart.yaml", RESTART)]);
    let ran = secured.heal(&["run", "tests/events/workflow_stuck.json", "--json", "--playbooks", path(folder.path())]);
    let report = ran.report();
    assert!(secured.platform.effects().is_empty(), "{report:#}");
    let restart = &report["steps"][0];
    assert_eq!(
        restart["status"], "failed",
        "a wrong server counts as a misconfiguration, not as an outage: {report:#}"
    );
    assert!(!report["follow_up"].as_array().unwrap().is_empty(), "{report:#}");
}
