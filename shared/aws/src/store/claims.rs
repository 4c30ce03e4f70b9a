//! Claims and cooldowns.
//!
//! A claim is one row, and so is each cooldown; each changes by a condition of its own. What is to be reserved is written into the claim before
//! it is reserved, so that whoever lets go of the claim knows what to free, also where the worker died in between. A cooldown row says which
//! attempt, and which tenure of its claim, reserved it: nobody frees what is another's.

mod claim;
mod cooldown;

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::{
    BackendError, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Finish, LeaseOwner, Reservation,
    Result,
};
use heal_runtime::{AttemptResult, Timestamp};

use super::Store;
use crate::limit::COOLDOWNS_AT_ONCE;
use claim::Taken;
use cooldown::Owner;

#[async_trait]
impl ClaimStore for Store {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        cooldown::last_touched(self, keys, attempt).await
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        let (recovered, tenure) = match claim::take(self, request).await? {
            Taken::Held { recovered, tenure } => (recovered, tenure),
            Taken::Busy { until } => return Ok(Reservation::Busy { until }),
            Taken::Finished(result) => return Ok(Reservation::Finished(result)),
        };
        let owner = Owner { attempt: &request.key, tenure };
        let cooling = reserve_all(self, &request.cooldowns, &owner, request.now).await?;
        Ok(Reservation::Held { recovered, cooling })
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
        let result =
            serde_json::to_string(result).map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        let freed = match claim::finish(self, key, holder, now, &result).await? {
            claim::Finished::Now => proven_not_applied,
            // Where the first try died on the way, its targets cool down to their end: later than needed, never too early.
            claim::Finished::Before => &[],
            claim::Finished::Lost => return Ok(Finish::Lost),
        };
        free_all(self, operation, freed.to_vec(), key, None).await?;
        Ok(Finish::Stored)
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        let operation = "claims.release";
        let Some(held) = claim::held(self, operation, key, holder).await? else { return Ok(()) };
        free_all(self, operation, held.reserved, key, Some(held.tenure)).await?;
        claim::let_go(self, operation, key, holder, held.recovered).await
    }
}

/// Those of `wanted` that are cooling. A target that is named twice is reserved once, then again.
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
    tenure: Option<u64>,
) -> Result<()> {
    let free = |target: CooldownKey| async move { cooldown::free(store, operation, &target, by, tenure).await };
    stream::iter(targets).map(free).buffer_unordered(COOLDOWNS_AT_ONCE).try_collect().await
}
