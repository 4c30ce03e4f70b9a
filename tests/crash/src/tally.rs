//! The crashes of one scenario in one home, and what is wrong with the runs that they left.

use std::collections::{BTreeMap, BTreeSet};

use heal_matrix::Scenario;

use crate::gate::{Death, When};
use crate::life::{Lived, live};
use crate::process::{Home, Shipped};
use crate::story::{Likeness, Story};

/// Fewer would mean that the gate does not see the calls.
const FEWEST_CALLS: usize = 8;
/// The one action whose effect no probe can tell apart from nothing, while it is under way.
const CANNOT_BE_PROBED: &str = "trigger_replanning";

/// Which crashes are tried, beside one before and one after each call.
#[derive(Clone, Copy)]
pub struct Extent {
    /// After one in so many of them the process that goes on dies too, at one of its own calls; `None`: after none.
    pub twice_in: Option<u64>,
    /// Chooses them, and the second deaths.
    pub seed: u64,
}

/// What came of the crashes.
#[derive(Default)]
pub struct Tally {
    /// Lives in which a process died.
    pub crashes: usize,
    /// Those in which a second one died too.
    pub twice: usize,
    /// Those after which a person has to look.
    pub asks: usize,
    /// Deaths by the call that they came at.
    pub died_at: BTreeMap<String, usize>,
    pub actions: BTreeSet<String>,
    pub wrong: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.twice += other.twice;
        self.asks += other.asks;
        other.died_at.into_iter().for_each(|(call, count)| *self.died_at.entry(call).or_default() += count);
        self.actions.extend(other.actions);
        self.wrong.extend(other.wrong);
    }

    fn judge(&mut self, clean: &Lived, crashed: &Lived, what: &str) {
        self.crashes += 1;
        crashed.died_at.iter().for_each(|call| *self.died_at.entry(call.clone()).or_default() += 1);
        let cannot_be_probed = clean.actions.iter().any(|action| action == CANNOT_BE_PROBED);
        match clean.story.likeness(&crashed.story) {
            Likeness::Same => {}
            Likeness::Asks if cannot_be_probed => self.asks += 1,
            Likeness::Asks | Likeness::Different => self.wrong.push(told(what, crashed, &clean.story)),
        }
    }
}

fn told(what: &str, crashed: &Lived, clean: &Story) -> String {
    format!("{what}, died at {:?}:\n{:#?}\ninstead of\n{clean:#?}", crashed.died_at, crashed.story)
}

/// Plays a scenario without a crash, and then with one before and after each call of the process.
///
/// # Panics
/// The scenario does not end well without a crash, or a process does not die where it should.
pub async fn every_crash(scenario: Scenario, home: Home, shipped: Shipped, extent: Extent) -> Tally {
    let clean = live(scenario, home, &shipped, &[]).await;
    let name = scenario.playbook;
    let calls = clean.calls[0];
    assert!(calls >= FEWEST_CALLS, "{name}: {calls} calls");
    assert!(clean.story.is_well, "{name}: {:#?}", clean.story);
    let mut tally = Tally { actions: clean.actions.iter().cloned().collect(), ..Tally::default() };
    for (index, first) in points(calls).enumerate() {
        let crashed = live(scenario, home, &shipped, &[first]).await;
        assert_eq!(crashed.died_at.len(), 1, "{name}: the process did not die at {first:?}");
        tally.judge(&clean, &crashed, &format!("{home:?} {name}, {first:?}"));
        let chance = mix(extent.seed, index as u64);
        if crashed.calls[1] == 0 || !extent.twice_in.is_some_and(|twice_in| chance.is_multiple_of(twice_in)) {
            continue;
        }
        let seconds: Vec<_> = points(crashed.calls[1]).collect();
        let second = seconds[usize::try_from(mix(chance, 1)).unwrap_or_default() % seconds.len()];
        let crashed = live(scenario, home, &shipped, &[first, second]).await;
        tally.twice += 1;
        assert_eq!(crashed.died_at.len(), 2, "{name}: a process did not die at {first:?} or {second:?}");
        tally.judge(&clean, &crashed, &format!("{home:?} {name}, {first:?} and then {second:?}"));
    }
    println!("{home:?} {name}: {calls} calls, {} crashes, {} of them with a second one", tally.crashes, tally.twice);
    tally
}

fn points(calls: usize) -> impl Iterator<Item = Death> {
    (0..calls).flat_map(|call| [When::Before, When::After].map(|when| Death { call, when }))
}

/// splitmix64 of the two.
const fn mix(seed: u64, index: u64) -> u64 {
    let z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
