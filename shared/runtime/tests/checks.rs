//! Scheduled checks over fakes, in time that the test owns.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "checks/faults.rs"]
mod faults;
#[path = "checks/raising.rs"]
mod raising;
#[path = "checks/schedule.rs"]
mod schedule;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_engine::check::{Check, Failing, Observation, Probe};
use heal_runtime::Timestamp;
use heal_runtime::checks::{self, CheckOutcome, Checked, Checks, Ports};
use heal_runtime::port::{CheckStore, Clock, Prober, QueueName, Receiver as _, Sender};
use heal_testkit::memory::{self, Faults, ManualClock, Queues};
use tokio::sync::Notify;

/// A prober that the test scripts: what it sees, by service.
#[derive(Default)]
struct Scripted {
    seen: Mutex<BTreeMap<String, Seen>>,
    probed: Mutex<Vec<String>>,
    /// If set, probes wait for it.
    gate: Option<Arc<Notify>>,
}

#[derive(Debug, Clone)]
enum Seen {
    Well,
    Failing,
    Unknown,
    Hanging,
}

impl Scripted {
    fn set(&self, service: &str, seen: Seen) {
        self.seen.lock().unwrap().insert(service.to_owned(), seen);
    }

    fn probed(&self) -> Vec<String> {
        std::mem::take(&mut *self.probed.lock().unwrap())
    }
}

#[async_trait]
impl Prober for Scripted {
    async fn probe(&self, probe: &Probe, _: Timestamp) -> Observation {
        let Probe::Http(http) = probe else { panic!("{probe:?}") };
        self.probed.lock().unwrap().push(http.url.clone());
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        let seen = self.seen.lock().unwrap().get(&http.url).cloned();
        match seen.unwrap_or(Seen::Well) {
            Seen::Well => Observation::well(),
            Seen::Failing => {
                let fields = serde_json::json!({"id": http.url, "url": http.url, "status": 500});
                let fields = fields.as_object().unwrap().clone();
                Observation::failing(Failing { id: http.url.clone(), fields, reason: "it is ill".to_owned() })
            }
            Seen::Unknown => Observation::unknown("nobody knows"),
            Seen::Hanging => std::future::pending().await,
        }
    }
}

fn check(name: &str) -> Check {
    let text = format!(
        "probe: {{type: http, url: \"http://{name}\"}}\nfor: 3\nincident: {{incident_type: DOWN, service_name: \"{{{{ target.url }}}}\"}}\n"
    );
    let reading = heal_language::check::read(name, &text, None);
    reading.check.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))
}

struct Rig {
    checks: Checks,
    prober: Arc<Scripted>,
    store: Arc<memory::Checks>,
    queues: Arc<Queues>,
    clock: Arc<ManualClock>,
    faults: Faults,
}

impl Rig {
    fn new(names: &[&str]) -> Self {
        Self::with(names, Scripted::default())
    }

    fn with(names: &[&str], prober: Scripted) -> Self {
        let clock = Arc::new(ManualClock::default());
        let faults = Faults::default();
        let store = Arc::new(memory::Checks::new(faults.clone()));
        let queues = Arc::new(Queues::new(Arc::clone(&clock) as Arc<dyn Clock>, faults.clone()));
        let prober = Arc::new(prober);
        let ports = Ports {
            prober: Arc::clone(&prober) as Arc<dyn Prober>,
            store: Arc::clone(&store) as Arc<dyn CheckStore>,
            sender: Arc::clone(&queues) as Arc<dyn Sender>,
        };
        let checks = Checks::new(names.iter().map(|name| check(name)), ports).unwrap();
        Self { checks, prober, store, queues, clock, faults }
    }

    async fn run(&self) -> Vec<Checked> {
        self.checks.run(self.clock.now()).await
    }

    /// One tick of a minute.
    async fn tick(&self) -> Vec<Checked> {
        self.clock.advance_ms(60_000);
        self.run().await
    }

    /// Incident ids of the messages on the queue, in order, which are taken off it.
    async fn incidents(&self) -> Vec<String> {
        let deliveries = self.queues.receive(&QueueName::Incidents, 100, 1_000).await.unwrap();
        let ids = deliveries.iter().map(|delivery| {
            let intake = heal_engine::incident::read(&delivery.body).unwrap();
            assert_eq!(intake.incident_type.as_deref(), Some("DOWN"));
            intake.incident_id
        });
        let ids = ids.collect();
        self.queues.acknowledge(deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()).await.unwrap();
        ids
    }
}

fn raised(checked: &[Checked]) -> usize {
    let count = |checked: &Checked| match &checked.outcome {
        CheckOutcome::Probed { raised, .. } => raised.len(),
        CheckOutcome::NotDue
        | CheckOutcome::Unknown { .. }
        | CheckOutcome::Overtaken
        | CheckOutcome::Failed(_)
        | CheckOutcome::Newer(_)
        | CheckOutcome::Late => 0,
    };
    checked.iter().map(count).sum()
}

#[test]
fn unusable_checks_are_rejected() {
    let ports = || Ports {
        prober: Arc::new(Scripted::default()),
        store: Arc::new(memory::Checks::default()),
        sender: Arc::new(Queues::new(Arc::new(ManualClock::default()), Faults::default())),
    };
    let error = Checks::new([check("a"), check("b"), check("a")], ports()).unwrap_err();
    assert!(matches!(error, checks::Error::Twice { name } if name == "a"));
    let many = (0..=heal_engine::limit::CHECKS).map(|number| check(&format!("c{number}")));
    assert!(matches!(Checks::new(many, ports()).unwrap_err(), checks::Error::TooMany { observed: 101 }));
    let full = (0..heal_engine::limit::CHECKS).map(|number| check(&format!("c{number}")));
    assert_eq!(Checks::new(full, ports()).unwrap().iter().count(), heal_engine::limit::CHECKS);
    assert!(matches!(Checks::from_json("{}", ports()).unwrap_err(), checks::Error::Unreadable(_)));
    let json = heal_engine::check::to_json(&[check("a"), check("b")]);
    let names: Vec<String> =
        Checks::from_json(&json, ports()).unwrap().iter().map(|check| check.name.clone()).collect();
    assert_eq!(names, ["a", "b"]);
}
