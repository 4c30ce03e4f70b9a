use std::sync::Arc;

use heal_runtime::port::{Created, JoinedInput, NewRun, RunFilter};
use heal_runtime::{RunId, RunStatus, Timestamp};

use super::Runs;
use crate::contract::at_once;
use crate::contract::sample::{T0, commit, head, new_run};

fn duplicate_of(run_id: &str) -> Created {
    Created::Duplicate { run_id: RunId::new(run_id) }
}

/// `run_id` made by the same input as every other run of this helper.
fn of_one_input(run_id: &str) -> NewRun {
    NewRun { dedupe_key: "one input".to_owned(), ..new_run(run_id) }
}

fn holding(run_id: &str, concurrency_key: &str) -> NewRun {
    NewRun { concurrency_key: Some(concurrency_key.to_owned()), ..new_run(run_id) }
}

/// The same run, created at `at`.
fn created_at(mut run: NewRun, at: Timestamp) -> NewRun {
    run.commit.at = at;
    run
}

pub async fn a_created_run_is_read_back_whole(store: Runs) {
    let run = new_run("run-1");
    assert_eq!(store.create(&run).await.unwrap(), Created::Created);
    assert_eq!(store.load(&RunId::new("run-1"), 0).await.unwrap(), vec![run.commit]);
    assert_eq!(store.head(&RunId::new("run-1")).await.unwrap(), Some(run.head));
}

pub async fn a_run_that_does_not_exist_is_empty(store: Runs) {
    store.create(&new_run("run-1")).await.unwrap();
    assert_eq!(store.load(&RunId::new("run-2"), 0).await.unwrap(), vec![]);
    assert_eq!(store.head(&RunId::new("run-2")).await.unwrap(), None);
}

pub async fn a_repeated_create_is_a_duplicate_with_the_same_run_id(store: Runs) {
    let run = new_run("run-1");
    store.create(&run).await.unwrap();
    let mut again = run.clone();
    again.head.reason = Some("written twice".to_owned());
    assert_eq!(store.create(&again).await.unwrap(), duplicate_of("run-1"));
    assert_eq!(store.head(&RunId::new("run-1")).await.unwrap(), Some(run.head));
    assert_eq!(store.load(&RunId::new("run-1"), 0).await.unwrap().len(), 1);
}

pub async fn the_same_input_makes_one_run_in_its_window(store: Runs) {
    store.create(&of_one_input("run-1")).await.unwrap();
    assert_eq!(store.create(&of_one_input("run-2")).await.unwrap(), duplicate_of("run-1"));
    assert_eq!(store.head(&RunId::new("run-2")).await.unwrap(), None);
}

pub async fn a_window_ends_at_its_end(store: Runs) {
    let first = of_one_input("run-1");
    let end = first.dedupe_until;
    store.create(&first).await.unwrap();
    let early = created_at(of_one_input("run-2"), Timestamp(end.0 - 1));
    assert_eq!(store.create(&early).await.unwrap(), duplicate_of("run-1"));
    let late = created_at(of_one_input("run-3"), end);
    assert_eq!(store.create(&late).await.unwrap(), Created::Created);
}

pub async fn after_the_window_the_key_belongs_to_the_newer_run(store: Runs) {
    let first = of_one_input("run-1");
    let end = first.dedupe_until;
    store.create(&first).await.unwrap();
    let mut second = created_at(of_one_input("run-2"), end);
    second.dedupe_until = end.plus_ms(1_000);
    store.create(&second).await.unwrap();
    let third = created_at(of_one_input("run-3"), end.plus_ms(999));
    assert_eq!(store.create(&third).await.unwrap(), duplicate_of("run-2"));
}

pub async fn a_window_may_last_forever(store: Runs) {
    store.create(&NewRun { dedupe_until: Timestamp(u64::MAX), ..of_one_input("run-1") }).await.unwrap();
    let later = created_at(of_one_input("run-2"), T0.plus_ms(1 << 45));
    assert_eq!(store.create(&later).await.unwrap(), duplicate_of("run-1"));
}

pub async fn a_taken_run_id_is_a_duplicate(store: Runs) {
    let run = new_run("run-1");
    store.create(&run).await.unwrap();
    let other = NewRun { dedupe_key: "another input".to_owned(), ..new_run("run-1") };
    assert_eq!(store.create(&other).await.unwrap(), duplicate_of("run-1"));
    // The refused input has reserved nothing.
    let third = NewRun { dedupe_key: "another input".to_owned(), ..new_run("run-3") };
    assert_eq!(store.create(&third).await.unwrap(), Created::Created);
}

pub async fn a_live_run_holds_its_concurrency_key(store: Runs) {
    assert_eq!(store.create(&holding("run-1", "ticket:1")).await.unwrap(), Created::Created);
    let busy = Created::Busy { run_id: RunId::new("run-1") };
    assert_eq!(store.create(&holding("run-2", "ticket:1")).await.unwrap(), busy);
    assert_eq!(store.create(&holding("run-3", "ticket:2")).await.unwrap(), Created::Created);
}

