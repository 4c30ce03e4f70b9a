use heal_embedded::Recovered;
use heal_runtime::port::{
    BreakerStore, ClaimKey, ClaimRequest, ClaimStore, LeaseOwner, Message, NewRun, QueueName, Receiver, Reservation,
    RunHead, RunLog, RunReader, Sender,
};
use heal_runtime::{RunId, RunStatus};

use crate::common::{T0, new_run, open, open_exclusive};

fn claim(holder: &str) -> ClaimRequest {
    let key = ClaimKey { action: "restart_pod".to_owned(), attempt: "run-1/step/1".to_owned() };
    ClaimRequest::new(key, LeaseOwner(holder.to_owned()), T0, T0.plus_ms(60_000))
}

#[tokio::test]
async fn what_a_dead_process_had_in_hand_goes_on_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let dead = open(&path).unwrap();
    dead.recover().await.unwrap();
    let message = |body: &str, delay_ms| Message {
        queue: QueueName::Results,
        body: body.to_owned(),
        delay_ms,
        traceparent: None,
    };
    dead.send(vec![message("in hand", 0), message("delayed", 1_000)]).await.unwrap();
    let in_hand = dead.receive(&QueueName::Results, 10, 60_000).await.unwrap().remove(0);
    dead.reserve(&claim("dead")).await.unwrap();
    dead.open("ets", T0, T0).await.unwrap();
    assert!(dead.take_trial("ets", "dead", T0, T0.plus_ms(60_000)).await.unwrap());

    let store = open(&path).unwrap();
    assert_eq!(store.recover().await.unwrap(), Recovered { messages: 1, claims: 1, trials: 1, ..Recovered::default() });
    store.acknowledge(vec![in_hand.receipt]).await.unwrap();
    let again = store.receive(&QueueName::Results, 10, 60_000).await.unwrap();
    // The delivery that was under way does not count; what was only delayed still is.
    assert_eq!(
        again.iter().map(|delivery| (delivery.body.as_str(), delivery.receive_count)).collect::<Vec<_>>(),
        [("in hand", 1)]
    );
    let taken = store.reserve(&claim("next")).await.unwrap();
    assert_eq!(taken, Reservation::Held { recovered: true, cooling: vec![], budgets: vec![] });
    assert!(store.take_trial("ets", "next", T0, T0.plus_ms(60_000)).await.unwrap());
}

#[tokio::test]
async fn a_store_at_rest_has_nothing_to_recover() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("heal.db")).unwrap();
    let run = new_run("run-1");
    store.create(&run).await.unwrap();
    assert_eq!(store.recover().await.unwrap(), Recovered::default());
    assert_eq!(store.head(&RunId::new("run-1")).await.unwrap(), Some(run.head));
}

#[tokio::test]
async fn the_record_of_a_file_that_is_gone_says_nothing_about_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("heal.db.hand"), "d1 9\n+1\n").unwrap();
    let store = open(&folder.path().join("heal.db")).unwrap();
    let message = Message { queue: QueueName::Results, body: "first".to_owned(), delay_ms: 0, traceparent: None };
    store.send(vec![message]).await.unwrap();
    assert_eq!(store.recover().await.unwrap(), Recovered::default());
    assert_eq!(store.receive(&QueueName::Results, 1, 60_000).await.unwrap().len(), 1);
}

/// Found by their runs: a file has a claim for each attempt of a week.
#[tokio::test]
async fn claims_of_live_runs_are_released_and_those_of_ended_ones_are_left_to_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let dead = open_exclusive(&path).unwrap();
    for (run_id, status) in
        [("live", RunStatus::Running), ("asks", RunStatus::AwaitingApproval), ("ended", RunStatus::Completed)]
    {
        let run = new_run(run_id);
        let head = RunHead { status, ..run.head.clone() };
        dead.create(&NewRun { head, ..run }).await.unwrap();
        let key = ClaimKey { action: "restart_pod".to_owned(), attempt: format!("{run_id}/step/1") };
        dead.reserve(&ClaimRequest::new(key, LeaseOwner("dead".to_owned()), T0, T0.plus_ms(60_000))).await.unwrap();
    }
    drop(dead);
    let store = open_exclusive(&path).unwrap();
    assert_eq!(store.recover().await.unwrap(), Recovered { claims: 2, ..Recovered::default() });
    assert_eq!(store.recover().await.unwrap(), Recovered::default());
}

#[tokio::test]
async fn the_newest_write_is_that_of_a_run_that_ended_or_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("heal.db")).unwrap();
    assert_eq!(store.newest().await.unwrap(), None);
    store.create(&new_run("waits")).await.unwrap();
    assert_eq!(store.newest().await.unwrap(), Some(T0));
    let run = new_run("ended");
    let head = RunHead { status: RunStatus::Completed, wake_at: None, updated_at: T0.plus_ms(5), ..run.head.clone() };
    store.create(&NewRun { head, ..run }).await.unwrap();
    assert_eq!(store.newest().await.unwrap(), Some(T0.plus_ms(5)));
}
