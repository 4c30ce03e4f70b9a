//! A process that dies at any call of a port leaves a log that is one of those without a crash, and no effect twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use heal_crash::gate::When;
use heal_crash::life::{Likeness, live};
use heal_crash::process::{Home, library, specs};
use heal_matrix::Scenario;
use heal_runtime::library::Library;
use tokio::task::JoinSet;

/// Fewer would mean that the gate does not see the calls.
const FEWEST_CALLS: usize = 8;
/// More would mean that the test takes too long.
const MOST_CRASHES: usize = 4_000;
/// The one action whose effect no probe can tell apart from nothing, while it is under way.
const CANNOT_BE_PROBED: &str = "trigger_replanning";
/// Shipped playbooks without an action: there is nothing to crash in.
const WITHOUT_ACTIONS: [&str; 1] = ["dependency_down"];

/// What came of the crashes of one scenario in one home.
#[derive(Default)]
struct Tally {
    crashes: usize,
    /// Those after which a person has to look.
    asks: usize,
    died_at: BTreeMap<&'static str, usize>,
    actions: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.asks += other.asks;
        other.died_at.into_iter().for_each(|(call, count)| *self.died_at.entry(call).or_default() += count);
        self.actions.extend(other.actions);
        self.wrong.extend(other.wrong);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_a_process_dies_at_its_run_ends_as_if_it_had_not() {
    let library = Arc::new(library(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")));
    let mut scenarios = JoinSet::new();
    for home in [Home::AtOnce, Home::InOrder] {
        for scenario in Scenario::ALL {
            scenarios.spawn(every_crash(scenario, home, Arc::clone(&library)));
        }
    }
    let mut all = Tally::default();
    while let Some(tally) = scenarios.join_next().await {
        all.add(tally.unwrap());
    }
    let Tally { crashes, asks, died_at, actions, wrong } = all;
    println!("{crashes} crashes, {asks} of them leave a question to a person: {died_at:#?}");
    assert!(wrong.is_empty(), "{} of {crashes} crashes changed the run\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(crashes <= MOST_CRASHES, "{crashes} crashes");
    let tried = Scenario::ALL.map(|scenario| scenario.playbook);
    let untried: Vec<_> = library.names().filter(|name| !tried.contains(name)).collect();
    assert_eq!(untried, WITHOUT_ACTIONS, "each shipped playbook with an action has a scenario");
    let every: BTreeSet<_> = specs().into_iter().map(|spec| spec.name.to_owned()).collect();
    assert_eq!(actions, every, "every action is performed");
}

/// Plays a scenario without a crash, and then with one before and after each call of the process.
async fn every_crash(scenario: Scenario, home: Home, library: Arc<Library>) -> Tally {
    let clean = live(scenario, home, Arc::clone(&library), None).await;
    let (what, calls) = (scenario.playbook, clean.calls);
    assert!(calls >= FEWEST_CALLS, "{what}: {calls} calls");
    assert!(clean.story.is_well, "{what}: {:#?}", clean.story);
    let cannot_be_probed = clean.actions.iter().any(|action| action == CANNOT_BE_PROBED);
    let mut tally = Tally { actions: clean.actions.iter().cloned().collect(), ..Tally::default() };
    for (call, when) in (0..calls).flat_map(|call| [(call, When::Before), (call, When::After)]) {
        let crashed = live(scenario, home, Arc::clone(&library), Some((call, when))).await;
        assert!(!crashed.died_at.is_empty(), "{what}: the process did not die at call {call}");
        tally.crashes += 1;
        *tally.died_at.entry(crashed.died_at).or_default() += 1;
        match clean.story.likeness(&crashed.story) {
            Likeness::Same => {}
            Likeness::Asks if cannot_be_probed => tally.asks += 1,
            Likeness::Asks | Likeness::Different => tally.wrong.push(format!(
                "{home:?} {what}, dead {when:?} call {call}, {}:\n{:#?}\ninstead of\n{:#?}",
                crashed.died_at, crashed.story, clean.story
            )),
        }
    }
    println!("{home:?} {what}: {calls} calls, {} crashes", tally.crashes);
    tally
}
