//! One contract for the changes of both homes: made by a turn of this process, or sent to a dispatcher that works on a queue.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use std::sync::Arc;
use std::time::Duration;

use heal_api::changes::{
    ChangeOutcome, Changes, Direct, OrderOutcome, Queued, SEEN_WITHIN, StartOutcome, StartRequest,
};
use heal_engine::RunId;
use heal_engine::event::{Event, RunStatus};
use heal_guard::{Halt, HaltScope};
use heal_runtime::dispatcher::{self, Dispatcher, SwitchOutcome};
use heal_runtime::halts::HaltCache;
use heal_runtime::inbox::{Inbox, settle};
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{OsEntropy, QueueName, Receiver, RunReader};
use heal_testkit::memory::{Faults, ManualClock, Queues, Runs, Switches};
use serde_json::json;

/// What SQS attests for the API's messages.
const API: &str = "iam:AROAAPI:heal-api";
const PLAYBOOK: &str = r#"{"name": "asks", "description": "", "timeout_seconds": 3600, "triggers": [], "verify": [],
    "approval": {"expires_seconds": 3600, "min": 1},
    "actions": [{"name": "first", "type": "count", "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
        "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent", "parameters": {}}]}"#;

/// A home in memory: a dispatcher over its queues.
struct Home {
    runs: Arc<Runs>,
    queues: Arc<Queues>,
    dispatcher: Dispatcher,
}

