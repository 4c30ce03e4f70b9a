//! The platform's own incidents, against services that behave as the deployed ones.

use heal_sandbox::kubernetes::Pod;
use heal_sandbox::tickets::TicketStatus;
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service, opa::OpaConfig};
use serde_json::{Value, json};

use crate::support::{Ran, command, env, finish, heal, heal_with_input, path, root};

const AGENT: &str = "5f1c7d9e-3b2a-4c8d-9e6f-7a8b9c0d1e2f";

fn file(name: &str) -> String {
    format!("tests/events/platform/{name}.json")
}

fn deployed(seed: Seed) -> Platform {
    let base = PlatformConfig::like_deployed();
    let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..base.opa };
    Platform::start(PlatformConfig { seed, opa, ..base }).unwrap()
}

/// The default seed of the deployed platform, with the agent as a Deployment's worker in a crash loop.
fn seed() -> Seed {
    let mut seed = Seed::unhealthy_worker();
    let crashing = seed.pods.iter().find(|pod| pod.name == "worker-1").unwrap().clone();
    seed.pods.push(Pod { name: AGENT.to_owned(), ..crashing });
    seed.with_deployed_workers()
}

fn run_on(platform: &Platform, name: &str) -> Ran {
    finish(command(&["run", &file(name), "--json"]).envs(env(platform)))
}

/// The reports of all runs, in their order.
fn reports(ran: &Ran) -> Vec<Value> {
    ran.json().into_iter().filter(|line| line.get("steps").is_some()).collect()
}

fn outcomes(ran: &Ran) -> Vec<Value> {
    reports(ran).into_iter().map(|report| report["outcome"].clone()).collect()
}

/// The targets that were changed, each once for every change.
fn changed(platform: &Platform) -> Vec<String> {
    let mut targets: Vec<_> = platform.effects().into_iter().map(|call| call.target).collect();
    targets.sort();
    targets
}

#[test]
fn every_incident_of_the_platform_ends_as_it_should() {
    let cases = [
        ("queue_ticket_timeout", 0, &["COMPLETED", "COMPLETED"][..]),
        ("queue_worker_failure", 0, &["COMPLETED"]),
        ("queue_sla_violation", 0, &["COMPLETED"]),
        ("queue_inconsistency", 0, &["HEALED"]),
        ("http_timeout_unknown_worker", 3, &["DEGRADED"]),
        ("http_timeout_agent", 0, &["HEALED"]),
        ("request_by_playbook_id", 0, &["HEALED"]),
    ];
    let shipped = std::fs::read_dir(root().join("tests/events/platform")).unwrap().count();
    assert_eq!(shipped, cases.len());
    for (name, code, expected) in cases {
        let args = ["run", &file(name), "--sandbox", "--like", "deployed", "--approve", "--json"];
        let ran = heal(&args).exits(code);
        assert_eq!(outcomes(&ran), expected, "{name}: {ran:#?}");
    }
}

