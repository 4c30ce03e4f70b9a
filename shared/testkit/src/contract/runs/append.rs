use std::sync::Arc;

use heal_engine::Event;
use heal_runtime::port::{Appended, Created, NewRun, RunHead, Subject};
use heal_runtime::{RunId, RunOutcome, RunStatus, Seq, Timestamp};
use serde_json::json;

use super::Runs;
use crate::contract::at_once;
use crate::contract::sample::{T0, commit, head, joined, new_run};

/// A store with `run-1`, which holds `ticket:1`.
async fn with_run(store: &Runs) -> RunId {
    let run = NewRun { concurrency_key: Some("ticket:1".to_owned()), ..new_run("run-1") };
    assert_eq!(store.create(&run).await.unwrap(), Created::Created);
    RunId::new("run-1")
}

async fn append(store: &Runs, first_seq: Seq, cause_id: &str, count: usize) -> Appended {
    let commit = commit("run-1", first_seq, cause_id, count);
    store.append(&commit, &head(&commit), None).await.unwrap()
}

/// The first sequence numbers of the run's commits.
async fn log(store: &Runs, run_id: &RunId) -> Vec<Seq> {
    store.load(run_id, 0).await.unwrap().iter().map(|commit| commit.first_seq).collect()
}

async fn ticket_is_free(store: &Runs) -> bool {
    let run = NewRun { concurrency_key: Some("ticket:1".to_owned()), ..new_run("run-next") };
    match store.create(&run).await.unwrap() {
        Created::Created => true,
        Created::Busy { .. } => false,
        other @ (Created::Duplicate { .. } | Created::Repeated { .. } | Created::Escalated { .. } | Created::Full) => {
            panic!("{other:?}")
        }
    }
}

pub async fn commits_are_loaded_in_order_after_a_sequence_number(store: Runs) {
    let run_id = with_run(&store).await;
    for (first_seq, count) in [(2, 3), (5, 1), (6, 2)] {
        assert_eq!(append(&store, first_seq, &format!("cause-{first_seq}"), count).await, Appended::Appended);
    }
    assert_eq!(log(&store, &run_id).await, [1, 2, 5, 6]);
    let after_two = store.load(&run_id, 2).await.unwrap();
    assert_eq!(after_two, vec![commit("run-1", 5, "cause-5", 1), commit("run-1", 6, "cause-6", 2)]);
    assert_eq!(store.load(&run_id, 4).await.unwrap(), after_two);
    assert_eq!(store.load(&run_id, 6).await.unwrap(), vec![]);
}

pub async fn a_repeated_append_is_already_there(store: Runs) {
    let run_id = with_run(&store).await;
    append(&store, 2, "cause", 2).await;
    assert_eq!(append(&store, 2, "cause", 2).await, Appended::AlreadyThere);
    append(&store, 4, "later", 1).await;
    // Even if the log has grown since.
    assert_eq!(append(&store, 2, "cause", 2).await, Appended::AlreadyThere);
    assert_eq!(log(&store, &run_id).await, [1, 2, 4]);
    assert_eq!(store.head(&run_id).await.unwrap().unwrap().last_seq, 4);
}

pub async fn two_appends_at_one_sequence_number_are_one_appended_and_one_conflict(store: Runs) {
    let run_id = with_run(&store).await;
    let write = |cause: &'static str| {
        let port = Arc::clone(&store.port);
        async move {
            let commit = commit("run-1", 2, cause, 1);
            port.append(&commit, &head(&commit), None).await.unwrap()
        }
    };
    let answers = at_once(["left", "right"].map(write)).await;
    let winner = answers.iter().position(|answer| *answer == Appended::Appended).expect("one of them is in");
    assert_eq!(answers.get(1 - winner), Some(&Appended::Conflict));
    let stored = store.load(&run_id, 1).await.unwrap();
    assert_eq!(stored, vec![commit("run-1", 2, ["left", "right"][winner], 1)]);
}

pub async fn an_append_behind_a_gap_is_a_conflict(store: Runs) {
    let run_id = with_run(&store).await;
    assert_eq!(append(&store, 3, "cause", 1).await, Appended::Conflict);
    assert_eq!(log(&store, &run_id).await, [1]);
}

pub async fn an_append_inside_a_commit_is_a_conflict(store: Runs) {
    let run_id = with_run(&store).await;
    append(&store, 2, "cause", 3).await;
    assert_eq!(append(&store, 3, "cause", 1).await, Appended::Conflict);
    assert_eq!(append(&store, 4, "other", 2).await, Appended::Conflict);
    assert_eq!(log(&store, &run_id).await, [1, 2]);
}

pub async fn an_append_to_a_run_that_does_not_exist_is_a_conflict(store: Runs) {
    for first_seq in [1, 2] {
        assert_eq!(append(&store, first_seq, "cause", 1).await, Appended::Conflict);
    }
    assert_eq!(store.head(&RunId::new("run-1")).await.unwrap(), None);
    assert_eq!(log(&store, &RunId::new("run-1")).await, [0; 0]);
}

pub async fn a_conflict_stores_nothing(store: Runs) {
    let run_id = with_run(&store).await;
    append(&store, 2, "cause", 1).await;
    let before = store.head(&run_id).await.unwrap();
    let late = commit("run-1", 2, "late", 1);
    let ended = RunHead { status: RunStatus::Completed, reason: Some("late".to_owned()), ..head(&late) };
    assert_eq!(store.append(&late, &ended, Some("ticket:1")).await.unwrap(), Appended::Conflict);
    assert_eq!(store.head(&run_id).await.unwrap(), before);
    assert!(!ticket_is_free(&store).await);
}

