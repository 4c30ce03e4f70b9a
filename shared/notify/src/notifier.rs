//! The notifier: a message of the queue `notify` becomes notices, and each notice is told once to every channel that a route gives it.
//!
//! # Guarantees
//! A notice is told at least once to each of its channels, unless the channel refuses it until its message is a dead letter. Before a channel
//! is told, the notifier takes a claim of notice and channel, and finishes it afterwards: a message that is delivered again tells nobody again.
//! Only a notifier that dies in between leaves the claim open; the next one tells a second time, and never a third.
//!
//! What can wait is collected for each channel and told at set times (`digests`).
//!
//! A channel that is down costs no other channel anything: all are told at the same time, and one that failed is not asked again for
//! [`DOWN_MS`], or as long as it has asked for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use heal_engine::notice::{DigestTimes, Notice, Owed, Rules};
use heal_engine::{Timestamp, format};
use heal_runtime::dispatcher::{COMMIT_WITHIN_MS, notify_message};
use heal_runtime::inbox::{self, DeliveryOutcome, Settled};
use heal_runtime::port::{ClaimStore, Clock, Delivery, Message, QueueName, Receiver, RunReader, Sender};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::channel::Courier;
use crate::quiet;

mod derive;
mod digests;
mod down;
mod tell;

use derive::Derived;
use digests::Digests;
use down::Down;

pub use down::DOWN_MS;

/// Milliseconds for which a message is invisible to other notifiers: several times the longest sending.
const VISIBILITY_MS: u64 = 60_000;
/// Messages that one process works on at a time.
const PLACES: usize = 32;
/// Milliseconds to wait before a message is tried again, by the number of its deliveries; the last one for all further ones. Before the fifth
/// delivery, the queue gives it a quarter of an hour in all.
const RETRY_MS: [u64; 4] = [5_000, 60_000, 180_000, 600_000];
/// Milliseconds until an announced commit is looked for again.
const NOT_YET_MS: [u64; 4] = [500, 4_500, 20_000, 40_000];
/// The age in milliseconds from which a notice is dropped: what happened a day ago is no news, and a queue that stood still must not page
/// anybody with all of it.
pub const STALE_MS: u64 = 86_400_000;
/// The longest delay of one message, in milliseconds: that of SQS. What waits longer is sent again and again.
const LONGEST_DELAY_MS: u64 = 900_000;
/// Time to wait after the queue could not be read.
const QUEUE_FAULT: Duration = Duration::from_millis(500);

/// What the notifier may touch.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    /// The logs that notices are derived from.
    pub runs: Arc<dyn RunReader>,
    /// The queue `notify` itself, for what has to wait.
    pub sender: Arc<dyn Sender>,
    /// Remembers what was told to whom.
    pub claims: Arc<dyn ClaimStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What became of one notice at one channel; the word is the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The channel took it.
    Sent,
    /// The channel did not take it; it is tried again.
    Failed,
    /// The channel refused it, or its settings are wrong.
    Refused,
    /// No route admits it, or it is too old.
    Dropped,
}

/// Is told what the notifier does, for metrics.
pub trait Observer: Send + Sync + 'static {
    /// One notice at one channel of this kind; `none` if no channel gets it. `took` is the time of the sending.
    fn notified(&self, kind: &'static str, sent: Sent, took: Duration);
}

impl Observer for () {
    fn notified(&self, _kind: &'static str, _sent: Sent, _took: Duration) {}
}

/// Tells people. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Notifier {
    ports: Ports,
    rules: Arc<Rules>,
    courier: Courier,
    observer: Arc<dyn Observer>,
    down: Arc<Down>,
    digests: Arc<Digests>,
}

impl Sent {
    /// The word of the metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}

impl Notifier {
    /// A notifier that follows `rules`.
    pub fn new(ports: Ports, rules: Arc<Rules>, courier: Courier, observer: Arc<dyn Observer>) -> Self {
        Self { ports, rules, courier, observer, down: Arc::default(), digests: Arc::default() }
    }

    /// Processes one delivery to its end.
    pub async fn take(&self, delivery: Delivery) -> Settled {
        let outcome = match format::decode::<Owed>(&delivery.body) {
            Ok(owed) => self.owed(&owed, &delivery).await,
            Err(error @ format::Error::Newer { .. }) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a newer build has to tell this");
                retry(&RETRY_MS, delivery.receive_count)
            }
            Err(error) => DeliveryOutcome::DeadLetter { reason: heal_engine::text::chain(&error) },
        };
        Settled { delivery, outcome }
    }

