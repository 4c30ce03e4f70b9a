//! What a run writes: the number of transactions with a change, which is the number of disk syncs, and their bytes.
//!
//! Counted in the write-ahead log itself: a frame that ends a transaction names the size of the database after it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heal_embedded::{Location, Store};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Message, OsEntropy, QueueName, RunFilter, RunReader, Sender, SystemClock};
use heal_runtime::{RunStatus, Safety};
use heal_testkit::scripted;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes before the first frame of a write-ahead log, and before the page of each frame.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Runs that are counted, one after another.
const RUNS: u64 = 5;
/// Syncs of a run beside its steps: the incident, and the run's start. Its end comes with its last step.
const ACCEPTANCE: u64 = 2;
/// Syncs of a step that changes something: the claim with what it reserves, and the end.
const CHANGE: u64 = 2;
/// Syncs of a step that only reads.
const LOOK: u64 = 1;
/// Syncs more of a run whose steps end side by side, on a busy machine.
const ALONE: u64 = 2;
/// Kilobytes that a run of four steps may write to the log.
const KILOBYTES: u64 = 64;

/// The transactions in the log, and its bytes.
fn written(database: &Path) -> (u64, u64) {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let log = std::fs::read(PathBuf::from(log)).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let page = usize::try_from(number(8)).unwrap();
    let frames = (LOG_HEADER..log.len()).step_by(FRAME_HEADER + page);
    let commits = frames.filter(|frame| number(frame + 4) > 0).count();
    (u64::try_from(commits).unwrap(), u64::try_from(log.len()).unwrap())
}

struct Engine {
    store: Store,
    stop: watch::Sender<bool>,
    host: JoinHandle<()>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn step(name: &str, needs: &[&str], kind: &str, safety: &str) -> Value {
    json!({
        "name": name, "type": kind, "needs": needs, "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60},
        "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip", "safety": safety,
        "parameters": {"ticket_id": "{{ incident_id }}"},
    })
}

impl Engine {
    fn new(actions: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heal.db");
        let clock = Arc::new(SystemClock);
        let store = Store::open(Location::File(path.clone()), clock.clone()).unwrap();
        let playbook = json!({
            "name": "counted", "description": "", "timeout_seconds": 3_600, "triggers": [{"incident_type": "COUNTED"}],
            "actions": actions, "verify": [],
        });
        let library = Library::new([serde_json::from_value(playbook).unwrap()]).unwrap();
        let shared = Arc::new(store.clone());
        let ports = dispatcher::Ports {
            runs: shared.clone(),
            halts: heal_testkit::memory::no_halts(),
            sender: shared.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        let worker = |name, safety| {
            scripted::worker_of(name, safety, shared.clone(), shared.clone(), clock.clone(), |_| json!({"ready": true}))
        };
        // One change with a cooldown and one without, and one that only reads.
        let workers = [
            worker("reallocate_ticket", Safety::Idempotent),
            worker("change", Safety::Idempotent),
            worker("look", Safety::ReadOnly),
        ];
        let host = Host::new(Dispatcher::new(ports, Arc::new(library)), workers, shared.clone(), shared.clone());
        let (stop, stopped) = watch::channel(false);
        let host = tokio::spawn(host.settling(shared).run(stopped));
        Self { store, stop, host, path, _folder: folder }
    }

    /// One run, from its incident to its end.
    async fn heal(&self, number: u64) {
        let body = json!({"incident_id": format!("incident-{number}"), "incident_type": "COUNTED"}).to_string();
        let incident = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
        self.store.send(vec![incident]).await.unwrap();
        let completed = RunFilter { status: Some(RunStatus::Completed), ..RunFilter::default() };
        while (self.store.list(&completed, 100, None).await.unwrap().runs.len() as u64) < number {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until every message is acknowledged: then nothing is left to write.
    async fn quiet(&self) {
        let connection = rusqlite::Connection::open(&self.path).unwrap();
        let messages = || connection.query_row("SELECT count(*) FROM message", [], |row| row.get::<_, i64>(0)).unwrap();
        while messages() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Transactions and bytes a run, after a first one that stores the plan.
    async fn count(self) -> (u64, u64) {
        self.heal(1).await;
        self.quiet().await;
        let before = written(&self.path);
        for number in 2..2 + RUNS {
            self.heal(number).await;
        }
        self.quiet().await;
        let after = written(&self.path);
        self.stop.send(true).unwrap();
        self.host.await.unwrap();
        (after.0 - before.0, (after.1 - before.1) / RUNS)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_four_steps_syncs_the_disk_no_more_than_it_must() {
    let steps = json!([
        step("a", &[], "look", "read_only"),
        step("b", &["a"], "reallocate_ticket", "idempotent"),
        step("c", &["b"], "change", "idempotent"),
        step("d", &["c"], "look", "read_only"),
    ]);
    let (syncs, bytes) = Engine::new(&steps).count().await;
    assert_eq!(syncs, RUNS * (ACCEPTANCE + 2 * CHANGE + 2 * LOOK), "of {RUNS} runs, each {bytes} bytes");
    assert!(bytes < KILOBYTES * 1_024, "{bytes} bytes a run");
}

/// Steps that end together are taken together: their results go over the queue, which would be 2 syncs a step if none were shared. On a busy machine
/// one or two of eight come alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_side_by_side_share_their_syncs() {
    let steps: Vec<Value> = (0..8).map(|index| step(&format!("s{index}"), &[], "look", "read_only")).collect();
    let (syncs, _) = Engine::new(&json!(steps)).count().await;
    assert!(syncs <= RUNS * (ACCEPTANCE + 8 * LOOK + ALONE), "{syncs} syncs of {RUNS} runs");
}
