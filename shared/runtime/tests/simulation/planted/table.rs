//! Each bug is planted, and has to be caught.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};

use super::{Bug, budget, engine};
use crate::laws;

/// Courses within which a law has to catch a bug.
const SEEDS: u64 = 60;

thread_local! {
    /// Whether panics of this thread are what the test wants.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How a bug was caught.
struct Catch {
    law: &'static str,
    seeds: u64,
    said: String,
}

#[test]
fn every_planted_bug_is_caught_by_a_law() {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if IS_QUIET.get() {
            SAID.replace(info.to_string());
        } else {
            default(info);
        }
    }));
    println!("{:<26}{:<48}{:>5}", "planted bug", "caught by the law", "seeds");
    let mut free = Vec::new();
    for (bug, name) in Bug::ALL {
        match hunt(bug) {
            Some(Catch { law, seeds, said }) => {
                println!("{name:<26}{law:<48}{seeds:>5}");
                println!("{:26}{}", "", said.lines().skip(1).collect::<String>().chars().take(140).collect::<String>());
            }
            None => free.push(name),
        }
    }
    assert!(free.is_empty(), "no law catches these bugs within {SEEDS} seeds: {free:?}");
}

fn hunt(bug: Bug) -> Option<Catch> {
    let _planted = bug.in_engine().map(engine::plant);
    if bug == Bug::Engine(engine::Bug::CommandBudgetIgnored) {
        laws::judge("a run sends as many commands as its budget has");
        return caught(1, budget::play);
    }
    (0..SEEDS).find_map(|seed| {
        caught(seed + 1, || {
            crate::simulated(seed, Some(bug), None);
        })
    })
}

/// What breaks while `play` runs.
fn caught(seeds: u64, play: impl FnOnce()) -> Option<Catch> {
    IS_QUIET.set(true);
    let broken = panic::catch_unwind(AssertUnwindSafe(play)).is_err();
    IS_QUIET.set(false);
    broken.then(|| Catch { law: laws::judged(), seeds, said: SAID.take() })
}

#[test]
fn the_budget_of_commands_holds_without_the_bug() {
    budget::play();
}
