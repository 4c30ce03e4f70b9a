//! Incidents with several tickets: a run for each, or one for all, as the playbook reads them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use heal_engine::{Event, limit};
use heal_runtime::dispatcher::{self, Dispatcher, IntakeOutcome, Prepared, Rejection};
use heal_runtime::library::{Library, RouteError};
use heal_runtime::port::{OsEntropy, RunFilter, RunHead, RunReader};
use heal_testkit::memory::{Faults, ManualClock, Queues, Runs, When};
use serde_json::{Value, json};

struct Rig {
    dispatcher: Dispatcher,
    runs: Arc<Runs>,
    faults: Faults,
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let faults = Faults::default();
        let runs = Arc::new(Runs::new(faults.clone()));
        let sender = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            sender,
            clock,
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        Self { dispatcher: Dispatcher::new(ports, Arc::new(library())), runs, faults }
    }

    async fn accept(&self, message: &Value) -> IntakeOutcome {
        self.dispatcher.accept(&message.to_string(), "message", None).await.unwrap()
    }

    async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 1_000, None).await.unwrap().runs
    }

    /// The variables of every run, and the messages of those that were rejected.
    async fn variables(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for head in self.heads().await {
            all.push(match self.runs.load(&head.run_id, 0).await.unwrap()[0].events[0].clone() {
                Event::RunStarted(started) => Value::Object(started.variables),
                Event::IncidentRejected { message, .. } => serde_json::from_str(&message).unwrap(),
                other => panic!("{other:?}"),
            });
        }
        all
    }
}

/// `one` reads `ticket_id`, `all` reads both, `none` reads neither; `required` has it in its schema only.
fn library() -> Library {
    let playbook = |name: &str, parameters: Value| {
        let step = json!({
            "name": "act", "type": "count", "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent",
            "parameters": parameters,
        });
        let mut playbook = json!({
            "name": name, "description": "", "timeout_seconds": 3_600, "triggers": [{"incident_type": name.to_uppercase()}],
            "actions": [step], "verify": [],
        });
        if name == "required" {
            let ticket = json!({"type": "string", "maxLength": 10});
            playbook["parameters_schema"] =
                json!({"type": "object", "required": ["ticket_id"], "properties": {"ticket_id": ticket}});
        }
        if name == "one" {
            playbook["concurrency_key"] = json!("ticket:{{ ticket_id }}");
        }
        serde_json::from_value(playbook).unwrap()
    };
    let both = json!({"ticket": "{{ ticket_id | default('') }}", "tickets": "{{ incident.affected_tickets }}"});
    Library::new([
        playbook("one", json!({"ticket": "{{ incident.ticket_id }}"})),
        playbook("all", both),
        playbook("none", json!({})),
        playbook("required", json!({})),
    ])
    .unwrap()
}

fn incident(incident_type: &str, tickets: usize) -> Value {
    let tickets: Vec<_> = (0..tickets).map(|number| format!("t-{number}")).collect();
    json!({"incident_id": "i", "incident_type": incident_type, "affected_tickets": tickets})
}

