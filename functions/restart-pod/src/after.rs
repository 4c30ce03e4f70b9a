//! What the cluster shows after a deletion whose answer was lost.

use std::time::{Duration, Instant};

use heal_clients::kubernetes::PodHealth;
use heal_clients::{CallContext, Error};
use heal_runtime::action::{Call, log};
use heal_runtime::{AttemptOutcome, AttemptResult, Map};
use serde_json::Value;

use crate::{Parameters, RestartPod};

/// How far the cluster's clock may differ from the engine's, in milliseconds.
pub const CLOCK_ERROR_MS: u64 = 5_000;

/// A controller that reuses the old pod's name does so within this time; afterwards the new pod has another name.
const NAME_RETURNS_WITHIN: Duration = Duration::from_secs(5);

/// The reason of a pod that is being deleted.
const TERMINATING: &str = "Terminating";

/// Between two reads of a new pod: doubles from the first to the longest.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// The pod of the command's name, compared with the time of the command.
#[derive(Debug, Clone)]
pub(crate) enum PodAfter {
    /// It existed before the command.
    StillThere,
    /// It is being deleted.
    Terminating,
    /// No pod has the name. The controller may give the new one another name.
    Gone,
    /// It was created after the command.
    Replaced(Box<PodHealth>),
}

impl PodAfter {
    /// Whether the old pod was deleted.
    pub(crate) const fn is_deleted(&self) -> bool {
        match self {
            Self::StillThere => false,
            Self::Terminating | Self::Gone | Self::Replaced(_) => true,
        }
    }
}

impl RestartPod {
    pub(crate) async fn pod_after(
        &self,
        call: &Call,
        parameters: &Parameters,
        context: &CallContext,
    ) -> Result<PodAfter, Error> {
        let Parameters { pod_name, namespace } = parameters;
        let health = self.kubernetes.pod_health(pod_name, namespace.as_deref(), context).await?;
        if health.uid.is_none() {
            return Ok(PodAfter::Gone);
        }
        if health.reason.as_deref() == Some(TERMINATING) {
            return Ok(PodAfter::Terminating);
        }
        let is_new = created_after(&health, call.command.issued_at.0);
        Ok(if is_new { PodAfter::Replaced(Box::new(health)) } else { PodAfter::StillThere })
    }

    /// The result of a deletion, whoever made it: waits for the new pod if it has the old one's name.
    pub(crate) async fn await_replacement(
        &self,
        call: &Call,
        parameters: &Parameters,
        context: &CallContext,
        mut after: PodAfter,
    ) -> AttemptResult {
        let name = &parameters.pod_name;
        let mut wait = FIRST_POLL;
        let mut gone_since = None;
        loop {
            let last_seen = match &after {
                PodAfter::Replaced(health) if health.healthy => return replaced(call, name, name),
                PodAfter::Replaced(health) => Some(health.as_ref()),
                PodAfter::Gone => {
                    let since: Instant = *gone_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= NAME_RETURNS_WITHIN {
                        return gone(call, name);
                    }
                    None
                }
                PodAfter::Terminating | PodAfter::StillThere => None,
            };
            let left = context.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return not_back(call, name, last_seen);
            }
            tokio::time::sleep(wait.min(left)).await;
            wait = (wait * 2).min(LONGEST_POLL);
            if let Ok(now) = self.pod_after(call, parameters, context).await {
                after = now;
            }
        }
    }
}

/// Whether the pod was created after `issued_at`, in epoch milliseconds. If the clocks leave it open, a pod that has restarted already is the
/// old one.
fn created_after(pod: &PodHealth, issued_at: u64) -> bool {
    /// Kubernetes writes whole seconds.
    const SECOND_MS: u64 = 1_000;
    let Some(created_at) = pod.created_at_ms else { return false };
    if created_at > issued_at.saturating_add(CLOCK_ERROR_MS) {
        return true;
    }
    let may_be_as_late_as = created_at.saturating_add(SECOND_MS + CLOCK_ERROR_MS);
    may_be_as_late_as >= issued_at && pod.restarts == 0
}

pub(crate) fn replaced(call: &Call, old: &str, new: &str) -> AttemptResult {
    let what = format!("pod {old:?} was replaced by {new:?}, which is ready");
    log::done(call, "playbook_executor.pod_restarted", old, &what);
    AttemptResult::succeeded(output(Some(new)))
}

fn gone(call: &Call, name: &str) -> AttemptResult {
    let what = format!("pod {name:?} is gone");
    log::done(call, "playbook_executor.pod_restarted", name, &what);
    AttemptResult::succeeded(output(None))
        .warn(format!("pod {name:?} was deleted; whether its replacement is ready is not known"))
}

/// The pod was deleted, and no replacement was ready before the deadline.
pub(crate) fn not_back(call: &Call, name: &str, last_seen: Option<&PodHealth>) -> AttemptResult {
    let seen = last_seen.map_or_else(
        || "none was seen".to_owned(),
        |PodHealth { phase, reason, .. }| {
            format!(
                "the last one seen is {phase}{}",
                reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"))
            )
        },
    );
    let message = format!("pod {name:?} was deleted, and no ready one took its place in time: {seen}");
    let follow_up = format!("find out why no ready pod takes the place of {name:?}: {seen}");
    log::failed(call, name, &message, Some(&follow_up));
    AttemptResult::new(AttemptOutcome::TimedOut { message }).follow_up(follow_up)
}

fn output(replaced_by: Option<&str>) -> Map {
    [("replaced_by".to_owned(), Value::from(replaced_by))].into_iter().collect()
}
