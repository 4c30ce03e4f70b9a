//! Claims and cooldowns.
//!
//! A claim is one row, and so is each cooldown; each changes by its own conditional write. A claim lists its targets before they are
//! reserved, so that a release frees all of them even if the worker died in between. A cooldown row names the attempt and the fencing
//! token that reserved it, so no attempt frees another's reservation. The rows store the fencing token as `tenure`.

mod claim;
mod cooldown;

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::{
    BackendError, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Finish, LeaseOwner, Reservation,
    Result,
};
use heal_runtime::{AttemptResult, Timestamp, format};
use serde_json::Value;

use super::Store;
use crate::limit::COOLDOWNS_AT_ONCE;
use claim::TakeOutcome;
use cooldown::Owner;

#[async_trait]
impl ClaimStore for Store {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        cooldown::last_touched(self, keys, attempt).await
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        let (recovered, fencing_token) = match claim::take(self, request).await? {
            TakeOutcome::Held { recovered, fencing_token } => (recovered, fencing_token),
            TakeOutcome::Busy { until } => return Ok(Reservation::Busy { until }),
            TakeOutcome::Finished(result) => return Ok(Reservation::Finished(result)),
        };
        let owner = Owner { attempt: &request.key, fencing_token };
        let cooling = reserve_all(self, &request.cooldowns, &owner, request.now).await?;
        Ok(Reservation::Held { recovered, cooling })
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        claim::intend(self, key, holder, now, &intent.to_string()).await
    }

    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>> {
        claim::intent(self, key).await
    }

    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish> {
        let operation = "claims.finish";
        let result = format::encode(result);
        let freed = match claim::finish(self, key, holder, now, &result).await? {
            claim::FinishOutcome::Now => proven_not_applied,
            // If the first try died before it freed its targets, their cooldowns run to the end: later than needed, never too early.
            claim::FinishOutcome::Before => &[],
            claim::FinishOutcome::Lost => return Ok(Finish::Lost),
        };
        free_all(self, operation, freed.to_vec(), key, None).await?;
        Ok(Finish::Stored)
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        let operation = "claims.release";
        let Some(held) = claim::held(self, operation, key, holder).await? else { return Ok(()) };
        free_all(self, operation, held.reserved, key, Some(held.fencing_token)).await?;
        claim::release(self, operation, key, holder, held.recovered).await
    }
}

/// Reserves the targets, and returns those that are cooling down. Requests for the same target run one after the other.
async fn reserve_all(
    store: &Store,
    wanted: &[CooldownRequest],
    owner: &Owner<'_>,
    now: Timestamp,
) -> Result<Vec<(CooldownKey, Timestamp)>> {
    let mut by_key: HashMap<&CooldownKey, Vec<usize>> = HashMap::new();
    for (index, request) in wanted.iter().enumerate() {
        by_key.entry(&request.key).or_default().push(index);
    }
    let one_target = |indices: Vec<usize>| async move {
        let mut cooling = Vec::new();
        for index in indices {
            let Some(request) = wanted.get(index) else { continue };
            if let Some(until) = cooldown::reserve(store, request, owner, now).await? {
                cooling.push((index, request.key.clone(), until));
            }
        }
        Ok::<_, BackendError>(cooling)
    };
    let targets = stream::iter(by_key.into_values()).map(one_target).buffer_unordered(COOLDOWNS_AT_ONCE);
    let mut cooling: Vec<_> = targets.try_concat().await?;
    cooling.sort_by_key(|(index, ..)| *index);
    Ok(cooling.into_iter().map(|(_, key, until)| (key, until)).collect())
}

async fn free_all(
    store: &Store,
    operation: &'static str,
    targets: Vec<CooldownKey>,
    by: &ClaimKey,
    fencing_token: Option<u64>,
) -> Result<()> {
    let free = |target: CooldownKey| async move { cooldown::free(store, operation, &target, by, fencing_token).await };
    stream::iter(targets).map(free).buffer_unordered(COOLDOWNS_AT_ONCE).try_collect().await
}
