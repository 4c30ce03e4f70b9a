//! Claims that are announced and not yet written.
//!
//! Whoever announces a claim has done nothing, so the row can wait for the first thing that counts: a reservation, an intent, the moment before
//! the effect, or the result. Each of them writes the claim in the same call, on the condition that nobody else has it. So of two processes that
//! announced one attempt, one gets the claim, and the other one touches nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::Timestamp;
use heal_runtime::port::{ClaimKey, ClaimRequest, Finish, LeaseOwner, Result, Stage};

use super::claim::{self, FinishOutcome, Listed, TakeOutcome};
use crate::limit::{ANNOUNCED_CLAIMS, ANNOUNCED_KEPT_MS, CLAIM_KEPT_MS, WRITE_UNIT_BYTES};
use crate::store::call::Written;
use crate::store::item::{Fields, Item};
use crate::store::{Store, key, pack};

/// The announced claims of this process.
#[derive(Debug, Default)]
pub(in crate::store) struct Announced {
    claims: Mutex<HashMap<ClaimKey, Announcement>>,
}

/// One announced claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announcement {
    holder: LeaseOwner,
    lease_until: Timestamp,
}

impl Announcement {
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.lease_until > now
    }

    pub(super) const fn holder(&self) -> &LeaseOwner {
        &self.holder
    }

    /// The request that the announcement stands for.
    pub(super) fn request(&self, key: &ClaimKey, now: Timestamp) -> ClaimRequest {
        ClaimRequest::new(key.clone(), self.holder.clone(), now, self.lease_until)
    }
}

/// What an announcement means for a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The requester announces the claim now; whether it is free, the table has to say.
    Announces,
    /// The requester has announced it, and does so again.
    Renewed,
    /// The requester has announced it, and needs it written.
    Own,
    /// Another holder has announced it, until then.
    Busy(Timestamp),
    /// Another holder announced it, and its lease has ended: to whoever comes next, the claim is one that was held.
    Lapsed(Announcement),
    /// The table decides.
    None,
}

impl Announced {
    pub(super) fn request(&self, request: &ClaimRequest) -> Standing {
        let ClaimRequest { key, holder, now, lease_until, stage, .. } = request;
        let mut claims = self.lock();
        match (claims.get_mut(key), stage) {
            (Some(other), _) if other.holder != *holder && other.is_live(*now) => Standing::Busy(other.lease_until),
            (Some(other), _) if other.holder != *holder => Standing::Lapsed(other.clone()),
            (Some(own), Stage::Announce) => {
                own.lease_until = *lease_until;
                Standing::Renewed
            }
            (Some(_), Stage::Full | Stage::Reserve) => Standing::Own,
            (None, Stage::Announce) => {
                if claims.len() >= ANNOUNCED_CLAIMS {
                    claims.retain(|_, announced| announced.lease_until.plus_ms(ANNOUNCED_KEPT_MS) > *now);
                }
                claims.insert(key.clone(), Announcement { holder: holder.clone(), lease_until: *lease_until });
                Standing::Announces
            }
            (None, Stage::Full | Stage::Reserve) => Standing::None,
        }
    }

    /// The holder's announcement.
    pub(super) fn of(&self, key: &ClaimKey, holder: &LeaseOwner) -> Option<Announcement> {
        self.lock().get(key).filter(|found| found.holder == *holder).cloned()
    }

