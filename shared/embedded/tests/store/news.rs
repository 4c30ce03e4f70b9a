use heal_embedded::{Location, Options, Store};
use heal_runtime::port::{Append, AttemptSettlement, RunLog, RunNews as _, Settlement, Settles, Standing};
use heal_runtime::{RunId, RunStatus};
use heal_testkit::memory::ManualClock;

use crate::common::{commit, head, new_run};

/// Each way to write to a log tells of it, once it is written.
#[tokio::test]
async fn whoever_follows_a_run_hears_of_every_write_to_its_log() {
    let clock = std::sync::Arc::new(ManualClock::default());
    let store = Store::open_with(Options::new(Location::Memory, clock)).unwrap();
    let mut news = store.follow(&RunId::new("run-1"));
    let mut told = move || news.has_changed().unwrap().then(|| *news.borrow_and_update());
    assert_eq!(told(), None);
    Settlement::create(&store, &new_run("run-1"), Settles::default()).await.unwrap();
    assert_eq!(told(), Some(Standing { last_seq: 1, is_ended: false }), "created");
    for (seq, way) in (2..).zip(["a log's append", "a turn's settlement", "an attempt's settlement"]) {
        let next = commit("run-1", seq, way);
        let is_ended = seq == 4;
        let head = head(&next, if is_ended { RunStatus::Completed } else { RunStatus::Running });
        let append = Append { commit: &next, head: &head, concurrency_key: None, room: None };
        match seq {
            2 => drop(RunLog::append(&store, &next, &head, None).await.unwrap()),
            3 => drop(Settlement::append(&store, append, Settles::default()).await.unwrap()),
            _ => drop(AttemptSettlement::append(&store, append, None, Settles::default()).await.unwrap()),
        }
        assert_eq!(told(), Some(Standing { last_seq: seq, is_ended }), "{way}");
    }
    let conflict = commit("run-1", 2, "another");
    RunLog::append(&store, &conflict, &head(&conflict, RunStatus::Running), None).await.unwrap();
    assert_eq!(told(), None, "nothing was written");
    Settlement::create(&store, &new_run("run-2"), Settles::default()).await.unwrap();
    assert_eq!(told(), None, "that was another run");
}
