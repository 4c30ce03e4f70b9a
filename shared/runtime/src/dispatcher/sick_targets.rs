//! The sick targets of each service, as one process knows them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use heal_engine::Timestamp;
use heal_engine::time::seconds_to_ms;
use heal_guard::StormRule;

/// Milliseconds after which the runs that other processes started are read again.
const READ_MS: u64 = 2_000;
/// Targets of one service that a process keeps in mind.
const KEPT_TARGETS: usize = 2_000;

/// The sick targets that this process knows of, by service.
#[derive(Debug, Default)]
pub(super) struct SickTargets(Mutex<BTreeMap<String, Window>>);

#[derive(Debug, Default)]
struct Window {
    /// When each target was last reported sick.
    targets: BTreeMap<String, Timestamp>,
    /// When the runs of all processes were read last.
    read_at: Option<Timestamp>,
    /// Somebody acknowledged a storm then: what was sick before no longer counts.
    acknowledged_at: Timestamp,
}

impl SickTargets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_read(&self, rule: &StormRule, now: Timestamp) -> bool {
        let read_at = self.lock().get(&rule.service).and_then(|window| window.read_at);
        read_at.is_some_and(|at| now.since_ms(at) < READ_MS && at.since_ms(now) < READ_MS)
    }

    pub(super) fn add(&self, rule: &StormRule, started: impl Iterator<Item = (String, Timestamp)>, now: Timestamp) {
        let mut services = self.lock();
        let window = services.entry(rule.service.clone()).or_default();
        window.read_at = Some(now);
        started.for_each(|(target, at)| window.add(target, at));
    }

    /// Adds a target. The answer is whether it is new, and how many there are.
    pub(super) fn note(&self, rule: &StormRule, target: String, now: Timestamp) -> (bool, usize) {
        let mut services = self.lock();
        let window = services.entry(rule.service.clone()).or_default();
        window.retain(rule, now);
        let is_new = !window.targets.contains_key(&target);
        window.add(target, now);
        (is_new, window.targets.len())
    }

    pub(super) fn targets(&self, rule: &StormRule) -> Vec<String> {
        self.lock().get(&rule.service).map(|window| window.targets.keys().cloned().collect()).unwrap_or_default()
    }

    /// Forgets what was sick before somebody acknowledged the storm; returns how many targets are left.
    pub(super) fn acknowledged(&self, rule: &StormRule, at: Timestamp, now: Timestamp) -> usize {
        let mut services = self.lock();
        let window = services.entry(rule.service.clone()).or_default();
        window.acknowledged_at = window.acknowledged_at.max(at);
        window.retain(rule, now);
        window.targets.len()
    }
}

impl Window {
    fn add(&mut self, target: String, at: Timestamp) {
        if self.targets.len() < KEPT_TARGETS || self.targets.contains_key(&target) {
            let newest = self.targets.entry(target).or_insert(at);
            *newest = at.max(*newest);
        }
    }

    fn retain(&mut self, rule: &StormRule, now: Timestamp) {
        let (window_ms, acknowledged_at) = (seconds_to_ms(rule.window_seconds), self.acknowledged_at);
        self.targets.retain(|_, at| now < at.plus_ms(window_ms) && acknowledged_at < *at);
    }
}
