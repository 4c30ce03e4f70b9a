//! Everything that the metrics have a word for, brought about.

use heal_guard::{AutonomyLevel, AutonomySetting};
use heal_runtime::port::{AutonomyStore as _, Clock as _, RunReader as _, SystemClock};
use heal_sandbox::opa::Decision;
use heal_sandbox::{Fault, FaultKind, Seed, Service};
use serde_json::{Value, json};

use crate::prepared;
use crate::site::Site;
use crate::support::{eventually, http, post, root};

pub(crate) fn now() -> heal_engine::Timestamp {
    SystemClock.now()
}

/// `seed` with one ticket more.
pub(crate) fn world(mut seed: Seed) -> Seed {
    let mut ticket = seed.tickets[1].clone();
    "ticket-5".clone_into(&mut ticket.ticket_id);
    seed.tickets.push(ticket);
    seed
}

/// An event file of the project.
pub(crate) fn event(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join(format!("tests/events/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs it all, to the end of the last run.
pub(crate) async fn play(site: &Site) {
    site.open.receives_a_run_at_its_budget().await;
    the_guides_playbooks(site).await;
    refusals(site).await;
    watched_first(site).await;
    alerts(site).await;
    badly_ended_runs(site).await;
    lost_and_dead(site).await;
    outages(site).await;
    without_a_policy_server(site).await;
    let stopped = site.open.ended("run-at-its-budget").await;
    assert_eq!(stopped["outcome"], "FAILED", "{stopped:#}");
}

/// Ticket timeout with a sick worker, workflow restart, pause, replanning.
async fn the_guides_playbooks(site: &Site) {
    let run = |file: &str, id: &str, playbook: &str| {
        let (id, playbook, mut parameters) = (id.to_owned(), playbook.to_owned(), event(file));
        // Two seconds from the fault to the engine.
        parameters["created_at"] = (now().0 - 2_000).into();
        async move { site.open.ends(&id, &playbook, parameters, "HEALED").await }
    };
    run("ticket_timeout", "timeout", "ticket_timeout_recovery").await;
    run("workflow_stuck", "stuck", "workflow_restart").await;
    site.open.ends("pause", "pause", json!({"workflow_id": "wf-1"}), "COMPLETED").await;
    site.open.ends("replan", "replan", json!({"workflow_id": "wf-running"}), "COMPLETED").await;
}

/// An alert that no rule is for, a delivery that nobody can read, and a form.
async fn alerts(site: &Site) {
    let url = format!("{}/hooks/alertmanager", site.open.serve.url);
    let alert = json!({"alerts": [{"status": "firing", "labels": {"alertname": "Other"}, "fingerprint": "f"}]});
    assert_eq!(post(&url, &alert).await.0, 202);
    assert_eq!(post(&url, &json!({"alerts": 1})).await.0, 422);
    let form = http().post(&url).body("alerts=1").send().await.unwrap();
    assert_eq!(form.status(), 415);
}

/// By the policy, by the cooldown, by the services, and of a message that no playbook is for.
async fn refusals(site: &Site) {
    site.platform.seed(world(Seed::healthy_worker())).unwrap();
    site.open.ends("again", "give_back", json!({"ticket_id": "ticket-1"}), "DENIED").await;
    // With a policy that knows nothing of the five minutes, the cooldown still does.
    site.platform.set_policy(Decision::Allow, None).unwrap();
    site.open.ends("too-soon", "give_back", json!({"ticket_id": "ticket-1"}), "DENIED").await;
    site.platform.set_policy(Decision::Rules, None).unwrap();

    let refused = FaultKind::Status { code: 422, retry_after_seconds: None };
    site.platform.set_fault(Fault::new(Service::Tickets, refused.clone()).on("reallocate_ticket")).unwrap();
    site.platform.set_fault(Fault::new(Service::Tickets, refused).on("update_ticket")).unwrap();
    let invalid = FaultKind::GrpcStatus { code: "INVALID_ARGUMENT".to_owned(), message: String::new() };
    site.platform.set_fault(Fault::new(Service::Orchestrator, invalid).on("PauseWorkflow")).unwrap();
    site.open.ends("refused-1", "give_back", json!({"ticket_id": "ticket-3"}), "FAILED").await;
    site.open.ends("refused-2", "mark", json!({"ticket_id": "ticket-3"}), "FAILED").await;
    site.open.ends("out-of-reach", "stray", json!({"ticket_id": "ticket-3"}), "DENIED").await;
    site.open.ends("refused-3", "pause", json!({"workflow_id": "wf-running"}), "FAILED").await;
    site.platform.clear_faults();

    site.open.incident(&json!({"incident_id": "odd-1", "incident_type": "NEVER_HEARD_OF"})).await;
}

/// A playbook that may not act yet.
async fn watched_first(site: &Site) {
    let (playbook, by, reason) = ("give_back".to_owned(), "local:ann".to_owned(), "we watch it first".to_owned());
    let shadow =
        AutonomySetting { playbook, level: AutonomyLevel::Shadow, by, reason, since: now(), history: Vec::new() };
    site.open.store.set(&shadow).await.unwrap();
    site.open.ends("watched", "give_back", json!({"ticket_id": "ticket-5"}), "SHADOWED").await;
    site.open.store.set(&AutonomySetting { level: AutonomyLevel::Auto, ..shadow }).await.unwrap();
}

async fn badly_ended_runs(site: &Site) {
    site.open.ends("in-vain", "in_vain", json!({}), "NOT_HEALED").await;
    for (number, outcome) in ["NOT_HEALED", "NOT_HEALED", "ESCALATED"].into_iter().enumerate() {
        site.open.ends(&format!("same-{number}"), "in_vain", json!({"worker_id": "w-same"}), outcome).await;
    }
    for number in 0..2 {
        site.open.ends(&format!("vain-{number}"), "in_vain", json!({}), "NOT_HEALED").await;
    }
    let overdue = site.open.receives_an_overdue_run().await;
    let result = site.open.ended(&overdue).await;
    assert_eq!(result["outcome"], "TIMEOUT", "{result:#}");
}

/// An attempt whose claim another worker takes meanwhile, and which is recovered from it; a command that nobody can read.
async fn lost_and_dead(site: &Site) {
    // Longer than the slow call, so that its answer comes too late.
    taken_over(site, "taken-over", "give_back", "ticket-2", now().plus_ms(4_000)).await;
    let result = site.open.ended("taken-over").await;
    assert_eq!(result["outcome"], "COMPLETED", "{result:#}");
    prepared::unreadable_command(&site.open.store, "reallocate_ticket").await;
}

/// Starts a run that reallocates `ticket`, and lets another worker have the claim of its attempt until then.
async fn taken_over(site: &Site, run: &str, playbook: &str, ticket: &str, until: heal_engine::Timestamp) {
    let slow = FaultKind::Slow { by_ms: 3_000 };
    site.platform.set_fault(Fault::new(Service::Tickets, slow).on("reallocate_ticket")).unwrap();
    site.open.execute(run, playbook, json!({"ticket_id": ticket})).await;
    eventually("the reallocation is under way", || {
        site.platform.effects().into_iter().find(|call| call.target == ticket)
    });
    let head = site.open.store.head(&heal_engine::RunId::new(run)).await.unwrap().unwrap();
    // A run that a request named carries its start in its claims.
    let attempt = format!("{run}@{}/reallocate_ticket/1", head.started_at.0);
    prepared::take_over(&site.open.store, "reallocate_ticket", &attempt, until).await;
    site.platform.clear_faults();
}

/// Services that do not answer: the steps are skipped, and the breaker that allows one failure opens.
async fn outages(site: &Site) {
    for service in [Service::Tickets, Service::Orchestrator] {
        site.platform.set_fault(Fault::new(service, FaultKind::Refuse)).unwrap();
    }
    site.open.ends("skipped-1", "give_back", json!({"ticket_id": "ticket-3"}), "DEGRADED").await;
    site.open.ends("skipped-2", "mark", json!({"ticket_id": "ticket-3"}), "DEGRADED").await;
    site.open.ends("skipped-3", "pause", json!({"workflow_id": "wf-running"}), "DEGRADED").await;
    site.closed.ends("skipped-4", "give_back", json!({"ticket_id": "ticket-3"}), "DEGRADED").await;
    site.platform.clear_faults();
}

/// The bundled policy decides; where it has no rules, `OPA_FAIL_OPEN` does.
async fn without_a_policy_server(site: &Site) {
    site.platform.set_fault(Fault::new(Service::Opa, FaultKind::Refuse)).unwrap();
    site.open.ends("bundled", "mark", json!({"ticket_id": "ticket-3"}), "COMPLETED").await;
    site.open.ends("over-budget", "mark", json!({"ticket_id": "ticket-5"}), "DENIED").await;
    site.closed.ends("undecided-2", "pause", json!({"workflow_id": "wf-running"}), "FAILED").await;
    site.open.ends("undecided-1", "pause", json!({"workflow_id": "wf-running"}), "COMPLETED").await;
    site.platform.clear_faults();
}
