//! Probe for overdue tickets.

use heal_clients::checks::{PAGE, PAGES};
use heal_runtime::checks::{Observation, OverdueTickets, Probe};
use heal_sandbox::tickets::{ListShape, Sla, Ticket, TicketStatus, TicketsConfig};
use heal_sandbox::{Fault, Platform, PlatformConfig, Seed, Service};
use serde_json::{Value, json};

use super::{ago, failing, lies, observe, outages, prober, sighting, start, unknown};
use crate::support::wire::{Wire, json as answer};

fn probe() -> OverdueTickets {
    OverdueTickets { status: "RUNNING".to_owned(), overdue_seconds: 0, limit: 100, timeout_seconds: 1 }
}

/// A ticket that has been running on `worker-1` for ten minutes.
fn running(id: &str, sla: impl Into<Option<Sla>>) -> Ticket {
    Ticket {
        assigned_worker: Some("worker-1".to_owned()),
        workflow_id: "wf-1".to_owned(),
        plan_id: "plan-1".to_owned(),
        started_at: Some(ago(600)),
        sla: sla.into(),
        ..Ticket::new(id, TicketStatus::Running)
    }
}

fn until(deadline: i64) -> Sla {
    Sla { timeout_ms: 0, deadline: Some(deadline) }
}

fn lasting(seconds: i64) -> Sla {
    Sla { timeout_ms: seconds * 1_000, deadline: None }
}

fn tickets(tickets: Vec<Ticket>) -> Seed {
    Seed { tickets, ..Seed::default() }
}

fn ids(observation: Observation) -> Vec<String> {
    sighting(observation).failing.into_iter().map(|failing| failing.id).collect()
}

