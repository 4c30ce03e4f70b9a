//! Claims, cooldowns and budgets.
//!
//! A claim is one row, and so is each cooldown and each counter of a budget; each changes by its own conditional write. A claim lists what is
//! to be reserved when it is taken, so that a release frees all of it even if the worker died in between, and the reservations need no second
//! write of the claim. A cooldown row, and each place in a budget, names the attempt and the owner of the lease that reserved it, so no
//! attempt frees another's reservation. The claim stores the fencing token as `tenure`.

mod budget;
mod claim;
mod cooldown;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::{
    BackendError, BudgetKey, BudgetRequests, BudgetUse, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Finish,
    LeaseOwner, Peeked, Places, Reservation, Result, Stage, Taker,
};
use heal_runtime::{AttemptResult, Timestamp, format};
use serde_json::Value;

use super::{Store, key};
use crate::limit::COOLDOWNS_AT_ONCE;
use claim::TakeOutcome;
use cooldown::ReserveOutcome;

#[async_trait]
impl ClaimStore for Store {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        cooldown::last_touched(self, keys, attempt).await
    }

    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked> {
        let operation = "claims.peek";
        let (of_cooldowns, of_budgets): (Vec<_>, Vec<_>) =
            (cooldowns.iter().map(key::cooldown).collect(), budgets.iter().map(key::budget).collect());
        let found = cooldown::rows(self, operation, of_cooldowns.iter().chain(&of_budgets).cloned().collect()).await?;
        let cooldowns = of_cooldowns.iter().map(|key| found.get(&key.pk).map(cooldown::peeked).transpose());
        let budgets =
            of_budgets.iter().map(|key| found.get(&key.pk).map_or_else(|| Ok(Places::default()), budget::peeked));
        Ok(Peeked { cooldowns: cooldowns.collect::<Result<_>>()?, budgets: budgets.collect::<Result<_>>()? })
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        let ClaimRequest { key, holder, now, intent, stage, .. } = request;
        // A target that its owner announced is in the claim already.
        let recovered = match stage {
            Stage::Reserve => false,
            Stage::Full | Stage::Announce => match claim::take(self, request).await? {
                TakeOutcome::Held { recovered } => recovered,
                TakeOutcome::Busy { until } => return Ok(Reservation::Busy { until }),
                TakeOutcome::Finished(result) => return Ok(Reservation::Finished(result)),
            },
        };
        if *stage == Stage::Announce {
            return Ok(Reservation::Held { recovered, cooling: Vec::new(), budgets: Vec::new() });
        }
        let taker = Taker { attempt: key, holder, now: *now };
        let (cooling, budgets) = reserve_all(self, request, &taker).await?;
        if let Some(intent) = intent
            && claim::intend(self, key, holder, *now, &intent.to_string()).await? == Finish::Lost
        {
            return Ok(Reservation::Busy { until: *now });
        }
        Ok(Reservation::Held { recovered, cooling, budgets })
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
        let mut places = match claim::finish(self, key, holder, now, &result).await? {
            claim::FinishOutcome::Now { listed } => listed.places,
            // If the first try died before it freed its targets, their cooldowns run to the end: later than needed, never too early.
            claim::FinishOutcome::Before => return Ok(Finish::Stored),
            claim::FinishOutcome::Lost => return Ok(Finish::Lost),
        };
        free_all(self, operation, proven_not_applied.to_vec(), key, None).await?;
        places.retain(|(budget, target)| budget.is_freed(target, proven_not_applied));
        budget::give_back_all(self, operation, places, key, holder).await?;
        Ok(Finish::Stored)
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        let operation = "claims.release";
        let Some(held) = claim::held(self, operation, key, holder).await? else { return Ok(()) };
        free_all(self, operation, held.listed.cooldowns, key, Some(holder)).await?;
        budget::give_back_all(self, operation, held.listed.places, key, holder).await?;
        claim::release(self, operation, key, holder, held.recovered).await
    }
}

/// Reserves cooldowns, then places, and returns the targets that are cooling down and how full each budget was.
async fn reserve_all(
    store: &Store,
    request: &ClaimRequest,
    taker: &Taker<'_>,
) -> Result<(Vec<(CooldownKey, Timestamp)>, Vec<BudgetUse>)> {
    let (cooling, mut new) = reserve_cooldowns(store, request, taker).await?;
    let mut refused: BTreeSet<_> = cooling.iter().map(|(key, _)| key.clone()).collect();
    let budgets = BudgetRequests::by_counter(&request.budgets);
    let uses = budget::take_all(store, claim::RESERVE, budgets, taker, &mut refused).await?;
    // What a budget refuses gives its cooldown back.
    new.retain(|key| refused.contains(key));
    free_all(store, claim::RESERVE, new, taker.attempt, Some(taker.holder)).await?;
    Ok((cooling, uses))
}

/// The targets that are cooling down, and those that are reserved now and were not before. Requests for the same target run one after the
/// other.
async fn reserve_cooldowns(
    store: &Store,
    request: &ClaimRequest,
    taker: &Taker<'_>,
) -> Result<(Vec<(CooldownKey, Timestamp)>, Vec<CooldownKey>)> {
    let (wanted, takes_over) = (&request.cooldowns, request.takes_over.as_deref());
    let mut by_key: HashMap<&CooldownKey, Vec<usize>> = HashMap::new();
    for (index, request) in wanted.iter().enumerate() {
        by_key.entry(&request.key).or_default().push(index);
    }
    let one_target = |indices: Vec<usize>| async move {
        let mut outcomes = Vec::new();
        for index in indices {
            let Some(request) = wanted.get(index) else { continue };
            outcomes.push((index, request.key.clone(), cooldown::reserve(store, request, taker, takes_over).await?));
        }
        Ok::<_, BackendError>(outcomes)
    };
    let targets = stream::iter(by_key.into_values()).map(one_target).buffer_unordered(COOLDOWNS_AT_ONCE);
    let mut outcomes: Vec<_> = targets.try_concat().await?;
    outcomes.sort_by_key(|(index, ..)| *index);
    let (mut cooling, mut new) = (Vec::new(), Vec::new());
    for (_, key, outcome) in outcomes {
        match outcome {
            ReserveOutcome::New => new.push(key),
            ReserveOutcome::Renewed => {}
            ReserveOutcome::Cooling { until } => cooling.push((key, until)),
        }
    }
    Ok((cooling, new))
}

async fn free_all(
    store: &Store,
    operation: &'static str,
    targets: Vec<CooldownKey>,
    by: &ClaimKey,
    holder: Option<&LeaseOwner>,
) -> Result<()> {
    let free = |target: CooldownKey| async move { cooldown::free(store, operation, &target, by, holder).await };
    stream::iter(targets).map(free).buffer_unordered(COOLDOWNS_AT_ONCE).try_collect().await
}