    /// Removes the holder's announcement: the claim is in the table now, or is nobody's. False if there is none.
    pub(super) fn withdraw(&self, key: &ClaimKey, holder: &LeaseOwner) -> bool {
        let mut claims = self.lock();
        let is_own = claims.get(key).is_some_and(|found| found.holder == *holder);
        if is_own {
            claims.remove(key);
        }
        is_own
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimKey, Announcement>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the claim that the requester announced, with its intent, unless another holder has written it since. It takes over nothing: the
/// requester began as if nobody had acted before.
pub(super) async fn write(store: &Store, request: &ClaimRequest, intent: Option<&str>) -> Result<TakeOutcome> {
    let row = match intent {
        Some(intent) => row(request).value("intent", pack::pack(intent, WRITE_UNIT_BYTES / 2)),
        None => row(request),
    };
    let there = match store.put(claim::RESERVE, row, "attribute_not_exists(pk)", Item::default()).await? {
        Written::Done(_) => return Ok(TakeOutcome::Held { recovered: false }),
        // Its owner released it since.
        Written::Refused(None) => return Ok(TakeOutcome::Busy { until: request.now }),
        Written::Refused(Some(there)) => there,
    };
    let fields = Fields::read(claim::RESERVE, &there)?;
    if there.contains_key("answer") {
        return claim::finished(&fields);
    }
    if fields.maybe_text("holder")? != Some(request.holder.0.as_str()) {
        return Ok(TakeOutcome::Busy { until: fields.moment("lease_until")?.max(request.now) });
    }
    // A renewal has written it, or a try of this call whose answer was lost.
    let taken = claim::take(store, request).await?;
    match intent {
        Some(intent)
            if claim::intend(store, &request.key, &request.holder, request.now, intent).await? == Finish::Lost =>
        {
            Ok(TakeOutcome::Busy { until: request.now })
        }
        Some(_) | None => Ok(taken),
    }
}

/// Writes the claim that the requester announced, with its result.
pub(super) async fn write_finished(store: &Store, request: &ClaimRequest, result: &str) -> Result<FinishOutcome> {
    let row = row(request).value("answer", pack::pack(result, WRITE_UNIT_BYTES / 2));
    match store.put(claim::FINISH, row, "attribute_not_exists(pk)", Item::default()).await? {
        Written::Done(_) => Ok(FinishOutcome::Now { listed: Listed::default() }),
        // A renewal has written it, a try of this call whose answer was lost, or another holder.
        Written::Refused(_) => claim::finish(store, &request.key, &request.holder, request.now, result).await,
    }
}

/// The row of a claim that nobody held before.
fn row(request: &ClaimRequest) -> Item {
    let row = Item::at(&key::claim(&request.key))
        .text("holder", &request.holder.0)
        .moment("lease_until", request.lease_until)
        .number("tenure", 1)
        .flag("recovered", false)
        .expires(request.now, CLAIM_KEPT_MS);
    let reserved = claim::reserved(request);
    if reserved.is_empty() { row } else { row.value("reserved", AttributeValue::Ss(reserved)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn request(attempt: usize, holder: &str, now: Timestamp) -> ClaimRequest {
        let key = ClaimKey { action: "restart_pod".to_owned(), attempt: attempt.to_string() };
        let request = ClaimRequest::new(key, LeaseOwner(holder.to_owned()), now, now.plus_ms(30_000));
        ClaimRequest { stage: Stage::Announce, ..request }
    }

    #[test]
    fn only_its_holder_has_an_announcement() {
        let announced = Announced::default();
        let own = request(1, "a", NOW);
        assert_eq!(announced.request(&own), Standing::Announces);
        assert_eq!(announced.request(&own), Standing::Renewed);
        assert_eq!(announced.request(&ClaimRequest { stage: Stage::Reserve, ..own.clone() }), Standing::Own);
        assert_eq!(announced.request(&request(1, "b", NOW)), Standing::Busy(NOW.plus_ms(30_000)));
        let lapsed = announced.request(&request(1, "b", NOW.plus_ms(30_000)));
        assert!(matches!(lapsed, Standing::Lapsed(found) if found.holder == own.holder));
        assert!(!announced.withdraw(&own.key, &LeaseOwner("b".to_owned())));
        assert!(announced.withdraw(&own.key, &own.holder) && announced.of(&own.key, &own.holder).is_none());
    }

    #[test]
    fn announcements_of_workers_that_are_gone_are_dropped() {
        let announced = Announced::default();
        for attempt in 0..ANNOUNCED_CLAIMS {
            announced.request(&request(attempt, "gone", NOW));
        }
        announced.request(&request(ANNOUNCED_CLAIMS, "a", NOW.plus_ms(30_000 + ANNOUNCED_KEPT_MS)));
        assert_eq!(announced.lock().len(), 1);
    }
}
