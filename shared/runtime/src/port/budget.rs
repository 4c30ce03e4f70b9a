//! Budgets: at most so many effects in a window. A store keeps the places of one budget as one value, so that one conditional write takes them.

use std::collections::HashSet;

use heal_engine::Timestamp;
use heal_engine::id::Digest;
use serde::{Deserialize, Serialize};

use super::{CLOCK_SKEW_MS, ClaimKey, CooldownKey, LeaseOwner};

mod key;

pub use key::BudgetKey;

/// Hex digits that name an attempt's target in a place: 64 bits, and a budget has at most 1,000 places.
const NAME_DIGITS: usize = 16;
/// Milliseconds that an effect may be in flight at most: the longest attempt, one day.
const IN_FLIGHT_MS: u64 = heal_engine::limit::DURATION_SECONDS * 1_000;
/// Hex digits that name a lease's owner in a place. They are compared only among the owners of one attempt.
const OWNER_DIGITS: usize = 8;

/// A place to take in a budget for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRequest {
    /// The target that the place is for.
    pub target: CooldownKey,
    /// The counter.
    pub key: BudgetKey,
    /// Places that there are; of different requests of one counter the fewest count.
    pub max: u32,
    /// Milliseconds for which a place is taken.
    pub window_ms: u64,
}

/// How full a budget was when a place for one target was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetUse {
    /// The target.
    pub target: CooldownKey,
    /// The counter.
    pub key: BudgetKey,
    /// Places that were taken, this target's not included.
    pub used: u32,
    /// When the next place is free, if none was; then the target has none.
    pub full_until: Option<Timestamp>,
}

/// The requests for places in one budget.
#[derive(Debug, Clone)]
pub struct BudgetRequests {
    /// The counter.
    pub key: BudgetKey,
    /// Places that there are.
    pub max: u32,
    /// Milliseconds for which a place is taken.
    pub window_ms: u64,
    /// Each target once, in the order of the requests.
    pub targets: Vec<CooldownKey>,
}

impl BudgetRequests {
    /// The requests by counter, in the order in which the counters come first.
    pub fn by_counter(requests: &[BudgetRequest]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for BudgetRequest { target, key, max, window_ms } in requests {
            if let Some(group) = all.iter_mut().find(|group| group.key == *key) {
                group.max = group.max.min(*max);
                if !group.targets.contains(target) {
                    group.targets.push(target.clone());
                }
            } else {
                let (key, targets) = (key.clone(), vec![target.clone()]);
                all.push(Self { key, max: *max, window_ms: *window_ms, targets });
            }
        }
        all
    }

    /// Milliseconds that a place of this counter lasts at most. How long an effect in flight may take is its attempt's, and not the budget's.
    fn longest_ms(&self) -> u64 {
        if self.key.is_in_flight() { IN_FLIGHT_MS.max(self.window_ms) } else { self.window_ms }
    }
}

/// Who takes places, and when.
#[derive(Debug, Clone, Copy)]
pub struct Taker<'a> {
    /// The attempt.
    pub attempt: &'a ClaimKey,
    /// The owner of its lease.
    pub holder: &'a LeaseOwner,
    /// The time of the request.
    pub now: Timestamp,
}

/// The outcome of asking for a place for one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Places that were taken, this target's not included.
    pub used: u32,
    /// Whether the target has a place now.
    pub outcome: PlaceOutcome,
}

/// Whether a target has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceOutcome {
    /// It has one now.
    New,
    /// The attempt had one for it already; the window counts from now on.
    Renewed,
    /// There is none.
    Full {
        /// When the next one is free.
        until: Timestamp,
    },
}

/// The places of one budget that are taken. As JSON, a place is `["attempt and target", "lease owner", end in epoch ms]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(Vec<Place>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, String, Timestamp)", into = "(String, String, Timestamp)")]
struct Place {
    by: String,
    owner: String,
    until: Timestamp,
}

impl From<(String, String, Timestamp)> for Place {
    fn from((by, owner, until): (String, String, Timestamp)) -> Self {
        Self { by, owner, until }
    }
}

impl From<Place> for (String, String, Timestamp) {
    fn from(Place { by, owner, until }: Place) -> Self {
        (by, owner, until)
    }
}