pub async fn the_head_follows_its_commit(store: Runs) {
    let run_id = with_run(&store).await;
    let waiting = commit("run-1", 2, "cause", 2);
    let expected = RunHead {
        status: RunStatus::AwaitingApproval,
        wake_at: Some(T0.plus_ms(5)),
        updated_at: T0.plus_ms(7),
        reason: Some("waits for \"approval\"".to_owned()),
        ..head(&waiting)
    };
    store.append(&waiting, &expected, None).await.unwrap();
    assert_eq!(store.head(&run_id).await.unwrap(), Some(expected));

    let end = commit("run-1", 4, "end", 1);
    let expected =
        RunHead { status: RunStatus::Failed, outcome: Some(RunOutcome::NotHealed), wake_at: None, ..head(&end) };
    store.append(&end, &expected, None).await.unwrap();
    assert_eq!(store.head(&run_id).await.unwrap(), Some(expected));
}

pub async fn the_start_of_a_run_never_changes(store: Runs) {
    let run_id = with_run(&store).await;
    let next = commit("run-1", 2, "cause", 1);
    let subject = Subject { ticket_id: Some("other".to_owned()), ..Subject::default() };
    let changed =
        RunHead { incident_id: "INC-2".to_owned(), playbook: None, started_at: Timestamp(7), subject, ..head(&next) };
    store.append(&next, &changed, None).await.unwrap();
    assert_eq!(store.head(&run_id).await.unwrap(), Some(head(&next)));
}

/// Appends the next commit of `run_id`, ended or not, naming `ticket:1`.
async fn go_on(store: &Runs, run_id: &str, status: RunStatus) {
    let next = commit(run_id, 2, "cause", 1);
    let head = RunHead { status, ..head(&next) };
    assert_eq!(store.append(&next, &head, Some("ticket:1")).await.unwrap(), Appended::Appended);
}

pub async fn a_terminal_append_frees_the_concurrency_key(store: Runs) {
    with_run(&store).await;
    go_on(&store, "run-1", RunStatus::Cancelled).await;
    assert!(ticket_is_free(&store).await);
}

pub async fn a_live_append_keeps_the_concurrency_key(store: Runs) {
    with_run(&store).await;
    go_on(&store, "run-1", RunStatus::AwaitingApproval).await;
    assert!(!ticket_is_free(&store).await);
}

pub async fn a_terminal_append_frees_no_key_of_another_run(store: Runs) {
    with_run(&store).await;
    store.create(&new_run("run-2")).await.unwrap();
    go_on(&store, "run-2", RunStatus::Completed).await;
    assert!(!ticket_is_free(&store).await);
}

pub async fn a_read_sees_every_acknowledged_commit(store: Runs) {
    let run_id = with_run(&store).await;
    for seq in 2..=60 {
        assert_eq!(append(&store, seq, "cause", 1).await, Appended::Appended);
        assert_eq!(store.load(&run_id, seq - 1).await.unwrap().len(), 1);
        assert_eq!(store.head(&run_id).await.unwrap().unwrap().last_seq, seq);
    }
}

/// Appends `commits` commits, reading again after each conflict. Returns the sequence numbers of its own commits.
async fn write_on(
    store: Arc<dyn heal_runtime::port::RunStore>,
    run_id: String,
    writer: usize,
    commits: usize,
) -> Vec<Seq> {
    let mut own = Vec::new();
    while own.len() < commits {
        let next = store.head(&RunId::new(&run_id)).await.unwrap().unwrap().last_seq + 1;
        let commit = commit(&run_id, next, &format!("writer-{writer}-{}", own.len()), 1);
        match store.append(&commit, &head(&commit), None).await.unwrap() {
            Appended::Appended => own.push(next),
            Appended::Conflict => {}
            Appended::AlreadyThere => panic!("nobody writes twice"),
        }
    }
    own
}

pub async fn racing_writers_leave_no_gap(store: Runs) {
    let names: Vec<String> = (0..8).map(|run| format!("run-{run}")).collect();
    for name in &names {
        store.create(&new_run(name)).await.unwrap();
    }
    let writers =
        names.iter().flat_map(|name| (0..3).map(|writer| write_on(Arc::clone(&store.port), name.clone(), writer, 10)));
    let written = at_once(writers).await;
    for (name, own) in names.iter().zip(written.chunks(3)) {
        let mut seqs: Vec<Seq> = own.concat();
        seqs.sort_unstable();
        let all: Vec<Seq> = (2..=31).collect();
        assert_eq!(seqs, all, "{name}: each sequence number was acknowledged to one writer");
        assert_eq!(log(&store, &RunId::new(name)).await, (1..=31).collect::<Vec<Seq>>());
    }
}

pub async fn a_large_commit_is_read_back_whole(store: Runs) {
    let run_id = with_run(&store).await;
    let mut large = commit("run-1", 2, "cause", 1);
    large.events = (0..200).map(|index| joined(&format!("{index}-{}", "ü".repeat(500)))).collect::<Vec<Event>>();
    store.append(&large, &head(&large), None).await.unwrap();
    assert_eq!(store.load(&run_id, 1).await.unwrap(), vec![large]);
}

pub async fn numbers_are_read_back_to_the_last_bit(store: Runs) {
    let run_id = with_run(&store).await;
    // An imprecise parser reads the decimal texts of such numbers wrongly, and a digest over them would differ.
    let items = (1..2_000_u32).map(|index| json!(f64::from(index) * 0.739_151_3 + 1.0 / f64::from(index))).collect();
    let mut numbers = commit("run-1", 2, "cause", 1);
    numbers.events = vec![Event::FannedOut { step: 0, items }];
    store.append(&numbers, &head(&numbers), None).await.unwrap();
    assert_eq!(store.load(&run_id, 1).await.unwrap(), vec![numbers]);
}
