//! Probe for stuck workflows: reads the status of each workflow.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream;
use heal_runtime::Timestamp;
use heal_runtime::checks::{Failing, Observation, Sighting, StuckWorkflows};
use serde_json::Value;

use super::tickets::list;
use super::{epoch_ms, failing};
use crate::call::CallContext;
use crate::error::Error;
use crate::orchestrator::{Client, WorkflowStatus};
use crate::tickets::{self, TicketStatus};

/// Status calls in flight at a time.
pub const CONCURRENT: usize = 10;

pub(super) async fn probe(
    orchestrator: &Client,
    tickets: &tickets::Client,
    probe: &StuckWorkflows,
    now: Timestamp,
    context: &CallContext,
) -> Observation {
    let mut sighting = Sighting::default();
    let ids = match ids(tickets, probe, &mut sighting, context).await {
        Ok(ids) => ids,
        Err(error) => return Observation::unknown(error.to_string()),
    };
    let calls = stream::iter(ids).map(|id| async move {
        let answer = orchestrator.get_workflow_status(&id, false, context).await;
        (id, answer)
    });
    let mut answers: Vec<_> = calls.buffer_unordered(CONCURRENT).collect().await;
    answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    let probed = answers.len();
    let mut problem = None;
    for (id, answer) in answers {
        match answer {
            Ok(status) => sighting.failing.extend(stuck(&status, probe, now)),
            // A deleted workflow is not stuck.
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                sighting.unknown.push(id);
                problem.get_or_insert(error);
            }
        }
    }
    match problem {
        Some(error) if sighting.unknown.len() == probed => Observation::unknown(error.to_string()),
        Some(_) | None => Observation::Seen(sighting),
    }
}

/// The workflows to probe: the named ones or those of running tickets, at most the probe's limit.
async fn ids(
    tickets: &tickets::Client,
    probe: &StuckWorkflows,
    sighting: &mut Sighting,
    context: &CallContext,
) -> Result<Vec<String>, Error> {
    let mut ids: BTreeSet<String> = probe.workflow_ids.iter().cloned().collect();
    if ids.is_empty() {
        let listed = list(tickets, TicketStatus::Running, context).await?;
        sighting.is_partial = listed.is_partial;
        ids.extend(listed.tickets.into_iter().filter_map(|ticket| ticket.workflow_id).filter(|id| !id.is_empty()));
    }
    let limit = usize::try_from(probe.limit).unwrap_or(usize::MAX);
    sighting.is_partial |= ids.len() > limit;
    Ok(ids.into_iter().take(limit).collect())
}

fn stuck(status: &WorkflowStatus, probe: &StuckWorkflows, now: Timestamp) -> Option<Failing> {
    // Without the time of its last change a workflow cannot be judged.
    let updated_at = epoch_ms(Some(status.updated_at_ms))?;
    let stuck_seconds = now.0.saturating_sub(updated_at) / 1_000;
    if status.state.as_str() != probe.state || stuck_seconds < probe.stuck_seconds {
        return None;
    }
    let id = status.workflow_id.as_str();
    let fields = [
        ("workflow_id", Value::from(id)),
        ("plan_id", Value::from(status.plan_id.as_str())),
        ("state", Value::from(status.state.as_str())),
        ("progress_percent", Value::from(status.progress_percent)),
        ("started_at", Value::from(status.started_at_ms)),
        ("updated_at", Value::from(updated_at)),
        ("stuck_seconds", Value::from(stuck_seconds)),
    ];
    Some(failing(id, fields, format!("workflow {id} is {} unchanged for {stuck_seconds} seconds", status.state)))
}
