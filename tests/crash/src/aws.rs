//! Processes over DynamoDB and SQS: the table is on the local AWS, the queues are played in the test's own time, and every request of a
//! process passes a gate.

mod front;
mod mapping;
mod sqs;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use heal_aws::{QueueUrls, Queues, Store};
use heal_runtime::Timestamp;
use heal_runtime::host::Host;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Clock, DueRuns as _, Message, QueueName, Result, Sender as _};
use heal_stack::{ACCOUNT, MiniStack, table};
use heal_testkit::memory::{self, Faults, ManualClock};
use heal_wiring::Ports;
use serde_json::json;

use crate::gate::Gate;
use crate::process::{Process, Site, Sweep, workers};
use front::Front;
use mapping::Mapping;

/// How often the schedule of the template ticks.
const TICK_MS: u64 = 60_000;

/// The table and the queues of one life.
pub struct Account {
    /// Past the gate.
    store: Store,
    queues: Arc<memory::Queues>,
    client: reqwest::Client,
    /// The minute of the last tick of the schedule.
    ticked: AtomicU64,
    /// Requests that no function should have made.
    surprises: Mutex<Vec<String>>,
}

impl Account {
    /// A new table on the shared local AWS, and empty queues.
    pub async fn open(clock: Arc<ManualClock>) -> Self {
        Self {
            store: table::empty(MiniStack::shared()).await,
            ticked: AtomicU64::new(clock.now().0 / TICK_MS),
            queues: Arc::new(memory::Queues::new(clock, Faults::default())),
            client: reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().unwrap(),
            surprises: Mutex::default(),
        }
    }

    fn note_surprise(&self, request: String) {
        self.surprises.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    /// Deletes the table.
    ///
    /// # Panics
    /// A function made a request that it should not have made.
    pub async fn close(&self) {
        let surprises = std::mem::take(&mut *self.surprises.lock().unwrap_or_else(PoisonError::into_inner));
        assert!(surprises.is_empty(), "{surprises:#?}");
        let table = json!({"TableName": self.store.table()});
        table::call(MiniStack::shared(), "DynamoDB_20120810.DeleteTable", &table).await;
    }
}

/// Starts every function. The dispatcher, the workers and the schedule have a store each, so that none sees what another one caches.
pub(crate) async fn start(site: &Site, account: &Arc<Account>, gate: Arc<Gate>) -> Process {
    let front = Front::start(Arc::clone(account), Arc::clone(&gate)).await;
    let session = table::session_at(&front.url).await;
    let store = || Store::new(&session, account.store.table()).unwrap();
    let prefix = format!("{}/{ACCOUNT}/heal-", front.url);
    let queues = || Queues::new(&session, QueueUrls::parse("prefix", &prefix).unwrap()).unwrap();
    let dispatcher = site.ports(Ports::new(&store(), &queues())).dispatcher(Arc::clone(&site.library));
    let workers = workers(&site.ports(Ports::new(&store(), &queues())), site).await;
    let mapping = Mapping::new(Arc::clone(&account.queues), queues());
    let (store, clock) = (store(), site.clock.clone());
    let host = Host::new(dispatcher, workers, Arc::new(mapping), Arc::new(store.clone()));
    let schedule = Schedule { store, queues: queues(), clock, account: Arc::clone(account), _front: front };
    let (runs, sender) = (Arc::new(account.store.clone()), Arc::clone(&account.queues));
    Process { runs, sender, gate, host, sweep: Sweep::EachMinute(schedule) }
}

/// The function on a schedule, as far as it continues overdue runs.
pub(crate) struct Schedule {
    store: Store,
    queues: Queues,
    clock: Arc<ManualClock>,
    account: Arc<Account>,
    /// Closed with the process.
    _front: Front,
}

impl Schedule {
    /// Wakes up to `limit` overdue runs if a minute has begun since the last tick, and returns their number. A tick that failed, such as on a
    /// slow machine, leaves them to the next one, as on AWS.
    pub async fn tick_if_due(&self, limit: usize) -> usize {
        let now = self.clock.now();
        let minute = now.0 / TICK_MS;
        if self.account.ticked.swap(minute, Ordering::SeqCst) == minute {
            return 0;
        }
        self.wake_due(now, limit).await.unwrap_or_else(|error| {
            println!("a tick failed: {error:?}");
            0
        })
    }

    async fn wake_due(&self, now: Timestamp, limit: usize) -> Result<usize> {
        let due = self.store.due(now, limit).await?;
        let wake = |run_id| Message {
            queue: QueueName::Results,
            body: Inbound::Wake { run_id }.to_body(),
            delay_ms: 0,
            traceparent: None,
        };
        let woken = due.len();
        if woken > 0 {
            self.queues.send(due.into_iter().map(wake).collect()).await?;
        }
        Ok(woken)
    }
}
