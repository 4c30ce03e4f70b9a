//! Runs: the event log, live rows, and the index of ended runs.

mod append;
mod create;
mod due;
mod held;
mod listing;
mod live;
mod newest_cache;
mod plan;
mod read;
mod repeats;
mod rooms;
mod row;

use async_trait::async_trait;
use heal_runtime::port::{
    Admitted, Appended, Created, DueRuns, JoinedInput, LiveRuns, NewRun, Occupancy, Page, Result, Room, RunFilter,
    RunHead, RunLog, RunReader,
};
use heal_runtime::{Commit, Digest, RunId, Seq, StoredCommit, Timestamp};

use super::Store;
#[cfg(feature = "fuzz")]
use super::{
    decode::Reading,
    item::{Attributes, Fields},
};

/// What each reader makes of a row.
#[cfg(feature = "fuzz")]
pub(super) fn read_every_way(operation: &'static str, row: &Attributes) -> [Reading; 9] {
    let run_id = RunId::new("run-fuzzed");
    let fields = || Fields::read(operation, row);
    let outcomes = [
        ("commit", row::read_commit(operation, row, &run_id).map(|_| 0)),
        ("stored commit", row::read_stored(operation, row, &run_id).map(|stored| stored.events.len())),
        ("newest commit", row::read_newest(operation, row).map(|_| 0)),
        ("head", row::read_head(operation, row).map(|_| 0)),
        ("live row", fields().and_then(|fields| due::LiveRow::read(&fields)).map(|_| 0)),
        ("plan", plan::body(operation, row).map(|body| body.len())),
        ("count of runs", repeats::read_counter(operation, row).map(|_| 0)),
        ("key of the index", listing::position(row).map(|_| 0)),
        ("input", fields().and_then(|fields| fields.text("run_id")).map(str::len)),
    ];
    outcomes.map(|(reader, outcome)| Reading { reader, outcome })
}

pub(super) use listing::INDEX;
pub(super) use newest_cache::NewestCache;
pub(super) use rooms::Rooms;

#[async_trait]
impl RunReader for Store {
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>> {
        read::load(self, run_id, after).await
    }

    async fn stored(&self, run_id: &RunId) -> Result<Vec<StoredCommit>> {
        read::stored(self, run_id).await
    }

    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>> {
        let newest = read::newest(self, "runs.head", run_id).await?;
        Ok(newest.map(|newest| newest.head))
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<String>> {
        plan::read(self, digest).await
    }

    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>> {
        live::of_incidents(self, prefix).await
    }

    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        listing::list(self, filter, limit, cursor).await
    }
}

#[async_trait]
impl RunLog for Store {
    async fn create(&self, run: &NewRun) -> Result<Created> {
        create::create(self, run).await
    }

    async fn remember(&self, input: &JoinedInput) -> Result<()> {
        create::remember(self, input).await
    }

    async fn append(&self, commit: &Commit, head: &RunHead, _concurrency_key: Option<&str>) -> Result<Appended> {
        // The newest commit names the live row, and with it the key that the run holds.
        append::append(self, commit, head).await
    }

    async fn admit(&self, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted> {
        rooms::admit(self, commit, head, room).await
    }

    async fn occupancy(&self, now: Timestamp) -> Result<Occupancy> {
        self.rooms.occupancy(self, now).await
    }

    async fn put_plan(&self, digest: &Digest, plan: &str, keep_until: Timestamp) -> Result<()> {
        plan::put(self, digest, plan, keep_until).await
    }
}

#[async_trait]
impl DueRuns for Store {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RunId>> {
        due::due(self, now, limit).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        due::next_due(self).await
    }

    async fn held_by_others(&self, halts: &[String], limit: usize) -> Result<Vec<RunId>> {
        held::by_others(self, halts, limit).await
    }

    async fn count_held(&self) -> Result<u64> {
        held::count(self).await
    }

    async fn count_live(&self) -> Result<LiveRuns> {
        due::count_live(self).await
    }
}
