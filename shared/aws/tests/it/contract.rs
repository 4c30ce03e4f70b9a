//! The ports' contract suites over DynamoDB, and a random comparison with the fakes.

use std::sync::Arc;

use heal_aws::Store;
use heal_runtime::port::{AutonomyStore, BreakerStore, CheckStore, ClaimStore, RunStore, Switches};
use heal_stack::{MiniStack, table};
use heal_testkit::contract::Fixture;

/// A table of its own, behind whichever port the case is about.
async fn fresh<P: ?Sized>(port: fn(Store) -> Arc<P>) -> Fixture<P> {
    let store = table::empty(MiniStack::shared()).await;
    Fixture::new(port(store), Arc::default())
}

fn runs(store: Store) -> Arc<dyn RunStore> {
    Arc::new(store)
}

fn claims(store: Store) -> Arc<dyn ClaimStore> {
    Arc::new(store)
}

fn checks(store: Store) -> Arc<dyn CheckStore> {
    Arc::new(store)
}

fn autonomy(store: Store) -> Arc<dyn AutonomyStore> {
    Arc::new(store)
}

fn breakers(store: Store) -> Arc<dyn BreakerStore> {
    Arc::new(store)
}

fn switches(store: Store) -> Arc<dyn Switches> {
    Arc::new(store)
}

mod dynamodb {
    mod runs {
        heal_testkit::run_store_contract!(crate::contract::fresh(crate::contract::runs).await);
    }
    mod claims {
        heal_testkit::claim_store_contract!(crate::contract::fresh(crate::contract::claims).await);
    }
    mod checks {
        heal_testkit::check_store_contract!(crate::contract::fresh(crate::contract::checks).await);
    }
    mod switches {
        heal_testkit::switches_contract!(crate::contract::fresh(crate::contract::switches).await);
    }

    mod autonomy {
        heal_testkit::autonomy_store_contract!(crate::contract::fresh(crate::contract::autonomy).await);
    }
    mod breaker {
        heal_testkit::breaker_store_contract!(crate::contract::fresh(crate::contract::breakers).await);
    }
}

mod agreement {
    use heal_testkit::contract::agreement;
    use heal_testkit::memory;

    use super::*;

    /// Fewer than over SQLite: each is several requests here.
    const CALLS: usize = 700;

    #[tokio::test]
    async fn runs_answer_as_the_fake_does() {
        let fake: Fixture<dyn RunStore> = Fixture::new(Arc::new(memory::Runs::default()), Arc::default());
        agreement::runs_agree(&fake, &fresh(runs).await, agreement::seed(), CALLS).await;
    }

    #[tokio::test]
    async fn claims_answer_as_the_fake_does() {
        let fake: Fixture<dyn ClaimStore> = Fixture::new(Arc::new(memory::Claims::default()), Arc::default());
        agreement::claims_agree(&fake, &fresh(claims).await, agreement::seed(), CALLS).await;
    }

    #[tokio::test]
    async fn breakers_answer_as_the_fake_does() {
        let fake: Fixture<dyn BreakerStore> = Fixture::new(Arc::new(memory::Breakers::default()), Arc::default());
        agreement::breakers_agree(&fake, &fresh(breakers).await, agreement::seed(), CALLS).await;
    }
}
