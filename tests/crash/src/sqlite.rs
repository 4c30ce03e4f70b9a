//! A process over a SQLite file: its ports behind a gate, here claims, queues and settlements.

mod rows;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use heal_embedded::{Location, Store};
use heal_runtime::host::Host;
use heal_runtime::port::{
    Admitted, Append, AttemptSettlement, BudgetKey, ClaimEnd, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Created,
    DeadLetter, DeadLetters, Delivery, Finish, LeaseOwner, Message, NewRun, Peeked, QueueName, Receiver, Reservation,
    Result, Sender, SettleOutcome, Settlement, Settles, Written,
};
use heal_runtime::{AttemptResult, Timestamp};
use heal_wiring::Ports;
use serde_json::Value;

use crate::gate::Gate;
use crate::process::{Process, Site, Sweep, workers};

/// Opens the state file, and takes over what a dead process left. It settles turn, claim and messages in one transaction if `at_once`, as
/// `heal serve` does, otherwise one after the other.
pub(crate) async fn start(site: &Site, path: &Path, gate: Arc<Gate>, at_once: bool) -> Process {
    let store = Store::open(Location::File(path.to_owned()), site.clock.clone()).unwrap();
    store.recover().await.unwrap();
    let gated = Gated { store: store.clone(), gate: Arc::clone(&gate) };
    let ports = site.ports(Ports::new(&gated, &gated));
    let workers = workers(&ports, site).await;
    let dispatcher = ports.dispatcher(Arc::clone(&site.library));
    let host = Host::new(dispatcher, workers, Arc::new(gated.clone()), Arc::clone(&ports.due_runs));
    let host = if at_once { host.settling(Arc::new(gated)) } else { host };
    let sender = Arc::new(store.clone());
    Process { runs: Arc::new(store.clone()), sender, gate, host, sweep: Sweep::EachRound(store) }
}

/// A store whose process may die at any call. A call that only reads is no crash point: nothing has changed since the one before.
#[derive(Clone)]
pub struct Gated {
    pub store: Store,
    pub gate: Arc<Gate>,
}

#[async_trait]
impl ClaimStore for Gated {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        ClaimStore::last_touched(&self.store, keys, attempt).await
    }

    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked> {
        ClaimStore::peek(&self.store, cooldowns, budgets).await
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        self.gate.around("claims.reserve", ClaimStore::reserve(&self.store, request)).await
    }

    async fn secure(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp) -> Result<Finish> {
        self.gate.around("claims.secure", ClaimStore::secure(&self.store, key, holder, now)).await
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        self.gate.around("claims.intend", ClaimStore::intend(&self.store, key, holder, now, intent)).await
    }

    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>> {
        ClaimStore::intent(&self.store, key).await
    }

    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish> {
        self.gate
            .around("claims.finish", ClaimStore::finish(&self.store, key, holder, now, result, proven_not_applied))
            .await
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        self.gate.around("claims.release", ClaimStore::release(&self.store, key, holder)).await
    }
}

#[async_trait]
impl Sender for Gated {
    async fn send(&self, messages: Vec<Message>) -> Result<()> {
        self.gate.around("queue.send", Sender::send(&self.store, messages)).await
    }
}

#[async_trait]
impl Receiver for Gated {
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>> {
        let deliveries = Receiver::receive(&self.store, queue, max, visibility_ms).await?;
        if !deliveries.is_empty() {
            self.gate.after("queue.receive").await;
        }
        Ok(deliveries)
    }

    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()> {
        self.gate.around("queue.acknowledge", Receiver::acknowledge(&self.store, receipts)).await
    }

    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()> {
        self.gate.around("queue.nack", Receiver::nack(&self.store, receipt, delay_ms)).await
    }

    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()> {
        self.gate.around("queue.dead_letter", Receiver::dead_letter(&self.store, receipt, reason)).await
    }

    async fn wait(&self, queue: &QueueName) {
        Receiver::wait(&self.store, queue).await;
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        Receiver::dead_letters(&self.store, limit).await
    }

    async fn redrive(&self, message_id: &str) -> Result<bool> {
        self.gate.around("queue.redrive", Receiver::redrive(&self.store, message_id)).await
    }
}

#[async_trait]
impl DeadLetters for Gated {
    async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        DeadLetters::list(&self.store, limit).await
    }

    async fn put_back(&self, message_ids: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        self.gate.around("dead.put_back", DeadLetters::put_back(&self.store, message_ids)).await
    }
}

#[async_trait]
impl Settlement for Gated {
    async fn create(&self, run: &NewRun, settles: Settles) -> Result<Written<Created>> {
        self.gate.around("settlement.create", Settlement::create(&self.store, run, settles)).await
    }

    async fn append(&self, append: Append<'_>, settles: Settles) -> Result<Written<Admitted>> {
        self.gate.around("settlement.append", Settlement::append(&self.store, append, settles)).await
    }
}

#[async_trait]
impl AttemptSettlement for Gated {
    async fn append(&self, append: Append<'_>, claim: Option<&ClaimEnd>, settles: Settles) -> Result<SettleOutcome> {
        self.gate.around("attempts.append", AttemptSettlement::append(&self.store, append, claim, settles)).await
    }

    async fn settle(&self, claim: Option<&ClaimEnd>, settles: Settles) -> Result<Finish> {
        self.gate.around("attempts.settle", AttemptSettlement::settle(&self.store, claim, settles)).await
    }
}
