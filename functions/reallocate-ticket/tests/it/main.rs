//! `reallocate_ticket` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

mod batch;
mod concurrency;
mod evidence;
mod faults;
mod policy;
mod single;
mod terminal;

use heal_reallocate_ticket::{ReallocateTicket, spec};
use heal_rig::rig::Rig;
use heal_rig::{logs, rig};
use heal_runtime::ActionCommand;
use heal_runtime::attempt::Worker;
use serde_json::{Value, json};

fn worker(rig: &Rig) -> Worker {
    rig.worker(ReallocateTicket::new(rig.tickets(), rig.clock()))
}

fn of_ticket(rig: &Rig, ticket_id: &str) -> ActionCommand {
    rig.command(&spec(), json!({"ticket_id": ticket_id, "reason": "timeout_recovery"}))
}

fn of_tickets(rig: &Rig, tickets: &[&str]) -> ActionCommand {
    rig.command(&spec(), json!({"affected_tickets": tickets, "reason": "worker_failure"}))
}

/// The body of a call.
fn body(call: &heal_sandbox::Call) -> Value {
    serde_json::from_str(&call.body).unwrap()
}
