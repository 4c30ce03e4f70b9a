use heal_runtime::port::{LiveRuns, NewRun, RunHead};
use heal_runtime::{RunId, RunStatus, Timestamp};

use super::Runs;
use crate::contract::sample::{T0, commit, head, new_run};

async fn create_waking(store: &Runs, run_id: &str, wake_at: Option<Timestamp>, status: RunStatus) {
    let run = new_run(run_id);
    let head = RunHead { wake_at, status, ..run.head.clone() };
    store.create(&NewRun { head, ..run }).await.unwrap();
}

async fn due(store: &Runs, now: Timestamp, limit: usize) -> Vec<String> {
    store.due(now, limit).await.unwrap().iter().map(ToString::to_string).collect()
}

pub async fn due_runs_come_longest_overdue_first(store: Runs) {
    for (run_id, wake_ms) in [("b", 20), ("a", 30), ("c", 10)] {
        create_waking(&store, run_id, Some(T0.plus_ms(wake_ms)), RunStatus::Running).await;
    }
    assert_eq!(due(&store, T0.plus_ms(100), 10).await, ["c", "b", "a"]);
    assert_eq!(due(&store, T0.plus_ms(100), 2).await, ["c", "b"]);
    assert_eq!(due(&store, T0.plus_ms(100), 0).await, [] as [&str; 0]);
}

pub async fn a_run_is_due_from_its_wake_time_on(store: Runs) {
    create_waking(&store, "a", Some(T0.plus_ms(10)), RunStatus::AwaitingApproval).await;
    assert_eq!(due(&store, T0.plus_ms(9), 10).await, [] as [&str; 0]);
    assert_eq!(due(&store, T0.plus_ms(10), 10).await, ["a"]);
    // The run stays due until a commit changes that.
    assert_eq!(due(&store, T0.plus_ms(10), 10).await, ["a"]);
    let next = commit("a", 2, "woken", 1);
    store.append(&next, &RunHead { wake_at: Some(T0.plus_ms(50)), ..head(&next) }, None).await.unwrap();
    assert_eq!(due(&store, T0.plus_ms(10), 10).await, [] as [&str; 0]);
    assert_eq!(due(&store, T0.plus_ms(50), 10).await, ["a"]);
}

pub async fn an_ended_run_is_never_due(store: Runs) {
    for status in RunStatus::ALL {
        create_waking(&store, status.as_str(), Some(T0), status).await;
    }
    let mut live = due(&store, T0.plus_ms(1_000), 10).await;
    live.sort();
    assert_eq!(live, ["AWAITING_APPROVAL", "PENDING", "RUNNING"]);
    for status in [RunStatus::Pending, RunStatus::AwaitingApproval, RunStatus::Running] {
        let end = commit(status.as_str(), 2, "end", 1);
        store
            .append(&end, &RunHead { status: RunStatus::Timeout, wake_at: Some(T0), ..head(&end) }, None)
            .await
            .unwrap();
    }
    assert_eq!(due(&store, T0.plus_ms(1_000), 10).await, [] as [&str; 0]);
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub async fn a_run_without_a_wake_time_is_never_due(store: Runs) {
    create_waking(&store, "a", None, RunStatus::Running).await;
    assert_eq!(store.due(Timestamp(u64::MAX), 10).await.unwrap(), Vec::<RunId>::new());
    assert_eq!(store.next_due().await.unwrap(), None);
}

pub async fn the_next_due_is_the_earliest_wake_time_of_a_live_run(store: Runs) {
    assert_eq!(store.next_due().await.unwrap(), None);
    create_waking(&store, "late", Some(T0.plus_ms(500)), RunStatus::Running).await;
    create_waking(&store, "early", Some(T0.plus_ms(200)), RunStatus::Running).await;
    create_waking(&store, "ended", Some(T0.plus_ms(100)), RunStatus::Completed).await;
    assert_eq!(store.next_due().await.unwrap(), Some(T0.plus_ms(200)));
    let end = commit("early", 2, "end", 1);
    store.append(&end, &RunHead { status: RunStatus::Completed, wake_at: None, ..head(&end) }, None).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(T0.plus_ms(500)));
}

pub async fn live_runs_are_counted_until_they_end(store: Runs) {
    assert_eq!(store.count_live().await.unwrap(), LiveRuns::default());
    for status in RunStatus::ALL {
        create_waking(&store, status.as_str(), None, status).await;
    }
    let of = |active, awaiting_approval, waiting| LiveRuns {
        active,
        awaiting_approval,
        waiting,
        waiting_since: (waiting > 0).then_some(T0),
    };
    assert_eq!(store.count_live().await.unwrap(), of(3, 1, 1), "PENDING, AWAITING_APPROVAL, RUNNING");
    let end = commit(RunStatus::Running.as_str(), 2, "end", 1);
    store.append(&end, &RunHead { status: RunStatus::Completed, wake_at: None, ..head(&end) }, None).await.unwrap();
    assert_eq!(store.count_live().await.unwrap(), of(2, 1, 1));
}

pub async fn a_run_counts_as_awaiting_approval_only_while_it_does(store: Runs) {
    create_waking(&store, "a", None, RunStatus::AwaitingApproval).await;
    let mut counts = Vec::new();
    for (seq, status) in [(2, RunStatus::Running), (3, RunStatus::AwaitingApproval), (4, RunStatus::Cancelled)] {
        let next = commit("a", seq, "next", 1);
        store.append(&next, &RunHead { status, wake_at: None, ..head(&next) }, None).await.unwrap();
        let live = store.count_live().await.unwrap();
        counts.push((live.active, live.awaiting_approval));
    }
    assert_eq!(counts, [(1, 0), (1, 1), (0, 0)]);
}
