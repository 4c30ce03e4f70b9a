//! Deliveries in hand. A state file has one owner, so its deliveries are leased in memory: whatever is not settled when the owner dies is
//! due again at once, and a receipt of an earlier life names nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use heal_runtime::Timestamp;

use super::hand::{Hand, Survivors};
use super::settle::Receipt;

/// How the names of the actions' queues begin.
const OF_ACTIONS: &str = "action-";

/// The leases of one process.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Names this process's life in its receipts.
    life: OnceLock<String>,
    state: Mutex<State>,
    in_hand: InHand,
}

/// How many commands are in hand: attempts that work side by side. Incidents and results are taken one after the other, whatever number is in hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct InHand(Arc<AtomicUsize>);

impl InHand {
    #[cfg(test)]
    pub(crate) fn of(count: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(count)))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct State {
    queues: HashMap<String, BTreeMap<i64, Lease>>,
    hand: Hand,
}

/// One delivery, until it is settled or its message is delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub turn: i64,
    pub receive_count: u32,
    /// From then on the message may be delivered again; the receipt stays current until it is.
    pub visible_at: Timestamp,
}

/// The messages of a queue as a receiver or waiter has to see them.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// Not to be delivered now.
    pub hidden: BTreeSet<i64>,
    /// Leased, and visible again.
    pub expired: BTreeMap<i64, Lease>,
    /// When the first lease ends that has not.
    pub next_visible: Option<Timestamp>,
    /// Messages that may have killed earlier processes: one of them is delivered at a time.
    pub suspects: BTreeSet<i64>,
}

impl Leases {
    /// The name of this life; `fresh` is used if it has none yet.
    pub(super) fn name_life(&self, fresh: String) -> &str {
        self.life.get_or_init(|| fresh)
    }

    /// The name of this life, if it has one already.
    pub(super) fn known_life(&self) -> Option<&str> {
        self.life.get().map(String::as_str)
    }

    pub(super) fn view(&self, queue: &str, now: Timestamp) -> View {
        let state = self.lock();
        let suspects = state.hand.suspects();
        let mut view = View::default();
        if suspects.iter().any(|id| state.is_leased(*id)) {
            view.hidden.clone_from(&suspects);
        }
        for (id, lease) in state.queues.get(queue).into_iter().flatten() {
            if lease.visible_at > now {
                view.hidden.insert(*id);
                view.next_visible = view.next_visible.into_iter().chain([lease.visible_at]).min();
            } else {
                view.hidden.remove(id);
                view.expired.insert(*id, *lease);
            }
        }
        view.suspects = suspects;
        view
    }

    /// Whether the lease of a message of `queue` has expired.
    pub(super) fn is_expired(&self, queue: &str, now: Timestamp) -> bool {
        self.next_visible(queue).is_some_and(|visible_at| visible_at <= now)
    }

    /// When the first lease of `queue` ends.
    pub(super) fn next_visible(&self, queue: &str) -> Option<Timestamp> {
        self.lock().queues.get(queue)?.values().map(|lease| lease.visible_at).min()
    }

    /// Leases a message, unless the lease that `view` found expired was settled since, or another suspect is in hand.
    pub(super) fn grant(&self, queue: &str, id: i64, lease: Lease, view: &View) -> bool {
        let mut state = self.lock();
        let is_other = |other: &i64| *other != id && state.is_leased(*other);
        if view.suspects.contains(&id) && view.suspects.iter().any(is_other) {
            return false;
        }
        let leases = state.queues.entry(queue.to_owned()).or_default();
        if view.expired.get(&id) != leases.get(&id) {
            return false;
        }
        leases.insert(id, lease);
        self.count(&state);
        true
    }

    /// Notes the granted messages for the next life, before anybody handles them.
    pub(super) fn note(&self, ids: &[i64]) {
        self.lock().hand.take(ids);
    }

    /// The receipts among `texts` that are current, each with its lease.
    pub(crate) fn current(&self, texts: &[String]) -> Vec<(Receipt, Lease)> {
        let Some(life) = self.life.get() else { return Vec::new() };
        let state = self.lock();
        let lease = |receipt: &Receipt| {
            let lease = state.queues.values().find_map(|leases| leases.get(&receipt.id))?;
            (lease.turn == receipt.turn).then_some(*lease)
        };
        let receipts = texts.iter().filter_map(|text| Receipt::parse(text, life));
        receipts.filter_map(|receipt| lease(&receipt).map(|lease| (receipt, lease))).collect()
    }

    /// The messages are handled: nothing of them is left.
    pub(crate) fn settled(&self, receipts: &[Receipt]) {
        let mut state = self.lock();
        state.end(receipts);
        self.count(&state);
        state.hand.settle(receipts.iter().map(|receipt| receipt.id));
    }

    /// The messages are back on their queues.
    pub(super) fn returned(&self, receipts: &[Receipt]) {
        let mut state = self.lock();
        state.end(receipts);
        self.count(&state);
        state.hand.put_back(receipts.iter().map(|receipt| receipt.id));
    }

    /// Starts the record of what is in hand at `path`, and returns what an earlier life left there.
    pub(crate) fn keep_record(&self, path: &Path) -> Survivors {
        self.lock().hand.open(path)
    }

    /// Forgets messages that are gone.
    pub(crate) fn forget(&self, ids: &[i64]) {
        self.lock().hand.settle(ids.iter().copied());
    }

    pub(crate) fn in_hand(&self) -> InHand {
        self.in_hand.clone()
    }

    fn count(&self, state: &State) {
        let commands = state.queues.iter().filter(|(queue, _)| queue.starts_with(OF_ACTIONS));
        self.in_hand.0.store(commands.map(|(_, leases)| leases.len()).sum(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_leased(&self, id: i64) -> bool {
        self.queues.values().any(|leases| leases.contains_key(&id))
    }

    fn end(&mut self, receipts: &[Receipt]) {
        for leases in self.queues.values_mut() {
            for receipt in receipts {
                if leases.get(&receipt.id).is_some_and(|lease| lease.turn == receipt.turn) {
                    leases.remove(&receipt.id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::QueueName;

    use super::*;

    #[test]
    fn a_command_in_hand_is_counted_until_it_is_settled_or_back_on_its_queue() {
        let leases = Leases::default();
        let in_hand = leases.in_hand();
        let lease = Lease { turn: 1, receive_count: 1, visible_at: Timestamp(9) };
        let look = QueueName::Action("look".to_owned()).to_string();
        for (queue, id) in [(look.as_str(), 1), ("action-restart_pod", 2), (&look, 3), ("incidents", 4), ("results", 5)]
        {
            assert!(leases.grant(queue, id, lease, &View::default()));
        }
        assert_eq!(in_hand.count(), 3);
        leases.settled(&[Receipt { id: 2, turn: 1 }, Receipt { id: 3, turn: 2 }]);
        assert_eq!(in_hand.count(), 2, "the third was delivered once");
        leases.returned(&[Receipt { id: 1, turn: 1 }]);
        assert_eq!(in_hand.count(), 1);
    }
}
