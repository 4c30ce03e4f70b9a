//! The load: incidents at a steady rate, each sent until it is taken; some of them again, and now and then a message that nobody can read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heal_runtime::port::{Message, QueueName};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::home::Home;
use crate::random::Random;
use crate::signal::sent;
use crate::world::{World, id_of};

/// In the text of every message that nobody can read.
pub(crate) const UNREADABLE: &str = "nobody-can-read-this";
/// Incidents that are sent once more, in percent, and unreadable messages for a hundred incidents.
const AGAIN_PERCENT: u64 = 20;
const UNREADABLE_PERCENT: u64 = 1;
/// How late a message comes again, at most.
const AGAIN_MS: u64 = 60_000;
/// The pause before a message is sent again that was not taken.
const PAUSE: Duration = Duration::from_millis(300);
/// The part of the seed that decides what is sent again.
const PART: u64 = 2;

/// What was sent.
#[derive(Debug, Default)]
pub(crate) struct Load {
    sent: Mutex<Sent>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    /// Incidents that were taken.
    pub incidents: BTreeSet<String>,
    pub unreadable: usize,
    /// Messages that were sent once more, although they had been taken.
    pub again: usize,
}

impl Load {
    pub(crate) fn sent(&self) -> Sent {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends until `stops`, and then what is not taken yet.
    pub(crate) async fn run(
        self: Arc<Self>,
        home: Arc<Home>,
        world: World,
        interval: Duration,
        mut stops: watch::Receiver<bool>,
    ) {
        let mut random = Random::of(world.seed, PART);
        let (started, mut deliveries) = (Instant::now(), JoinSet::new());
        for number in 0_u32.. {
            let due = tokio::time::sleep_until(started + interval * number);
            tokio::select! {
                () = sent(&mut stops) => break,
                () = due => {}
            }
            let extras = Extras {
                at_once: random.percent(AGAIN_PERCENT / 2),
                later_ms: random.percent(AGAIN_PERCENT / 2).then(|| random.below(AGAIN_MS)),
                unreadable: random.percent(UNREADABLE_PERCENT),
            };
            let (load, home) = (Arc::clone(&self), Arc::clone(&home));
            deliveries.spawn(async move { load.deliver(&home, world, u64::from(number), extras).await });
            while deliveries.try_join_next().is_some() {}
        }
        deliveries.join_all().await;
    }

    async fn deliver(&self, home: &Home, world: World, number: u64, extras: Extras) {
        let incident = world.incident(number);
        taken(home, &incident).await;
        self.note(|sent| sent.incidents.insert(id_of(number)));
        if extras.at_once {
            taken(home, &incident).await;
            self.note(|sent| sent.again += 1);
        }
        // A message that its queue holds back for a while, as a late delivery is.
        let later = extras.later_ms.map(|delay_ms| (incident.to_string(), delay_ms));
        let unreadable = extras.unreadable.then(|| (format!("{{\"{UNREADABLE}\": {number}"), 0));
        let (is_again, is_unreadable) = (later.is_some(), unreadable.is_some());
        for (body, delay_ms) in later.into_iter().chain(unreadable) {
            let message = Message { queue: QueueName::Incidents, body, delay_ms, traceparent: None };
            while home.sender().send(vec![message.clone()]).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.note(|sent| {
            sent.again += usize::from(is_again);
            sent.unreadable += usize::from(is_unreadable);
        });
    }

    fn note<T>(&self, change: impl FnOnce(&mut Sent) -> T) {
        let _ = change(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What is sent besides an incident.
#[derive(Debug, Clone, Copy)]
struct Extras {
    at_once: bool,
    later_ms: Option<u64>,
    unreadable: bool,
}

async fn taken(home: &Home, incident: &Value) {
    while !home.accepts(incident).await {
        tokio::time::sleep(PAUSE).await;
    }
}