    async fn owed(&self, owed: &Owed, delivery: &Delivery) -> DeliveryOutcome {
        let now = self.ports.clock.now();
        let notices = match owed {
            Owed::Notice(notice) => vec![(**notice).clone()],
            Owed::Digest { channel, at, since } => return self.digest(channel, *at, *since, delivery).await,
            Owed::Commit { run_id, first_seq, at } => {
                match derive::notices(&*self.ports.runs, run_id, *first_seq).await {
                    Ok(Derived::Notices(notices)) => notices,
                    // The turn that announced it is under way, or has died; its input is taken again, and announces anew.
                    Ok(Derived::NotYet) if now.since_ms(*at) < COMMIT_WITHIN_MS => {
                        return retry(&NOT_YET_MS, delivery.receive_count);
                    }
                    Ok(Derived::NotYet | Derived::Never) => return DeliveryOutcome::Acknowledge,
                    Err(derive::Error::Backend(error)) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "failed to read the run of a notice");
                        return retry(&RETRY_MS, delivery.receive_count);
                    }
                    Err(error) => return DeliveryOutcome::DeadLetter { reason: heal_engine::text::chain(&error) },
                }
            }
        };
        self.all(&notices, delivery, now).await
    }

    /// Tells each notice to its channels, all at the same time.
    async fn all(&self, notices: &[Notice], delivery: &Delivery, now: Timestamp) -> DeliveryOutcome {
        let mut tellings = Vec::new();
        let mut quiet = Vec::new();
        for notice in notices {
            let is_stale = now.since_ms(notice.at) > STALE_MS;
            let channels = if is_stale { Vec::new() } else { self.rules.channels_of(notice) };
            if channels.is_empty() {
                tracing::debug!(event = "notify.dropped", key = notice.key, is_stale, "nobody is told");
                self.observer.notified("none", Sent::Dropped, Duration::ZERO);
            }
            let mut until_ms: Option<u64> = None;
            for name in channels {
                if let Some(times) = self.collected(name, notice) {
                    tellings.push(Either::Left(self.collect(name, notice, times, delivery)));
                    continue;
                }
                match self.quiet_ms(name, notice, now) {
                    Some(wait_ms) => until_ms = Some(until_ms.map_or(wait_ms, |known| known.min(wait_ms))),
                    None => tellings.push(Either::Right(self.tell(name, notice, delivery))),
                }
            }
            quiet.extend(until_ms.map(|wait_ms| later(notice, wait_ms)));
        }
        let is_put_off = quiet.is_empty() || self.put_off(quiet).await;
        let mut told = futures_util::future::join_all(tellings).await;
        if !is_put_off {
            told.push(tell::Told::Later { wait_ms: 0 });
        }
        outcome(told, delivery)
    }

    /// Whether the queue took what has to wait.
    async fn put_off(&self, messages: Vec<Message>) -> bool {
        let sent = self.ports.sender.send(messages).await;
        if let Err(error) = &sent {
            tracing::warn!(error = error as &dyn std::error::Error, "failed to put off what has to wait");
        }
        sent.is_ok()
    }

    /// The times at which `notice` may be told in a digest of `channel`; `None` if one of the routes to it has no digest, or if the notice asks
    /// something: a question may expire before its digest.
    fn collected<'n>(&'n self, channel: &'n str, notice: &'n Notice) -> Option<Vec<&'n DigestTimes>> {
        if notice.asked.is_some() {
            return None;
        }
        self.rules.routes_to(channel, notice).map(|route| route.digest.as_ref()).collect()
    }

    /// Milliseconds until `channel` may be told; `None` if it may be now, since one of the routes to it is not quiet.
    fn quiet_ms(&self, channel: &str, notice: &Notice, now: Timestamp) -> Option<u64> {
        let waits = self.rules.routes_to(channel, notice).filter(|route| route.digest.is_none());
        let waits: Option<Vec<u64>> = waits.map(|route| quiet::wait_ms(route.quiet.as_ref()?, now)).collect();
        waits?.into_iter().min()
    }

    /// Works on the queue of `receiver` until `stop` becomes true, then completes what is in progress.
    pub async fn run(self, receiver: Arc<dyn Receiver>, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(PLACES));
        let mut work = JoinSet::new();
        while !*stop.borrow() {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
            match receiver.receive(&QueueName::Notify, 1, VISIBILITY_MS).await {
                Ok(deliveries) if !deliveries.is_empty() => {
                    let (notifier, receiver) = (self.clone(), Arc::clone(&receiver));
                    work.spawn(async move {
                        for delivery in deliveries {
                            inbox::settle(&*receiver, vec![notifier.take(delivery).await]).await;
                        }
                        drop(place);
                    });
                    while work.try_join_next().is_some() {}
                }
                Ok(_) => {
                    tokio::select! {
                        () = receiver.wait(&QueueName::Notify) => {}
                        _ = stop.changed() => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "failed to read the queue `notify`");
                    tokio::select! {
                        () = tokio::time::sleep(QUEUE_FAULT) => {}
                        _ = stop.changed() => {}
                    }
                }
            }
        }
        while work.join_next().await.is_some() {}
    }
}

/// What becomes of the message whose notices were told so.
fn outcome(told: Vec<tell::Told>, delivery: &Delivery) -> DeliveryOutcome {
    let (mut refused, mut wait_ms) = (Vec::new(), None);
    for told in told {
        match told {
            tell::Told::Done => {}
            tell::Told::Refused(reason) => refused.push(reason),
            tell::Told::Later { wait_ms: asked } => wait_ms = wait_ms.max(Some(asked)),
        }
    }
    match wait_ms {
        // What was refused is tried once more too, which does no harm.
        Some(asked) => {
            let delay_ms = asked.max(delay_ms(&RETRY_MS, delivery.receive_count));
            DeliveryOutcome::Retry { delay_ms }
        }
        None if refused.is_empty() => DeliveryOutcome::Acknowledge,
        None => DeliveryOutcome::DeadLetter { reason: refused.join("; ") },
    }
}

/// The notice again, for the channels that have to wait: the others have their claims.
fn later(notice: &Notice, wait_ms: u64) -> Message {
    delayed(&Owed::Notice(Box::new(notice.clone())), wait_ms)
}

fn delayed(owed: &Owed, wait_ms: u64) -> Message {
    Message { delay_ms: wait_ms.min(LONGEST_DELAY_MS), ..notify_message(owed) }
}

fn retry(steps: &[u64], receive_count: u32) -> DeliveryOutcome {
    DeliveryOutcome::Retry { delay_ms: delay_ms(steps, receive_count) }
}

/// The delay after the delivery with this number, counted from 1.
fn delay_ms(steps: &[u64], receive_count: u32) -> u64 {
    let index = usize::try_from(receive_count.saturating_sub(1)).unwrap_or(usize::MAX);
    steps.get(index).or(steps.last()).copied().unwrap_or_default()
}
