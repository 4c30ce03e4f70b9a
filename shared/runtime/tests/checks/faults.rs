//! Checks under faults: probes that hang, and calls that fail or are lost.

use std::collections::BTreeSet;
use std::time::Duration;

use heal_runtime::checks::{CheckOutcome, DEADLINE};
use heal_runtime::port::{CheckStore as _, Clock as _};
use heal_testkit::memory::When;

use super::{Rig, Seen, raised};

#[tokio::test(start_paused = true)]
async fn a_hanging_probe_does_not_hold_up_the_others() {
    let rig = Rig::new(&["hanging", "portal"]);
    rig.prober.set("http://hanging", Seen::Hanging);
    rig.prober.set("http://portal", Seen::Failing);
    for tick in 1..=3 {
        let started = tokio::time::Instant::now();
        let checked = rig.tick().await;
        assert!(started.elapsed() <= DEADLINE, "{:?}", started.elapsed());
        assert!(matches!(&checked[0].outcome, CheckOutcome::Unknown { .. }), "{checked:?}");
        assert_eq!(raised(&checked), usize::from(tick == 3));
    }
    assert_eq!(rig.incidents().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_at_its_deadline() {
    let rig = Rig::new(&["hanging"]);
    rig.prober.set("http://hanging", Seen::Hanging);
    let checks = rig.checks.clone().within(Duration::from_secs(4));
    let started = tokio::time::Instant::now();
    let checked = checks.run(rig.clock.now()).await;
    assert_eq!(started.elapsed(), Duration::from_secs(3), "a quarter is reserved for storing and sending");
    assert!(matches!(checked[0].outcome, CheckOutcome::Unknown { .. }), "{checked:?}");
}

#[tokio::test(start_paused = true)]
async fn one_checks_failure_costs_the_others_nothing() {
    let rig = Rig::new(&["a", "b"]);
    rig.prober.set("http://b", Seen::Failing);
    rig.store.store("a", 0, "not a state").await.unwrap();
    for tick in 1..=3 {
        let checked = rig.tick().await;
        assert_eq!(raised(&checked), usize::from(tick == 3), "{checked:?}");
    }
    // A malformed state is replaced.
    assert!(rig.store.load("a").await.unwrap().unwrap().1.starts_with('{'));
    rig.faults.fail_next_of("checks.load", 1, When::Before);
    let checked = rig.tick().await;
    let failed = checked.iter().filter(|checked| matches!(checked.outcome, CheckOutcome::Failed(_))).count();
    assert_eq!(failed, 1, "{checked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_could_not_be_sent_is_sent_by_the_next_run_under_its_id() {
    for when in [When::Before, When::After] {
        let rig = Rig::new(&["portal"]);
        rig.prober.set("http://portal", Seen::Failing);
        for _ in 0..2 {
            rig.tick().await;
        }
        rig.faults.fail_next_of("queue.send", 1, when);
        let checked = rig.tick().await;
        assert!(matches!(checked[0].outcome, CheckOutcome::Failed(_)), "{checked:?}");
        let mut ids = rig.incidents().await;
        assert_eq!(raised(&rig.tick().await), 1);
        ids.extend(rig.incidents().await);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "{ids:?}");
        assert_eq!(raised(&rig.tick().await), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_could_not_be_stored_sends_nothing_and_loses_nothing() {
    for when in [When::Before, When::After] {
        let rig = Rig::new(&["portal"]);
        rig.prober.set("http://portal", Seen::Failing);
        for _ in 0..2 {
            rig.tick().await;
        }
        rig.faults.fail_next_of("checks.store", 1, when);
        let checked = rig.tick().await;
        assert!(matches!(checked[0].outcome, CheckOutcome::Failed(_)), "{checked:?}");
        assert_eq!(rig.incidents().await, Vec::<String>::new());
        assert_eq!(raised(&rig.tick().await), 1);
        assert_eq!(rig.incidents().await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_incident_whose_sending_could_not_be_stored_is_sent_once_more_under_its_id() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    for _ in 0..2 {
        rig.tick().await;
    }
    let mut stores = 0;
    rig.faults.decide_by(move |operation| {
        stores += usize::from(operation == "checks.store");
        (operation == "checks.store" && stores == 2).then_some(When::Before)
    });
    assert_eq!(raised(&rig.tick().await), 1);
    rig.faults.clear();
    assert_eq!(raised(&rig.tick().await), 1);
    assert_eq!(raised(&rig.tick().await), 0);
    let ids = rig.incidents().await;
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_newer_build_stays_as_it_is() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    let newer = r#"{"format": 99, "anything": {}}"#;
    rig.store.store("portal", 0, newer).await.unwrap();
    for _ in 0..4 {
        let checked = rig.tick().await;
        assert!(matches!(checked[0].outcome, CheckOutcome::Newer(_)), "{checked:?}");
    }
    assert_eq!(rig.store.load("portal").await.unwrap().unwrap(), (1, newer.to_owned()));
    assert_eq!(rig.incidents().await, Vec::<String>::new());
}
