//! Everything that reads something from outside, under mutated inputs: one binary, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod http;
mod rows;
mod texts;

use std::sync::Arc;

use heal_engine::catalog::{ActionSpec, Catalog, Safety};
use heal_runtime::library::Library;
use serde_json::json;

/// The shipped actions, as far as a playbook's text tells them apart.
pub(crate) fn catalog() -> Catalog {
    const NAMES: [&str; 8] = [
        "check_worker_health",
        "get_workflow_status",
        "pause_workflow",
        "reallocate_ticket",
        "restart_pod",
        "restart_workflow",
        "trigger_replanning",
        "update_ticket_status",
    ];
    Catalog::new(NAMES.map(|name| ActionSpec {
        name,
        description: "A shipped action.",
        parameters: json!({"type": "object"}),
        outputs: &[],
        safety: Safety::Idempotent,
        inherits: &["ticket_id", "workflow_id", "worker_id"],
        default_timeout_seconds: 60,
        service: "tickets",
        critical: false,
    }))
}

/// Those of the shipped playbooks that need no more of an action than its name.
pub(crate) fn library() -> Arc<Library> {
    let folder = heal_fuzz::root().join("playbooks");
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        heal_language::playbook::read(name, &text, &catalog()).playbook
    };
    let names = ["ticket_timeout_recovery", "worker_failure_recovery", "sla_violation_mitigation", "dependency_down"];
    Arc::new(Library::new(names.into_iter().filter_map(read)).unwrap())
}

pub(crate) fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}
