//! Runs that nobody approves: one that has just asked, one whose time is half over, one whose time is over.

use std::sync::Arc;

use heal_engine::Timestamp;
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::library::Library;
use heal_runtime::port::{Clock, OsEntropy};
use serde_json::json;

use crate::scenario::now;
use crate::site::Site;

const HOUR_MS: u64 = 3_600_000;

/// The clock of a dispatcher that worked on the state file long ago.
struct Past(Timestamp);

impl Clock for Past {
    fn now(&self) -> Timestamp {
        self.0
    }
}

pub(crate) async fn await_one(site: &Site) {
    site.open.incident(&incident("asked", "workflow_restart")).await;
    asked_before(site, "half-over", 13).await;
    asked_before(site, "over", 25).await;
}

fn incident(id: &str, playbook: &str) -> serde_json::Value {
    json!({"incident_id": id, "recommended_playbook": playbook, "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1", "severity": "HIGH",
        "auto_remediation_enabled": false, "escalation_required": true})
}

async fn asked_before(site: &Site, id: &str, hours: u64) {
    let text = "actions: [{type: wait, parameters: {seconds: 1}}]\n";
    let reading = heal_language::playbook::read("pauses", text, &heal_engine::catalog::Catalog::default());
    let library = Library::new([reading.playbook.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))]).unwrap();
    let store = Arc::new(site.open.store.clone());
    let clock = Arc::new(Past(Timestamp(now().0 - hours * HOUR_MS)));
    let ports = dispatcher::Ports {
        runs: store.clone(),
        sender: store,
        clock,
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    let accepted =
        Dispatcher::new(ports, Arc::new(library)).accept(&incident(id, "pauses").to_string(), id, None).await;
    assert!(matches!(accepted, Ok(dispatcher::IntakeOutcome::Started { .. })), "{accepted:?}");
}
