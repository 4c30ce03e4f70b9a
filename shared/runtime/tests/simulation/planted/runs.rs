//! A store of runs with a bug.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use heal_engine::event::Event;
use heal_runtime::port::{
    Admitted, Appended, Created, JoinedInput, NewRun, Occupancy, Page, Result, Room, RunFilter, RunHead, RunLog,
    RunReader,
};
use heal_runtime::{Commit, Digest, RunId, Seq, StoredCommit, Timestamp};

use super::Bug;
use crate::playbooks;

pub struct Planted {
    bug: Bug,
    inner: Arc<dyn RunLog>,
    /// The digest of each playbook of this process, by name.
    newest: BTreeMap<String, Digest>,
}

impl Planted {
    pub fn new(bug: Bug, inner: Arc<dyn RunLog>, edition: u64) -> Self {
        Self { bug, inner, newest: playbooks::digests(edition) }
    }

    /// The log, as if its run followed the newest edition.
    fn unpinned(&self, mut commits: Vec<Commit>) -> Vec<Commit> {
        for event in commits.iter_mut().flat_map(|commit| &mut commit.events) {
            if let Event::RunStarted(started) = event
                && let Some(digest) = self.newest.get(&started.playbook)
            {
                started.plan_digest = digest.clone();
            }
        }
        commits
    }
}

#[async_trait]
impl RunReader for Planted {
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>> {
        let commits = self.inner.load(run_id, after).await?;
        Ok(if self.bug == Bug::DigestNotPinned { self.unpinned(commits) } else { commits })
    }

    async fn stored(&self, run_id: &RunId) -> Result<Vec<StoredCommit>> {
        self.inner.stored(run_id).await
    }

    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>> {
        self.inner.head(run_id).await
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<String>> {
        self.inner.plan(digest).await
    }

    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>> {
        self.inner.live_of_incidents(prefix).await
    }

    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        self.inner.list(filter, limit, cursor).await
    }
}

#[async_trait]
impl RunLog for Planted {
    async fn create(&self, run: &NewRun) -> Result<Created> {
        let mut run = run.clone();
        match self.bug {
            Bug::DedupeIgnored => run.dedupe_key = format!("{} {}", run.dedupe_key, run.commit.run_id),
            Bug::RoomIgnored => run.room = None,
            _ => {}
        }
        self.inner.create(&run).await
    }

    async fn remember(&self, input: &JoinedInput) -> Result<()> {
        self.inner.remember(input).await
    }

    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended> {
        self.inner.append(commit, head, concurrency_key).await
    }

    async fn admit(&self, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted> {
        if self.bug == Bug::RoomIgnored {
            return Ok(Admitted::Written(self.inner.append(commit, head, None).await?));
        }
        self.inner.admit(commit, head, room).await
    }

    async fn occupancy(&self, now: Timestamp) -> Result<Occupancy> {
        self.inner.occupancy(now).await
    }

    async fn put_plan(&self, digest: &Digest, plan: &str, keep_until: Timestamp) -> Result<()> {
        self.inner.put_plan(digest, plan, keep_until).await
    }
}
