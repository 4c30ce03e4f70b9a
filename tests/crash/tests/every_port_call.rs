//! A process that dies at any call of a port leaves a log that is one of those without a crash, and no effect twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use heal_crash::process::{Home, Shipped, guardrails, library, specs};
use heal_crash::tally::{Extent, Tally, every_crash};
use heal_matrix::Scenario;
use tokio::task::JoinSet;

/// More would mean that the test takes too long.
const MOST_CRASHES: usize = 4_000;
/// Shipped playbooks without an action: there is nothing to crash in.
const WITHOUT_ACTIONS: [&str; 1] = ["dependency_down"];
/// Over SQLite, a second process dies after one in so many first deaths.
const TWICE_IN: u64 = 3;
/// The seed of what is chosen.
const SEED: u64 = 7;

#[expect(clippy::disallowed_methods, reason = "a person asks for more, or repeats a seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

/// Second deaths after one in so many first ones, unless `CRASH_TWICE_IN` says otherwise.
fn extent(twice_in: Option<u64>) -> Extent {
    Extent { twice_in: number("CRASH_TWICE_IN").or(twice_in), seed: number("CRASH_SEED").unwrap_or(SEED) }
}

fn shipped() -> Shipped {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks");
    Shipped { library: Arc::new(library(&folder)), guardrails: Arc::new(guardrails(&folder)) }
}

/// Plays every scenario in these homes, and judges.
async fn judge(homes: &[Home], extent: Extent) {
    let shipped = shipped();
    let mut scenarios = JoinSet::new();
    for home in homes {
        for scenario in Scenario::ALL {
            scenarios.spawn(every_crash(scenario, *home, shipped.clone(), extent));
        }
    }
    let mut all = Tally::default();
    while let Some(tally) = scenarios.join_next().await {
        all.add(tally.unwrap());
    }
    let Tally { crashes, twice, asks, died_at, actions, wrong } = all;
    println!("{crashes} crashes, {twice} with a second one, {asks} leave a question to a person: {died_at:#?}");
    assert!(wrong.is_empty(), "{} of {crashes} crashes changed the run\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(crashes <= MOST_CRASHES, "{crashes} crashes");
    let every: BTreeSet<_> = specs().into_iter().map(|spec| spec.name.to_owned()).collect();
    assert_eq!(actions, every, "every action is performed");
}

#[test]
fn every_shipped_playbook_with_an_action_has_a_scenario() {
    let library = shipped().library;
    let tried = Scenario::ALL.map(|scenario| scenario.playbook);
    let untried: Vec<_> = library.names().filter(|name| !tried.contains(name)).collect();
    assert_eq!(untried, WITHOUT_ACTIONS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_a_process_dies_at_its_run_ends_as_if_it_had_not() {
    judge(&[Home::AtOnce, Home::InOrder], extent(Some(TWICE_IN))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_request_to_aws_a_process_dies_at_its_run_ends_as_if_it_had_not() {
    judge(&[Home::Aws], extent(None)).await;
}
