//! Outcomes of deliveries: each on its own, none lost, and a dead letter is an event of its run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use std::sync::Arc;

use heal_engine::{Event, limit};
use heal_runtime::RunStatus;
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::inbox::{self, DeliveryOutcome, Inbox, Settled};
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{
    Clock as _, Delivery, Message, OsEntropy, QueueName, Receiver, RunFilter, RunHead, RunReader, Sender,
};
use heal_runtime::{ActionResult, AttemptResult, Map};
use heal_testkit::memory::{Faults, ManualClock, Queues, Runs, When};
use serde_json::json;

struct Rig {
    inbox: Inbox,
    runs: Arc<Runs>,
    queues: Arc<Queues>,
    faults: Faults,
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let faults = Faults::default();
        let runs = Arc::new(Runs::new(faults.clone()));
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let inbox = inbox(runs.clone(), queues.clone(), clock);
        Self { inbox, runs, queues, faults }
    }

    async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 100, None).await.unwrap().runs
    }

    async fn commands(&self) -> Vec<Delivery> {
        self.queues.receive(&QueueName::Action("count".to_owned()), 100, 1_000).await.unwrap()
    }
}

fn inbox(runs: Arc<Runs>, queues: Arc<Queues>, clock: Arc<ManualClock>) -> Inbox {
    let step = |name: &str, needs: &[&str]| {
        json!({
            "name": name, "type": "count", "needs": needs, "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
            "retry": {"max_attempts": 3, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent", "parameters": {},
        })
    };
    let playbook = json!({
        "name": "two_steps", "description": "", "timeout_seconds": 3_600, "triggers": [{"incident_type": "TWO"}],
        "actions": [step("first", &[]), step("second", &["first"])], "verify": [],
    });
    let library = Library::new([serde_json::from_value(playbook).unwrap()]).unwrap();
    let ports = dispatcher::Ports {
        runs,
        halts: heal_testkit::memory::no_halts(),
        sender: queues,
        clock,
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    Inbox::new(Dispatcher::new(ports, Arc::new(library)))
}

fn delivery(name: &str, body: impl Into<String>) -> Delivery {
    Delivery {
        receipt: format!("receipt-{name}"),
        message_id: name.to_owned(),
        body: body.into(),
        receive_count: 1,
        traceparent: None,
        sender: None,
    }
}

fn incident(name: &str) -> Delivery {
    delivery(name, json!({"incident_id": name, "incident_type": "TWO"}).to_string())
}

fn answer(command: &str) -> String {
    let command: heal_runtime::ActionCommand = serde_json::from_str(command).unwrap();
    Inbound::Result(Box::new(ActionResult {
        run_id: command.run_id,
        step: command.step,
        item: command.item,
        attempt: command.attempt,
        token: command.token,
        finished_at: ManualClock::START,
        started_at: None,
        result: AttemptResult::succeeded(Map::new()),
    }))
    .to_body()
}

fn outcomes(settled: &[Settled]) -> Vec<(&str, &DeliveryOutcome)> {
    settled.iter().map(|Settled { delivery, outcome }| (delivery.message_id.as_str(), outcome)).collect()
}

#[tokio::test]
async fn one_bad_message_costs_its_neighbours_nothing() {
    let rig = Rig::new();
    let batch = vec![incident("a"), delivery("poison", "\u{0}{not json"), incident("b")];
    let settled = rig.inbox.take(&QueueName::Incidents, batch).await;
    let [("a", DeliveryOutcome::Acknowledge), ("poison", poison), ("b", DeliveryOutcome::Acknowledge)] =
        outcomes(&settled)[..]
    else {
        panic!("{settled:?}")
    };
    let DeliveryOutcome::DeadLetter { reason } = poison else { panic!("{settled:?}") };
    assert!(reason.contains("is not JSON"), "{reason}");
    let mut statuses: Vec<_> = rig.heads().await.into_iter().map(|head| (head.incident_id, head.status)).collect();
    statuses.sort();
    let expected = [("a", RunStatus::Running), ("b", RunStatus::Running), ("unknown", RunStatus::Failed)];
    assert_eq!(statuses, expected.map(|(id, status)| (id.to_owned(), status)));
}

#[tokio::test]
async fn an_incident_without_a_playbook_is_recorded_and_acknowledged() {
    let rig = Rig::new();
    let other = delivery("other", json!({"incident_id": "other", "incident_type": "NOBODYS"}).to_string());
    let settled = rig.inbox.take(&QueueName::Incidents, vec![other]).await;
    assert!(matches!(outcomes(&settled)[..], [(_, DeliveryOutcome::Acknowledge)]), "{settled:?}");
    let head = rig.heads().await.remove(0);
    assert!(head.status == RunStatus::Failed && head.reason.unwrap().contains("NOBODYS"));
}

#[tokio::test]
async fn a_message_that_cannot_be_processed_now_is_retried() {
    let rig = Rig::new();
    rig.faults.fail_next_of("runs.create", 1, When::Before);
    let settled = rig.inbox.take(&QueueName::Incidents, vec![incident("a")]).await;
    assert!(matches!(outcomes(&settled)[..], [(_, DeliveryOutcome::Retry { delay_ms: 200 })]), "{settled:?}");
    let later = Delivery { receive_count: 9, ..incident("a") };
    let settled = rig.inbox.take_dead(&QueueName::Incidents, vec![later]).await;
    assert!(matches!(outcomes(&settled)[..], [(_, DeliveryOutcome::Acknowledge)]), "{settled:?}");
    assert_eq!(rig.heads().await.len(), 1);
}

#[tokio::test]
async fn a_dead_lettered_command_ends_its_run_with_the_reason() {
    let rig = Rig::new();
    rig.inbox.take(&QueueName::Incidents, vec![incident("a")]).await;
    let dead = rig.commands().await;
    let action = QueueName::Action("count".to_owned());
    let settled = rig.inbox.take_dead(&action, dead.clone()).await;
    assert!(matches!(outcomes(&settled)[..], [(_, DeliveryOutcome::Acknowledge)]), "{settled:?}");
    let head = rig.heads().await.remove(0);
    assert_eq!(head.status, RunStatus::Failed);
    assert!(head.reason.as_ref().unwrap().contains("dead-lettered"), "{head:?}");
    // The same dead letter again changes nothing, and neither does a late result.
    let last_seq = head.last_seq;
    rig.inbox.take_dead(&action, dead.clone()).await;
    rig.inbox.take(&QueueName::Results, vec![delivery("late", answer(&dead[0].body))]).await;
    assert_eq!(rig.heads().await.remove(0).last_seq, last_seq);
}

#[tokio::test]
async fn an_unreadable_message_is_dead_lettered() {
    let rig = Rig::new();
    let action = QueueName::Action("count".to_owned());
    for (queue, dead) in
        [(QueueName::Results, false), (QueueName::Results, true), (action.clone(), true), (action, false)]
    {
        let garbled = vec![delivery("garbled", "{\"kind\": 7}")];
        let settled =
            if dead { rig.inbox.take_dead(&queue, garbled).await } else { rig.inbox.take(&queue, garbled).await };
        assert!(
            matches!(outcomes(&settled)[..], [(_, DeliveryOutcome::DeadLetter { .. })]),
            "{queue} {dead}: {settled:?}"
        );
    }
}

#[tokio::test]
async fn a_warm_dispatcher_catches_up_with_another_ones_commits() {
    let clock = Arc::new(ManualClock::default());
    let faults = Faults::default();
    let runs = Arc::new(Runs::new(faults.clone()));
    let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
    let inboxes = [inbox(runs.clone(), queues.clone(), clock.clone()), inbox(runs.clone(), queues.clone(), clock)];
    let rig = Rig { inbox: inboxes[0].clone(), runs, queues, faults };
    inboxes[0].take(&QueueName::Incidents, vec![incident("a")]).await;
    let first = rig.commands().await.remove(0);
    // The second dispatcher reads the run from its log, and commits while the first one's cache is stale.
    inboxes[1].take(&QueueName::Results, vec![delivery("first", answer(&first.body))]).await;
    let second = rig.commands().await.remove(0);
    // The first dispatcher's cached state does not expect this result.
    let settled = inboxes[0].take(&QueueName::Results, vec![delivery("second", answer(&second.body))]).await;
    assert!(matches!(outcomes(&settled)[..], [(_, DeliveryOutcome::Acknowledge)]), "{settled:?}");
    assert_eq!(rig.heads().await.remove(0).status, RunStatus::Completed);
}

#[tokio::test]
async fn a_message_of_a_newer_build_is_retried() {
    let rig = Rig::new();
    let newer = r#"{"format": 99, "kind": "wake", "run_id": "run-1"}"#;
    for settled in [
        rig.inbox.take(&QueueName::Results, vec![delivery("newer", newer)]).await,
        rig.inbox.take_dead(&QueueName::Action("count".to_owned()), vec![delivery("newer", newer)]).await,
    ] {
        assert!(matches!(outcomes(&settled)[..], [(_, DeliveryOutcome::Retry { .. })]), "{settled:?}");
    }
}

#[tokio::test]
async fn a_message_whose_outcome_the_handler_lost_is_delivered_again() {
    let clock = Arc::new(ManualClock::default());
    let queues = Queues::new(clock.clone(), Faults::default());
    let message =
        |body: &str| Message { queue: QueueName::Incidents, body: body.to_owned(), delay_ms: 0, traceparent: None };
    queues.send(["done", "lost", "contradicted"].map(message).to_vec()).await.unwrap();
    let deliveries = queues.receive(&QueueName::Incidents, 10, 600_000).await.unwrap();
    let bodies: Vec<_> = deliveries.iter().map(|delivery| delivery.body.clone()).collect();
    assert_eq!(bodies, ["done", "lost", "contradicted"]);
    // A handler that loses one outcome, reports two for one message, and one for a message that does not exist.
    let reported = [
        (0, DeliveryOutcome::Acknowledge),
        (2, DeliveryOutcome::Acknowledge),
        (2, DeliveryOutcome::Retry { delay_ms: 0 }),
        (7, DeliveryOutcome::Acknowledge),
    ];
    inbox::settle(&queues, inbox::join_outcomes(deliveries, reported)).await;
    clock.advance_ms(1_000);
    let again = queues.receive(&QueueName::Incidents, 10, 600_000).await.unwrap();
    let bodies: Vec<_> = again.iter().map(|delivery| delivery.body.as_str()).collect();
    assert_eq!(bodies, ["lost", "contradicted"]);
}

/// The fake says until when the plan has to be kept; the process runs for ten days and remembers the plan all the time.
#[tokio::test]
async fn a_plan_is_kept_for_every_run_that_may_have_started_with_it() {
    let clock = Arc::new(ManualClock::default());
    let runs = Arc::new(Runs::default());
    let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
    let inbox = inbox(runs.clone(), queues, clock.clone());
    // Waits for its approval, then in queues, then takes its time.
    let longest_ms = 1_000 * (limit::APPROVAL_SECONDS + 2 * limit::DURATION_SECONDS);
    let mut kept = std::collections::BTreeSet::new();
    for round in 0..40 {
        let name = format!("inc-{round}");
        inbox.take(&QueueName::Incidents, vec![incident(&name)]).await;
        let filter = RunFilter { incident_id: Some(name), ..RunFilter::default() };
        let head = runs.list(&filter, 1, None).await.unwrap().runs.remove(0);
        let log = runs.load(&head.run_id, 0).await.unwrap();
        let Some(Event::RunStarted(started)) = log[0].events.first() else { panic!("{log:?}") };
        let kept_until = runs.plan_kept_until(&started.plan_digest).unwrap();
        assert!(kept_until >= clock.now().plus_ms(longest_ms), "round {round}: {kept_until:?}");
        kept.insert(kept_until);
        clock.advance_ms(6 * 3_600_000);
    }
    assert_eq!(kept.len(), 10, "one write a day");
}
