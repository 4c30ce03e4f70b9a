//! The event log in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::port::{
    Admitted, Append, Appended, Created, DueRuns, LiveRuns, NewRun, Occupancy, Page, Position, RepeatCounter, Result,
    Room, RunFilter, RunHead, RunLog, RunReader, WaitingRun, place,
};
use heal_runtime::{Commit, Digest, RunId, RunStatus, Seq, StoredCommit, Timestamp};

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
    repeats: BTreeMap<String, RepeatCounter>,
    /// Each plan, and until when it has to be kept.
    plans: BTreeMap<Digest, (String, Timestamp)>,
}

#[derive(Debug)]
struct Run {
    head: RunHead,
    commits: Vec<Commit>,
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
        self.runs.insert(run_id.clone(), Run { head, commits, takes_room });
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
            subject: run.head.subject.clone(),
            ..head.clone()
        };
        run.takes_room &= !head.status.is_terminal();
        if let Some(key) = concurrency_key
            && head.status.is_terminal()
            && self.concurrency.get(key) == Some(&commit.run_id)
        {
            self.concurrency.remove(key);
        }
        Appended::Appended
    }

    fn list(&self, filter: &RunFilter, limit: usize, before: Option<&Position>) -> Page {
        let heads = self.runs.values().map(|run| (filter.position(&run.head), &run.head));
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

    /// Until when the plan has to be kept; `None` for a plan that was never stored.
    pub fn plan_kept_until(&self, digest: &Digest) -> Option<Timestamp> {
        lock(&self.model).plans.get(digest).map(|(_, keep_until)| *keep_until)
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

    async fn stored(&self, run_id: &RunId) -> Result<Vec<StoredCommit>> {
        self.faults.around("runs.stored", || {
            let model = lock(&self.model);
            let commits = model.runs.get(run_id).map(|run| run.commits.as_slice()).unwrap_or_default();
            commits.iter().map(StoredCommit::from).collect()
        })
    }

    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>> {
        self.faults.around("runs.head", || lock(&self.model).runs.get(run_id).map(|run| run.head.clone()))
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<String>> {
        self.faults.around("runs.plan", || lock(&self.model).plans.get(digest).map(|(plan, _)| plan.clone()))
    }

    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>> {
        let fits = |head: &&RunHead| !head.status.is_terminal() && head.incident_id.starts_with(prefix);
        self.faults.around("runs.live_of_incidents", || {
            let model = lock(&self.model);
            model.runs.values().map(|run| &run.head).filter(fits).map(|head| head.run_id.clone()).collect()
        })
    }

    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        let before = cursor.map(|cursor| filter.parse_cursor("runs.list", cursor)).transpose()?;
        self.faults.around("runs.list", || lock(&self.model).list(filter, limit, before.as_ref()))
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
        self.faults.around("runs.create", || lock(&self.model).create(run))
    }

    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended> {
        self.faults.around("runs.append", || lock(&self.model).append(commit, head, concurrency_key))
    }

    async fn admit(&self, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted> {
        self.faults.around("runs.admit", || lock(&self.model).admit(commit, head, room))
    }

    async fn occupancy(&self, _now: Timestamp) -> Result<Occupancy> {
        self.faults.around("runs.occupancy", || lock(&self.model).occupancy())
    }

    async fn put_plan(&self, digest: &Digest, plan: &str, keep_until: Timestamp) -> Result<()> {
        self.faults.around("runs.put_plan", || {
            let mut model = lock(&self.model);
            let stored = model.plans.entry(digest.clone()).or_insert_with(|| (plan.to_owned(), keep_until));
            stored.1 = stored.1.max(keep_until);
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

    async fn held_by_others(&self, halts: &[String], limit: usize) -> Result<Vec<RunId>> {
        self.faults.around("runs.held_by_others", || {
            let model = lock(&self.model);
            let live = model.runs.values().map(|run| &run.head).filter(|head| !head.status.is_terminal());
            let is_released = |head: &&RunHead| {
                head.held_by_halt().is_some_and(|holder| halts.iter().all(|halt| halt.as_str() != holder))
            };
            live.filter(is_released).take(limit).map(|head| head.run_id.clone()).collect()
        })
    }

    async fn count_held(&self) -> Result<u64> {
        let is_held = |run: &&Run| !run.head.status.is_terminal() && run.head.held_by.is_some();
        self.faults.around("runs.count_held", || lock(&self.model).runs.values().filter(is_held).count() as u64)
    }

    async fn count_live(&self) -> Result<LiveRuns> {
        self.faults.around("runs.count_live", || {
            let model = lock(&self.model);
            let live = model.runs.values().map(|run| run.head.status).filter(|status| !status.is_terminal());
            let awaiting = live.clone().filter(|status| *status == RunStatus::AwaitingApproval);
            let waiting = || model.runs.values().filter(|run| run.waits());
            LiveRuns {
                active: live.count() as u64,
                awaiting_approval: awaiting.count() as u64,
                waiting: waiting().count() as u64,
                waiting_since: waiting().map(|run| run.head.started_at).min(),
            }
        })
    }
}
