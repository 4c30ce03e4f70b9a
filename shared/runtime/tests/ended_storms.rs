//! The ends of storms, which people are told of.

#![allow(clippy::unwrap_used, clippy::pedantic)]

use std::sync::Arc;

use heal_guard::{Halt, HaltScope, STORM_BY, Storm};
use heal_runtime::ended_storms::{EndedStorms, TOLD_WITHIN_MS};
use heal_runtime::{RunId, Timestamp};
use heal_testkit::memory::{Faults, ManualClock, Queues};

fn storm(id: &str, until: u64) -> Halt {
    let run_id = RunId::new("run-1");
    Halt {
        id: id.to_owned(),
        scope: HaltScope::Service { name: "kubernetes".to_owned() },
        since: Timestamp(0),
        until: Timestamp(until),
        reason: String::new(),
        by: STORM_BY.to_owned(),
        storm: Some(Storm { run_id, targets: 5, trickle: 1, window_ms: 1 }),
    }
}

#[tokio::test]
async fn a_storm_that_is_over_is_told_once_for_an_hour() {
    let queues = Queues::new(Arc::new(ManualClock::default()), Faults::default());
    let (ended, order) = (EndedStorms::default(), Halt { storm: None, ..storm("order", 1) });
    let halts = [storm("a", 1_000), storm("b", 2_000), order];
    for (now, sent) in [(999, 0), (1_000, 1), (1_001, 1), (2_000, 2), (3_000, 2)] {
        ended.tell(&halts, &queues, Timestamp(now)).await.unwrap();
        assert_eq!(queues.pending(), sent, "{now}");
    }
    EndedStorms::default().tell(&halts, &queues, Timestamp(2_000 + TOLD_WITHIN_MS)).await.unwrap();
    assert_eq!(queues.pending(), 2, "nobody wants to know any more");
}
