//! Claims, cooldowns and budgets in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::port::{
    BudgetKey, BudgetRequests, BudgetUse, ClaimEnd, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Cooling, Finish,
    LeaseOwner, Peeked, PlaceOutcome, Places, Reservation, Result, Stage, Taker, lease_put_right,
    reservation_put_right,
};
use heal_runtime::{AttemptResult, Timestamp};
use serde_json::Value;

use super::{Faults, lock};

/// A [`ClaimStore`] in memory.
#[derive(Debug, Default)]
pub struct Claims {
    faults: Faults,
    model: Mutex<Model>,
}

#[derive(Debug, Default)]
struct Model {
    claims: HashMap<ClaimKey, Claim>,
    cooldowns: HashMap<CooldownKey, Cooldown>,
    budgets: HashMap<BudgetKey, Places>,
    stages: Vec<Stage>,
    announced: Vec<usize>,
}

#[derive(Debug)]
struct Claim {
    holder: LeaseOwner,
    lease_until: Timestamp,
    /// An earlier holder's effect may have happened.
    recovered: bool,
    /// The targets that this holder reserved; those of earlier holders are not among them.
    reserved: BTreeSet<CooldownKey>,
    /// The budgets that this holder asked for places in, each with the target.
    asked: BTreeSet<(BudgetKey, CooldownKey)>,
    intent: Option<Value>,
    result: Option<AttemptResult>,
}

#[derive(Debug)]
struct Cooldown {
    reserved_at: Timestamp,
    until: Timestamp,
    /// `None` if the last reservation was released: the times are then those of the reservation before.
    by: Option<ClaimKey>,
    /// The time and the end of the last reservation before this one that was not released.
    before: Option<(Timestamp, Timestamp)>,
}

impl Model {
    fn reserve(&mut self, request: &ClaimRequest) -> Reservation {
        self.stages.push(request.stage);
        if request.stage == Stage::Announce {
            self.announced.push(request.cooldowns.len() + request.budgets.len());
        }
        let (recovered, mut reserved, mut asked) = match self.claims.get(&request.key) {
            None => (false, BTreeSet::new(), BTreeSet::new()),
            Some(Claim { result: Some(result), .. }) => return Reservation::Finished(Box::new(result.clone())),
            Some(claim) if claim.holder == request.holder => {
                (claim.recovered, claim.reserved.clone(), claim.asked.clone())
            }
            Some(claim) if claim.lease_until > request.now => {
                let until = lease_put_right(claim.lease_until, request).unwrap_or(claim.lease_until);
                self.claims.entry(request.key.clone()).and_modify(|claim| claim.lease_until = until);
                return Reservation::Busy { until };
            }
            Some(_) => (true, BTreeSet::new(), BTreeSet::new()),
        };
        let (mut cooling, mut budgets) = (Vec::new(), Vec::new());
        if request.stage != Stage::Announce {
            let new;
            (cooling, new) = self.reserve_cooldowns(request);
            let mut refused: BTreeSet<_> = cooling.iter().map(|(key, _)| key.clone()).collect();
            budgets = self.take_places(request, &mut refused);
            // What a budget refuses gives its cooldown back.
            let (kept, freed): (Vec<_>, Vec<_>) = new.into_iter().partition(|key| !refused.contains(key));
            freed.iter().for_each(|key| self.free(key, &request.key));
            reserved.extend(kept);
            asked.extend(request.budgets.iter().map(|wanted| (wanted.key.clone(), wanted.target.clone())));
        }
        let (holder, lease_until) = (request.holder.clone(), request.lease_until);
        let before = self.claims.remove(&request.key).and_then(|claim| claim.intent);
        let intent = request.intent.clone().or(before);
        self.claims.insert(
            request.key.clone(),
            Claim { holder, lease_until, recovered, reserved, asked, intent, result: None },
        );
        Reservation::Held { recovered, cooling, budgets }
    }

    /// The targets that are cooling, and those that are reserved now and were not before.
    fn reserve_cooldowns(&mut self, request: &ClaimRequest) -> (Vec<(CooldownKey, Timestamp)>, Vec<CooldownKey>) {
        let (mut cooling, mut new) = (Vec::new(), Vec::new());
        let earlier = request.takes_over.clone();
        let taken_over = earlier.map(|attempt| ClaimKey { action: request.key.action.clone(), attempt });
        for wanted in &request.cooldowns {
            let until = request.now.plus_ms(wanted.cooldown_ms);
            let before = match self.cooldowns.get_mut(&wanted.key) {
                None => None,
                Some(cooldown) if cooldown.by.as_ref() == Some(&request.key) => cooldown.before,
                Some(cooldown) if cooldown.by.as_ref() == taken_over.as_ref() && taken_over.is_some() => {
                    cooldown.before
                }
                Some(cooldown) if cooldown.until > request.now => {
                    let (since, until) = (cooldown.reserved_at, cooldown.until);
                    (cooldown.reserved_at, cooldown.until) =
                        reservation_put_right(since, until, request.now).unwrap_or((since, until));
                    cooling.push((wanted.key.clone(), cooldown.until));
                    continue;
                }
                Some(cooldown) => Some((cooldown.reserved_at, cooldown.until)),
            };
            let by = Some(request.key.clone());
            let earlier =
                self.cooldowns.insert(wanted.key.clone(), Cooldown { reserved_at: request.now, until, by, before });
            if earlier.is_none_or(|earlier| earlier.by.as_ref() != Some(&request.key)) {
                new.push(wanted.key.clone());
            }
        }
        (cooling, new)
    }

