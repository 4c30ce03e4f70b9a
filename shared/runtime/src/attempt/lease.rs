//! The lease of a claim: how long it lasts, and its renewal.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heal_engine::Timestamp;
use heal_engine::message::AttemptResult;

use super::{LEASE_MS, Worker};
use crate::port::{BackendError, ClaimEnd, ClaimKey, ClaimRequest, CooldownKey, LeaseOwner, Reservation};

/// A claim that this worker holds, and until when.
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

    pub(super) fn holder(&self) -> &LeaseOwner {
        &self.request.holder
    }

    /// The end of the last renewal that is known to have succeeded.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp(self.until.load(Ordering::Relaxed))
    }

    /// A request under the same claim, without a renewal.
    pub(super) fn at(&self, now: Timestamp) -> ClaimRequest {
        ClaimRequest { now, lease_until: self.until(), ..self.request.clone() }
    }

    /// The end of the claim, with its result.
    pub(super) fn ended(
        &self,
        now: Timestamp,
        result: AttemptResult,
        proven_not_applied: Vec<CooldownKey>,
    ) -> ClaimEnd {
        ClaimEnd { key: self.key().clone(), holder: self.holder().clone(), now, result, proven_not_applied }
    }

    /// The same, with a renewal for a whole lease from `now` on.
    pub(super) fn renewed(&self, now: Timestamp) -> ClaimRequest {
        ClaimRequest { lease_until: now.plus_ms(LEASE_MS), ..self.at(now) }
    }
}

impl Worker {
    /// Renews the lease once.
    pub(super) async fn renew(&self, lease: &Lease) -> Result<Reservation, BackendError> {
        let request = lease.renewed(self.ports.clock.now());
        let reservation = self.ports.claims.reserve(&request).await?;
        if let Reservation::Held { .. } = reservation {
            lease.until.fetch_max(request.lease_until.0, Ordering::Relaxed);
        }
        Ok(reservation)
    }

    /// Renews the lease until dropped. If that fails, the lease expires and the attempt's result is not stored.
    pub(super) async fn keep(&self, lease: &Lease) -> Infallible {
        loop {
            tokio::time::sleep(Duration::from_millis(LEASE_MS / 3)).await;
            let claim = &lease.key().attempt;
            match self.renew(lease).await {
                Ok(Reservation::Held { .. }) => {}
                Ok(Reservation::Busy { .. } | Reservation::Finished(_)) => {
                    tracing::warn!(claim, "claim is held by another worker");
                }
                Err(error) => {
                    tracing::warn!(claim, error = &error as &dyn std::error::Error, "failed to renew claim");
                }
            }
        }
    }
}
