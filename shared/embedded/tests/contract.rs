//! The ports' contract suites over a file and over memory, and a random comparison with the fakes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use heal_embedded::{Location, Store};
use heal_runtime::port::{AutonomyStore, BreakerStore, CheckStore, ClaimStore, Clock, RunStore, Switches};
use heal_testkit::contract::settlement::Parts;
use heal_testkit::contract::{Fixture, Queues};
use heal_testkit::memory::ManualClock;

/// A store in a file of its own, behind whichever port the case is about.
fn in_file<P: ?Sized>(port: fn(Store) -> Arc<P>) -> Fixture<P> {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("heal.db"));
    open(location, port).keeping(folder)
}

fn in_memory<P: ?Sized>(port: fn(Store) -> Arc<P>) -> Fixture<P> {
    open(Location::Memory, port)
}

fn open<P: ?Sized>(location: Location, port: fn(Store) -> Arc<P>) -> Fixture<P> {
    let clock = Arc::new(ManualClock::default());
    let store = Store::open(location, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    Fixture::new(port(store), clock)
}

fn runs(store: Store) -> Arc<dyn RunStore> {
    Arc::new(store)
}

fn queues(store: Store) -> Arc<dyn Queues> {
    Arc::new(store)
}

fn home(store: Store) -> Arc<Parts> {
    let store = Arc::new(store);
    Arc::new(Parts {
        runs: store.clone(),
        claims: store.clone(),
        queues: store.clone(),
        settlement: store.clone(),
        attempts: store,
    })
}

fn claims(store: Store) -> Arc<dyn ClaimStore> {
    Arc::new(store)
}

fn breakers(store: Store) -> Arc<dyn BreakerStore> {
    Arc::new(store)
}

fn autonomy(store: Store) -> Arc<dyn AutonomyStore> {
    Arc::new(store)
}

fn checks(store: Store) -> Arc<dyn CheckStore> {
    Arc::new(store)
}

fn switches(store: Store) -> Arc<dyn Switches> {
    Arc::new(store)
}

mod file {
    mod runs {
        heal_testkit::run_store_contract!(crate::in_file(crate::runs));
    }
    mod queue {
        heal_testkit::queue_contract!(crate::in_file(crate::queues));
    }
    mod claims {
        heal_testkit::claim_store_contract!(crate::in_file(crate::claims));
    }
    mod settlement {
        heal_testkit::settlement_contract!(crate::in_file(crate::home));
    }
    mod breaker {
        heal_testkit::breaker_store_contract!(crate::in_file(crate::breakers));
    }
    mod checks {
        heal_testkit::check_store_contract!(crate::in_file(crate::checks));
    }
    mod switches {
        heal_testkit::switches_contract!(crate::in_file(crate::switches));
    }

    mod autonomy {
        heal_testkit::autonomy_store_contract!(crate::in_file(crate::autonomy));
    }
}

mod memory {
    mod runs {
        heal_testkit::run_store_contract!(crate::in_memory(crate::runs));
    }
    mod queue {
        heal_testkit::queue_contract!(crate::in_memory(crate::queues));
    }
    mod claims {
        heal_testkit::claim_store_contract!(crate::in_memory(crate::claims));
    }
    mod settlement {
        heal_testkit::settlement_contract!(crate::in_memory(crate::home));
    }
    mod breaker {
        heal_testkit::breaker_store_contract!(crate::in_memory(crate::breakers));
    }
    mod checks {
        heal_testkit::check_store_contract!(crate::in_memory(crate::checks));
    }
    mod switches {
        heal_testkit::switches_contract!(crate::in_memory(crate::switches));
    }

    mod autonomy {
        heal_testkit::autonomy_store_contract!(crate::in_memory(crate::autonomy));
    }
}

mod agreement {
    use heal_testkit::contract::agreement;
    use heal_testkit::memory;

    use super::*;

    /// Enough for each pair of calls on each name to come in either order.
    const CALLS: usize = 4_000;

    #[tokio::test]
    async fn runs_answer_as_the_fake_does() {
        let fake: Fixture<dyn RunStore> = Fixture::new(Arc::new(memory::Runs::default()), Arc::default());
        agreement::runs_agree(&fake, &in_memory(runs), agreement::seed(), CALLS).await;
    }

    #[tokio::test]
    async fn queues_answer_as_the_fake_does() {
        let clock = Arc::new(ManualClock::default());
        let queues_in_memory = memory::Queues::new(Arc::clone(&clock) as Arc<dyn Clock>, memory::Faults::default());
        let fake: Fixture<dyn Queues> = Fixture::new(Arc::new(queues_in_memory), clock);
        agreement::queues_agree(&fake, &in_memory(queues), agreement::seed(), CALLS).await;
    }

    #[tokio::test]
    async fn claims_answer_as_the_fake_does() {
        let fake: Fixture<dyn ClaimStore> = Fixture::new(Arc::new(memory::Claims::default()), Arc::default());
        agreement::claims_agree(&fake, &in_memory(claims), agreement::seed(), CALLS).await;
    }

    #[tokio::test]
    async fn breakers_answer_as_the_fake_does() {
        let fake: Fixture<dyn BreakerStore> = Fixture::new(Arc::new(memory::Breakers::default()), Arc::default());
        agreement::breakers_agree(&fake, &in_memory(breakers), agreement::seed(), CALLS).await;
    }
}