    /// Takes places budget by budget. A target without one is added to `refused`, and gives back the places that it has.
    fn take_places(&mut self, request: &ClaimRequest, refused: &mut BTreeSet<CooldownKey>) -> Vec<BudgetUse> {
        let ClaimRequest { key: attempt, holder, now, .. } = request;
        let taker = Taker { attempt, holder, now: *now };
        let (mut uses, mut new): (Vec<BudgetUse>, Vec<(BudgetKey, CooldownKey)>) = Default::default();
        for mut wanted in BudgetRequests::by_counter(&request.budgets) {
            wanted.targets.retain(|target| !refused.contains(target));
            let taken = self.budgets.entry(wanted.key.clone()).or_default().take(&taker, &wanted);
            for (target, taken) in wanted.targets.into_iter().zip(taken) {
                let full_until = match taken.outcome {
                    PlaceOutcome::New => {
                        new.push((wanted.key.clone(), target.clone()));
                        None
                    }
                    PlaceOutcome::Renewed => None,
                    PlaceOutcome::Full { until } => {
                        refused.insert(target.clone());
                        Some(until)
                    }
                };
                uses.push(BudgetUse { target, key: wanted.key.clone(), used: taken.used, full_until });
            }
        }
        for (budget, target) in new.iter().filter(|(_, target)| refused.contains(target)) {
            self.give_back(budget, target, attempt, holder);
        }
        uses
    }

    fn give_back(&mut self, budget: &BudgetKey, target: &CooldownKey, attempt: &ClaimKey, holder: &LeaseOwner) {
        if let Some(places) = self.budgets.get_mut(budget) {
            places.give_back(attempt, holder, target);
        }
    }

    fn intend(&mut self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Finish {
        match self.claims.get_mut(key) {
            Some(claim) if claim.holder == *holder && claim.result.is_none() && claim.lease_until > now => {
                claim.intent = Some(intent.clone());
                Finish::Stored
            }
            Some(_) | None => Finish::Lost,
        }
    }

    fn finish(
        &mut self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Finish {
        match self.claims.get_mut(key) {
            Some(claim) if claim.holder != *holder => return Finish::Lost,
            Some(Claim { result: Some(stored), .. }) if stored == result => return Finish::Stored,
            Some(claim) if claim.result.is_none() && claim.lease_until > now => claim.result = Some(result.clone()),
            Some(_) | None => return Finish::Lost,
        }
        let asked = self.claims.get(key).map(|claim| claim.asked.clone()).unwrap_or_default();
        for target in proven_not_applied {
            self.free(target, key);
        }
        for (budget, target) in asked.iter().filter(|(budget, target)| budget.is_freed(target, proven_not_applied)) {
            self.give_back(budget, target, key, holder);
        }
        Finish::Stored
    }

    fn release(&mut self, key: &ClaimKey, holder: &LeaseOwner) {
        let Some(claim) = self.claims.get_mut(key) else { return };
        if claim.holder != *holder || claim.result.is_some() {
            return;
        }
        let (reserved, asked) = (std::mem::take(&mut claim.reserved), std::mem::take(&mut claim.asked));
        if claim.recovered {
            // The earlier holder's effect may have happened: the next holder recovers.
            claim.lease_until = Timestamp(0);
        } else {
            self.claims.remove(key);
        }
        for target in &reserved {
            self.free(target, key);
        }
        for (budget, target) in &asked {
            self.give_back(budget, target, key, holder);
        }
    }

    /// Puts the target back to where it was before `by` reserved it.
    fn free(&mut self, target: &CooldownKey, by: &ClaimKey) {
        let Some(cooldown) = self.cooldowns.get_mut(target) else { return };
        if cooldown.by.as_ref() != Some(by) {
            return;
        }
        match cooldown.before {
            Some((reserved_at, until)) => *cooldown = Cooldown { reserved_at, until, by: None, before: None },
            None => {
                self.cooldowns.remove(target);
            }
        }
    }
}

impl Claims {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, model: Mutex::default() }
    }
}

impl Claims {
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
