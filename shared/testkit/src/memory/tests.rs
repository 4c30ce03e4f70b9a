use std::sync::Arc;

use heal_runtime::port::{self, AutonomyStore, BreakerStore, CheckStore, ClaimStore, Clock, RunStore};

use super::{Autonomies, Breakers, Checks, Claims, Faults, ManualClock, Queues, Runs, Settling, Switches};
use crate::contract::{self, Fixture};

mod runs {
    use super::*;

    fn store() -> Fixture<dyn RunStore> {
        Fixture::new(Arc::new(Runs::default()), Arc::default())
    }

    crate::run_store_contract!(store());
}

mod queue {
    use super::*;

    fn queues() -> Fixture<dyn contract::Queues> {
        let clock = Arc::new(ManualClock::default());
        Fixture::new(Arc::new(Queues::new(Arc::clone(&clock) as Arc<dyn Clock>, Faults::default())), clock)
    }

    crate::queue_contract!(queues());
}

mod settlement {
    use super::*;
    use crate::contract::settlement::{Home, Parts};

    fn home() -> Home {
        let clock = Arc::new(ManualClock::default());
        let (runs, claims) = (Arc::new(Runs::default()), Arc::new(Claims::default()));
        let queues = Arc::new(Queues::new(Arc::clone(&clock) as Arc<dyn Clock>, Faults::default()));
        let (all, faults) = ((Arc::clone(&runs), Arc::clone(&queues), Arc::clone(&claims)), Faults::default());
        let settling = Arc::new(Settling { runs: all.0, queues: all.1, claims: all.2, faults });
        let settlement = Arc::clone(&settling) as Arc<dyn port::Settlement>;
        Fixture::new(Arc::new(Parts { runs, claims, queues, settlement, attempts: settling }), clock)
    }

    crate::settlement_contract!(home());
}

mod claims {
    use super::*;

    fn store() -> Fixture<dyn ClaimStore> {
        Fixture::new(Arc::new(Claims::default()), Arc::default())
    }

    crate::claim_store_contract!(store());
}

mod autonomy {
    use super::*;

    fn store() -> Fixture<dyn AutonomyStore> {
        Fixture::new(Arc::new(Autonomies::default()), Arc::default())
    }

    crate::autonomy_store_contract!(store());
}

mod breaker {
    use super::*;

    fn store() -> Fixture<dyn BreakerStore> {
        Fixture::new(Arc::new(Breakers::default()), Arc::default())
    }

    crate::breaker_store_contract!(store());
}

mod checks {
    use super::*;

    fn store() -> Fixture<dyn CheckStore> {
        Fixture::new(Arc::new(Checks::default()), Arc::default())
    }

    crate::check_store_contract!(store());
}

mod switches {
    use super::*;

    fn store() -> Fixture<dyn port::Switches> {
        Fixture::new(Arc::new(Switches::default()), Arc::default())
    }

    crate::switches_contract!(store());
}

/// The names between the brackets of a suite's macro, and of the public cases in its files.
fn suite_and_cases(suite: &str, files: &[&str]) -> (Vec<String>, Vec<String>) {
    let list = suite.split_once(", [\n").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    let mut named: Vec<String> =
        list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let functions = files.iter().flat_map(|text| text.split("\npub async fn ").skip(1));
    let mut written: Vec<String> =
        functions.filter_map(|text| text.split_once('(')).map(|(name, _)| name.to_owned()).collect();
    named.sort();
    written.sort();
    (named, written)
}

#[test]
fn every_case_is_in_its_suite() {
    let runs = [
        include_str!("../contract/runs/append.rs"),
        include_str!("../contract/runs/chain.rs"),
        include_str!("../contract/runs/create.rs"),
        include_str!("../contract/runs/due.rs"),
        include_str!("../contract/runs/filters.rs"),
        include_str!("../contract/runs/held.rs"),
        include_str!("../contract/runs/listing.rs"),
        include_str!("../contract/runs/live.rs"),
        include_str!("../contract/runs/repeats.rs"),
        include_str!("../contract/runs/rooms.rs"),
    ];
    let claims = [
        include_str!("../contract/claims/budgets.rs"),
        include_str!("../contract/claims/cooldowns.rs"),
        include_str!("../contract/claims/freeing.rs"),
        include_str!("../contract/claims/intents.rs"),
        include_str!("../contract/claims/leases.rs"),
    ];
    let queue = [
        include_str!("../contract/queue/dead.rs"),
        include_str!("../contract/queue/delivery.rs"),
        include_str!("../contract/queue/wake.rs"),
    ];
    let breaker = include_str!("../contract/breaker.rs");
    let checks = include_str!("../contract/checks.rs");
    let switches = include_str!("../contract/switches.rs");
    let autonomy = include_str!("../contract/autonomy.rs");
    for (suite, files) in [
        (include_str!("../contract/runs.rs"), runs.as_slice()),
        (include_str!("../contract/claims.rs"), claims.as_slice()),
        (include_str!("../contract/queue.rs"), queue.as_slice()),
        (breaker, &[breaker]),
        (checks, &[checks]),
        (switches, &[switches]),
        (autonomy, &[autonomy]),
    ] {
        let (named, written) = suite_and_cases(suite, files);
        assert!(!written.is_empty());
        assert_eq!(named, written);
    }
}

mod faults {
    use heal_runtime::port::{Appended, DueRuns, RunLog, RunReader};

    use super::*;
    use crate::contract::sample::{commit, head, new_run};
    use crate::memory::When;

    async fn with_run(faults: &Faults) -> Runs {
        let runs = Runs::new(faults.clone());
        runs.create(&new_run("run-1")).await.unwrap();
        runs
    }

    async fn append(runs: &Runs) -> heal_runtime::port::Result<Appended> {
        let commit = commit("run-1", 2, "cause", 1);
        runs.append(&commit, &head(&commit), None).await
    }

    #[tokio::test]
    async fn a_call_that_fails_before_applied_nothing() {
        let faults = Faults::default();
        let runs = with_run(&faults).await;
        faults.fail_next(2, When::Before);
        for _ in 0..2 {
            let error = append(&runs).await.unwrap_err();
            assert_eq!(error.to_string(), "runs.append: the backend is unavailable");
        }
        assert_eq!(append(&runs).await.unwrap(), Appended::Appended);
    }

    #[tokio::test]
    async fn a_call_that_fails_after_applied_everything() {
        let faults = Faults::default();
        let runs = with_run(&faults).await;
        faults.fail_next(1, When::After);
        append(&runs).await.unwrap_err();
        assert_eq!(append(&runs).await.unwrap(), Appended::AlreadyThere);
    }

    #[tokio::test]
    async fn a_fault_may_be_for_one_operation() {
        let faults = Faults::default();
        let runs = with_run(&faults).await;
        faults.fail_next_of("runs.append", 1, When::Before);
        assert!(runs.next_due().await.unwrap().is_some());
        append(&runs).await.unwrap_err();
        append(&runs).await.unwrap();
    }

    #[tokio::test]
    async fn a_hook_decides_until_it_is_cleared() {
        let faults = Faults::default();
        let runs = with_run(&faults).await;
        faults.decide_by(|operation| (operation == "runs.next_due").then_some(When::Before));
        for _ in 0..3 {
            runs.next_due().await.unwrap_err();
            runs.plan(&heal_runtime::Digest::of(b"")).await.unwrap();
        }
        faults.clear();
        runs.next_due().await.unwrap();
    }
}