impl Home {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let runs = Arc::new(Runs::new(Faults::default()));
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let library = Library::new([serde_json::from_str(PLAYBOOK).unwrap()]).unwrap();
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            halts: Arc::new(HaltCache::new(Arc::new(Switches::default()))),
            sender: queues.clone(),
            clock,
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        Self { runs, queues, dispatcher: Dispatcher::new(ports, Arc::new(library)) }
    }

    fn direct(&self) -> Direct {
        Direct { dispatcher: self.dispatcher.clone(), runs: self.runs.clone(), entropy: Arc::new(OsEntropy) }
    }

    fn queued(&self) -> Queued {
        Queued {
            reader: self.dispatcher.clone(),
            runs: self.runs.clone(),
            sender: self.queues.clone(),
            entropy: Arc::new(OsEntropy),
        }
    }

    /// Works on both queues as the function does; each delivery comes from `sender`.
    fn work(&self, sender: &str) {
        let inbox = Inbox::new(self.dispatcher.clone()).trusting(Some(API.to_owned()));
        let (queues, sender) = (Arc::clone(&self.queues), sender.to_owned());
        tokio::spawn(async move {
            loop {
                for queue in [QueueName::Incidents, QueueName::Results] {
                    let mut deliveries = queues.receive(&queue, 10, 60_000).await.unwrap();
                    deliveries.iter_mut().for_each(|delivery| delivery.sender = Some(sender.clone()));
                    let settled = inbox.take(&queue, deliveries).await;
                    settle(&*queues, settled).await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }

    async fn events(&self, run_id: &RunId) -> Vec<Event> {
        self.runs.load(run_id, 0).await.unwrap().into_iter().flat_map(|commit| commit.events).collect()
    }
}

fn request(home: &Home, id: Option<&str>, by: &str) -> StartRequest {
    let mut request = json!({"incident_id": "i-1", "playbook_name": "asks", "parameters": {"n": 1}});
    if let Some(id) = id {
        request["remediation_id"] = id.into();
    }
    let text = request.to_string();
    let prepared = home.dispatcher.prepare(&text).unwrap();
    StartRequest { prepared, text, traceparent: None, requested_by: Some(by.to_owned()) }
}

/// What holds in both homes.
async fn holds(home: &Home, changes: &dyn Changes) {
    let started = changes.start(request(home, Some("r-1"), "oidc:anna")).await.unwrap();
    assert!(matches!(started, StartOutcome::Taken(_)), "{started:?}");
    let run_id = RunId::new("r-1");
    let Event::RunStarted(started) = home.events(&run_id).await.remove(0) else { panic!("no start") };
    assert_eq!(started.requested_by.as_deref(), Some("oidc:anna"));

    let approve = |by: &str| Inbound::Approve { run_id: run_id.clone(), by: by.to_owned() };
    let hold = |by: &str| Inbound::Hold { run_id: run_id.clone(), by: by.to_owned(), reason: "look".to_owned() };
    let release = |by: &str| Inbound::Release { run_id: run_id.clone(), by: by.to_owned(), reason: "go".to_owned() };
    assert!(matches!(changes.change(&run_id, hold("oidc:bob")).await.unwrap(), ChangeOutcome::Changed { .. }));
    assert!(matches!(changes.change(&run_id, hold("oidc:bob")).await.unwrap(), ChangeOutcome::Unchanged { .. }));
    assert!(matches!(changes.change(&run_id, release("oidc:bob")).await.unwrap(), ChangeOutcome::Changed { .. }));
    let approved = changes.change(&run_id, approve("oidc:bob")).await.unwrap();
    assert_eq!(approved, ChangeOutcome::Changed { status: RunStatus::Running });
    let by = home.events(&run_id).await.into_iter().find_map(|event| match event {
        Event::Approved { by, .. } => Some(by),
        _ => None,
    });
    assert_eq!(by.as_deref(), Some("oidc:bob"), "the caller, and not who carried the message");
    let unchanged = changes.change(&run_id, approve("oidc:carl")).await.unwrap();
    assert!(matches!(unchanged, ChangeOutcome::Unchanged { status: RunStatus::Running }), "{unchanged:?}");
    let nobody = RunId::new("nobody");
    changes.change(&nobody, Inbound::Cancel { run_id: nobody.clone(), by: "oidc:bob".to_owned() }).await.unwrap_err();

    let halt = |id: &str, seconds: u64| Halt {
        id: id.to_owned(),
        scope: HaltScope::All,
        since: home.dispatcher.now(),
        until: home.dispatcher.now().plus_ms(seconds * 1_000),
        reason: "storm".to_owned(),
        by: "oidc:bob".to_owned(),
        storm: None,
    };
    let ordered = changes.halt(&halt("halt-000000000001", 600)).await.unwrap();
    assert_eq!(ordered, OrderOutcome::Known(SwitchOutcome::Done));
    let invalid = changes.halt(&halt("halt-000000000002", 0)).await.unwrap();
    assert!(matches!(invalid, OrderOutcome::Known(SwitchOutcome::Invalid(_))), "{invalid:?}");
    let [lasting] = &home.dispatcher.halts().await.unwrap()[..] else { panic!("not one halt") };
    assert_eq!(lasting.by, "oidc:bob");
    let done = OrderOutcome::Known(SwitchOutcome::Done);
    assert_eq!(changes.resume("halt-000000000001", "oidc:bob").await.unwrap(), done);
    let unknown = OrderOutcome::Known(SwitchOutcome::Unknown);
    assert_eq!(changes.resume("halt-000000000001", "oidc:bob").await.unwrap(), unknown);
}

#[tokio::test(start_paused = true)]
async fn a_turn_of_this_process_makes_changes() {
    let home = Home::new();
    holds(&home, &home.direct()).await;
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_behind_its_queue_makes_changes() {
    let home = Home::new();
    home.work(API);
    holds(&home, &home.queued()).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_receives_is_answered_as_sent() {
    let home = Home::new();
    let queued = home.queued();
    let started = tokio::time::Instant::now();
    let sent = queued.start(request(&home, None, "oidc:anna")).await.unwrap();
    let StartOutcome::Sent { run_id } = sent else { panic!("{sent:?}") };
    assert!(started.elapsed() >= SEEN_WITHIN, "{:?}", started.elapsed());
    home.work(API);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(home.events(&run_id).await[0], Event::RunStarted(_)), "the request was not lost");
}

#[tokio::test(start_paused = true)]
async fn what_another_sender_says_about_the_caller_does_not_count() {
    let home = Home::new();
    home.work("iam:AROAOTHER:mallory");
    let direct = home.direct();
    direct.start(request(&home, Some("r-1"), "oidc:anna")).await.unwrap();
    let (run_id, queued) = (RunId::new("r-1"), home.queued());
    let approve = Inbound::Approve { run_id: run_id.clone(), by: "oidc:bob".to_owned() };
    queued.change(&run_id, approve).await.unwrap();
    let events = home.events(&run_id).await;
    assert!(events.iter().any(|event| matches!(event, Event::Approved { by, .. } if by == "iam:AROAOTHER:mallory")));
    // A message with the API's envelope is no incident if another sender sent it.
    let sent = queued.start(request(&home, Some("r-2"), "oidc:anna")).await.unwrap();
    assert!(matches!(sent, StartOutcome::Sent { .. }), "{sent:?}");
    assert_eq!(home.events(&RunId::new("r-2")).await, []);
}
