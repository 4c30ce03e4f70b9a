//! What came of a cell, read from the process and from the platform.

use std::collections::BTreeSet;
use std::time::Duration;

use heal_sandbox::{Call, Platform, Service};
use serde_json::Value;

use crate::cell::Cell;
use crate::fault::{Extent, Fault};
use crate::playbook::Playbook;
use crate::process::Ran;
use crate::time::{Explained, explain};

/// What was observed of one run.
#[derive(Debug, Default)]
pub struct Facts {
    /// The run's outcome, such as `HEALED`; empty if the process printed no report.
    pub outcome: String,
    /// The exit status.
    pub exit: i32,
    /// What changed on the platform, sorted; an effect that stands twice is in it twice.
    pub effects: Vec<String>,
    /// Whether the target is as the playbook wants it.
    pub is_well: bool,
    /// The steps that neither did what they were to do nor had nothing to do, as `name: status`.
    pub open_steps: Vec<String>,
    /// Everything that the run says to a person, one text per line.
    pub texts: Vec<String>,
    /// How many warnings the report has.
    pub warnings: usize,
    /// How many follow-ups the report has.
    pub follow_ups: usize,
    /// The services that were called.
    pub called: BTreeSet<Service>,
    /// Whether the run met the injected fault.
    pub is_met: bool,
    /// From the start of the process to its exit.
    pub elapsed: Duration,
    /// The time, explained.
    pub explained: Explained,
}

/// The statuses of a step that leaves nothing open.
const CLOSED: [&str; 3] = ["succeeded", "no_op", "condition_false"];

impl Facts {
    /// Reads the facts of a run that has ended.
    pub(crate) fn read(cell: Cell, playbook: &Playbook, platform: &Platform, ran: &Ran) -> Self {
        let calls = platform.calls();
        let (report, events) = ran.lines.split_last().map_or((&Value::Null, &[][..]), |split| split);
        let mut effects: Vec<_> = platform.effects().iter().map(effect).collect();
        effects.sort();
        Self {
            outcome: text(&report["outcome"]).to_owned(),
            exit: ran.exit,
            effects,
            is_well: cell.scenario.is_well(platform),
            open_steps: open_steps(report),
            texts: texts(report, &ran.stderr),
            warnings: list(&report["warnings"]).len(),
            follow_ups: list(&report["follow_up"]).len(),
            called: calls.iter().map(|call| call.service).collect(),
            is_met: is_met(cell, &calls),
            elapsed: ran.elapsed,
            explained: explain(playbook, events, &calls, cell.injection),
        }
    }
}

/// A change of the platform in words.
fn effect(call: &Call) -> String {
    let target = &call.target;
    match call.operation.as_str() {
        "delete_pod" => {
            // A replacement has another name, and is a pod of the same worker.
            let name = target.rsplit('/').next().unwrap_or(target);
            let worker: Vec<_> = name.splitn(3, '-').take(2).collect();
            format!("pod of {} deleted", worker.join("-"))
        }
        "PauseWorkflow" => format!("{target} paused"),
        "ResumeWorkflow" => format!("{target} resumed"),
        "TriggerReplanning" => format!("{target} replanned"),
        "reallocate_ticket" => format!("{target} reallocated"),
        "update_ticket" | "update_ticket_status" => {
            let body: Value = serde_json::from_str(&call.body).unwrap_or(Value::Null);
            format!("{target} {}", text(&body["status"]))
        }
        other => format!("{target} {other}"),
    }
}

/// Whether the fault of the cell applied to a call. A fault of the configuration always does.
fn is_met(cell: Cell, calls: &[Call]) -> bool {
    let Some(injection) = cell.injection else { return true };
    let mut own = calls.iter().filter(|call| call.service == injection.service);
    match (injection.fault, injection.extent) {
        // Its port is closed, so that nothing arrives.
        (Fault::Refuse | Fault::UndecidedClosed | Fault::UndecidedOpen, Extent::WholeRun) => own.next().is_none(),
        (Fault::WrongAddress | Fault::Impostor, _) => true,
        (Fault::WrongDialect, _) if injection.fault.kind(injection.service).is_none() => own.next().is_some(),
        _ => own.any(|call| call.fault.is_some()),
    }
}

fn open_steps(report: &Value) -> Vec<String> {
    let status = |step: &Value| text(&step["status"]).to_owned();
    let open = list(&report["steps"]).iter().filter(|step| !CLOSED.contains(&status(step).as_str()));
    open.map(|step| format!("{}: {}", text(&step["name"]), status(step))).collect()
}

fn texts(report: &Value, stderr: &str) -> Vec<String> {
    let of_steps = list(&report["steps"]).iter().flat_map(|step| ["error", "reason", "warning"].map(|key| &step[key]));
    let lists = list(&report["warnings"]).iter().chain(list(&report["follow_up"]));
    let all = std::iter::once(&report["reason"]).chain(lists).chain(of_steps).map(text);
    all.chain(stderr.lines()).filter(|text| !text.is_empty()).map(ToOwned::to_owned).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
