//! What nobody orders: clocks, expiry, the health of services, schedules, and what becomes of dead letters.

use std::sync::Arc;

use heal_engine::check::State;
use heal_runtime::port::{BreakerStore as _, CheckStore as _, Clock as _, Receiver as _};

use super::Stage;
use crate::home::CHECK;
use crate::process::{Work, YEAR_MS};

/// Milliseconds for which a store keeps a cooldown after its end at least. `DynamoDB` keeps it for a day; no step of the courses lasts that long.
const KEPT_MS: u64 = 1_800_000;

impl Stage {
    /// A clock runs a year ahead, or is put right.
    pub(super) fn set_clock(&mut self) -> &'static str {
        let machine = self.rng.below(self.machines.len() as u64) as usize;
        if self.machines[machine].is_wrong() {
            self.put_clock_right(machine);
            return "a clock is put right";
        }
        if self.may_be_wrong && self.rng.chance(30) {
            self.seen.note("clock a year ahead");
            self.machines[machine].set_ahead_ms(YEAR_MS);
            return "a clock runs a year ahead";
        }
        "a clock is right"
    }

    pub(super) fn put_clock_right(&self, machine: usize) {
        if self.machines[machine].is_wrong() {
            self.seen.note("clock put right");
            self.machines[machine].set_ahead_ms(self.skews_ms[machine]);
        }
    }

    /// The store's expiry comes by, or does not.
    pub(super) fn expire(&self) -> &'static str {
        let now = self.clock.now();
        if self.rng.chance(50) {
            if self.claims.ended(now) > 0 {
                self.seen.note("row outlives its end");
            }
            return "the store's expiry is late";
        }
        if self.claims.expire(KEPT_MS, now) > 0 {
            self.seen.note("row expired early");
        }
        "the store deletes the cooldowns that have ended"
    }

    /// A target falls sick, or all are well.
    pub(super) fn change_health(&self) -> &'static str {
        let mut sick = self.world.sick.lock().unwrap();
        if self.rng.chance(40) {
            sick.clear();
            return "all targets are well";
        }
        sick.insert(format!("t{}", self.rng.below(3)));
        "a target falls sick"
    }

    /// The schedule of one process ticks.
    pub(super) async fn check(&mut self) -> &'static str {
        let index = self.rng.below(self.homes.len() as u64) as usize;
        let (sent, home) = (Arc::new(std::sync::Mutex::new(Vec::new())), &self.homes[index]);
        let into = sent.clone();
        let tick = async {
            let found = home.check(self).await;
            into.lock().unwrap().extend(found);
        };
        Work::new(home.process.clone(), tick).await;
        self.incidents.extend(std::mem::take(&mut *sent.lock().unwrap()));
        // What was decided and perhaps not sent.
        self.without_faults(true);
        if let Ok(Some((_, text))) = self.checks.load(CHECK).await {
            let state = State::parse(&text).unwrap();
            let raised = state.targets.into_values().filter_map(|tracked| tracked.raised);
            self.perhaps.extend(raised.map(|raised| raised.incident_id));
        }
        self.without_faults(false);
        self.bury_the_dead();
        "the schedule of the checks ticks"
    }

    /// The breaker of what `look` depends on opens, or closes.
    pub(super) async fn change_breaker(&self) -> &'static str {
        let now = self.clock.now();
        if self.rng.chance(50) {
            let _ = self.breakers.close("shop").await;
            return "a breaker closes";
        }
        if self.breakers.open("shop", now, now.plus_ms(5_000 + self.rng.below(60_000))).await.is_ok_and(|opened| opened)
        {
            self.seen.note("breaker opens");
        }
        "a breaker opens"
    }

    /// Somebody sends a dead letter back to its queue.
    pub(super) async fn redrive_something(&self) -> &'static str {
        let letters = self.queues.dead_letters(20).await.unwrap_or_default();
        if let Some(letter) = letters.get(self.rng.below(letters.len() as u64) as usize)
            && self.queues.redrive(&letter.message_id).await.is_ok_and(|is_back| is_back)
        {
            self.seen.note("dead letter redriven");
        }
        "somebody redrives a dead letter"
    }

    /// A dead command is reported to its run.
    pub(super) async fn report_dead(&mut self) -> &'static str {
        let home = &self.homes[self.rng.below(self.homes.len() as u64) as usize];
        Work::new(home.process.clone(), home.report_dead(self)).await;
        self.bury_the_dead();
        "a dead command is reported to its run"
    }
}