#[test]
fn a_request_that_requires_approval_waits_for_it() {
    let ran = heal(&["run", &file("request_by_playbook_id"), "--sandbox", "--like", "deployed"]).exits(1);
    assert!(ran.stdout.contains("AWAITING_APPROVAL"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ticket_of_a_timeout_has_a_run_and_is_reallocated_once() {
    let platform = deployed(seed());
    let ran = run_on(&platform, "queue_ticket_timeout").exits(0);
    let ids: std::collections::BTreeSet<_> =
        reports(&ran).iter().map(|report| report["run_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), changed(&platform)), (2, vec!["ticket-1".to_owned(), "ticket-2".to_owned()]));
    assert!(platform.pods().iter().any(|pod| !pod.ready), "no pod was named, and none is restarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pod_of_an_agent_is_found_by_its_label_and_the_verification_follows_its_replacement() {
    let platform = deployed(seed());
    let old = platform.pods().into_iter().find(|pod| pod.name.starts_with(AGENT)).unwrap();
    let report = run_on(&platform, "http_timeout_agent").exits(0).report();
    assert_eq!(report["outcome"], "HEALED", "{report:#}");
    let new = platform.pods().into_iter().find(|pod| pod.name.starts_with(AGENT)).unwrap();
    assert!(new.ready && new.name != old.name, "{new:#?}");
    assert_eq!(report["steps"][1]["output"]["replaced_by"], json!(new.name), "{report:#}");
    let deleted = platform.effects().iter().filter(|call| call.service == Service::Kubernetes).count();
    assert_eq!((deleted, platform.ticket("ticket-3").unwrap().status), (1, TicketStatus::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_pod_is_named_for_a_person_and_its_ticket_is_reallocated() {
    // The agent's pod is missing, or the worker has no name at all.
    for (name, worker, ticket) in
        [("http_timeout_agent", AGENT, "ticket-3"), ("http_timeout_unknown_worker", "unknown-worker", "ticket-1")]
    {
        let platform = deployed(Seed::unhealthy_worker().with_deployed_workers());
        let report = run_on(&platform, name).exits(3).report();
        assert_eq!(report["outcome"], "DEGRADED", "{report:#}");
        let follow_up = report["follow_up"].to_string();
        assert!(follow_up.contains(worker), "{report:#}");
        assert_eq!(changed(&platform), [ticket], "nothing but the ticket is touched: {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_has_ended_is_not_opened_again() {
    let mut seed = Seed::unhealthy_worker();
    for ticket in &mut seed.tickets {
        ticket.status = TicketStatus::Completed;
    }
    let platform = deployed(seed.with_deployed_workers());
    let ran = run_on(&platform, "queue_ticket_timeout").exits(0);
    assert_eq!(outcomes(&ran), ["COMPLETED", "COMPLETED"], "{ran:#?}");
    assert_eq!(changed(&platform), [""; 0]);
    for report in reports(&ran) {
        assert_eq!(
            (&report["steps"][2]["status"], &report["steps"][3]["status"]),
            (&"no_op".into(), &"condition_false".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_reallocation() {
    let platform = deployed(seed());
    platform
        .set_fault(Fault::new(Service::Tickets, FaultKind::DropAnswer).on("update_ticket_status").times(1))
        .unwrap();
    let report = run_on(&platform, "queue_sla_violation").exits(0).report();
    assert_eq!(report["outcome"], "COMPLETED", "{report:#}");
    assert_eq!(changed(&platform), ["ticket-2"], "{report:#}");
}

#[test]
fn a_dry_run_shows_the_tickets_that_get_a_run_each() {
    let ran = heal(&["run", &file("queue_ticket_timeout"), "--sandbox", "--dry-run"]).exits(0);
    assert!(ran.stdout.contains("one run for each ticket: this is that of ticket-1, then ticket-2"), "{ran:#?}");
    let ran = heal(&["run", &file("queue_ticket_timeout"), "--sandbox", "--dry-run", "--json"]).exits(0);
    assert_eq!(ran.json()[0]["tickets"], json!(["ticket-1", "ticket-2"]));
    let runs = reports(&ran).into_iter().filter(|report| report["outcome"] == "SHADOWED");
    assert_eq!(runs.count(), 2, "each ticket has a shadow run: {ran:#?}");
}

#[test]
fn of_several_runs_the_worst_decides_the_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed.json");
    // The second ticket does not exist.
    std::fs::write(&seed, r#"{"tickets": [{"ticket_id": "a", "status": "RUNNING", "workflow_id": "w"}]}"#).unwrap();
    let incident = json!({"incident_id": "i", "incident_type": "TICKET_TIMEOUT", "affected_tickets": ["b", "a"]});
    let args = ["run", "-", "--sandbox", "--sandbox-seed", path(&seed), "--json"];
    let ran = heal_with_input(&args, incident.to_string().as_bytes()).exits(1);
    assert_eq!(outcomes(&ran), ["FAILED", "COMPLETED"], "{ran:#?}");
}
