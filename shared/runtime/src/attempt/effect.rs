//! The effect itself: what an earlier worker may have done, and the performing within deadline and lease.

use std::time::Duration;

use heal_engine::catalog::Safety;
use heal_engine::message::{AttemptOutcome, AttemptResult};

use super::Worker;
use super::lease::Lease;
use crate::action::{Call, Performed, Probe, Target};
use crate::port::CooldownRequest;

/// An attempt that took longer than this, in milliseconds, has its cooldowns counted from its end; less is within what clocks may differ.
const RESTAMP_MS: u64 = 1_000;

impl Worker {
    /// What an earlier worker of this attempt, whose lease ran out, means: its result, or none where performing (again) is safe.
    pub(super) async fn recover(&self, call: &Call, targets: &[Target]) -> Option<AttemptResult> {
        let unknown = |message: String| Some(AttemptResult::new(AttemptOutcome::Unknown { message }));
        match self.action.spec().safety {
            Safety::ReadOnly | Safety::Idempotent => None,
            Safety::Unknown => unknown("its worker died, and it cannot be said whether it had acted".to_owned()),
            Safety::Probe => match self.action.probe(call, targets).await {
                Probe::NotDone => None,
                Probe::Done(result) => {
                    Some(result.warn("its worker died after it had acted; a look at the target found it done"))
                }
                Probe::Unclear(why) => unknown(format!(
                    "its worker died, and a look at the target does not tell whether it had acted: {why}"
                )),
            },
        }
    }

    pub(super) async fn perform(&self, call: &Call, lease: &Lease, targets: &[Target]) -> Performed {
        let now = self.ports.clock.now();
        // The process may have been frozen since it took the claim: then somebody else may have it.
        if now >= call.deadline || now >= lease.until() {
            let frozen_ms = now.since_ms(call.started_at);
            let message = format!("nothing was done: {frozen_ms} ms went by before it could be started");
            let proven_not_applied = targets.iter().map(|target| target.id.clone()).collect();
            return Performed { result: AttemptResult::new(AttemptOutcome::TimedOut { message }), proven_not_applied };
        }
        let left = Duration::from_millis(call.deadline.since_ms(now));
        tokio::time::timeout(left, self.action.perform(call, targets)).await.unwrap_or_else(|_| {
            let seconds = call.deadline.since_ms(call.started_at) / 1_000;
            let message = format!("{} did not end within {seconds} s", self.name());
            AttemptResult::new(AttemptOutcome::TimedOut { message }).into()
        })
    }

    /// Counts the cooldowns of what was touched from the end of a long effect: until then the target may have been touched.
    ///
    /// Where this fails they count from before the effect, which the log says.
    pub(super) async fn restamp(&self, call: &Call, lease: &Lease, targets: &[Target], performed: &Performed) {
        let now = self.ports.clock.now();
        if now.since_ms(call.started_at) <= RESTAMP_MS {
            return;
        }
        let touched = targets.iter().filter(|target| !performed.proven_not_applied.contains(&target.id));
        let cooldowns = touched.filter_map(|target| target.cooldown.clone());
        let cooldowns: Vec<_> = cooldowns
            .map(|cooldown| CooldownRequest { key: cooldown.key, cooldown_ms: cooldown.duration_ms })
            .collect();
        if cooldowns.is_empty() {
            return;
        }
        let request = lease.renewed(now, cooldowns);
        if let Err(error) = self.ports.claims.reserve(&request).await {
            tracing::warn!(
                attempt = request.key.attempt,
                error = &error as &dyn std::error::Error,
                "cooldown counts from before the effect"
            );
        }
    }
}
