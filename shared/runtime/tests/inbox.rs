//! What becomes of deliveries: each for itself, and a dead letter is an event of its run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use std::sync::Arc;

use heal_runtime::RunStatus;
use heal_runtime::dispatcher::{self, Dispatcher, Inbound};
use heal_runtime::inbox::{Inbox, Verdict};
use heal_runtime::library::Library;
use heal_runtime::port::{Delivery, OsEntropy, QueueName, Receiver, RunFilter, RunHead, RunStore};
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
    let ports = dispatcher::Ports { runs, sender: queues, clock, entropy: Arc::new(OsEntropy) };
    Inbox::new(Dispatcher::new(ports, Arc::new(library)))
}

fn delivery(name: &str, body: impl Into<String>) -> Delivery {
    Delivery {
        receipt: format!("receipt-{name}"),
        message_id: name.to_owned(),
        body: body.into(),
        receive_count: 1,
        traceparent: None,
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
        result: AttemptResult::succeeded(Map::new()),
    }))
    .to_body()
}

fn verdict<'a>(verdicts: &'a [Verdict], name: &str) -> &'a Verdict {
    verdicts.iter().find(|verdict| verdict.receipt() == format!("receipt-{name}")).unwrap()
}

#[tokio::test]
async fn one_bad_message_costs_its_neighbours_nothing() {
    let rig = Rig::new();
    let batch = vec![incident("a"), delivery("poison", "\u{0}{not json"), incident("b")];
    let verdicts = rig.inbox.take(&QueueName::Incidents, batch).await;
    assert!(matches!(verdict(&verdicts, "a"), Verdict::Done { .. }));
    assert!(matches!(verdict(&verdicts, "b"), Verdict::Done { .. }));
    let Verdict::Bury { reason, .. } = verdict(&verdicts, "poison") else { panic!("{verdicts:?}") };
    assert!(reason.contains("is not JSON"), "{reason}");
    let mut statuses: Vec<_> = rig.heads().await.into_iter().map(|head| (head.incident_id, head.status)).collect();
    statuses.sort();
    let expected = [("a", RunStatus::Running), ("b", RunStatus::Running), ("unknown", RunStatus::Failed)];
    assert_eq!(statuses, expected.map(|(id, status)| (id.to_owned(), status)));
}

#[tokio::test]
async fn an_incident_that_no_playbook_is_for_is_recorded_and_done_with() {
    let rig = Rig::new();
    let other = delivery("other", json!({"incident_id": "other", "incident_type": "NOBODYS"}).to_string());
    let verdicts = rig.inbox.take(&QueueName::Incidents, vec![other]).await;
    assert!(matches!(verdicts[..], [Verdict::Done { .. }]), "{verdicts:?}");
    let head = rig.heads().await.remove(0);
    assert!(head.status == RunStatus::Failed && head.reason.unwrap().contains("NOBODYS"));
}

#[tokio::test]
async fn a_message_that_cannot_be_taken_now_comes_again() {
    let rig = Rig::new();
    rig.faults.fail_next_of("runs.create", 1, When::Before);
    let verdicts = rig.inbox.take(&QueueName::Incidents, vec![incident("a")]).await;
    assert!(matches!(verdicts[..], [Verdict::Again { delay_ms: 200, .. }]), "{verdicts:?}");
    let later = Delivery { receive_count: 9, ..incident("a") };
    let verdicts = rig.inbox.take_dead(&QueueName::Incidents, vec![later]).await;
    assert!(matches!(verdicts[..], [Verdict::Done { .. }]), "{verdicts:?}");
    assert_eq!(rig.heads().await.len(), 1);
}

#[tokio::test]
async fn a_dead_lettered_command_ends_its_run_with_the_reason() {
    let rig = Rig::new();
    rig.inbox.take(&QueueName::Incidents, vec![incident("a")]).await;
    let dead = rig.commands().await;
    let action = QueueName::Action("count".to_owned());
    let verdicts = rig.inbox.take_dead(&action, dead.clone()).await;
    assert!(matches!(verdicts[..], [Verdict::Done { .. }]), "{verdicts:?}");
    let head = rig.heads().await.remove(0);
    assert_eq!(head.status, RunStatus::Failed);
    assert!(head.reason.as_ref().unwrap().contains("dead-lettered"), "{head:?}");
    // The same letter again changes nothing, and neither does an answer that comes after all.
    let last_seq = head.last_seq;
    rig.inbox.take_dead(&action, dead.clone()).await;
    rig.inbox.take(&QueueName::Results, vec![delivery("late", answer(&dead[0].body))]).await;
    assert_eq!(rig.heads().await.remove(0).last_seq, last_seq);
}

#[tokio::test]
async fn what_nobody_can_read_is_kept_for_a_person() {
    let rig = Rig::new();
    let action = QueueName::Action("count".to_owned());
    for (queue, dead) in
        [(QueueName::Results, false), (QueueName::Results, true), (action.clone(), true), (action, false)]
    {
        let garbled = vec![delivery("garbled", "{\"kind\": 7}")];
        let verdicts =
            if dead { rig.inbox.take_dead(&queue, garbled).await } else { rig.inbox.take(&queue, garbled).await };
        assert!(matches!(verdicts[..], [Verdict::Bury { .. }]), "{queue} {dead}: {verdicts:?}");
    }
}

#[tokio::test]
async fn two_warm_dispatchers_take_turns_and_read_only_what_is_new() {
    let clock = Arc::new(ManualClock::default());
    let faults = Faults::default();
    let runs = Arc::new(Runs::new(faults.clone()));
    let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
    let sandboxes = [inbox(runs.clone(), queues.clone(), clock.clone()), inbox(runs.clone(), queues.clone(), clock)];
    let rig = Rig { inbox: sandboxes[0].clone(), runs, queues, faults };
    sandboxes[0].take(&QueueName::Incidents, vec![incident("a")]).await;
    let first = rig.commands().await.remove(0);
    // The second one reads the run from its log, and commits behind the first one's back.
    sandboxes[1].take(&QueueName::Results, vec![delivery("first", answer(&first.body))]).await;
    let second = rig.commands().await.remove(0);
    // The first one knows an older state, for which this answer means nothing.
    let verdicts = sandboxes[0].take(&QueueName::Results, vec![delivery("second", answer(&second.body))]).await;
    assert!(matches!(verdicts[..], [Verdict::Done { .. }]), "{verdicts:?}");
    assert_eq!(rig.heads().await.remove(0).status, RunStatus::Completed);
}
