//! The event log in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::port::{
    Admitted, Append, Appended, Created, JoinedInput, NewRun, Occupancy, Page, Position, RepeatCounter, Result, Room,
    RunFilter, RunHead, RunLog, RunReader, WaitingRun, place,
};
use heal_runtime::{Commit, Digest, RunId, RunStatus, Seq, StoredCommit, Timestamp};

use super::{Faults, lock};

mod index;

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
    repeats: BTreeMap<String, RepeatCounter>,
    /// Each plan, and until when it has to be kept.
    plans: BTreeMap<Digest, (String, Timestamp)>,
    /// The number of commits in all runs.
    written: u64,
}

#[derive(Debug)]
struct Run {
    head: RunHead,
    /// The head before the last commit; `None` for a run with one commit.
    before: Option<RunHead>,
    commits: Vec<Commit>,
    /// For each commit, the number of commits in all runs with it.
    order: Vec<u64>,
    takes_room: bool,
}

impl Run {
    fn waits(&self) -> bool {
        self.head.status == RunStatus::Pending
    }
}

impl Model {
    fn occupancy(&self) -> Occupancy {
        let mut occupancy = Occupancy::default();
        for run in self.runs.values() {
            let Some(playbook) = &run.head.playbook else { continue };
            if run.takes_room {
                *occupancy.taken.entry(playbook.clone()).or_default() += 1;
            } else if run.waits() && run.head.held_by.is_none() {
                let place = place(run.head.subject.severity.as_deref(), run.head.started_at);
                let (run_id, playbook) = (run.head.run_id.clone(), playbook.clone());
                occupancy.waiting.push(WaitingRun { run_id, playbook, place });
            }
        }
        occupancy.sort();
        occupancy
    }

    fn has(&self, room: &Room) -> bool {
        let occupancy = self.occupancy();
        room.admits(&occupancy.taken, |playbook| occupancy.waits(playbook))
    }

    fn admit(&mut self, commit: &Commit, head: &RunHead, room: &Room) -> Admitted {
        if !self.has(room) {
            return Admitted::Full;
        }
        let appended = self.append(commit, head, None);
        if let (Appended::Appended, Some(run)) = (appended, self.runs.get_mut(&commit.run_id)) {
            run.takes_room = true;
        }
        Admitted::Written(appended)
    }

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
        if run.room.as_ref().is_some_and(|room| !self.has(room)) {
            return Created::Full;
        }
        if let Some(repeat) = &run.repeat {
            match self.repeats.entry(repeat.key.clone()).or_default().admit(run, repeat) {
                Ok(counted) => self.repeats.insert(repeat.key.clone(), counted),
                Err(refusal) => return refusal,
            };
        }
        self.dedupe.insert(run.dedupe_key.clone(), (run_id.clone(), run.dedupe_until));
        if let Some(key) = run.concurrency_key.clone().filter(|_| !run.head.status.is_terminal()) {
            self.concurrency.insert(key, run_id.clone());
        }
        let head = RunHead { last_seq: run.commit.last_seq(), ..run.head.clone() };
        let (commits, takes_room) = (vec![run.commit.clone()], run.room.is_some());
        self.written += 1;
        let order = vec![self.written];
        self.runs.insert(run_id.clone(), Run { head, before: None, commits, order, takes_room });
        Created::Created
    }

    fn remember(&mut self, input: &JoinedInput) {
        let is_free = self.dedupe.get(&input.dedupe_key).is_none_or(|(_, until)| *until <= input.at);
        if is_free {
            self.dedupe.insert(input.dedupe_key.clone(), (input.run_id.clone(), input.until));
        }
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
        self.written += 1;
        run.order.push(self.written);
        let next = RunHead {
            incident_id: run.head.incident_id.clone(),
            playbook: run.head.playbook.clone(),
            started_at: run.head.started_at,
            last_seq: commit.last_seq(),
            subject: run.head.subject.clone(),
            ..head.clone()
        };
        run.before = Some(std::mem::replace(&mut run.head, next));
        run.takes_room &= !head.status.is_terminal();
        if let Some(key) = concurrency_key
            && head.status.is_terminal()
            && self.concurrency.get(key) == Some(&commit.run_id)
        {
            self.concurrency.remove(key);
        }
        Appended::Appended
    }

    fn list(&self, filter: &RunFilter, limit: usize, before: Option<&Position>, lags: bool) -> Page {
        let heads = self.indexed(lags).map(|head| (filter.position(head), head));
        let wanted = |(position, head): &(Position, &RunHead)| {
            filter.admits(head) && before.is_none_or(|before| position < before)
        };
        let mut found: Vec<(Position, &RunHead)> = heads.filter(wanted).collect();
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(position, _)| filter.cursor(position));
        Page { runs: found.into_iter().map(|(_, head)| head.clone()).collect(), next, unexamined_before: None }
    }
}