fn name_place(attempt: &ClaimKey, target: &CooldownKey) -> String {
    let ClaimKey { action, attempt } = attempt;
    shorten(&format!("{action}#{attempt}#{}#{}", target.action, target.target), NAME_DIGITS)
}

fn name_owner(holder: &LeaseOwner) -> String {
    shorten(&holder.0, OWNER_DIGITS)
}

fn shorten(text: &str, digits: usize) -> String {
    Digest::of(text.as_bytes()).to_string().chars().take(digits).collect()
}

impl Places {
    /// Takes a place for each of the `wanted` targets, as far as there are any, and forgets those whose window has ended. If there are none,
    /// nothing changes, so that nothing has to be written.
    ///
    /// An attempt has at most one place for a target. A place that an earlier owner of the attempt took stays that owner's. One that lasts longer
    /// than a place can was taken by a clock that was wrong, and is put right.
    pub fn take(&mut self, taker: &Taker<'_>, wanted: &BudgetRequests) -> Vec<Taken> {
        self.put_right(taker.now, wanted.longest_ms());
        let mut after = self.clone();
        let taken = after.take_some(taker, wanted);
        if taken.iter().any(|taken| !matches!(taken.outcome, PlaceOutcome::Full { .. })) {
            *self = after;
        }
        taken
    }

    fn take_some(&mut self, taker: &Taker<'_>, wanted: &BudgetRequests) -> Vec<Taken> {
        let BudgetRequests { max, window_ms, targets, .. } = wanted;
        let until = taker.now.plus_ms(*window_ms);
        self.0.retain(|place| place.until > taker.now);
        let names: Vec<String> = targets.iter().map(|target| name_place(taker.attempt, target)).collect();
        let own: HashSet<&str> = names.iter().map(String::as_str).collect();
        let mut used = count(self.0.iter().filter(|place| !own.contains(place.by.as_str())).count());
        let take = |name: &String| {
            if let Some(place) = self.0.iter_mut().find(|place| place.by == *name) {
                place.until = place.until.max(until);
                used += 1;
                return Taken { used: used - 1, outcome: PlaceOutcome::Renewed };
            }
            if count(self.0.len()) >= *max {
                let outcome = PlaceOutcome::Full { until: self.next_free(*max).unwrap_or(until) };
                return Taken { used: count(self.0.len()), outcome };
            }
            self.0.push(Place { by: name.clone(), owner: name_owner(taker.holder), until });
            used += 1;
            Taken { used: used - 1, outcome: PlaceOutcome::New }
        };
        names.iter().map(take).collect()
    }

    /// Lets no place last longer than `longest_ms` from now on.
    fn put_right(&mut self, now: Timestamp, longest_ms: u64) {
        let until = now.plus_ms(longest_ms);
        for place in self.0.iter_mut().filter(|place| place.until > until.plus_ms(CLOCK_SKEW_MS)) {
            place.until = until;
        }
    }

    /// When fewer than `max` places are taken. A budget that was lowered may have more places taken than it has.
    fn next_free(&self, max: u32) -> Option<Timestamp> {
        let mut ends: Vec<Timestamp> = self.0.iter().map(|place| place.until).collect();
        ends.sort_unstable();
        ends.get(self.0.len().checked_sub(usize::try_from(max).ok()?)?).copied()
    }

    /// Gives back the place that this owner took for `target`. Whether there was one.
    pub fn give_back(&mut self, attempt: &ClaimKey, holder: &LeaseOwner, target: &CooldownKey) -> bool {
        let (by, owner, before) = (name_place(attempt, target), name_owner(holder), self.0.len());
        self.0.retain(|place| place.by != by || place.owner != owner);
        self.0.len() < before
    }

    /// Places that are taken at `now`.
    pub fn taken(&self, now: Timestamp) -> u32 {
        count(self.0.iter().filter(|place| place.until > now).count())
    }

    /// When the next of `max` places is free; `None` if one is at `now`.
    pub fn full_until(&self, max: u32, now: Timestamp) -> Option<Timestamp> {
        let taken = Self(self.0.iter().filter(|place| place.until > now).cloned().collect());
        if taken.taken(now) < max { None } else { taken.next_free(max) }
    }

    /// When the last place is free; `None` if none is taken.
    pub fn until(&self) -> Option<Timestamp> {
        self.0.iter().map(|place| place.until).max()
    }
}

fn count(places: usize) -> u32 {
    u32::try_from(places).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
