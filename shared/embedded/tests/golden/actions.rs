//! Actions that record their calls, and succeed.

use std::sync::{Arc, Mutex};

use heal_embedded::Store;
use heal_runtime::attempt::Worker;
use heal_testkit::memory::ManualClock;
use heal_testkit::scripted;
use serde_json::json;

pub(crate) use heal_testkit::scripted::Counter;

pub(crate) const NAMES: [&str; 6] = [
    "check_worker_health",
    "get_workflow_status",
    "pause_workflow",
    "reallocate_ticket",
    "restart_pod",
    "update_ticket_status",
];

/// The idempotency keys of the performed calls, in order.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<String>>);

impl Ledger {
    pub(crate) fn performed(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) fn workers(store: &Store, clock: &Arc<ManualClock>, ledger: &Arc<Ledger>) -> Vec<Worker> {
    let shared = Arc::new(store.clone());
    let worker = |name| {
        let ledger = Arc::clone(ledger);
        scripted::worker(name, shared.clone(), shared.clone(), clock.clone(), move |call| {
            ledger.0.lock().unwrap().push(call.idempotency_key.clone());
            match name {
                "check_worker_health" => json!({"healthy": true, "worker_unhealthy": false, "reason": null}),
                // The state that the verification waits for.
                "get_workflow_status" => json!({"state": "PAUSED", "plan_id": "p-1"}),
                _ => json!({}),
            }
        })
    };
    NAMES.into_iter().map(worker).collect()
}
