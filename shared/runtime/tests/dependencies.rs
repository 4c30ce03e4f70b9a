//! Sick dependencies over the fakes, in virtual time: what depends on them is held, and goes on once they are well.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use std::sync::Arc;

use heal_engine::check::{Raised, State, Tracked};
use heal_guard::{DEPENDENCY_BY, DependencyRule, Effect, Guardrails, Halt, HaltScope, Selector};
use heal_runtime::dependencies::{CHECK_AGE_MS, Dependencies, HELD_MS};
use heal_runtime::halts::{HaltCache, lasting, ordered};
use heal_runtime::port::{BreakerStore as _, CheckStore as _, Clock as _, Switches as _};
use heal_runtime::{Timestamp, halts};
use heal_testkit::memory::{Breakers, Checks, Faults, ManualClock, Switches, When};

struct Rig {
    clock: Arc<ManualClock>,
    breakers: Arc<Breakers>,
    checks: Arc<Checks>,
    switches: Arc<Switches>,
    faults: Faults,
    dependencies: Dependencies,
}

/// Restarts of pods depend on the ticket service.
fn rule(breaker: Option<&str>, check: Option<&str>) -> DependencyRule {
    let holds = Selector { actions: vec!["restart_pod".to_owned()], ..Selector::default() };
    DependencyRule {
        name: "tickets".to_owned(),
        breaker: breaker.map(ToOwned::to_owned),
        check: check.map(ToOwned::to_owned),
        holds,
    }
}

impl Rig {
    fn new(dependencies: Vec<DependencyRule>) -> Self {
        let (clock, faults) = (Arc::new(ManualClock::default()), Faults::default());
        let guardrails = Arc::new(Guardrails { dependencies, ..Guardrails::default() });
        let (breakers, checks) = (Arc::new(Breakers::new(faults.clone())), Arc::new(Checks::new(faults.clone())));
        let switches = Arc::new(Switches::new(faults.clone()));
        let halts = Arc::new(HaltCache::new(switches.clone()));
        let dependencies = Dependencies::new(guardrails, breakers.clone(), checks.clone(), halts);
        Self { clock, breakers, checks, switches, faults, dependencies }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time passes, and somebody looks.
    async fn look_after(&self, ms: u64) -> Vec<Halt> {
        self.clock.advance_ms(ms);
        self.dependencies.watch(self.now()).await.unwrap();
        let now = self.now();
        self.switches.halts().await.unwrap().into_iter().filter(|halt| now < halt.until).collect()
    }

    async fn break_for(&self, ms: u64) {
        let now = self.now();
        assert!(self.breakers.open("execution-ticket-service", now, now.plus_ms(ms)).await.unwrap());
    }

    async fn check_sees(&self, failures: u32, is_raised: bool) {
        let now = self.now();
        let raised = is_raised.then(|| Raised { at: now, incident_id: "inc-1".to_owned(), is_sent: true });
        let tracked = Tracked { failures, since: now, raised };
        let state =
            State { looked_at: Some(now), targets: [("tickets:8080".to_owned(), tracked)].into(), ..State::default() };
        let version = self.checks.load("tickets_up").await.unwrap().map_or(0, |(version, _)| version);
        assert!(self.checks.store("tickets_up", version, &state.to_json()).await.unwrap());
    }
}

#[tokio::test]
async fn an_open_breaker_holds_what_depends_on_its_service_and_nothing_else_until_its_time_is_over() {
    let rig = Rig::new(vec![rule(Some("execution-ticket-service"), None)]);
    assert_eq!(rig.look_after(0).await, []);
    rig.break_for(60_000).await;
    let [halt] = rig.look_after(3_000).await.try_into().unwrap();
    assert_eq!(halt.by, DEPENDENCY_BY);
    assert_eq!(halt.why(), "tickets is sick: the circuit breaker of execution-ticket-service is open");
    assert!(halt.holds(&Effect::new("restart_pod", "p", "t"), rig.now()));
    assert!(!halt.holds(&Effect::new("reallocate_ticket", "p", "t"), rig.now()));
    assert_eq!((ordered(&[halt.clone()], rig.now()), halts::dependencies(&[halt.clone()], rig.now())), (0, 1));
    // A look that comes too early changes nothing.
    assert_eq!(rig.look_after(1_000).await, [halt]);
    // Somebody has to try the service again.
    assert_eq!(rig.look_after(60_000).await, []);
    // It is sick once more.
    rig.break_for(60_000).await;
    assert_eq!(rig.look_after(3_000).await.len(), 1);
    rig.breakers.close("execution-ticket-service").await.unwrap();
    assert_eq!(rig.look_after(3_000).await, []);
}

#[tokio::test]
async fn a_check_holds_what_depends_on_it_while_what_it_has_raised_still_fails() {
    let rig = Rig::new(vec![rule(None, Some("tickets_up"))]);
    assert_eq!(rig.look_after(0).await, [], "it has never looked");
    for (failures, is_raised, expected) in [(1, false, 0), (3, true, 1), (0, true, 0)] {
        rig.check_sees(failures, is_raised).await;
        let halts = rig.look_after(3_000).await;
        assert_eq!(halts.len(), expected, "{failures} {is_raised}");
        for halt in halts {
            assert_eq!(halt.why(), "tickets is sick: check tickets_up sees tickets:8080 failing");
        }
    }
    rig.check_sees(3, true).await;
    assert_eq!(rig.look_after(CHECK_AGE_MS - 1).await.len(), 1);
    assert_eq!(rig.look_after(3_000).await, [], "the check runs no longer");
}

#[tokio::test]
async fn a_long_sickness_is_one_halt_and_ends_by_itself_once_nobody_looks() {
    let rig = Rig::new(vec![rule(Some("execution-ticket-service"), None)]);
    rig.break_for(3_600_000).await;
    let [first] = rig.look_after(0).await.try_into().unwrap();
    for _ in 0..100 {
        let [halt] = rig.look_after(10_000).await.try_into().unwrap();
        assert_eq!((halt.id, halt.since), (first.id.clone(), first.since));
    }
    rig.clock.advance_ms(HELD_MS);
    assert_eq!(lasting(&rig.switches.halts().await.unwrap(), rig.now()), [] as [String; 0]);
}

#[tokio::test]
async fn who_cannot_see_the_dependency_changes_nothing() {
    let rig = Rig::new(vec![rule(Some("execution-ticket-service"), None)]);
    rig.break_for(60_000).await;
    assert_eq!(rig.look_after(0).await.len(), 1);
    rig.faults.decide_by(|operation| operation.starts_with("breaker").then_some(When::Before));
    rig.clock.advance_ms(3_000);
    assert!(rig.dependencies.watch(rig.now()).await.is_err());
    rig.faults.clear();
    assert_eq!(rig.look_after(0).await.len(), 1);
    assert!(matches!(rig.switches.halts().await.unwrap()[0].scope, HaltScope::Dependency { .. }));
}
