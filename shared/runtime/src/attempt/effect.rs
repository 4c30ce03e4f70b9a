//! The effect itself: what an earlier worker may have done, and the performing within deadline and lease.

use std::time::Duration;

use engine::catalog::Safety;
use engine::message::{AttemptResult, Ending};

use super::{LEASE_MS, Worker};
use crate::action::{Call, Performed, Probe, Target};
use crate::port::{ClaimRequest, CooldownRequest};

/// An attempt that took longer than this, in milliseconds, has its cooldowns counted from its end; less is within what clocks may differ.
const RESTAMP_MS: u64 = 1_000;

impl Worker {
    /// What an earlier worker of this attempt, whose lease ran out, means: its result, or none where performing (again) is safe.
    pub(super) async fn recover(&self, call: &Call, targets: &[Target]) -> Option<AttemptResult> {
        let unknown = |message: String| Some(AttemptResult::new(Ending::Unknown { message }));
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

    pub(super) async fn perform(&self, call: &Call, request: &ClaimRequest, targets: &[Target]) -> Performed {
        let now = self.ports.clock.now();
        // The process may have been frozen since it took the claim: then somebody else may have it.
        if now >= call.deadline || now >= request.lease_until {
            let frozen_ms = now.since_ms(call.started_at);
            let message = format!("nothing was done: {frozen_ms} ms went by before it could be started");
            let untouched = targets.iter().map(|target| target.id.clone()).collect();
            return Performed { result: AttemptResult::new(Ending::TimedOut { message }), untouched };
        }
        let left = Duration::from_millis(call.deadline.since_ms(now));
        let performing = async {
            tokio::time::timeout(left, self.action.perform(call, targets)).await.unwrap_or_else(|_| {
                let seconds = call.deadline.since_ms(call.started_at) / 1_000;
                let message = format!("{} did not end within {seconds} s", self.name());
                AttemptResult::new(Ending::TimedOut { message }).into()
            })
        };
        if self.is_read_only() {
            return performing.await;
        }
        tokio::select! {
            performed = performing => performed,
            never = self.renew(request) => match never {},
        }
    }

    /// Counts the cooldowns of what was touched from the end of a long effect: until then the target may have been touched.
    ///
    /// Where this fails they count from before the effect, which the log says.
    pub(super) async fn restamp(&self, call: &Call, request: &ClaimRequest, targets: &[Target], performed: &Performed) {
        let now = self.ports.clock.now();
        if now.since_ms(call.started_at) <= RESTAMP_MS {
            return;
        }
        let touched = targets.iter().filter(|target| !performed.untouched.contains(&target.id));
        let cooldowns = touched.filter_map(|target| target.cooldown.clone());
        let cooldowns: Vec<_> = cooldowns
            .map(|cooldown| CooldownRequest { key: cooldown.key, cooldown_ms: cooldown.duration_ms })
            .collect();
        if cooldowns.is_empty() {
            return;
        }
        let request = ClaimRequest { now, lease_until: now.plus_ms(LEASE_MS), cooldowns, ..request.clone() };
        if let Err(error) = self.ports.claims.reserve(&request).await {
            tracing::warn!(
                attempt = request.key.attempt,
                error = &error as &dyn std::error::Error,
                "cooldown counts from before the effect"
            );
        }
    }

    /// Says again and again that this worker is alive. Where that fails, the lease runs out and the result is not taken.
    async fn renew(&self, request: &ClaimRequest) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(Duration::from_millis(LEASE_MS / 3)).await;
            let now = self.ports.clock.now();
            let request =
                ClaimRequest { now, lease_until: now.plus_ms(LEASE_MS), cooldowns: Vec::new(), ..request.clone() };
            if let Err(error) = self.ports.claims.reserve(&request).await {
                tracing::warn!(
                    attempt = request.key.attempt,
                    error = &error as &dyn std::error::Error,
                    "claim could not be renewed"
                );
            }
        }
    }
}
