//! Claims, cooldowns and budgets.
//!
//! A claim is one row, and so is each cooldown and each counter of a budget; each changes by its own conditional write. A claim lists what is
//! to be reserved when it is written, so that a release frees all of it even if the worker died in between, and the reservations need no second
//! write of the claim. A claim that is only announced is not written yet, so an attempt that does nothing costs one write. A cooldown row, and
//! each place in a budget, names the attempt and the owner of the lease that reserved it, so no attempt frees another's reservation. The claim
//! stores the fencing token as `tenure`.

mod announced;
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
#[cfg(feature = "fuzz")]
use super::{
    decode::Reading,
    item::{Attributes, Fields},
};
use crate::limit::COOLDOWNS_AT_ONCE;
pub(super) use announced::Announced;
use announced::Standing;
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
        let ClaimRequest { key, holder, now, stage, .. } = request;
        let intent = request.intent.as_ref().map(Value::to_string);
        // A claim that is written now takes its intent with it.
        let mut owes_intent = intent.is_some();
        let taken = match self.announced.request(request) {
            Standing::Busy(until) => return Ok(Reservation::Busy { until }),
            Standing::Renewed => return Ok(FREE),
            Standing::Announces => {
                // What the row was a moment ago is enough: the write that follows is refused if somebody has the claim.
                let there = self.glance(claim::RESERVE, &key::claim(key)).await;
                if let Ok(None) = there {
                    return Ok(FREE);
                }
                self.announced.withdraw(key, holder);
                there?;
                claim::take(self, request).await?
            }
            Standing::Own => {
                owes_intent = false;
                let taken = announced::write(self, request, intent.as_deref()).await?;
                self.announced.withdraw(key, holder);
                taken
            }
            Standing::Lapsed(other) => {
                announced::write(self, &other.request(key, *now), None).await?;
                self.announced.withdraw(key, other.holder());
                claim::take(self, request).await?
            }
            // A target that its owner announced is in the claim already.
            Standing::None if *stage == Stage::Reserve => TakeOutcome::Held { recovered: false },
            Standing::None => claim::take(self, request).await?,
        };
        let recovered = match taken {
            TakeOutcome::Held { recovered } => recovered,
            TakeOutcome::Busy { until } => return Ok(Reservation::Busy { until }),
            TakeOutcome::Finished(result) => return Ok(Reservation::Finished(result)),
        };
        if *stage == Stage::Announce {
            return Ok(Reservation::Held { recovered, cooling: Vec::new(), budgets: Vec::new() });
        }
        let taker = Taker { attempt: key, holder, now: *now };
        let (cooling, budgets) = reserve_all(self, request, &taker).await?;
        if let Some(intent) = intent.filter(|_| owes_intent)
            && claim::intend(self, key, holder, *now, &intent).await? == Finish::Lost
        {
            return Ok(Reservation::Busy { until: *now });
        }
        Ok(Reservation::Held { recovered, cooling, budgets })
    }

    async fn secure(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp) -> Result<Finish> {
        let secured = self.write_announced(key, holder, now, None).await?;
        Ok(secured.unwrap_or(Finish::Stored))
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        let intent = intent.to_string();
        match self.write_announced(key, holder, now, Some(&intent)).await? {
            Some(intended) => Ok(intended),
            None => claim::intend(self, key, holder, now, &intent).await,
        }
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
        let mut places = match self.finish_claim(key, holder, now, &result).await? {
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
        // The answer to the call that wrote it may have been lost.
        self.announced.withdraw(key, holder);
        let Some(held) = claim::held(self, operation, key, holder).await? else { return Ok(()) };
        free_all(self, operation, held.listed.cooldowns, key, Some(holder)).await?;
        budget::give_back_all(self, operation, held.listed.places, key, holder).await?;
        claim::release(self, operation, key, holder, held.recovered).await
    }
}

/// What each reader makes of a row.
#[cfg(feature = "fuzz")]
pub(super) fn read_every_way(operation: &'static str, row: &Attributes) -> [Reading; 5] {
    let fields = || Fields::read(operation, row);
    let outcomes = [
        ("result of a claim", fields().and_then(|fields| claim::finished(&fields)).map(|_| 0)),
        ("list of a claim", fields().and_then(|fields| claim::Listed::read(&fields)).map(|_| 0)),
        ("intent of a claim", claim::read_intent(operation, row).map(|_| 0)),
        ("cooldown", cooldown::peeked(row).map(|_| 0)),
        ("budget", budget::peeked(row).map(|_| 0)),
    ];
    outcomes.map(|(reader, outcome)| Reading { reader, outcome })
}

/// The answer to the announcement of a free claim.
const FREE: Reservation = Reservation::Held { recovered: false, cooling: Vec::new(), budgets: Vec::new() };

impl Store {
    /// Writes the claim that the holder announced, with what it is about to do; `None` if there is no such announcement.
    async fn write_announced(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        intent: Option<&str>,
    ) -> Result<Option<Finish>> {
        let Some(own) = self.announced.of(key, holder) else { return Ok(None) };
        if !own.is_live(now) {
            return Ok(Some(Finish::Lost));
        }
        let taken = announced::write(self, &own.request(key, now), intent).await?;
        self.announced.withdraw(key, holder);
        Ok(Some(match taken {
            TakeOutcome::Held { .. } => Finish::Stored,
            TakeOutcome::Busy { .. } | TakeOutcome::Finished(_) => Finish::Lost,
        }))
    }

    /// Stores the result in the claim. A claim that is only announced is written with it.
    async fn finish_claim(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &str,
    ) -> Result<claim::FinishOutcome> {
        let Some(own) = self.announced.of(key, holder) else {
            return claim::finish(self, key, holder, now, result).await;
        };
        if !own.is_live(now) {
            return Ok(claim::FinishOutcome::Lost);
        }
        let finished = announced::write_finished(self, &own.request(key, now), result).await?;
        self.announced.withdraw(key, holder);
        Ok(finished)
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
