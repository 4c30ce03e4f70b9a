//! Claims, cooldowns and budgets in memory.

mod model;

use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::port::{
    BudgetKey, ClaimEnd, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Cooling, Finish, LeaseOwner, Peeked,
    Reservation, Result, Stage,
};
use heal_runtime::{AttemptResult, Timestamp};
use serde_json::Value;

use super::{Faults, lock};
use model::{Cooldown, Model};

/// A [`ClaimStore`] in memory.
#[derive(Debug, Default)]
pub struct Claims {
    faults: Faults,
    model: Mutex<Model>,
}

impl Claims {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, model: Mutex::default() }
    }

    /// The stages of all requests so far. This store does the same for two of them; others do less for what was announced.
    pub fn stages(&self) -> Vec<Stage> {
        lock(&self.model).stages.clone()
    }

    /// How many cooldowns and places in budgets each claim has announced.
    pub fn announced(&self) -> Vec<usize> {
        lock(&self.model).announced.clone()
    }

    /// The number of cooldowns that have ended at `now` and are stored still.
    pub fn ended(&self, now: Timestamp) -> usize {
        lock(&self.model).cooldowns.values().filter(|cooldown| cooldown.until <= now).count()
    }

    /// Deletes the cooldowns that have ended `kept_ms` before `now`, as a store's expiry does sooner or later. Their number.
    pub fn expire(&self, kept_ms: u64, now: Timestamp) -> usize {
        let mut model = lock(&self.model);
        let before = model.cooldowns.len();
        model.cooldowns.retain(|_, cooldown| now < cooldown.until.plus_ms(kept_ms));
        before - model.cooldowns.len()
    }

    /// Whether [`ClaimStore::finish`] would store this result.
    pub(super) fn can_finish(&self, end: &ClaimEnd) -> bool {
        let model = lock(&self.model);
        model.claims.get(&end.key).is_some_and(|claim| {
            let may_end = claim.result.as_ref().map_or(claim.lease_until > end.now, |stored| *stored == end.result);
            claim.holder == end.holder && may_end
        })
    }

    /// As [`ClaimStore::finish`], as a part of something larger.
    pub(super) fn finish_now(&self, end: &ClaimEnd) -> Finish {
        let ClaimEnd { key, holder, now, result, proven_not_applied } = end;
        lock(&self.model).finish(key, holder, *now, result, proven_not_applied)
    }
}

#[async_trait]
impl ClaimStore for Claims {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        self.faults
            .around("claims.last_touched", || {
                let model = lock(&self.model);
                let touched = |key| {
                    let cooldown = model.cooldowns.get(key)?;
                    if cooldown.by.as_ref() == Some(attempt) {
                        cooldown.before.map(|(reserved_at, _)| reserved_at)
                    } else {
                        Some(cooldown.reserved_at)
                    }
                };
                keys.iter().map(touched).collect()
            })
            .await
    }

    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked> {
        self.faults
            .around("claims.peek", || {
                let model = lock(&self.model);
                let cooling = |key| {
                    let Cooldown { reserved_at, until, by, .. } = model.cooldowns.get(key)?;
                    let by = by.as_ref().map(|by| by.attempt.clone());
                    Some(Cooling { since: *reserved_at, until: *until, by })
                };
                let places = |key| model.budgets.get(key).cloned().unwrap_or_default();
                Peeked {
                    cooldowns: cooldowns.iter().map(cooling).collect(),
                    budgets: budgets.iter().map(places).collect(),
                }
            })
            .await
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        self.faults.around("claims.reserve", || lock(&self.model).reserve(request)).await
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        self.faults.around("claims.intend", || lock(&self.model).intend(key, holder, now, intent)).await
    }

    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>> {
        self.faults
            .around("claims.intent", || lock(&self.model).claims.get(key).and_then(|claim| claim.intent.clone()))
            .await
    }

    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish> {
        self.faults
            .around("claims.finish", || lock(&self.model).finish(key, holder, now, result, proven_not_applied))
            .await
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        self.faults.around("claims.release", || lock(&self.model).release(key, holder)).await
    }
}