impl Runs {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, model: Mutex::default() }
    }

    /// The number of commits in all runs.
    pub fn written(&self) -> u64 {
        lock(&self.model).written
    }

    /// For each commit of a run, the number of commits in all runs with it: what was written before what, whatever the clocks say.
    pub fn order(&self, run_id: &RunId) -> Vec<u64> {
        lock(&self.model).runs.get(run_id).map(|run| run.order.clone()).unwrap_or_default()
    }

    /// Until when the plan has to be kept; `None` for a plan that was never stored.
    pub fn plan_kept_until(&self, digest: &Digest) -> Option<Timestamp> {
        lock(&self.model).plans.get(digest).map(|(_, keep_until)| *keep_until)
    }
}

#[async_trait]
impl RunReader for Runs {
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>> {
        self.faults
            .around("runs.load", || {
                let model = lock(&self.model);
                let commits = model.runs.get(run_id).map(|run| run.commits.as_slice()).unwrap_or_default();
                commits.iter().filter(|commit| commit.first_seq > after).cloned().collect()
            })
            .await
    }

    async fn stored(&self, run_id: &RunId) -> Result<Vec<StoredCommit>> {
        self.faults
            .around("runs.stored", || {
                let model = lock(&self.model);
                let commits = model.runs.get(run_id).map(|run| run.commits.as_slice()).unwrap_or_default();
                commits.iter().map(StoredCommit::from).collect()
            })
            .await
    }

    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>> {
        self.faults.around("runs.head", || lock(&self.model).runs.get(run_id).map(|run| run.head.clone())).await
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<String>> {
        self.faults.around("runs.plan", || lock(&self.model).plans.get(digest).map(|(plan, _)| plan.clone())).await
    }

    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>> {
        let fits = |head: &&RunHead| !head.status.is_terminal() && head.incident_id.starts_with(prefix);
        self.faults
            .around("runs.live_of_incidents", || {
                let model = lock(&self.model);
                model.runs.values().map(|run| &run.head).filter(fits).map(|head| head.run_id.clone()).collect()
            })
            .await
    }

    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        let before = cursor.map(|cursor| filter.parse_cursor("runs.list", cursor)).transpose()?;
        let lags = self.faults.lags("runs.list");
        self.faults.around("runs.list", || lock(&self.model).list(filter, limit, before.as_ref(), lags)).await
    }
}

impl Runs {
    /// As [`RunLog::create`], as a part of something larger.
    pub(super) fn create_now(&self, run: &NewRun) -> Created {
        lock(&self.model).create(run)
    }

    /// As [`RunLog::append`] or [`RunLog::admit`], as a part of something larger.
    pub(super) fn append_now(&self, append: Append<'_>) -> Admitted {
        let Append { commit, head, concurrency_key, room } = append;
        let mut model = lock(&self.model);
        match room {
            Some(room) => model.admit(commit, head, room),
            None => Admitted::Written(model.append(commit, head, concurrency_key)),
        }
    }
}

#[async_trait]
impl RunLog for Runs {
    async fn create(&self, run: &NewRun) -> Result<Created> {
        self.faults.around("runs.create", || lock(&self.model).create(run)).await
    }

    async fn remember(&self, input: &JoinedInput) -> Result<()> {
        self.faults.around("runs.remember", || lock(&self.model).remember(input)).await
    }

    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended> {
        self.faults.around("runs.append", || lock(&self.model).append(commit, head, concurrency_key)).await
    }

    async fn admit(&self, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted> {
        self.faults.around("runs.admit", || lock(&self.model).admit(commit, head, room)).await
    }

    async fn occupancy(&self, _now: Timestamp) -> Result<Occupancy> {
        self.faults.around("runs.occupancy", || lock(&self.model).occupancy()).await
    }

    async fn put_plan(&self, digest: &Digest, plan: &str, keep_until: Timestamp) -> Result<()> {
        self.faults
            .around("runs.put_plan", || {
                let mut model = lock(&self.model);
                let stored = model.plans.entry(digest.clone()).or_insert_with(|| (plan.to_owned(), keep_until));
                stored.1 = stored.1.max(keep_until);
            })
            .await
    }
}
