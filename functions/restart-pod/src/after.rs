//! What the cluster says after a deletion whose answer nobody has.

use std::time::{Duration, Instant};

use heal_clients::kubernetes::PodHealth;
use heal_clients::{CallContext, Error};
use heal_runtime::action::{Call, log};
use heal_runtime::{AttemptOutcome, AttemptResult, Map};
use serde_json::Value;

use crate::{Parameters, RestartPod};

/// How far the cluster's clock may be from the engine's, in milliseconds.
pub const CLOCK_ERROR_MS: u64 = 5_000;

/// A controller that gives the new pod the old one's name does so within this time; afterwards the new one has another name.
const NAME_RETURNS_WITHIN: Duration = Duration::from_secs(5);

/// The reason that a pod has which is being deleted.
const TERMINATING: &str = "Terminating";

/// Between two looks at a new pod: first short, then longer.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// The pod of the command's name, against the moment at which the command was issued.
#[derive(Debug, Clone)]
pub(crate) enum After {
    /// The one that the command meant.
    StillThere,
    /// On its way out.
    Terminating,
    /// None. Its controller may give the new one another name.
    Gone,
    /// One that came later.
    Replaced(Box<PodHealth>),
}

impl After {
    /// Whether the old pod was deleted.
    pub(crate) const fn is_over(&self) -> bool {
        match self {
            Self::StillThere => false,
            Self::Terminating | Self::Gone | Self::Replaced(_) => true,
        }
    }
}

impl RestartPod {
    pub(crate) async fn after(
        &self,
        call: &Call,
        parameters: &Parameters,
        context: &CallContext,
    ) -> Result<After, Error> {
        let Parameters { pod_name, namespace } = parameters;
        let health = self.kubernetes.pod_health(pod_name, namespace.as_deref(), context).await?;
        if health.uid.is_none() {
            return Ok(After::Gone);
        }
        if health.reason.as_deref() == Some(TERMINATING) {
            return Ok(After::Terminating);
        }
        let is_new = came_after(&health, call.command.issued_at.0);
        Ok(if is_new { After::Replaced(Box::new(health)) } else { After::StillThere })
    }

    /// The result of a deletion that is over, however it came about: waits for the new pod where that has the old one's name.
    pub(crate) async fn outcome(
        &self,
        call: &Call,
        parameters: &Parameters,
        context: &CallContext,
        mut after: After,
    ) -> AttemptResult {
        let name = &parameters.pod_name;
        let mut wait = FIRST_POLL;
        let mut gone_since = None;
        loop {
            let last_seen = match &after {
                After::Replaced(health) if health.healthy => return replaced(call, name, name),
                After::Replaced(health) => Some(health.as_ref()),
                After::Gone => {
                    let since: Instant = *gone_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= NAME_RETURNS_WITHIN {
                        return gone(call, name);
                    }
                    None
                }
                After::Terminating | After::StillThere => None,
            };
            let left = context.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return not_back(call, name, last_seen);
            }
            tokio::time::sleep(wait.min(left)).await;
            wait = (wait * 2).min(LONGEST_POLL);
            if let Ok(now) = self.after(call, parameters, context).await {
                after = now;
            }
        }
    }
}

/// Whether the pod was made after `issued_at`. Where the clocks leave it open, one that has restarted already is the old one.
fn came_after(pod: &PodHealth, issued_at: u64) -> bool {
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
        .warn(format!("pod {name:?} was deleted; whether the one that replaces it is ready was not seen"))
}

/// It was deleted, and the time was up before there was a ready one.
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
    log::failed(call, "playbook_executor.restart_pod_failed", name, &message, Some(&follow_up));
    AttemptResult::new(AttemptOutcome::TimedOut { message }).follow_up(follow_up)
}

fn output(replaced_by: Option<&str>) -> Map {
    [("replaced_by".to_owned(), Value::from(replaced_by))].into_iter().collect()
}
