//! The event log, and the index that finds runs. The index only finds; the log decides.
//!
//! One store, three needs: [`RunReader`] reads, [`RunLog`] also writes, [`DueRuns`] finds overdue runs. A signature shows which one its
//! holder has.

mod filter;
mod news;
mod repeats;
mod room;
mod subject;

use std::time::Duration;

use async_trait::async_trait;
use heal_engine::event::{Commit, RunOutcome, RunStatus};
use heal_engine::{Digest, RunId, Seq, StoredCommit, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BackendError, Result};

pub use filter::{Page, Position, RunFilter};
pub use news::{RunNews, Standing};
pub use repeats::{Repeat, RepeatCounter};
pub use room::{Admitted, Occupancy, Room, RoomBound, WAITING_RUNS, WaitingRun, number_in_queue, place};
pub use subject::{ATTENTION_OUTCOMES, SUBJECT_BYTES, Subject};

/// A run's entry in the index, written in the same transaction as the commit that it describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    /// The run.
    pub run_id: RunId,
    /// The incident that started the run.
    pub incident_id: String,
    /// The playbook's name; `None` for a rejected message, which has none.
    pub playbook: Option<String>,
    /// Where the run stands.
    pub status: RunStatus,
    /// How the run ended; `None` while it is live.
    pub outcome: Option<RunOutcome>,
    /// Time of the first commit.
    pub started_at: Timestamp,
    /// Time of the newest commit.
    pub updated_at: Timestamp,
    /// When the dispatcher has to continue the run even without a message; `None` once the run has ended.
    pub wake_at: Option<Timestamp>,
    /// Sequence number of the newest event.
    pub last_seq: Seq,
    /// One sentence on why the run stops or how it ended.
    pub reason: Option<String>,
    /// What the run is about. Never changes after the run's start.
    #[serde(flatten)]
    pub subject: Subject,
    /// What the run has left for a person to do and nobody has ticked off. Always 0 if the run ended `HEALED` or `COMPLETED`.
    #[serde(default)]
    pub open_follow_ups: u32,
    /// What holds the run: the id of a halt, or the identity of a person who holds it alone. `None` while nothing does. A run that
    /// is held has no `wake_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
}

/// A run to create.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its first commit, with `first_seq` 1.
    pub commit: Commit,
    /// Its entry in the index.
    pub head: RunHead,
    /// Idempotency key of the input: until `dedupe_until`, a second create with this key is a duplicate.
    pub dedupe_key: String,
    /// End of the deduplication window, compared with the `commit.at` of the later create.
    pub dedupe_until: Timestamp,
    /// Held until the run ends: one live run per key. A run that has ended with its first commit holds none.
    pub concurrency_key: Option<String>,
    /// Counts the run among those for the same target; `None` if it is not counted.
    pub repeat: Option<Repeat>,
    /// The room that the run takes; `None` if it takes none: it has ended, waits for room or for an approval, or is a shadow.
    pub room: Option<Room>,
}

/// The result of [`RunLog::create`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The run exists now.
    Created,
    /// The same input created this run before (and its window is open), or a run of this id exists. Also the answer to a repeated create.
    Duplicate {
        /// The run that exists.
        run_id: RunId,
    },
    /// Another live run holds the concurrency key.
    Busy {
        /// The run that holds the key.
        run_id: RunId,
    },
    /// As many runs for the target as may act in the window exist already.
    Repeated {
        /// These runs, the oldest first.
        runs: Vec<RunId>,
    },
    /// There is no room for the run. Any of the other refusals may hold as well.
    Full,
    /// The target is escalated already, so no run for it starts.
    Escalated {
        /// The escalated run.
        run_id: RunId,
    },
}

/// The result of [`RunLog::append`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The commit is stored.
    Appended,
    /// This very commit (same `cause_id` at the same sequence number) is stored already: an earlier try had succeeded.
    AlreadyThere,
    /// Another writer stored this sequence number first. Read again and decide anew.
    Conflict,
}

impl RunHead {
    /// The halt that holds the run; `None` if nothing holds it, or a person does. An identity has a colon, which no halt's id has.
    pub fn held_by_halt(&self) -> Option<&str> {
        self.held_by.as_deref().filter(|holder| !holder.contains(':'))
    }
}

