//! The log lines of checks.

use heal_engine::check::{Incident, Unrendered};

use super::{CheckOutcome, Checked};
use crate::port::BackendError;

/// Targets of one probe that are logged one by one.
const NAMED: usize = 5;

pub(super) fn outcome(checked: &Checked) {
    let check = checked.check.as_str();
    match &checked.outcome {
        CheckOutcome::NotDue => {}
        CheckOutcome::Probed { failing, raised } => {
            tracing::debug!(check, failing, raised = raised.len(), "check.looked");
        }
        CheckOutcome::Unknown { reason } => tracing::warn!(check, reason, "check.unknown"),
        CheckOutcome::Overtaken => tracing::info!(check, "check.overtaken"),
        CheckOutcome::Failed(error) => tracing::error!(check, error = error as &dyn std::error::Error, "check.failed"),
        CheckOutcome::Newer(error) => {
            tracing::error!(check, error = error as &dyn std::error::Error, "check.state_newer");
        }
        CheckOutcome::Late => tracing::error!(check, "check.late"),
    }
}

pub(super) fn raised(check: &str, incidents: &[Incident]) {
    for Incident { incident_id, target, failures, .. } in incidents {
        tracing::warn!(check, incident = incident_id, target, failures, "check.raised");
    }
}

pub(super) fn recovered(check: &str, targets: &[String]) {
    for target in targets.iter().take(NAMED) {
        tracing::info!(check, target, "check.recovered");
    }
    if targets.len() > NAMED {
        tracing::info!(check, more = targets.len() - NAMED, "check.recovered");
    }
}

pub(super) fn trouble(check: &str, unrendered: &[Unrendered], held_back: usize, untracked: usize) {
    for Unrendered { target, problem } in unrendered.iter().take(NAMED) {
        tracing::error!(check, target, problem, "check.incident_not_written");
    }
    if unrendered.len() > NAMED {
        tracing::error!(check, more = unrendered.len() - NAMED, "check.incident_not_written");
    }
    if held_back > 0 {
        tracing::warn!(check, held_back, "check.held_back");
    }
    if untracked > 0 {
        tracing::error!(check, untracked, "check.too_many_targets");
    }
}

pub(super) fn noted(check: &str, stored: &Result<bool, BackendError>) {
    match stored {
        Ok(true) => {}
        Ok(false) => tracing::info!(check, "check.sent_not_noted"),
        Err(error) => tracing::warn!(check, error = error as &dyn std::error::Error, "check.sent_not_noted"),
    }
}
