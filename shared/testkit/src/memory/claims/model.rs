//! What the fake stores, and what each call does to it.

use std::collections::{BTreeSet, HashMap};

use heal_runtime::port::{
    BudgetKey, BudgetRequests, BudgetUse, ClaimKey, ClaimRequest, CooldownKey, Finish, LeaseOwner, PlaceOutcome,
    Places, Reservation, Stage, Taker, lease_put_right, reservation_put_right,
};
use heal_runtime::{AttemptResult, Timestamp};
use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) claims: HashMap<ClaimKey, Claim>,
    pub(super) cooldowns: HashMap<CooldownKey, Cooldown>,
    pub(super) budgets: HashMap<BudgetKey, Places>,
    pub(super) stages: Vec<Stage>,
    pub(super) announced: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Claim {
    pub(super) holder: LeaseOwner,
    pub(super) lease_until: Timestamp,
    /// An earlier holder's effect may have happened.
    pub(super) recovered: bool,
    /// The targets that this holder reserved; those of earlier holders are not among them.
    pub(super) reserved: BTreeSet<CooldownKey>,
    /// The budgets that this holder asked for places in, each with the target.
    pub(super) asked: BTreeSet<(BudgetKey, CooldownKey)>,
    pub(super) intent: Option<Value>,
    pub(super) result: Option<AttemptResult>,
}

#[derive(Debug)]
pub(super) struct Cooldown {
    pub(super) reserved_at: Timestamp,
    pub(super) until: Timestamp,
    /// `None` if the last reservation was released: the times are then those of the reservation before.
    pub(super) by: Option<ClaimKey>,
    /// The time and the end of the last reservation before this one that was not released.
    pub(super) before: Option<(Timestamp, Timestamp)>,
}

impl Model {
    pub(super) fn reserve(&mut self, request: &ClaimRequest) -> Reservation {
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

    pub(super) fn intend(&mut self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Finish {
        match self.claims.get_mut(key) {
            Some(claim) if claim.holder == *holder && claim.result.is_none() && claim.lease_until > now => {
                claim.intent = Some(intent.clone());
                Finish::Stored
            }
            Some(_) | None => Finish::Lost,
        }
    }

    pub(super) fn finish(
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

    pub(super) fn release(&mut self, key: &ClaimKey, holder: &LeaseOwner) {
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
