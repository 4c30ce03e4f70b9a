//! What the bundled policy costs: one question that it allows, one that it denies, and a batch.

#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use heal_clients::policy::Bundled;
use serde_json::{Value, json};

/// A question as a worker asks it.
fn question(action: &str, more: &Value) -> Value {
    let mut resource = json!({
        "action": action, "ticket_id": "", "workflow_id": "", "plan_id": "", "reason": "the ticket has timed out", "affected_tickets": [],
    });
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let context = json!({
        "last_reallocation_timestamp": 0, "workflow_state": "RUNNING", "incident_id": "INC-1", "playbook_name": "ticket_timeout_recovery",
        "now_ns": 1_700_000_000_000_000_000_u64,
    });
    json!({"resource": resource, "context": context})
}

fn bundled(criterion: &mut Criterion) {
    let policy = Bundled::new().unwrap();
    let tickets: Vec<String> = (0..100).map(|index| format!("t-{index}")).collect();
    let mut group = criterion.benchmark_group("bundled policy");
    for (name, input) in [
        ("allowed", question("reallocate_ticket", &json!({"ticket_id": "t-1"}))),
        ("denied", question("restart_workflow", &json!({}))),
        ("batch of 100", question("reallocate_ticket", &json!({"affected_tickets": tickets}))),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| policy.evaluate(&input).unwrap()));
    }
    group.finish();
}

criterion_group!(benches, bundled);
criterion_main!(benches);
