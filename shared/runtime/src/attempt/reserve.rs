//! The reservations of an attempt: announced with the claim, made at the point of effect, and restarted after a slow effect.

use std::collections::HashSet;

use serde_json::Value;

use super::NotStarted;
use super::bounds::{Answer, Counted};
use super::typed::Attempt;
use crate::action::{Action, Admitted, Performed};
use crate::port::{BackendError, ClaimRequest, Reservation, Stage};

/// An attempt that took longer than this, in milliseconds, has its reservations restarted at its end; less is within what clocks may differ.
const RESTART_AFTER_MS: u64 = 1_000;

impl<A: Action> Attempt<'_, A> {
    /// Reserves cooldowns and places in budgets, and stores the intent with them. `stage` says whether the claim announces all of them.
    ///
    /// # Errors
    /// The store is unavailable, or the claim was lost. Nothing was done.
    pub(super) async fn reserve(
        &self,
        counted: &[&Counted],
        intent: Option<Value>,
        stage: Stage,
    ) -> Result<Answer, NotStarted> {
        let Self { worker, lease, .. } = self;
        let now = worker.ports.clock.now();
        if now >= lease.until() {
            let cause = "the claim's lease expired before anything was done";
            return Err(BackendError::unavailable("reserve", cause).into());
        }
        let takes_over = self.takes_over.clone();
        let request = ClaimRequest { intent, takes_over, stage, ..lease.at(now) };
        match worker.ports.claims.reserve(&with_counted(request, counted.iter().copied())).await? {
            Reservation::Held { cooling, budgets, .. } => Ok(Answer { cooling, budgets }),
            // The claim was lost between the two calls: nothing was done, and its present holder goes on.
            Reservation::Busy { .. } | Reservation::Finished(_) => {
                Err(BackendError::unavailable("reserve", "the claim was lost before anything was done").into())
            }
        }
    }

    /// For a slow effect, restarts the reservations at its end: the targets may have been touched until then.
    ///
    /// If this fails, they count from before the effect, which the log says.
    pub(super) async fn restart_reservations(
        &self,
        targets: &[Admitted<A::Facts>],
        counted: &[Counted],
        performed: &Performed,
    ) {
        let now = self.worker.ports.clock.now();
        if now.since_ms(self.call.started_at) <= RESTART_AFTER_MS {
            return;
        }
        let untouched: HashSet<&str> = performed.proven_not_applied.iter().map(String::as_str).collect();
        let touched = targets.iter().zip(counted).filter(|(one, _)| !untouched.contains(one.target.id.as_str()));
        let request = with_counted(self.lease.renewed(now), touched.map(|(_, counted)| counted));
        if request.cooldowns.is_empty() && request.budgets.is_empty() {
            return;
        }
        if let Err(error) = self.worker.ports.claims.reserve(&request).await {
            tracing::warn!(
                attempt = request.key.attempt,
                error = &error as &dyn std::error::Error,
                "failed to restart cooldowns: they count from before the effect"
            );
        }
    }
}

/// The request with what `counted` counts in.
pub(super) fn with_counted<'c>(request: ClaimRequest, counted: impl Iterator<Item = &'c Counted>) -> ClaimRequest {
    counted.fold(request, |mut request, counted| {
        request.cooldowns.extend(counted.cooldown.clone());
        request.budgets.extend(counted.budgets.iter().cloned());
        request
    })
}
