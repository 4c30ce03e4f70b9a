//! Claims and cooldowns in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::port::{ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Finish, LeaseOwner, Reservation, Result};
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
}

#[derive(Debug)]
struct Claim {
    holder: LeaseOwner,
    lease_until: Timestamp,
    /// An earlier holder's effect may have happened.
    recovered: bool,
    /// The targets that this holder reserved; those of earlier holders are not among them.
    reserved: BTreeSet<CooldownKey>,
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
        let (recovered, mut reserved) = match self.claims.get(&request.key) {
            None => (false, BTreeSet::new()),
            Some(Claim { result: Some(result), .. }) => return Reservation::Finished(Box::new(result.clone())),
            Some(claim) if claim.holder == request.holder => (claim.recovered, claim.reserved.clone()),
            Some(claim) if claim.lease_until > request.now => return Reservation::Busy { until: claim.lease_until },
            Some(_) => (true, BTreeSet::new()),
        };
        let mut cooling = Vec::new();
        for wanted in &request.cooldowns {
            let until = request.now.plus_ms(wanted.cooldown_ms);
            let before = match self.cooldowns.get(&wanted.key) {
                None => None,
                Some(cooldown) if cooldown.by.as_ref() == Some(&request.key) => cooldown.before,
                Some(cooldown) if cooldown.until > request.now => {
                    cooling.push((wanted.key.clone(), cooldown.until));
                    continue;
                }
                Some(cooldown) => Some((cooldown.reserved_at, cooldown.until)),
            };
            let by = Some(request.key.clone());
            let earlier =
                self.cooldowns.insert(wanted.key.clone(), Cooldown { reserved_at: request.now, until, by, before });
            if earlier.is_none_or(|earlier| earlier.by.as_ref() != Some(&request.key)) {
                reserved.insert(wanted.key.clone());
            }
        }
        let (holder, lease_until) = (request.holder.clone(), request.lease_until);
        let intent = self.claims.remove(&request.key).and_then(|claim| claim.intent);
        self.claims
            .insert(request.key.clone(), Claim { holder, lease_until, recovered, reserved, intent, result: None });
        Reservation::Held { recovered, cooling }
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
        for target in proven_not_applied {
            self.free(target, key);
        }
        Finish::Stored
    }

    fn release(&mut self, key: &ClaimKey, holder: &LeaseOwner) {
        let Some(claim) = self.claims.get_mut(key) else { return };
        if claim.holder != *holder || claim.result.is_some() {
            return;
        }
        let reserved = std::mem::take(&mut claim.reserved);
        if claim.recovered {
            // The earlier holder's effect may have happened: the next holder recovers.
            claim.lease_until = Timestamp(0);
        } else {
            self.claims.remove(key);
        }
        for target in &reserved {
            self.free(target, key);
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

#[async_trait]
impl ClaimStore for Claims {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        self.faults.around("claims.last_touched", || {
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
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        self.faults.around("claims.reserve", || lock(&self.model).reserve(request))
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        self.faults.around("claims.intend", || lock(&self.model).intend(key, holder, now, intent))
    }

    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>> {
        self.faults.around("claims.intent", || lock(&self.model).claims.get(key).and_then(|claim| claim.intent.clone()))
    }

    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish> {
        self.faults.around("claims.finish", || lock(&self.model).finish(key, holder, now, result, proven_not_applied))
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        self.faults.around("claims.release", || lock(&self.model).release(key, holder))
    }
}
