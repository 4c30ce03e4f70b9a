//! The event log, and the index that finds runs. The index only finds; the log decides.

use async_trait::async_trait;
use heal_engine::event::{Commit, RunOutcome, RunStatus};
use heal_engine::{Digest, RunId, Seq, Timestamp};
use serde::{Deserialize, Serialize};

use super::Result;

/// What the index knows of a run, written in the same transaction as the commit that it follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    pub run_id: RunId,
    pub incident_id: String,
    /// None for a message that named no playbook that exists.
    pub playbook: Option<String>,
    pub status: RunStatus,
    pub outcome: Option<RunOutcome>,
    pub started_at: Timestamp,
    pub updated_at: Timestamp,
    /// When the run has to be looked at, whatever comes; none once it has ended.
    pub wake_at: Option<Timestamp>,
    pub last_seq: Seq,
    /// One sentence on how it stands or ended.
    pub reason: Option<String>,
}

/// A run that is to exist.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its first commit, with `first_seq` 1.
    pub commit: Commit,
    pub head: RunHead,
    /// Makes the run one of its kind until `dedupe_until`: the window is open to a create whose `commit.at` is before it.
    pub dedupe_key: String,
    pub dedupe_until: Timestamp,
    /// Held until the run ends: one live run per key. A run that is born ended holds none.
    pub concurrency_key: Option<String>,
}

/// How [`RunStore::create`] went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    Created,
    /// The same input has made this run already (its window is open), or a run of this id exists. Also the answer to a repeated create.
    Duplicate {
        run_id: RunId,
    },
    /// Another live run holds the concurrency key.
    Busy {
        run_id: RunId,
    },
}

/// How [`RunStore::append`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    Appended,
    /// This very commit (same `cause_id` at the same sequence number) is there already: an earlier try had worked.
    AlreadyThere,
    /// Somebody else wrote this sequence number first. Read again and decide anew.
    Conflict,
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunFilter {
    pub status: Option<RunStatus>,
    pub playbook: Option<String>,
    /// Started at or after.
    pub since: Option<Timestamp>,
}

/// One page of a listing, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub runs: Vec<RunHead>,
    /// Give it to the next call to go on; none on the last page.
    pub next: Option<String>,
}

/// Stores and finds runs.
///
/// # Guarantees
/// A commit is there whole or not at all. `first_seq` is unique in its run, and a commit is only accepted right behind the last one.
/// A read by run id sees every commit that was acknowledged before it.
#[async_trait]
pub trait RunStore: Send + Sync + 'static {
    /// Stores the run's first commit unless its dedupe key, its id or its concurrency key is taken. The dedupe key is looked at first.
    async fn create(&self, run: &NewRun) -> Result<Created>;

    /// Stores the next commit. Where `head.status` is terminal, the concurrency key is free afterwards, if it was this run's.
    /// `incident_id`, `playbook` and `started_at` stay as created. A run that does not exist is a `Conflict`.
    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended>;

    /// The commits whose first sequence number is greater than `after`, in order. Empty where there are none.
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>>;

    /// The index entry of one run.
    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>>;

    /// Stores a plan under its digest. Storing the same twice is fine.
    async fn put_plan(&self, digest: &Digest, plan: &str) -> Result<()>;

    async fn plan(&self, digest: &Digest) -> Result<Option<String>>;

    /// `cursor` is the `next` of an earlier page.
    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page>;

    /// Live runs whose `wake_at` is at or before `now`, longest overdue first.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RunId>>;

    /// The earliest `wake_at` of a live run.
    async fn next_due(&self) -> Result<Option<Timestamp>>;
}
