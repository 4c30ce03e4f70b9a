//! What went wrong in the courses: each fault is counted where it is made, and none may stay at 0.

use std::collections::BTreeMap;
use std::sync::Mutex;

use heal_runtime::Timestamp;
use heal_testkit::memory::When;

/// Every fault that the stage makes. Of a service, a fault is what the client makes of its answer.
pub const FAULTS: [&str; 39] = [
    "message delivered twice",
    "message sent twice",
    "messages out of order",
    "message late",
    "batch received by nobody",
    "part of a batch failed",
    "request lost",
    "answer lost",
    "calls throttled",
    "index lags",
    "row expired early",
    "row outlives its end",
    "worker dies after its effect",
    "processes at work at the same time",
    "process frozen",
    "process frozen for an hour",
    "lease outlived by its worker",
    "attempt taken over",
    "platform ends a process amid a batch",
    "clocks apart",
    "clock a year ahead",
    "clock put right",
    "dead letter redriven",
    "dead command reported",
    "service 503",
    "service 429",
    "service flaky",
    "service hangs",
    "service drips",
    "service lies about its content type",
    "service sends 100 MB",
    "service's answer lost",
    "policy server down",
    "policy undefined",
    "policy not boolean",
    "breaker opens",
    "check raises an incident",
    "check sees nothing",
    "storm acknowledged",
];

/// The calls of the ports of a process, before and after each of which a process dies.
pub const CALLS: [&str; 32] = [
    "autonomy.setting",
    "breaker.read",
    "checks.load",
    "checks.store",
    "claims.finish",
    "claims.intent",
    "claims.last_touched",
    "claims.peek",
    "claims.release",
    "claims.reserve",
    "queue.acknowledge",
    "queue.nack",
    "queue.receive",
    "queue.send",
    "runs.admit",
    "runs.append",
    "runs.create",
    "runs.due",
    "runs.head",
    "runs.held_by_others",
    "runs.list",
    "runs.load",
    "runs.occupancy",
    "runs.plan",
    "runs.put_plan",
    "settlement.append",
    "settlement.create",
    "settlement.settle",
    "switches.halt",
    "switches.halts",
    "switches.prolong",
    "switches.resume",
];

/// Counters by name.
#[derive(Debug, Default)]
pub struct Seen {
    faults: Mutex<BTreeMap<&'static str, u64>>,
    crashes: Mutex<BTreeMap<(&'static str, When), u64>>,
    /// From when until when a process was frozen, by the true time.
    freezes: Mutex<Vec<(Timestamp, Timestamp)>>,
}

/// The counters of some courses.
#[derive(Debug, Default)]
pub struct Counted {
    pub faults: BTreeMap<&'static str, u64>,
    pub crashes: BTreeMap<(&'static str, When), u64>,
}

impl Seen {
    /// Counts one `fault`.
    pub fn note(&self, fault: &'static str) {
        debug_assert!(FAULTS.contains(&fault), "{fault:?} is not in the list");
        *self.faults.lock().unwrap().entry(fault).or_default() += 1;
    }

    /// Counts the death of a process at a call.
    pub fn note_death(&self, operation: &'static str, when: When) {
        *self.crashes.lock().unwrap().entry((operation, when)).or_default() += 1;
    }

    pub fn note_freeze(&self, since: Timestamp, until: Timestamp) {
        self.freezes.lock().unwrap().push((since, until));
    }

    /// Whether a process was frozen at some time from `since` to `until`.
    pub fn froze_between(&self, since: Timestamp, until: Timestamp) -> bool {
        self.freezes.lock().unwrap().iter().any(|(from, to)| *from <= until && since <= *to)
    }

    pub fn counted(&self) -> Counted {
        Counted { faults: self.faults.lock().unwrap().clone(), crashes: self.crashes.lock().unwrap().clone() }
    }
}

/// Of the deaths before and after each call, those that a hundred courses may lack, since their calls are so seldom: `every_port_call` has them all.
const RARE_DEATHS: usize = 4;

impl Counted {
    pub fn add(&mut self, other: Self) {
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        for (crash, count) in other.crashes {
            *self.crashes.entry(crash).or_default() += count;
        }
    }

    /// The faults that are counted here and not in `before`, each once.
    pub fn since(&self, before: &Self) -> impl Iterator<Item = String> {
        let is_new = |(fault, count): &(&&'static str, &u64)| {
            **fault != "processes at work at the same time" && before.faults.get(*fault) != Some(count)
        };
        let faults = self.faults.iter().filter(is_new);
        let crashes = self.crashes.iter().filter(|(crash, count)| before.crashes.get(*crash) != Some(count));
        let crashes = crashes.map(|((call, when), _)| format!("a process dies, {when:?} {call}"));
        faults.map(|(fault, _)| (*fault).to_owned()).chain(crashes).collect::<Vec<_>>().into_iter()
    }

    /// # Panics
    /// A fault did not happen.
    pub fn are_of_every_kind(&self) {
        let missing: Vec<_> = FAULTS.iter().filter(|fault| !self.faults.contains_key(*fault)).collect();
        assert!(missing.is_empty(), "these faults did not happen: {missing:?}");
        let crashes = CALLS.iter().flat_map(|call| [(*call, When::Before), (*call, When::After)]);
        let missing: Vec<_> = crashes.filter(|crash| !self.crashes.contains_key(crash)).collect();
        assert!(missing.len() <= RARE_DEATHS, "no process died at these calls: {missing:?}");
    }
}
