//! The other ports behind the gate: runs, and the rows that people and clients change.

use async_trait::async_trait;
use heal_guard::{AutonomySetting, Halt};
use heal_runtime::port::{
    Admitted, Appended, AutonomyStore, BreakerRecord, BreakerStore, CheckStore, Created, DueRuns, JoinedInput,
    LiveRuns, NewRun, Occupancy, Page, Result, Room, RunFilter, RunHead, RunLog, RunReader, Switches,
};
use heal_runtime::{Commit, Digest, RunId, Seq, StoredCommit, Timestamp};

use super::Gated;

#[async_trait]
impl AutonomyStore for Gated {
    async fn setting(&self, playbook: &str) -> Result<Option<AutonomySetting>> {
        AutonomyStore::setting(&self.store, playbook).await
    }

    async fn settings(&self) -> Result<Vec<AutonomySetting>> {
        AutonomyStore::settings(&self.store).await
    }

    async fn set(&self, setting: &AutonomySetting) -> Result<()> {
        self.gate.around("autonomy.set", AutonomyStore::set(&self.store, setting)).await
    }

    async fn replace(&self, setting: &AutonomySetting, before: Option<Timestamp>) -> Result<bool> {
        self.gate.around("autonomy.replace", AutonomyStore::replace(&self.store, setting, before)).await
    }
}

#[async_trait]
impl BreakerStore for Gated {
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>> {
        BreakerStore::read(&self.store, service).await
    }

    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool> {
        self.gate.around("breaker.open", BreakerStore::open(&self.store, service, opened_at, open_until)).await
    }

    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        self.gate.around("breaker.take_trial", BreakerStore::take_trial(&self.store, service, holder, now, until)).await
    }

    async fn release_trial(&self, service: &str, holder: &str) -> Result<bool> {
        self.gate.around("breaker.release_trial", BreakerStore::release_trial(&self.store, service, holder)).await
    }

    async fn close(&self, service: &str) -> Result<()> {
        self.gate.around("breaker.close", BreakerStore::close(&self.store, service)).await
    }
}

#[async_trait]
impl CheckStore for Gated {
    async fn load(&self, name: &str) -> Result<Option<(u64, String)>> {
        CheckStore::load(&self.store, name).await
    }

    async fn store(&self, name: &str, expected_version: u64, json: &str) -> Result<bool> {
        self.gate.around("checks.store", CheckStore::store(&self.store, name, expected_version, json)).await
    }
}

#[async_trait]
impl Switches for Gated {
    async fn halts(&self) -> Result<Vec<Halt>> {
        Switches::halts(&self.store).await
    }

    async fn halt(&self, halt: &Halt) -> Result<bool> {
        self.gate.around("switches.halt", Switches::halt(&self.store, halt)).await
    }

    async fn prolong(&self, halt: &Halt) -> Result<bool> {
        self.gate.around("switches.prolong", Switches::prolong(&self.store, halt)).await
    }

    async fn put_right(&self, halt: &Halt, was: Timestamp) -> Result<bool> {
        self.gate.around("switches.put_right", Switches::put_right(&self.store, halt, was)).await
    }

    async fn resume(&self, id: &str, at: Timestamp) -> Result<bool> {
        self.gate.around("switches.resume", Switches::resume(&self.store, id, at)).await
    }
}

#[async_trait]
impl RunReader for Gated {
    async fn load(&self, run_id: &RunId, after: Seq) -> Result<Vec<Commit>> {
        RunReader::load(&self.store, run_id, after).await
    }

    async fn stored(&self, run_id: &RunId) -> Result<Vec<StoredCommit>> {
        RunReader::stored(&self.store, run_id).await
    }

    async fn head(&self, run_id: &RunId) -> Result<Option<RunHead>> {
        RunReader::head(&self.store, run_id).await
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<String>> {
        RunReader::plan(&self.store, digest).await
    }

    async fn live_of_incidents(&self, prefix: &str) -> Result<Vec<RunId>> {
        RunReader::live_of_incidents(&self.store, prefix).await
    }

    async fn list(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        RunReader::list(&self.store, filter, limit, cursor).await
    }
}

#[async_trait]
impl RunLog for Gated {
    async fn create(&self, run: &NewRun) -> Result<Created> {
        self.gate.around("runs.create", RunLog::create(&self.store, run)).await
    }

    async fn remember(&self, input: &JoinedInput) -> Result<()> {
        self.gate.around("runs.remember", RunLog::remember(&self.store, input)).await
    }

    async fn admit(&self, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted> {
        self.gate.around("runs.admit", RunLog::admit(&self.store, commit, head, room)).await
    }

    async fn occupancy(&self, now: Timestamp) -> Result<Occupancy> {
        RunLog::occupancy(&self.store, now).await
    }

    async fn append(&self, commit: &Commit, head: &RunHead, concurrency_key: Option<&str>) -> Result<Appended> {
        self.gate.around("runs.append", RunLog::append(&self.store, commit, head, concurrency_key)).await
    }

    async fn put_plan(&self, digest: &Digest, plan: &str, keep_until: Timestamp) -> Result<()> {
        self.gate.around("runs.put_plan", RunLog::put_plan(&self.store, digest, plan, keep_until)).await
    }
}

#[async_trait]
impl DueRuns for Gated {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RunId>> {
        DueRuns::due(&self.store, now, limit).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        DueRuns::next_due(&self.store).await
    }

    async fn held_by_others(&self, halts: &[String], limit: usize) -> Result<Vec<RunId>> {
        DueRuns::held_by_others(&self.store, halts, limit).await
    }

    async fn count_held(&self) -> Result<u64> {
        DueRuns::count_held(&self.store).await
    }

    async fn count_live(&self) -> Result<LiveRuns> {
        DueRuns::count_live(&self.store).await
    }
}
