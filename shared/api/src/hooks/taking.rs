//! Takes a signed delivery once, in whichever process it arrives: a repeated one is refused for as long as the store keeps claims.

use axum::http::StatusCode;
use heal_engine::{Digest, Map, Timestamp};
use heal_hooks::{Refused, Source};
use heal_runtime::AttemptResult;
use heal_runtime::port::{BackendError, ClaimKey, ClaimRequest, ClaimStore, Entropy, LeaseOwner, Reservation};

use crate::problem::Problem;

/// The rows of deliveries among the claims.
const CLAIMS: &str = "hook-delivery";
/// How long a delivery may be under way, in milliseconds: twice the longest request. After it, the same delivery may be taken again, and the
/// ids of its incidents keep it from starting anything twice.
const TAKING_MS: u64 = 60_000;

/// A delivery that is being taken.
#[derive(Debug)]
pub(super) struct Taking {
    key: ClaimKey,
    holder: LeaseOwner,
}

/// Why a delivery is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakingError {
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Its first arrival may still fail, so its sender has to try again.
    #[error("the same delivery is being taken; send it again")]
    UnderWay,
    #[error(transparent)]
    Store(#[from] BackendError),
}

impl TakingError {
    pub(super) const fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::UnderWay | Self::Store(_) => None,
        }
    }
}

impl From<TakingError> for Problem {
    fn from(error: TakingError) -> Self {
        match error {
            TakingError::Refused(refused) => refused.into(),
            TakingError::UnderWay => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            TakingError::Store(error) => error.into(),
        }
    }
}

impl Taking {
    /// Claims the delivery, which is known by the digest of what its sender has signed.
    ///
    /// # Errors
    /// It was taken before, or is being taken; or the store does not answer.
    pub(super) async fn begin(
        store: &dyn ClaimStore,
        source: Source,
        digest: &Digest,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, TakingError> {
        let key = ClaimKey { action: CLAIMS.to_owned(), attempt: format!("{source}:{digest}") };
        let holder = LeaseOwner(format!("{:016x}{:016x}", entropy.next()?, entropy.next()?));
        let request = ClaimRequest::new(key.clone(), holder.clone(), now, now.plus_ms(TAKING_MS));
        match store.reserve(&request).await? {
            Reservation::Held { .. } => Ok(Self { key, holder }),
            Reservation::Busy { .. } => Err(TakingError::UnderWay),
            Reservation::Finished(_) => Err(Refused::Replayed.into()),
        }
    }

    /// The delivery's incidents are stored, or not: then it may come again. A failure here costs nothing but a delivery that may come again.
    pub(super) async fn end(self, store: &dyn ClaimStore, is_taken: bool, now: Timestamp) {
        let ended = if is_taken {
            store.finish(&self.key, &self.holder, now, &AttemptResult::succeeded(Map::new()), &[]).await.map(drop)
        } else {
            store.release(&self.key, &self.holder).await
        };
        if let Err(error) = ended {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "failed to remember a delivery of alerts; the same one may be taken again");
        }
    }
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::OsEntropy;
    use heal_testkit::memory::{Claims, Faults};

    use super::*;

    async fn begin(store: &Claims, body: &str, now: u64) -> Result<Taking, TakingError> {
        let digest = Digest::of(body.as_bytes());
        Taking::begin(store, Source::Pagerduty, &digest, &OsEntropy, Timestamp(now)).await
    }

    #[tokio::test]
    async fn a_delivery_is_taken_once_and_one_that_failed_may_come_again() {
        let store = Claims::new(Faults::default());
        let first = begin(&store, "a", 1).await.unwrap();
        assert!(matches!(begin(&store, "a", 2).await, Err(TakingError::UnderWay)));
        first.end(&store, false, Timestamp(3)).await;
        let second = begin(&store, "a", 4).await.unwrap();
        second.end(&store, true, Timestamp(5)).await;
        assert!(matches!(begin(&store, "a", 6).await, Err(TakingError::Refused(Refused::Replayed))));
        assert!(begin(&store, "b", 7).await.is_ok(), "another delivery");
    }

    #[tokio::test]
    async fn a_process_that_died_holds_a_delivery_up_for_its_lease_only() {
        let store = Claims::new(Faults::default());
        drop(begin(&store, "a", 1).await.unwrap());
        assert!(matches!(begin(&store, "a", TAKING_MS).await, Err(TakingError::UnderWay)));
        assert!(begin(&store, "a", TAKING_MS + 1).await.is_ok());
    }
}
