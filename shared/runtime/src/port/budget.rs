//! Budgets: at most so many effects in a window. A store keeps the places of one budget as one value, so that one conditional write takes them.

use std::collections::HashSet;

use heal_engine::Timestamp;
use heal_engine::id::Digest;
use serde::{Deserialize, Serialize};

use super::{ClaimKey, CooldownKey, LeaseOwner};

mod key;

pub use key::BudgetKey;

/// Hex digits that name an attempt's target in a place: 64 bits, and a budget has at most 1,000 places.
const NAME_DIGITS: usize = 16;
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
    /// An attempt has at most one place for a target. A place that an earlier owner of the attempt took stays that owner's.
    pub fn take(&mut self, taker: &Taker<'_>, wanted: &BudgetRequests) -> Vec<Taken> {
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
mod tests {
    use heal_guard::limit::BUDGET_MAX;

    use super::*;

    fn target(name: &str) -> CooldownKey {
        CooldownKey { action: "restart_pod".to_owned(), target: name.to_owned() }
    }

    fn wanted(max: u32, targets: &[&str]) -> BudgetRequests {
        let key = BudgetKey { name: "restarts".to_owned(), key: String::new() };
        BudgetRequests { key, max, window_ms: 100, targets: targets.iter().map(|name| target(name)).collect() }
    }

    fn take(places: &mut Places, attempt: &str, now: u64, wanted: &BudgetRequests) -> Vec<(u32, PlaceOutcome)> {
        let attempt = ClaimKey { action: "restart_pod".to_owned(), attempt: attempt.to_owned() };
        let taker = Taker { attempt: &attempt, holder: &LeaseOwner("a".to_owned()), now: Timestamp(now) };
        places.take(&taker, wanted).into_iter().map(|taken| (taken.used, taken.outcome)).collect()
    }

    #[test]
    fn a_window_slides() {
        let mut places = Places::default();
        let one = wanted(2, &["t"]);
        assert_eq!(take(&mut places, "1", 1_000, &one), [(0, PlaceOutcome::New)]);
        assert_eq!(take(&mut places, "2", 1_050, &one), [(1, PlaceOutcome::New)]);
        assert_eq!(take(&mut places, "3", 1_099, &one), [(2, PlaceOutcome::Full { until: Timestamp(1_100) })]);
        assert_eq!(
            (places.taken(Timestamp(1_099)), places.full_until(2, Timestamp(1_099))),
            (2, Some(Timestamp(1_100)))
        );
        assert_eq!((places.taken(Timestamp(1_100)), places.full_until(2, Timestamp(1_100))), (1, None));
        assert_eq!(take(&mut places, "3", 1_100, &one), [(1, PlaceOutcome::New)]);
        assert_eq!(take(&mut places, "4", 1_101, &one), [(2, PlaceOutcome::Full { until: Timestamp(1_150) })]);
    }

    #[test]
    fn an_attempt_that_asks_again_has_the_same_places_and_answers() {
        let mut places = Places::default();
        let three = wanted(2, &["t", "u", "v"]);
        let full = PlaceOutcome::Full { until: Timestamp(1_100) };
        assert_eq!(take(&mut places, "1", 1_000, &three), [(0, PlaceOutcome::New), (1, PlaceOutcome::New), (2, full)]);
        let again = take(&mut places, "1", 1_000, &three);
        assert_eq!(again, [(0, PlaceOutcome::Renewed), (1, PlaceOutcome::Renewed), (2, full)]);
        // A target that comes before one that has its place does not take it.
        assert_eq!(take(&mut places, "1", 1_000, &wanted(2, &["w", "t"])), [(2, full), (1, PlaceOutcome::Renewed)]);
    }

    #[test]
    fn a_lowered_budget_is_free_when_enough_places_are() {
        let mut places = Places::default();
        for (attempt, now) in [("1", 1_000), ("2", 1_010), ("3", 1_020)] {
            take(&mut places, attempt, now, &wanted(3, &["t"]));
        }
        let lowered = take(&mut places, "4", 1_030, &wanted(1, &["t"]));
        assert_eq!(lowered, [(3, PlaceOutcome::Full { until: Timestamp(1_120) })]);
    }

    #[test]
    fn the_largest_budget_fits_a_row() {
        let mut places = Places::default();
        for attempt in 0..BUDGET_MAX {
            take(&mut places, &attempt.to_string(), 1_800_000_000_000, &wanted(BUDGET_MAX, &["t"]));
        }
        let row_bytes = 400 * 1_024;
        let text = serde_json::to_string(&places).unwrap();
        assert!(text.len() < row_bytes / 4, "{} bytes", text.len());
        assert_eq!(serde_json::from_str::<Places>(&text).unwrap(), places);
    }

    #[test]
    fn an_owner_gives_back_its_own_place_alone() {
        let mut places = Places::default();
        take(&mut places, "1", 1_000, &wanted(2, &["t"]));
        let attempt = ClaimKey { action: "restart_pod".to_owned(), attempt: "1".to_owned() };
        assert!(!places.give_back(&attempt, &LeaseOwner("b".to_owned()), &target("t")));
        assert!(!places.give_back(&attempt, &LeaseOwner("a".to_owned()), &target("u")));
        assert!(places.give_back(&attempt, &LeaseOwner("a".to_owned()), &target("t")));
        assert_eq!((places.until(), places), (None, Places::default()));
    }
}