pub async fn a_busy_create_stores_nothing(store: Runs) {
    store.create(&holding("run-1", "ticket:1")).await.unwrap();
    store.create(&holding("run-2", "ticket:1")).await.unwrap();
    assert_eq!(store.head(&RunId::new("run-2")).await.unwrap(), None);
    assert_eq!(store.load(&RunId::new("run-2"), 0).await.unwrap(), vec![]);
    // Its dedupe key is still free: the same input may come again when the other run has ended.
    let again = NewRun { concurrency_key: None, ..new_run("run-2") };
    assert_eq!(store.create(&again).await.unwrap(), Created::Created);
}

pub async fn the_dedupe_key_is_compared_before_the_concurrency_key(store: Runs) {
    store.create(&holding("run-1", "ticket:1")).await.unwrap();
    let seen = NewRun { dedupe_key: "seen".to_owned(), ..new_run("run-2") };
    store.create(&seen).await.unwrap();
    let both = NewRun { dedupe_key: "seen".to_owned(), ..holding("run-3", "ticket:1") };
    assert_eq!(store.create(&both).await.unwrap(), duplicate_of("run-2"));
}

fn joined(dedupe_key: &str, run_id: &str, at: Timestamp) -> JoinedInput {
    JoinedInput { dedupe_key: dedupe_key.to_owned(), run_id: RunId::new(run_id), at, until: at.plus_ms(1_000) }
}

pub async fn an_input_that_joined_a_run_is_a_duplicate_in_its_window(store: Runs) {
    store.create(&holding("run-1", "ticket:1")).await.unwrap();
    let mut late = NewRun { dedupe_key: "joined".to_owned(), ..new_run("run-2") };
    let at = late.commit.at;
    store.remember(&joined("joined", "run-1", at)).await.unwrap();
    store.remember(&joined("joined", "run-1", at)).await.unwrap();
    assert_eq!(store.create(&late).await.unwrap(), duplicate_of("run-1"));
    late.commit.at = at.plus_ms(1_000);
    assert_eq!(store.create(&late).await.unwrap(), Created::Created);
}

pub async fn an_input_with_a_run_of_its_own_is_not_remembered_as_another_ones(store: Runs) {
    store.create(&of_one_input("run-1")).await.unwrap();
    store.create(&holding("run-2", "ticket:1")).await.unwrap();
    store.remember(&joined("one input", "run-2", of_one_input("run-1").commit.at)).await.unwrap();
    assert_eq!(store.create(&of_one_input("run-3")).await.unwrap(), duplicate_of("run-1"));
}

pub async fn a_run_created_as_ended_holds_no_concurrency_key(store: Runs) {
    let mut rejected = holding("run-1", "ticket:1");
    rejected.head.status = RunStatus::Failed;
    store.create(&rejected).await.unwrap();
    assert_eq!(store.create(&holding("run-2", "ticket:1")).await.unwrap(), Created::Created);
}

/// How many of `answers` created a run, and the runs that the other answers name.
fn tally(answers: &[Created]) -> (usize, Vec<RunId>) {
    let mut created = 0;
    let mut told = Vec::new();
    for answer in answers {
        match answer {
            Created::Created => created += 1,
            Created::Duplicate { run_id } | Created::Busy { run_id } => told.push(run_id.clone()),
            Created::Repeated { .. } | Created::Escalated { .. } | Created::Full => {
                panic!("no run is counted: {answer:?}")
            }
        }
    }
    told.dedup();
    (created, told)
}

pub async fn concurrent_creates_of_one_input_make_one_run(store: Runs) {
    let create = |index: usize| {
        let port = Arc::clone(&store.port);
        async move { port.create(&of_one_input(&format!("run-{index}"))).await.unwrap() }
    };
    let answers = at_once((0..64).map(create)).await;
    let (created, told) = tally(&answers);
    let winner = answers.iter().position(|answer| *answer == Created::Created).unwrap();
    assert_eq!((created, told), (1, vec![RunId::new(format!("run-{winner}"))]));
    assert_eq!(store.list(&RunFilter::default(), 100, None).await.unwrap().runs.len(), 1);
}

pub async fn concurrent_creates_for_one_concurrency_key_make_one_live_run(store: Runs) {
    let create = |index: usize| {
        let port = Arc::clone(&store.port);
        async move { port.create(&holding(&format!("run-{index}"), "ticket:1")).await.unwrap() }
    };
    let answers = at_once((0..64).map(create)).await;
    let (created, told) = tally(&answers);
    let winner = answers.iter().position(|answer| *answer == Created::Created).unwrap();
    assert_eq!((created, told), (1, vec![RunId::new(format!("run-{winner}"))]));
    // The key is the winner's: its end frees it.
    let end = commit(&format!("run-{winner}"), 2, "end", 1);
    let mut ended = head(&end);
    ended.status = RunStatus::Completed;
    store.append(&end, &ended, Some("ticket:1")).await.unwrap();
    assert_eq!(store.create(&holding("run-after", "ticket:1")).await.unwrap(), Created::Created);
}
