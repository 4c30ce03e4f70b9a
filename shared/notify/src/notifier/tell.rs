//! One notice, told to one channel.

use std::time::Duration;

use heal_engine::Map;
use heal_engine::notice::Notice;
use heal_engine::text::chain;
use heal_runtime::AttemptResult;
use heal_runtime::port::{BackendError, ClaimKey, ClaimRequest, Delivery, LeaseOwner, Reservation};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Notifier, Sent};
use crate::channel::SendError;

/// The lease of a claim, in milliseconds: longer than any sending takes.
pub(super) const LEASE_MS: u64 = 30_000;
/// The name in front of the claims' keys, where actions have theirs.
pub(super) const CLAIMS: &str = "notify";

/// What became of a telling.
#[derive(Debug)]
pub(super) enum Told {
    /// The channel knows.
    Done,
    /// It does not, and wants to be asked again.
    Later {
        /// In how many milliseconds.
        wait_ms: u64,
    },
    /// A person has to correct something.
    Refused(String),
}

impl Notifier {
    pub(super) async fn tell(&self, name: &str, notice: &Notice, delivery: &Delivery) -> Told {
        let now = self.ports.clock.now();
        if let Some(wait_ms) = self.down.wait_ms(name, now) {
            return Told::Later { wait_ms };
        }
        let key = ClaimKey { action: CLAIMS.to_owned(), attempt: format!("{}/{name}", notice.key) };
        let holder = LeaseOwner(delivery.receipt.clone());
        match self.claimed(name, notice, &key, &holder).await {
            Ok(told) => told,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    channel = name,
                    key = notice.key,
                    error,
                    "failed to note what was told; it may be told twice"
                );
                Told::Later { wait_ms: 0 }
            }
        }
    }

    async fn claimed(
        &self,
        name: &str,
        notice: &Notice,
        key: &ClaimKey,
        holder: &LeaseOwner,
    ) -> Result<Told, BackendError> {
        let claims = &self.ports.claims;
        let now = self.ports.clock.now();
        let request = ClaimRequest::new(key.clone(), holder.clone(), now, now.plus_ms(LEASE_MS));
        let is_again = match claims.reserve(&request).await? {
            Reservation::Finished(_) => return Ok(Told::Done),
            Reservation::Busy { until } => return Ok(Told::Later { wait_ms: until.since_ms(now) }),
            Reservation::Held { recovered, .. } => recovered,
        };
        if is_again {
            if claims.intent(key).await?.is_some_and(|intent| intent == again(true)) {
                tracing::error!(
                    event = "notify.unsure",
                    channel = name,
                    key = notice.key,
                    "told twice, and both tellers died"
                );
                return self.finish(key, holder).await;
            }
            claims.intend(key, holder, now, &again(true)).await?;
        }
        match self.send(name, notice).await {
            Ok(()) => self.finish(key, holder).await,
            Err(told) => {
                if is_again {
                    claims.intend(key, holder, self.ports.clock.now(), &again(false)).await?;
                }
                claims.release(key, holder).await?;
                Ok(told)
            }
        }
    }

    async fn finish(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<Told, BackendError> {
        let now = self.ports.clock.now();
        self.ports.claims.finish(key, holder, now, &AttemptResult::succeeded(Map::new()), &[]).await?;
        Ok(Told::Done)
    }

    async fn send(&self, name: &str, notice: &Notice) -> Result<(), Told> {
        let Some(channel) = self.rules.channels.get(name) else { return Ok(()) };
        let (kind, key) = (channel.kind.as_str(), notice.key.as_str());
        let (now, start) = (self.ports.clock.now(), Instant::now());
        let result = self.courier.send(channel, notice, now).await;
        let took = start.elapsed();
        match result {
            Ok(()) => {
                tracing::info!(event = "notify.sent", channel = name, kind, key, took_ms = millis(took), "told");
                self.observer.notified(kind, Sent::Sent, took);
                Ok(())
            }
            Err(error @ SendError::Unavailable { retry_after, .. }) => {
                let wait_ms = self.down.failed(name, self.ports.clock.now(), retry_after);
                let error = chain(&error);
                tracing::warn!(event = "notify.failed", channel = name, kind, key, error, wait_ms, "not told yet");
                self.observer.notified(kind, Sent::Failed, took);
                Err(Told::Later { wait_ms })
            }
            Err(error @ (SendError::Refused { .. } | SendError::Setting { .. } | SendError::Secret(_))) => {
                let error = chain(&error);
                tracing::error!(event = "notify.refused", channel = name, kind, key, error, "not told");
                self.observer.notified(kind, Sent::Refused, took);
                Err(Told::Refused(format!("channel {name}: {error}")))
            }
        }
    }
}

/// Whether a second telling is under way: nobody starts a third.
fn again(is_under_way: bool) -> Value {
    json!({"again": is_under_way})
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
