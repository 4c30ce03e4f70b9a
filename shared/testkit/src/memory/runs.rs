//! The event log in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::port::{
    Appended, BackendError, Created, DueRuns, NewRun, Page, Result, RunFilter, RunHead, RunLog, RunReader,
};
use heal_runtime::{Commit, Digest, RunId, Seq, Timestamp};

use super::{Faults, lock};

/// A store of runs in memory.
#[derive(Debug, Default)]
pub struct Runs {
    faults: Faults,
    model: Mutex<Model>,
}

#[derive(Debug, Default)]
struct Model {
    runs: BTreeMap<RunId, Run>,
    dedupe: BTreeMap<String, (RunId, Timestamp)>,
    concurrency: BTreeMap<String, RunId>,
    plans: BTreeMap<Digest, String>,
}

#[derive(Debug)]
struct Run {
    head: RunHead,
    commits: Vec<Commit>,
}

impl Model {
    fn create(&mut self, run: &NewRun) -> Created {
        let run_id = &run.commit.run_id;
        if let Some((earlier, until)) = self.dedupe.get(&run.dedupe_key)
            && run.commit.at < *until
        {
            return Created::Duplicate { run_id: earlier.clone() };
        }
        if self.runs.contains_key(run_id) {
            return Created::Duplicate { run_id: run_id.clone() };
        }
        if let Some(holder) = run.concurrency_key.as_ref().and_then(|key| self.concurrency.get(key)) {
            return Created::Busy { run_id: holder.clone() };
        }
        self.dedupe.insert(run.dedupe_key.clone(), (run_id.clone(), run.dedupe_until));
        if let Some(key) = run.concurrency_key.clone().filter(|_| !run.head.status.is_terminal()) {
            self.concurrency.insert(key, run_id.clone());
        }
        let head = RunHead { last_seq: run.commit.last_seq(), ..run.head.clone() };
        self.runs.insert(run_id.clone(), Run { head, commits: vec![run.commit.clone()] });
        Created::Created
    }

    fn append(&mut self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Appended {
        let Some(run) = self.runs.get_mut(&commit.run_id) else { return Appended::Conflict };
        if let Some(there) = run.commits.iter().find(|there| there.first_seq == commit.first_seq) {
            return if there.cause_id == commit.cause_id { Appended::AlreadyThere } else { Appended::Conflict };
        }
        if commit.first_seq != run.head.last_seq + 1 {
            return Appended::Conflict;
        }
        run.commits.push(commit.clone());
        run.head = RunHead {
            incident_id: run.head.incident_id.clone(),
            playbook: run.head.playbook.clone(),
            started_at: run.head.started_at,
            last_seq: commit.last_seq(),
            ..head.clone()
        };
        if let Some(key) = concurrency_key
            && head.status.is_terminal()
            && self.concurrency.get(key) == Some(&commit.run_id)
        {
            self.concurrency.remove(key);
        }
        Appended::Appended
    }

    fn list(&self, filter: &RunFilter, limit: usize, before: Option<&(Timestamp, RunId)>) -> Page {
        let wanted = |head: &&RunHead| {
            filter.status.is_none_or(|status| head.status == status)
                && filter.playbook.as_ref().is_none_or(|playbook| head.playbook.as_ref() == Some(playbook))
                && filter.since.is_none_or(|since| head.started_at >= since)
                && before.is_none_or(|(at, id)| (head.started_at, &head.run_id) < (*at, id))
        };
        let mut runs: Vec<RunHead> = self.runs.values().map(|run| &run.head).filter(wanted).cloned().collect();
        runs.sort_by(|a, b| (b.started_at, &b.run_id).cmp(&(a.started_at, &a.run_id)));
        let more = runs.len() > limit;
        runs.truncate(limit);
        let next = runs.last().filter(|_| more).map(|last| format!("{}:{}", last.started_at.0, last.run_id));
        Page { runs, next }
    }

    /// The wake times of live runs, earliest first.
    fn wakes(&self) -> Vec<(Timestamp, &RunId)> {
        let live = self.runs.values().map(|run| &run.head).filter(|head| !head.status.is_terminal());
        let mut wakes: Vec<_> = live.filter_map(|head| head.wake_at.map(|at| (at, &head.run_id))).collect();
        wakes.sort();
        wakes
    }
}

impl Runs {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, model: Mutex::default() }
    }
}

#[async_trait]
impl RunReader for Runs {
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>> {
        self.faults.around("runs.load", || {
            let model = lock(&self.model);
            let commits = model.runs.get(run_id).map(|run| run.commits.as_slice()).unwrap_or_default();
            commits.iter().filter(|commit| commit.first_seq > after).cloned().collect()
        })
    }

    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>> {
        self.faults.around("runs.head", || lock(&self.model).runs.get(run_id).map(|run| run.head.clone()))
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<String>> {
        self.faults.around("runs.plan", || lock(&self.model).plans.get(digest).cloned())
    }

    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>> {
        let fits = |head: &&RunHead| !head.status.is_terminal() && head.incident_id.starts_with(prefix);
        self.faults.around("runs.live_of_incidents", || {
            let model = lock(&self.model);
            model.runs.values().map(|run| &run.head).filter(fits).map(|head| head.run_id.clone()).collect()
        })
    }

    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        let before = cursor.map(parse_cursor).transpose()?;
        self.faults.around("runs.list", || lock(&self.model).list(filter, limit, before.as_ref()))
    }
}

#[async_trait]
impl RunLog for Runs {
    async fn create(&self, run: &NewRun) -> Result<Created> {
        self.faults.around("runs.create", || lock(&self.model).create(run))
    }

    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended> {
        self.faults.around("runs.append", || lock(&self.model).append(commit, head, concurrency_key))
    }

    async fn put_plan(&self, digest: &Digest, plan: &str) -> Result<()> {
        self.faults.around("runs.put_plan", || {
            lock(&self.model).plans.insert(digest.clone(), plan.to_owned());
        })
    }
}

#[async_trait]
impl DueRuns for Runs {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RunId>> {
        self.faults.around("runs.due", || {
            let model = lock(&self.model);
            let due = model.wakes().into_iter().take_while(|(at, _)| *at <= now);
            due.take(limit).map(|(_, run_id)| run_id.clone()).collect()
        })
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.faults.around("runs.next_due", || lock(&self.model).wakes().first().map(|(at, _)| *at))
    }

    async fn count_live(&self) -> Result<u64> {
        let is_live = |run: &&Run| !run.head.status.is_terminal();
        self.faults.around("runs.count_live", || lock(&self.model).runs.values().filter(is_live).count() as u64)
    }
}

fn parse_cursor(cursor: &str) -> Result<(Timestamp, RunId)> {
    let parsed = cursor.split_once(':').and_then(|(at, id)| Some((Timestamp(at.parse().ok()?), RunId::new(id))));
    parsed.ok_or_else(|| BackendError::corrupt("runs.list", format!("`{cursor}` is not a cursor that a listing gave")))
}
