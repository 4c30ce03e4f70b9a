//! Runs: the event log, and the heads that index it.

mod head;
mod held;
mod listing;
mod live;
pub(crate) mod read;
mod repeats;
mod rooms;
pub(crate) mod write;

use std::sync::Arc;

use async_trait::async_trait;
use heal_runtime::port::{
    Admitted, Appended, Created, DueRuns, JoinedInput, LiveRuns, NewRun, Occupancy, Page, Result, Room, RunFilter,
    RunHead, RunLog, RunReader,
};
use heal_runtime::{Commit, Digest, RunId, Seq, StoredCommit, Timestamp, format};
use rusqlite::Connection;

use crate::error::check_size;
use crate::pack;
use crate::store::{Store, of_one_moment};
use write::Row;

#[cfg(test)]
pub(crate) use head::COLUMNS as HEAD_COLUMNS;
#[cfg(test)]
pub(crate) use listing::every_statement as listing_statements;

/// The row of `commit`. Serialised and packed by the caller, so that the writer thread only writes.
pub(crate) fn row(operation: &'static str, commit: &Commit, head: &RunHead) -> Result<Row> {
    let text = format::encode(&commit.events);
    check_size(operation, "commit", &text)?;
    let packed = pack::pack(&text);
    Ok(Row {
        run_id: commit.run_id.to_string(),
        first_seq: commit.first_seq,
        last_seq: commit.last_seq(),
        cause_id: commit.cause_id.clone(),
        at: commit.at,
        events: if packed.is_some() { String::new() } else { text },
        packed,
        chain: commit.chain.as_ref().map(ToString::to_string),
        head: head.clone(),
    })
}

#[async_trait]
impl RunReader for Store {
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>> {
        let operation = "runs.load";
        let (id, run_id) = (run_id.clone(), run_id.clone());
        let short = self.look(operation, move |connection| read::load_short(connection, &id, after)).await?;
        match short {
            Some(commits) => Ok(commits),
            None => self.read(operation, move |connection| read::load(connection, &run_id, after)).await,
        }
    }

    async fn stored(&self, run_id: &RunId) -> Result<Vec<StoredCommit>> {
        let run_id = run_id.clone();
        self.read("runs.stored", move |connection| read::stored(connection, &run_id, 0)).await
    }

    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>> {
        let run_id = run_id.clone();
        self.look("runs.head", move |connection| read::head(connection, &run_id)).await
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<String>> {
        let digest = digest.clone();
        self.read("runs.plan", move |connection| read::plan(connection, &digest)).await
    }

    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>> {
        let prefix = prefix.to_owned();
        self.read("runs.live_of_incidents", move |connection| live::of_incidents(connection, &prefix)).await
    }

    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        let operation = "runs.list";
        let before = cursor.map(|cursor| filter.parse_cursor(operation, cursor)).transpose()?;
        let filter = filter.clone();
        self.read(operation, move |connection| listing::list(connection, &filter, limit, before.as_ref())).await
    }
}

#[async_trait]
impl RunLog for Store {
    async fn create(&self, run: &NewRun) -> Result<Created> {
        let operation = "runs.create";
        let row = row(operation, &run.commit, &run.head)?;
        let new = run.clone();
        let created = self.write(operation, move |connection| write::create(connection, &row, &new)).await?;
        if created == Created::Created {
            self.news().written(&run.head);
        }
        Ok(created)
    }

    async fn remember(&self, input: &JoinedInput) -> Result<()> {
        let input = input.clone();
        self.write("runs.remember", move |connection| write::remember(connection, &input)).await
    }

    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended> {
        let operation = "runs.append";
        let row = row(operation, commit, head)?;
        let key = concurrency_key.map(str::to_owned);
        let appended = self.write(operation, move |connection| write::append(connection, &row, key.as_deref())).await?;
        if appended == Appended::Appended {
            self.news().written(head);
        }
        Ok(appended)
    }

    async fn admit(&self, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted> {
        let operation = "runs.admit";
        let row = row(operation, commit, head)?;
        let room = room.clone();
        let admitted = self.write(operation, move |connection| write::admit(connection, &row, &room)).await?;
        if admitted == Admitted::Written(Appended::Appended) {
            self.news().written(head);
        }
        Ok(admitted)
    }

    async fn occupancy(&self, _now: Timestamp) -> Result<Occupancy> {
        let work = |connection: &Connection| of_one_moment(connection, || rooms::occupancy(connection));
        self.look("runs.occupancy", work).await
    }

    /// Plans are never removed: they are few, and stored once each.
    async fn put_plan(&self, digest: &Digest, plan: &str, _keep_until: Timestamp) -> Result<()> {
        let operation = "runs.put_plan";
        check_size(operation, "plan", plan)?;
        // Most runs use a stored plan, which saves the write.
        let known = digest.clone();
        if self.look(operation, move |connection| read::has_plan(connection, &known)).await? {
            return Ok(());
        }
        let (digest, plan): (Digest, Arc<str>) = (digest.clone(), plan.into());
        self.write(operation, move |connection| write::put_plan(connection, &digest, &plan)).await
    }
}

#[async_trait]
impl DueRuns for Store {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RunId>> {
        if !self.has_caught_up() {
            return Ok(Vec::new());
        }
        self.read("runs.due", move |connection| listing::due(connection, now, limit)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.read("runs.next_due", listing::next_due).await
    }

    async fn held_by_others(&self, halts: &[String], limit: usize) -> Result<Vec<RunId>> {
        let halts = halts.to_vec();
        self.read("runs.held_by_others", move |connection| held::by_others(connection, &halts, limit)).await
    }

    async fn count_held(&self) -> Result<u64> {
        self.read("runs.count_held", held::count).await
    }

    async fn count_live(&self) -> Result<LiveRuns> {
        self.read("runs.count_live", listing::count_live).await
    }

    async fn takes_writes(&self) -> Result<()> {
        Store::takes_writes(self, "runs.takes_writes").await
    }
}
