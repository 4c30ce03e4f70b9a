//! `restart_workflow` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

mod faults;
mod lost_worker;
mod states;

use heal_restart_workflow::{RestartWorkflow, spec};
use heal_rig::rig::Rig;
use heal_rig::{logs, rig};
use heal_runtime::ActionCommand;
use heal_runtime::attempt::Worker;
use serde_json::json;

fn worker(rig: &Rig) -> Worker {
    rig.worker(RestartWorkflow::new(rig.orchestrator(), rig.clock()))
}

fn of(rig: &Rig, workflow_id: &str) -> ActionCommand {
    rig.command(&spec(), json!({"workflow_id": workflow_id, "reason": "workflow stuck"}))
}
