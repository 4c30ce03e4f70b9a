//! When an incident is raised, and that it is raised once.

use std::collections::BTreeSet;
use std::sync::Arc;

use heal_runtime::checks::CheckOutcome;
use heal_runtime::port::{CheckStore as _, Clock as _};
use tokio::sync::Notify;

use super::{Rig, Scripted, Seen, raised};

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_raise_one_incident() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    let mut counts = Vec::new();
    for _ in 0..10 {
        counts.push(raised(&rig.tick().await));
    }
    assert_eq!(counts, [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(rig.incidents().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_recovery_resets_the_count() {
    let rig = Rig::new(&["portal"]);
    for seen in [Seen::Failing, Seen::Failing, Seen::Well, Seen::Failing, Seen::Failing] {
        rig.prober.set("http://portal", seen);
        assert_eq!(raised(&rig.tick().await), 0);
    }
    assert_eq!(raised(&rig.tick().await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_sees_nothing_raises_nothing_and_is_reported() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Unknown);
    for _ in 0..5 {
        let checked = rig.tick().await;
        assert!(
            matches!(&checked[0].outcome, CheckOutcome::Unknown { reason } if reason == "nobody knows"),
            "{checked:?}"
        );
    }
    assert_eq!(rig.incidents().await, Vec::<String>::new());
    let (_, json) = rig.store.load("portal").await.unwrap().unwrap();
    assert!(json.contains("\"unknown\":5"), "{json}");
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_the_same_time_count_and_raise_once() {
    let gate = Arc::new(Notify::new());
    let rig = Rig::with(&["portal"], Scripted { gate: Some(Arc::clone(&gate)), ..Scripted::default() });
    rig.prober.set("http://portal", Seen::Failing);
    for tick in 1..=3 {
        rig.clock.advance_ms(60_000);
        // Both load the same state before either probe returns.
        let release = async {
            while rig.prober.probed.lock().unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
            gate.notify_waiters();
        };
        let now = rig.clock.now();
        // The second run belongs to the next tick, in another window; only the shared state makes the two one.
        let later = now.plus_ms(59_000);
        let (first, second, ()) = tokio::join!(rig.checks.run(now), rig.checks.run(later), release);
        let outcomes = [&first[0].outcome, &second[0].outcome];
        let overtaken = outcomes.iter().filter(|outcome| matches!(outcome, CheckOutcome::Overtaken)).count();
        assert_eq!(overtaken, 1, "tick {tick}: {outcomes:?}");
        assert_eq!(raised(&first) + raised(&second), usize::from(tick == 3), "tick {tick}: {outcomes:?}");
        rig.prober.probed();
        rig.clock.set(later);
    }
    assert_eq!(rig.incidents().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_raises_no_second_incident_inside_the_window() {
    // Wherever the window begins, two raises in a row have at most two ids.
    for start_minutes in 0..15 {
        let rig = Rig::new(&["portal"]);
        rig.clock.advance_ms(start_minutes * 60_000);
        rig.prober.set("http://portal", Seen::Failing);
        let mut ids = BTreeSet::new();
        // Three runs up to a raise, again and again within one window's length.
        for _ in 0..4 {
            for _ in 0..3 {
                rig.tick().await;
            }
            rig.store.lose();
            ids.extend(rig.incidents().await);
        }
        // Nine minutes lie between the first and the last raise: they touch two windows at most, each with one incident.
        assert!(ids.len() <= 2, "{start_minutes}: {ids:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn inside_one_window_a_lost_state_raises_the_same_incident() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    let mut ids = Vec::new();
    for _ in 0..30 {
        for _ in 0..3 {
            rig.tick().await;
        }
        rig.store.lose();
        ids.extend(rig.incidents().await);
    }
    assert_eq!(ids.len(), 30, "every loss of the state raises again");
    // Ninety minutes have six or seven windows of fifteen.
    let windows = ids.iter().collect::<BTreeSet<_>>().len();
    assert!((6..=7).contains(&windows), "{windows} incidents");
}
