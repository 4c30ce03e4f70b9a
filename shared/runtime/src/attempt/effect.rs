//! The effect itself: what an earlier worker may have done, and the performing within deadline and lease.

use std::time::Duration;

use heal_engine::catalog::Safety;
use heal_engine::message::{AttemptOutcome, AttemptResult};

use super::NotStarted;
use super::typed::Attempt;
use crate::action::{Action, Admitted, Performed, Probe, Target};
use crate::port::{BackendError, Finish};

impl<A: Action> Attempt<'_, A> {
    /// The result of an attempt whose earlier worker died and had, or may have, acted; `None` if performing it is safe.
    ///
    /// # Errors
    /// The stored intent cannot be read. Nothing was done.
    pub(super) async fn recover(&self, targets: &[Target]) -> Result<Option<AttemptResult>, NotStarted> {
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

    async fn probe(&self, targets: &[Target]) -> Result<Probe, NotStarted> {
        let intent = self.worker.ports.claims.intent(self.lease.key()).await?;
        Ok(self.action.probe(self.call, self.parameters, targets, intent.as_ref()).await)
    }

    /// Stores what the action is about to do, so that a probe after this worker's death can tell whether it was done.
    ///
    /// # Errors
    /// It could not be stored, or the claim was lost. Nothing was done.
    pub(super) async fn store_intent(&self, targets: &[Admitted<A::Facts>]) -> Result<(), NotStarted> {
        let Self { worker, lease, .. } = self;
        let Some(intent) = self.intent(targets) else { return Ok(()) };
        let now = worker.ports.clock.now();
        match worker.ports.claims.intend(lease.key(), lease.holder(), now, &intent).await? {
            Finish::Stored => Ok(()),
            Finish::Lost => {
                Err(BackendError::unavailable("intend", "the claim was lost before anything was done").into())
            }
        }
    }

    /// Makes sure that the claim outlives this worker, who is about to act.
    ///
    /// # Errors
    /// It could not be stored, or the claim was lost. Nothing was done.
    pub(super) async fn secure_claim(&self) -> Result<(), NotStarted> {
        let Self { worker, lease, .. } = self;
        if !worker.takes_claim() {
            return Ok(());
        }
        match worker.ports.claims.secure(lease.key(), lease.holder(), worker.ports.clock.now()).await? {
            Finish::Stored => Ok(()),
            Finish::Lost => {
                Err(BackendError::unavailable("secure", "the claim was lost before anything was done").into())
            }
        }
    }

    /// # Errors
    /// This process was frozen before anything was done, and its time has passed meanwhile.
    pub(super) async fn perform(&self, targets: &[Admitted<A::Facts>]) -> Result<Performed, NotStarted> {
        let Self { worker, action, call, parameters, lease, watch, .. } = self;
        let ids = || targets.iter().map(|admitted| &admitted.target);
        let now = worker.ports.clock.now();
        // Then another worker may hold the claim.
        if action.spec().safety != Safety::ReadOnly && now >= lease.until() {
            let cause = "the claim's lease expired before anything was done";
            return Err(BackendError::unavailable("perform", cause).into());
        }
        if now >= call.deadline {
            if watch.frozen_ms() > 0 && call.command.timeout_ms.is_some() {
                return Err(NotStarted::Late);
            }
            let spent_ms = now.since_ms(call.started_at);
            let message = format!("nothing was done: {spent_ms} ms went by before it could be started");
            self.log_failed(ids(), &message);
            let proven_not_applied = ids().map(|target| target.id.clone()).collect();
            let result = AttemptResult::new(AttemptOutcome::TimedOut { message });
            return Ok(Performed { result, proven_not_applied });
        }
        let left = Duration::from_millis(call.deadline.since_ms(now));
        let performed = tokio::time::timeout(left, action.perform(call, parameters, targets)).await;
        Ok(performed.unwrap_or_else(|_| {
            let seconds = call.deadline.since_ms(call.started_at) / 1_000;
            let message = format!("{} did not end within {seconds} s", worker.name());
            self.log_failed(ids(), &message);
            AttemptResult::new(AttemptOutcome::TimedOut { message }).into()
        }))
    }
}