fn per_ticket(accepted: IntakeOutcome) -> Vec<IntakeOutcome> {
    match accepted {
        IntakeOutcome::PerTicket { outcomes } => outcomes,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_playbook_that_works_on_one_ticket_gets_a_run_for_each_and_a_redelivery_none() {
    for incident_type in ["ONE", "REQUIRED"] {
        let rig = Rig::new();
        let outcomes = per_ticket(rig.accept(&incident(incident_type, 3)).await);
        assert!(outcomes.iter().all(|one| matches!(one, IntakeOutcome::Started { .. })), "{outcomes:?}");
        assert_eq!(rig.heads().await.iter().map(|head| head.incident_id.as_str()).collect::<Vec<_>>(), ["i"; 3]);
        let tickets: BTreeSet<_> = rig.variables().await.iter().map(|one| one["ticket_id"].to_string()).collect();
        assert_eq!(tickets, ["\"t-0\"", "\"t-1\"", "\"t-2\""].map(str::to_owned).into());

        let again = per_ticket(rig.accept(&incident(incident_type, 3)).await);
        assert!(again.iter().all(|one| matches!(one, IntakeOutcome::Known { .. })), "{again:?}");
        // A later message about the same incident starts the new ticket's run alone.
        let more = per_ticket(rig.accept(&incident(incident_type, 4)).await);
        assert!(matches!(more[..], [.., IntakeOutcome::Known { .. }, IntakeOutcome::Started { .. }]), "{more:?}");
        assert_eq!(rig.heads().await.len(), 4);
    }
}

#[tokio::test]
async fn one_ticket_and_a_playbook_that_reads_them_all_make_one_run() {
    for (incident_type, tickets) in [("ONE", 1), ("ALL", 3), ("NONE", 3)] {
        let rig = Rig::new();
        let accepted = rig.accept(&incident(incident_type, tickets)).await;
        assert!(matches!(accepted, IntakeOutcome::Started { .. }), "{accepted:?}");
        assert_eq!(rig.variables().await[0]["affected_tickets"].as_array().unwrap().len(), tickets);
    }
}

#[tokio::test]
async fn a_ticket_with_a_live_run_is_joined_and_the_others_start() {
    let rig = Rig::new();
    rig.accept(&json!({"incident_id": "earlier", "incident_type": "ONE", "ticket_id": "t-1"})).await;
    let outcomes = per_ticket(rig.accept(&incident("ONE", 3)).await);
    assert!(
        matches!(
            outcomes[..],
            [IntakeOutcome::Started { .. }, IntakeOutcome::Joined { .. }, IntakeOutcome::Started { .. }]
        ),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_failure_in_mid_way_loses_no_ticket_and_repeats_none() {
    let rig = Rig::new();
    for (failing, when) in [(1, When::After), (3, When::Before), (6, When::After)] {
        let mut creates = 0;
        rig.faults.decide_by(move |operation| {
            creates += usize::from(operation == "runs.create");
            (operation == "runs.create" && creates == failing).then_some(when)
        });
        let message = incident("ONE", 7).to_string();
        rig.dispatcher.accept(&message, "message", None).await.unwrap_err();
    }
    rig.faults.clear();
    per_ticket(rig.accept(&incident("ONE", 7)).await);
    assert_eq!(rig.heads().await.len(), 7);
}

#[tokio::test]
async fn tickets_beyond_the_limit_are_kept_in_a_failed_run_whose_message_starts_them() {
    let rig = Rig::new();
    let mut message = incident("ONE", limit::TICKET_RUNS + 2);
    message["auto_remediation_enabled"] = json!(false);
    let mut outcomes = per_ticket(rig.accept(&message).await);
    let Some(IntakeOutcome::Rejected { run_id, reason, understood: true }) = outcomes.pop() else {
        panic!("{outcomes:?}")
    };
    assert_eq!(outcomes.len(), limit::TICKET_RUNS);
    let said = format!("names {} tickets", limit::TICKET_RUNS + 2);
    assert!(reason.contains(&said) && reason.contains("2 tickets have no run: t-100, t-101;"), "{reason}");
    // A redelivery finds the same record.
    let again = per_ticket(rig.accept(&message).await).pop();
    assert_eq!(again, Some(IntakeOutcome::Rejected { run_id: run_id.clone(), reason, understood: true }));

    let Event::IncidentRejected { message, .. } = rig.runs.load(&run_id, 0).await.unwrap()[0].events[0].clone() else {
        panic!("{run_id}")
    };
    let prepared = rig.dispatcher.prepare(&message).unwrap();
    assert_eq!(prepared.tickets(), ["t-100", "t-101"]);
    assert!(prepared.intake().approval, "the rest waits for approval as the incident did");
    let rest = per_ticket(rig.dispatcher.accept(&message, "rest", None).await.unwrap());
    assert!(rest.iter().all(|one| matches!(one, IntakeOutcome::Started { .. })), "{rest:?}");
}

#[tokio::test]
async fn a_ticket_that_the_playbook_refuses_is_recorded_and_holds_up_no_other() {
    let rig = Rig::new();
    let message =
        json!({"incident_id": "i", "incident_type": "REQUIRED", "affected_tickets": ["a", "b".repeat(20), "c"]});
    let outcomes = per_ticket(rig.accept(&message).await);
    let [IntakeOutcome::Started { .. }, IntakeOutcome::Rejected { reason, .. }, IntakeOutcome::Started { .. }] =
        &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert!(reason.contains("/ticket_id: ") && reason.contains("10 characters"), "{reason}");
}

#[test]
fn a_request_that_names_its_run_is_refused_for_several_tickets() {
    let request = json!({"remediation_id": "r", "incident_id": "i", "playbook_id": "one",
        "parameters": {"affected_tickets": ["a", "b"]}});
    let refused = Prepared::new(&library(), &request.to_string(), None).unwrap_err();
    assert!(matches!(refused, Rejection::Route(RouteError::SeveralTickets { observed: 2, .. })), "{refused}");
    let mut unnamed = request;
    unnamed.as_object_mut().unwrap().remove("remediation_id");
    assert_eq!(Prepared::new(&library(), &unnamed.to_string(), None).unwrap().tickets(), ["a", "b"]);
}
