//! A home of the engine in memory, with a few runs, behind the router of the API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use heal_api::changes::Direct;
use heal_api::doors::access::Access;
use heal_api::doors::{Doors, Parts};
use heal_api::{Hooked, Service, Waiting};
use heal_hooks::{Hooks, Verifier};
use heal_runtime::dispatcher::{Dispatcher, Ports};
use heal_runtime::halts::HaltCache;
use heal_runtime::port::{DeadLetter, DeadLetters, Receiver as _, Result, RunFilter, RunReader as _};
use heal_telemetry::Telemetry;
use heal_testkit::memory::{Autonomies, Checks, Claims, Faults, ManualClock, Queues, Runs, Switches};
use heal_testkit::scripted::Counter;

use crate::{catalog, library};

/// What stands for the id of a run in a request of the corpus.
pub(super) const RUN: &str = "RUN-ID";
/// How often a reader who waits for news reads a log.
const POLL: Duration = Duration::from_secs(1);
/// Real texts whose runs there are.
const INCIDENTS: [&str; 2] = ["ticket_timeout.json", "worker_failure.json"];

pub(super) struct Home {
    /// Without doors: a request brings its caller along.
    pub open: Router,
    /// Behind the doors of a trial, which let everybody on this machine in.
    pub guarded: Router,
    run_id: String,
}

/// Dead letters by the receiver's own calls.
struct Letters(Arc<Queues>);

#[async_trait]
impl DeadLetters for Letters {
    async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.0.dead_letters(limit).await
    }

    async fn put_back(&self, message_ids: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        let mut put_back = BTreeSet::new();
        for message_id in message_ids {
            if self.0.redrive(message_id).await? {
                put_back.insert(message_id.clone());
            }
        }
        Ok(put_back)
    }
}

impl Home {
    pub(super) async fn start() -> Self {
        let (clock, runs) = (Arc::new(ManualClock::default()), Arc::new(Runs::default()));
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let (claims, entropy) = (Arc::new(Claims::default()), Arc::new(Counter::default()));
        let ports = Ports {
            runs: runs.clone(),
            halts: Arc::new(HaltCache::new(Arc::new(Switches::default()))),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            guardrails: Arc::default(),
        };
        let autonomy = Arc::new(Autonomies::default());
        let dispatcher = Dispatcher::new(ports, library()).with_autonomy(autonomy.clone(), Arc::default());
        for incident in INCIDENTS {
            let text = std::fs::read_to_string(heal_fuzz::root().join("tests/events").join(incident)).unwrap();
            dispatcher.accept(&text, incident, None).await.unwrap();
        }
        let run_id = runs.list(&RunFilter::default(), 1, None).await.unwrap().runs[0].run_id.to_string();
        let telemetry = Telemetry::silent();
        let service = || Service {
            dispatcher: dispatcher.clone(),
            changes: Arc::new(Direct { dispatcher: dispatcher.clone(), runs: runs.clone(), entropy: entropy.clone() }),
            runs: runs.clone(),
            due_runs: runs.clone(),
            sender: queues.clone(),
            autonomy: autonomy.clone(),
            dead_letters: Arc::new(Letters(Arc::clone(&queues))),
            check_store: Arc::new(Checks::default()),
            checks: Vec::new(),
            catalog: Some(catalog()),
            claims: claims.clone(),
            entropy: entropy.clone(),
            telemetry: telemetry.clone(),
            waiting: Waiting { poll: POLL, news: None, streams: true },
            hooks: Some(hooked(claims.clone())),
            approval_links: None,
        };
        let parts = Parts { clock, entropy: entropy.clone(), metrics: telemetry.metrics().clone() };
        let doors = Arc::new(Doors::new(Access::default(), ([127, 0, 0, 1], 8080).into(), parts).unwrap());
        let (open, guarded) = (heal_api::router(service()), doors.guard(heal_api::router(service())));
        Self { open, guarded, run_id }
    }

    /// The request with the id of a run that exists.
    pub(super) fn with_ids(&self, input: &[u8]) -> Vec<u8> {
        let mut request = Vec::with_capacity(input.len());
        let mut rest = input;
        while let Some(at) = rest.windows(RUN.len()).position(|window| window == RUN.as_bytes()) {
            request.extend(&rest[..at]);
            request.extend(self.run_id.as_bytes());
            rest = &rest[at + RUN.len()..];
        }
        request.extend(rest);
        request
    }
}

fn hooked(deliveries: Arc<Claims>) -> Hooked {
    let file = std::fs::read_to_string(heal_fuzz::root().join("playbooks/hooks.yaml")).unwrap();
    let file = heal_language::hooks::read("hooks", &file, None).hooks.unwrap();
    Hooked { hooks: Hooks::new(file).unwrap(), verifier: Verifier::new(BTreeMap::new()), deliveries }
}
