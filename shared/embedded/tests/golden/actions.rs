//! Actions that record their calls, and succeed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_embedded::Store;
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::port::{self, CooldownKey, Decision, DecisionSource, Entropy, Policy, PolicyInput, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Map, Safety};
use heal_testkit::memory::ManualClock;
use serde_json::json;

pub(crate) const NAMES: [&str; 6] = [
    "check_worker_health",
    "get_workflow_status",
    "pause_workflow",
    "reallocate_ticket",
    "restart_pod",
    "update_ticket_status",
];

/// The attempts' keys of the performed calls, in order.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<String>>);

impl Ledger {
    pub(crate) fn performed(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// 1, 2, 3, …
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Entropy for Counter {
    fn next(&self) -> port::Result<u64> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

struct AllowAll;

#[async_trait]
impl Policy for AllowAll {
    fn validates(&self, _: &str) -> bool {
        false
    }

    async fn decide(&self, _: &PolicyInput) -> Decision {
        Decision::Allow { source: DecisionSource::NotValidated, warning: None }
    }
}

struct Scripted {
    spec: ActionSpec,
    ledger: Arc<Ledger>,
}

#[async_trait]
impl Action for Scripted {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Map) -> Result<Vec<Target>, AttemptResult> {
        let id = parameters.get("ticket_id").and_then(|id| id.as_str()).unwrap_or("none").to_owned();
        let key = CooldownKey { action: self.spec.name.to_owned(), target: id.clone() };
        let cooldown = (self.spec.name == "reallocate_ticket").then_some(Cooldown { key, duration_ms: 300_000 });
        Ok(vec![Target { id, resource: PolicyResource::default(), cooldown }])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, _: &Map, _: &[Admitted<()>]) -> Performed {
        self.ledger.0.lock().unwrap().push(call.command.attempt_key());
        let output = match self.spec.name {
            "check_worker_health" => json!({"healthy": true, "worker_unhealthy": false, "reason": null}),
            // The state that the verification waits for.
            "get_workflow_status" => json!({"state": "PAUSED", "plan_id": "p-1"}),
            _ => json!({}),
        };
        let output: Map = serde_json::from_value(output).unwrap();
        AttemptResult::succeeded(output).into()
    }
}

pub(crate) fn workers(store: &Store, clock: &Arc<ManualClock>, ledger: &Arc<Ledger>) -> Vec<Worker> {
    let shared = Arc::new(store.clone());
    let worker = |name| {
        let spec = ActionSpec {
            name,
            description: "Records its calls.",
            parameters: json!({"type": "object"}),
            outputs: &[],
            safety: Safety::Idempotent,
            inherits: &[],
            default_timeout_seconds: 60,
            critical: false,
        };
        let ports = attempt::Ports {
            claims: shared.clone(),
            policy: Arc::new(AllowAll),
            sender: shared.clone(),
            clock: clock.clone(),
        };
        Worker::new(Scripted { spec, ledger: Arc::clone(ledger) }, Arc::new(ports)).unwrap()
    };
    NAMES.into_iter().map(worker).collect()
}