#[tokio::test]
async fn a_ticket_past_its_deadline_is_a_target_with_its_fields() {
    let mut late = running("late", until(ago(60)));
    late.metadata.insert("namespace".to_owned(), "ns".into());
    late.carried.insert("task_type".to_owned(), "BUILD".into());
    let (platform, prober) = start(tickets(vec![late, running("in-time", until(ago(-60)))]));
    let probe = Probe::OverdueTickets(probe());
    let found = failing(&probe, observe(&prober, &probe).await);
    let overdue = found.fields["overdue_seconds"].as_u64().unwrap();
    assert!((60..70).contains(&overdue), "{overdue}");
    for (field, value) in [
        ("ticket_id", "late"),
        ("status", "RUNNING"),
        ("worker_id", "worker-1"),
        ("workflow_id", "wf-1"),
        ("plan_id", "plan-1"),
    ] {
        assert_eq!(found.fields[field], value, "{field}");
    }
    assert_eq!(found.fields["ticket"]["metadata"]["namespace"], "ns");
    assert_eq!(found.fields["ticket"]["task_type"], "BUILD");
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn without_a_deadline_the_timeout_counts_from_the_start() {
    let mut not_started = running("not-started", lasting(1));
    not_started.started_at = None;
    let (_platform, prober) = start(tickets(vec![
        running("late", lasting(300)),
        running("in-time", lasting(900)),
        running("unbounded", None),
        not_started,
    ]));
    assert_eq!(ids(observe(&prober, &Probe::OverdueTickets(probe())).await), ["late"]);
}

#[tokio::test]
async fn only_tickets_of_the_status_and_beyond_the_grace_are_overdue() {
    let mut pending = running("pending", until(ago(600)));
    pending.status = TicketStatus::Pending;
    let (_platform, prober) =
        start(tickets(vec![pending, running("long", until(ago(600))), running("short", until(ago(60)))]));
    // Longest overdue first.
    assert_eq!(ids(observe(&prober, &Probe::OverdueTickets(probe())).await), ["long", "short"]);
    let patient = OverdueTickets { overdue_seconds: 300, ..probe() };
    assert_eq!(ids(observe(&prober, &Probe::OverdueTickets(patient)).await), ["long"]);
    let pending = OverdueTickets { status: "PENDING".to_owned(), ..probe() };
    assert_eq!(ids(observe(&prober, &Probe::OverdueTickets(pending)).await), ["pending"]);
}

#[tokio::test]
async fn a_ticket_without_a_worker_has_none() {
    let (_platform, prober) = start(tickets(vec![Ticket { assigned_worker: None, ..running("alone", until(ago(9))) }]));
    let probe = Probe::OverdueTickets(probe());
    assert_eq!(failing(&probe, observe(&prober, &probe).await).fields["worker_id"], Value::Null);
}

#[tokio::test]
async fn every_page_is_read_in_either_shape() {
    let count = usize::try_from(PAGE).unwrap() * 2 + 30;
    for list_shape in [ListShape::Paged, ListShape::Array] {
        let all = (0..count).map(|number| running(&format!("t-{number:03}"), until(ago(60)))).collect();
        let tickets = TicketsConfig { list_shape, ..TicketsConfig::default() };
        let config = PlatformConfig { tickets, seed: self::tickets(all), ..PlatformConfig::default() };
        let platform = Platform::start(config).unwrap();
        let prober = prober(&platform, &[]);
        let wide = Probe::OverdueTickets(OverdueTickets { limit: 500, timeout_seconds: 10, ..probe() });
        let seen = sighting(observe(&prober, &wide).await);
        assert_eq!((seen.failing.len(), seen.is_partial), (count, false), "{list_shape:?}");
    }
}

#[tokio::test]
async fn more_overdue_tickets_than_the_limit_are_a_partial_view() {
    let all = (0..5).map(|number| running(&format!("t-{number}"), until(ago(60 + number)))).collect();
    let (_platform, prober) = start(tickets(all));
    let narrow = Probe::OverdueTickets(OverdueTickets { limit: 2, ..probe() });
    let seen = sighting(observe(&prober, &narrow).await);
    assert!(seen.is_partial);
    assert_eq!(seen.failing.iter().map(|failing| failing.id.as_str()).collect::<Vec<_>>(), ["t-4", "t-3"]);
}

#[tokio::test]
async fn reading_stops_at_a_repeated_page() {
    let page = json!([{"ticket_id": "t-1", "status": "RUNNING", "sla": {"deadline": 1}}]);
    let wire = Wire::start([answer(200, &page)]).await;
    let (platform, _) = start(Seed::default());
    let prober = prober(&platform, &[("EXECUTION_TICKET_SERVICE_URL", &wire.url())]);
    assert_eq!(ids(observe(&prober, &Probe::OverdueTickets(probe())).await), ["t-1"]);
    assert_eq!(wire.seen().len(), 2);
}

#[tokio::test]
async fn an_endless_list_is_a_partial_view_of_the_page_limit() {
    let pages = (0..=PAGES).map(|page| {
        answer(200, &json!([{"ticket_id": format!("t-{page}"), "status": "RUNNING", "sla": {"deadline": 1}}]))
    });
    let wire = Wire::start(pages.collect::<Vec<_>>()).await;
    let (platform, _) = start(Seed::default());
    let prober = prober(&platform, &[("EXECUTION_TICKET_SERVICE_URL", &wire.url())]);
    let patient = Probe::OverdueTickets(OverdueTickets { timeout_seconds: 20, ..probe() });
    let seen = sighting(observe(&prober, &patient).await);
    assert_eq!((seen.failing.len(), seen.is_partial), (usize::try_from(PAGES).unwrap(), true));
    assert_eq!(wire.seen().len(), usize::try_from(PAGES).unwrap());
}

#[tokio::test]
async fn ended_tickets_of_a_service_that_ignores_the_filter_are_not_overdue() {
    let page = json!({"total": 2, "tickets": [
        {"ticket_id": "ended", "status": "COMPLETED", "sla": {"deadline": 1}},
        {"ticket_id": "late", "status": "running", "sla": {"deadline": 1}},
    ]});
    let wire = Wire::start([answer(200, &page)]).await;
    let (platform, _) = start(Seed::default());
    let prober = prober(&platform, &[("EXECUTION_TICKET_SERVICE_URL", &wire.url())]);
    assert_eq!(ids(observe(&prober, &Probe::OverdueTickets(probe())).await), ["late"]);
}

#[tokio::test]
async fn an_outage_or_malformed_response_is_unknown_not_empty() {
    for fault in outages().into_iter().chain(lies()) {
        let (platform, prober) = start(tickets(vec![running("late", until(ago(60)))]));
        platform.set_fault(Fault::new(Service::Tickets, fault.clone())).unwrap();
        let reason = unknown(observe(&prober, &Probe::OverdueTickets(probe())).await);
        assert!(reason.contains("list_tickets"), "{fault:?}: {reason}");
    }
}
