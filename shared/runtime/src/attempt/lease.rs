//! The holding of a claim: for how long, and the signs of life that make it longer.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heal_engine::Timestamp;

use super::{LEASE_MS, Worker};
use crate::port::{ClaimKey, ClaimRequest, CooldownRequest, Reservation};

/// A claim that is held, and until when.
#[derive(Debug)]
pub(super) struct Lease {
    request: ClaimRequest,
    until: AtomicU64,
}

impl Lease {
    /// `request` is the one that took the claim.
    pub(super) fn new(request: ClaimRequest) -> Self {
        Self { until: AtomicU64::new(request.lease_until.0), request }
    }

    pub(super) fn key(&self) -> &ClaimKey {
        &self.request.key
    }

    /// The last moment that is known to be covered.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp(self.until.load(Ordering::Relaxed))
    }

    /// The same claim, with targets to reserve, and held as long as before.
    pub(super) fn with(&self, now: Timestamp, cooldowns: Vec<CooldownRequest>) -> ClaimRequest {
        ClaimRequest { now, lease_until: self.until(), cooldowns, ..self.request.clone() }
    }

    /// The same claim, held from `now` on for a whole lease.
    pub(super) fn renewed(&self, now: Timestamp, cooldowns: Vec<CooldownRequest>) -> ClaimRequest {
        ClaimRequest { lease_until: now.plus_ms(LEASE_MS), ..self.with(now, cooldowns) }
    }
}

impl Worker {
    /// Says again and again that this worker is alive. Where that fails, the lease runs out and the result is not taken.
    pub(super) async fn keep(&self, lease: &Lease) -> Infallible {
        loop {
            tokio::time::sleep(Duration::from_millis(LEASE_MS / 3)).await;
            let request = lease.renewed(self.ports.clock.now(), Vec::new());
            match self.ports.claims.reserve(&request).await {
                Ok(Reservation::Held { .. }) => {
                    lease.until.fetch_max(request.lease_until.0, Ordering::Relaxed);
                }
                Ok(Reservation::Busy { .. } | Reservation::Finished(_)) => {
                    tracing::warn!(claim = request.key.attempt, "claim is another worker's by now");
                }
                Err(error) => {
                    tracing::warn!(
                        claim = request.key.attempt,
                        error = &error as &dyn std::error::Error,
                        "claim could not be renewed"
                    );
                }
            }
        }
    }
}
