//! An engine over a fresh database, with one playbook and one action that does nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heal_embedded::{Location, Store};
use heal_runtime::RunStatus;
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Message, OsEntropy, QueueName, RunFilter, RunReader, Sender, SystemClock};
use heal_testkit::scripted;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Incidents are sent in batches of this many.
const BATCH: usize = 500;

pub struct Course {
    store: Store,
    stop: watch::Sender<bool>,
    host: JoinHandle<()>,
    sent: AtomicUsize,
    folder: TempDir,
}

fn step(name: &str, needs: &[String], more: &Value) -> Value {
    let mut step = json!({
        "name": name, "type": "nothing", "needs": needs, "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60},
        "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip", "safety": "idempotent",
        "parameters": {"ticket_id": "{{ incident_id }}"},
    });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

/// `steps` steps, each after the one before, with a condition on its output.
pub fn sequence(steps: usize) -> Vec<Value> {
    let one = |index: usize| {
        let needs: Vec<_> = (index > 0).then(|| format!("s{}", index - 1)).into_iter().collect();
        let condition = if index > 0 { json!({"condition": "{{ ready }}"}) } else { json!({}) };
        step(&format!("s{index}"), &needs, &condition)
    };
    (0..steps).map(one).collect()
}

/// A step that fans out over the incident's tickets.
pub fn fan(max_parallel: u32) -> Value {
    let more = json!({"for_each": {"items": "{{ tickets }}", "max_parallel": max_parallel}, "parameters": {"ticket_id": "{{ item }}"}});
    step("each", &[], &more)
}

impl Course {
    pub fn new(actions: &Value) -> Self {
        // Beside the build, so that it is a real disk: a temporary folder may be memory.
        let program = std::env::current_exe().unwrap();
        let folder = TempDir::new_in(program.parent().unwrap()).unwrap();
        let clock = Arc::new(SystemClock);
        let store = Store::open(Location::File(folder.path().join("bench.db")), clock.clone()).unwrap();
        let playbook = json!({
            "name": "bench", "description": "", "timeout_seconds": 86_400, "triggers": [{"incident_type": "BENCH"}],
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
        let worker = scripted::worker(
            "nothing",
            shared.clone(),
            shared.clone(),
            clock,
            |_| json!({"ready": true, "phase": "Running"}),
        );
        let host = Host::new(Dispatcher::new(ports, Arc::new(library)), [worker], shared.clone(), shared.clone());
        let host = host.settling(shared);
        let (stop, stopped) = watch::channel(false);
        let host = tokio::spawn(host.run(stopped));
        Self { store, stop, host, sent: AtomicUsize::new(0), folder }
    }

    /// Sends `runs` incidents, and says how long it took until all of their runs were completed.
    pub async fn heal(&self, runs: usize, variables: Value) -> Duration {
        let first = self.sent.fetch_add(runs, Ordering::SeqCst);
        let message = |index: usize| {
            let mut body = json!({"incident_id": format!("incident-{}", first + index), "incident_type": "BENCH"});
            body.as_object_mut().unwrap().extend(variables.as_object().unwrap().clone());
            Message { queue: QueueName::Incidents, body: body.to_string(), delay_ms: 0, traceparent: None }
        };
        let started = Instant::now();
        let messages: Vec<_> = (0..runs).map(message).collect();
        for batch in messages.chunks(BATCH) {
            self.store.send(batch.to_vec()).await.unwrap();
        }
        self.completed(first + runs).await;
        started.elapsed()
    }

    /// Heals `runs` incidents, `at_once` of them at any time: the next one is sent when one is healed.
    pub async fn heal_at_once(&self, at_once: usize, runs: usize) -> Duration {
        let first = self.sent.fetch_add(runs, Ordering::SeqCst);
        let counter = rusqlite::Connection::open(self.path()).unwrap();
        let ended = || {
            let sql = "SELECT count(*) FROM run WHERE live = 0 AND updated_at >= 0";
            usize::try_from(counter.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
        };
        let started = Instant::now();
        let (before, mut sent) = (ended(), 0);
        loop {
            let healed = ended() - before;
            if healed >= runs {
                return started.elapsed();
            }
            let next = (healed + at_once).min(runs);
            if next > sent {
                let message = |index: usize| {
                    let body = json!({"incident_id": format!("incident-{}", first + index), "incident_type": "BENCH"});
                    Message { queue: QueueName::Incidents, body: body.to_string(), delay_ms: 0, traceparent: None }
                };
                self.store.send((sent..next).map(message).collect()).await.unwrap();
                sent = next;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The state file.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("bench.db")
    }

    /// Waits until so many runs are completed; a run that ended otherwise is a fault of the benchmark.
    async fn completed(&self, runs: usize) {
        loop {
            let ended = self.ended(RunStatus::Completed, runs).await;
            assert_eq!(self.ended(RunStatus::Failed, 1).await, 0, "a run failed");
            if ended >= runs {
                return;
            }
            // To look at many is work that the engine would have to wait for.
            let left = runs - ended;
            tokio::time::sleep(Duration::from_millis(if left > 100 { 50 } else { 1 })).await;
        }
    }

    async fn ended(&self, status: RunStatus, limit: usize) -> usize {
        let filter = RunFilter { status: Some(status), ..RunFilter::default() };
        self.store.list(&filter, limit, None).await.unwrap().runs.len()
    }

    /// Bytes of the logs of all runs, as they are stored.
    pub async fn bytes(&self) -> usize {
        let mut bytes = 0;
        let runs = self.store.list(&RunFilter::default(), 1_000, None).await.unwrap().runs;
        for run in runs {
            let commits = self.store.load(&run.run_id, 0).await.unwrap();
            bytes += commits.iter().map(|commit| serde_json::to_string(&commit.events).unwrap().len()).sum::<usize>();
        }
        bytes
    }

    pub async fn end(self) {
        self.stop.send(true).unwrap();
        self.host.await.unwrap();
        drop(self.folder);
    }
}
