//! `trigger_replanning` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

mod cooldown;
mod faults;
mod lost_worker;
mod requests;

use heal_rig::rig::Rig;
use heal_rig::{logs, rig};
use heal_runtime::ActionCommand;
use heal_runtime::attempt::Worker;
use heal_trigger_replanning::{TriggerReplanning, spec};
use serde_json::{Value, json};

fn worker(rig: &Rig) -> Worker {
    rig.worker(TriggerReplanning::new(rig.orchestrator(), rig.clock()))
}

fn of_workflow(rig: &Rig, workflow_id: &str) -> ActionCommand {
    rig.command(&spec(), json!({"workflow_id": workflow_id, "reason": "drifted"}))
}

fn of_plan(rig: &Rig, plan_id: &str) -> ActionCommand {
    rig.command(&spec(), json!({"plan_id": plan_id, "reason": "drifted"}))
}

/// A command with these parameters, in a run that is named after them.
fn with(rig: &Rig, parameters: Value) -> ActionCommand {
    let run = parameters.to_string();
    rig::of_run(&rig.command(&spec(), parameters), &run)
}
