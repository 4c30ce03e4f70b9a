//! The effect itself: what an earlier worker may have done, and the performing within deadline and lease.

use std::collections::HashSet;
use std::time::Duration;

use heal_engine::catalog::Safety;
use heal_engine::message::{AttemptOutcome, AttemptResult};

use super::Error;
use super::typed::Attempt;
use crate::action::{Action, Admitted, Performed, Probe, Target};
use crate::port::{BackendError, CooldownRequest, Finish};

/// An attempt that took longer than this, in milliseconds, has its cooldowns restarted at its end; less is within what clocks may differ.
const RESTART_COOLDOWN_AFTER_MS: u64 = 1_000;

impl<A: Action> Attempt<'_, A> {
    /// The result of an attempt whose earlier worker died and had, or may have, acted; `None` if performing it is safe.
    ///
    /// # Errors
    /// The stored intent cannot be read. Nothing was done.
    pub(super) async fn recover(&self, targets: &[Target]) -> Result<Option<AttemptResult>, Error> {
        let message = match self.action.spec().safety {
            Safety::ReadOnly | Safety::Idempotent => return Ok(None),
            Safety::Unknown => "its worker died, and it is not known whether the worker had acted".to_owned(),
            Safety::Probe => match self.probe(targets).await? {
                Probe::NotDone => return Ok(None),
                Probe::Done(result) => {
                    return Ok(Some(
                        result.warn("its worker died after it had acted; a probe of the target found it done"),
                    ));
                }
                Probe::Unclear(why) => {
                    format!("its worker died, and a probe of the target does not tell whether it had acted: {why}")
                }
            },
        };
        self.log_failed(targets, &message);
        Ok(Some(AttemptResult::new(AttemptOutcome::Unknown { message })))
    }

    async fn probe(&self, targets: &[Target]) -> Result<Probe, Error> {
        let intent = self.worker.ports.claims.intent(self.lease.key()).await?;
        Ok(self.action.probe(self.call, self.parameters, targets, intent.as_ref()).await)
    }

    /// Stores what the action is about to do, so that a probe after this worker's death can tell whether it was done.
    ///
    /// # Errors
    /// It could not be stored, or the claim was lost. Nothing was done.
    pub(super) async fn store_intent(&self, targets: &[Admitted<A::Facts>]) -> Result<(), Error> {
        let Self { worker, action, call, parameters, lease } = self;
        if action.spec().safety != Safety::Probe {
            return Ok(());
        }
        let Some(intent) = action.intent(call, parameters, targets) else { return Ok(()) };
        let now = worker.ports.clock.now();
        match worker.ports.claims.intend(lease.key(), lease.holder(), now, &intent).await? {
            Finish::Stored => Ok(()),
            Finish::Lost => {
                Err(BackendError::unavailable("intend", "the claim was lost before anything was done").into())
            }
        }
    }

    pub(super) async fn perform(&self, targets: &[Admitted<A::Facts>]) -> Performed {
        let Self { worker, action, call, parameters, lease } = self;
        let ids = || targets.iter().map(|admitted| &admitted.target);
        let now = worker.ports.clock.now();
        // The process may have been frozen since it took the claim: then another worker may hold it.
        if now >= call.deadline || now >= lease.until() {
            let frozen_ms = now.since_ms(call.started_at);
            let message = format!("nothing was done: {frozen_ms} ms went by before it could be started");
            self.log_failed(ids(), &message);
            let proven_not_applied = ids().map(|target| target.id.clone()).collect();
            return Performed { result: AttemptResult::new(AttemptOutcome::TimedOut { message }), proven_not_applied };
        }
        let left = Duration::from_millis(call.deadline.since_ms(now));
        tokio::time::timeout(left, action.perform(call, parameters, targets)).await.unwrap_or_else(|_| {
            let seconds = call.deadline.since_ms(call.started_at) / 1_000;
            let message = format!("{} did not end within {seconds} s", worker.name());
            self.log_failed(ids(), &message);
            AttemptResult::new(AttemptOutcome::TimedOut { message }).into()
        })
    }

    /// For a slow effect, restarts the cooldowns at its end: the targets may have been touched until then.
    ///
    /// If this fails, the cooldowns count from before the effect, which the log says.
    pub(super) async fn restart_cooldowns(&self, targets: &[Admitted<A::Facts>], performed: &Performed) {
        let now = self.worker.ports.clock.now();
        if now.since_ms(self.call.started_at) <= RESTART_COOLDOWN_AFTER_MS {
            return;
        }
        let untouched: HashSet<&str> = performed.proven_not_applied.iter().map(String::as_str).collect();
        let touched = targets.iter().map(|admitted| &admitted.target);
        let cooldowns = cooldown_requests(touched.filter(|target| !untouched.contains(target.id.as_str())));
        if cooldowns.is_empty() {
            return;
        }
        let request = self.lease.renewed(now, cooldowns);
        if let Err(error) = self.worker.ports.claims.reserve(&request).await {
            tracing::warn!(
                attempt = request.key.attempt,
                error = &error as &dyn std::error::Error,
                "failed to restart cooldowns: they count from before the effect"
            );
        }
    }
}

/// The reservations of those targets that have a cooldown.
pub(super) fn cooldown_requests<'t>(targets: impl Iterator<Item = &'t Target>) -> Vec<CooldownRequest> {
    targets
        .filter_map(|target| target.cooldown.clone())
        .map(|cooldown| CooldownRequest { key: cooldown.key, cooldown_ms: cooldown.duration_ms })
        .collect()
}
