//! Samples of the tests over a store.

#![allow(dead_code, reason = "each test binary uses some of them")]

use std::path::Path;
use std::sync::Arc;

use heal_embedded::{Location, OpenError, Options, Store};
use heal_engine::Event;
use heal_runtime::port::{Clock, NewRun, RunHead, Subject};
use heal_runtime::{Commit, RunId, RunStatus, Timestamp};
use heal_testkit::memory::ManualClock;

pub(crate) const T0: Timestamp = ManualClock::START;

pub(crate) fn open(path: &Path) -> Result<Store, OpenError> {
    Store::open(Location::File(path.to_owned()), Arc::new(ManualClock::default()) as Arc<dyn Clock>)
}

/// As the process that works on the file.
pub(crate) fn open_exclusive(path: &Path) -> Result<Store, OpenError> {
    let clock = Arc::new(ManualClock::default()) as Arc<dyn Clock>;
    Store::open_with(Options { exclusive: true, ..Options::new(Location::File(path.to_owned()), clock) })
}

/// The error with its causes.
pub(crate) fn explain(error: &OpenError) -> String {
    heal_engine::text::chain(error)
}

/// A commit of one event with `text` in it.
pub(crate) fn commit(run_id: &str, first_seq: u64, text: &str) -> Commit {
    let events = vec![Event::IncidentJoined { incident_id: text.to_owned() }];
    Commit {
        run_id: RunId::new(run_id),
        first_seq,
        cause_id: format!("cause-{first_seq}"),
        at: T0,
        events,
        chain: None,
    }
}

pub(crate) fn head(commit: &Commit, status: RunStatus) -> RunHead {
    RunHead {
        run_id: commit.run_id.clone(),
        incident_id: "INC-1".to_owned(),
        playbook: Some("ticket_timeout_recovery".to_owned()),
        status,
        outcome: None,
        started_at: T0,
        updated_at: commit.at,
        wake_at: (!status.is_terminal()).then_some(T0.plus_ms(60_000)),
        last_seq: commit.last_seq(),
        reason: None,
        subject: Subject::default(),
        open_follow_ups: 0,
        held_by: None,
    }
}

pub(crate) fn new_run(run_id: &str) -> NewRun {
    let commit = commit(run_id, 1, "INC-1");
    let head = head(&commit, RunStatus::Running);
    let dedupe_until = T0.plus_ms(86_400_000);
    NewRun {
        commit,
        head,
        dedupe_key: format!("dedupe:{run_id}"),
        dedupe_until,
        concurrency_key: None,
        repeat: None,
        room: None,
    }
}

/// The size of the pages of a database file.
pub(crate) fn page_bytes(file: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([file[16], file[17]]))
}