/// Reads runs.
///
/// # Guarantees
/// A read by run id sees every commit that was acknowledged before it.
#[async_trait]
pub trait RunReader: Send + Sync + 'static {
    /// The commits whose first sequence number is greater than `after`, in order; empty if there are none, or if the run's retention is
    /// over and a part of its log is removed already.
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>>;

    /// All commits of a run as they are stored, unread, in order; for the audit alone. A run that is being removed may lack its first commits.
    async fn stored(&self, run_id: &RunId) -> Result<Vec<StoredCommit>>;

    /// The index entry of one run.
    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>>;

    /// The plan that [`RunLog::put_plan`] stored under this digest.
    async fn plan(&self, digest: &Digest) -> Result<Option<String>>;

    /// The live runs whose incident's id starts with `prefix`, in any order, and perhaps others: the log decides.
    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>>;

    /// One page of at most `limit` runs; `cursor` is the `next` of an earlier page of the same filter.
    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page>;
}

/// An input that has started no run: its incident joined another one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedInput {
    /// Idempotency key of the input: until `until`, a create with this key is a duplicate.
    pub dedupe_key: String,
    /// The run that it joined.
    pub run_id: RunId,
    /// Now.
    pub at: Timestamp,
    /// End of the deduplication window.
    pub until: Timestamp,
}

/// Writes runs.
///
/// # Guarantees
/// A commit is stored whole or not at all. `first_seq` is unique in its run, and a commit is only accepted right behind the last one.
#[async_trait]
pub trait RunLog: RunReader {
    /// Stores the run's first commit unless its dedupe key, its id or its concurrency key is taken, or its [`Repeat`] refuses it. They are
    /// compared in this order. The run is counted in the same write: a run exists if and only if it is counted. A run that needs room and has
    /// none is not stored either, whatever else holds.
    async fn create(&self, run: &NewRun) -> Result<Created>;

    /// Keeps the dedupe key of an input that joined a run, unless the key is taken.
    async fn remember(&self, input: &JoinedInput) -> Result<()>;

    /// As [`RunLog::append`], of a commit with which the run takes room until its end. It is stored only if there is room; for want
    /// of it, the answer is `Full` whatever else holds.
    ///
    /// # Guarantees
    /// SQLite and memory never admit a run over a bound. Several processes over one `DynamoDB` table may, by the slack that the adapter states.
    async fn admit(&self, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted>;

    /// The live runs that take room and those that wait for it, as of `now` or, in a store that caches, at most two seconds before.
    async fn occupancy(&self, now: Timestamp) -> Result<Occupancy>;

    /// Stores the next commit. If `head.status` is terminal, the run's concurrency key is free afterwards.
    /// `incident_id`, `playbook`, `started_at` and `subject` stay as created. A run that has ended takes further commits. For a run that
    /// does not exist, the answer is `Conflict`.
    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended>;

    /// Stores a plan under its digest. The store keeps it until `keep_until` at least, and then as long as it keeps ended runs. Storing
    /// the same plan again can only prolong that.
    async fn put_plan(&self, digest: &Digest, plan: &str, keep_until: Timestamp) -> Result<()>;
}

/// Finds overdue runs.
#[async_trait]
pub trait DueRuns: Send + Sync + 'static {
    /// Live runs whose `wake_at` is at or before `now`, longest overdue first; at most `limit`.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RunId>>;

    /// The earliest `wake_at` of a live run.
    async fn next_due(&self) -> Result<Option<Timestamp>>;

    /// Live runs that a halt holds which is not among `halts`, in any order; at most `limit`. Runs that a person holds are not among them.
    async fn held_by_others(&self, halts: &[String], limit: usize) -> Result<Vec<RunId>>;

    /// The number of live runs that are held, by the index alone.
    async fn count_held(&self) -> Result<u64>;

    /// The numbers of live runs, by the index alone: a run may still count for moments after its end or its approval.
    async fn count_live(&self) -> Result<LiveRuns>;

    /// Whether the store takes writes, such as on a disk with room. A service that answers by itself always does.
    ///
    /// # Errors
    /// It takes none, and why. New work is refused, and runs wait.
    async fn takes_writes(&self) -> Result<()> {
        Ok(())
    }
}

/// The numbers of runs that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveRuns {
    /// All of them.
    pub active: u64,
    /// Those of them that await approval.
    pub awaiting_approval: u64,
    /// Those of them that wait for room.
    pub waiting: u64,
    /// The earliest start of a run that waits for room.
    pub waiting_since: Option<Timestamp>,
}

impl LiveRuns {
    /// The age of the oldest run that waits for room at `now`; zero if none waits.
    pub fn waited(&self, now: Timestamp) -> Duration {
        Duration::from_millis(self.waiting_since.map_or(0, |since| now.since_ms(since)))
    }
}

/// A store of runs as a whole, for those who hand its parts out.
pub trait RunStore: RunLog + DueRuns {}

impl<S: RunLog + DueRuns> RunStore for S {}
