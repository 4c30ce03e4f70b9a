//! Digests: what can wait is collected for each channel, and told at set times.
//!
//! A digest is a row of slots in the claim store: `slot/CHANNEL/TIME/0`, `…/1` and so on. A notice is written into the first free slot, and at
//! its time the digest is closed by a mark in the first free slot. A slot that is written never changes.
//!
//! # Guarantees
//! A notice is in one digest only, whatever is delivered again: whoever adds it passes all slots before, and finds it. What comes after the
//! mark is in the next digest. Before the first slot is taken, a message on the queue says that the digest has to be told, so that no digest is
//! forgotten; it is told as any other notice is, once, or twice after a crash.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Known;

use heal_engine::Timestamp;
use heal_engine::notice::{DigestTimes, Notice, Owed};
use heal_runtime::dispatcher::COMMIT_WITHIN_MS;
use heal_runtime::inbox::DeliveryOutcome;
use heal_runtime::port::{BackendError, ClaimKey, ClaimRequest, Delivery, Finish, LeaseOwner, Reservation};
use heal_telemetry::logs::rfc3339;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::tell::{CLAIMS, LEASE_MS, Told};
use super::{NOT_YET_MS, Notifier, RETRY_MS, STALE_MS, delayed, outcome, retry};
use crate::digest::{self, ENTRIES, Entry, Slot};

/// Milliseconds after which a slot that another process is writing is read again.
const WRITING_MS: u64 = 1_000;
/// Digests that are closed or full, one after the other, before a notice waits on the queue.
const CLOSED: usize = 64;
/// The holder of the claim of the mark.
const CLOSER: &str = "digest";

/// The slots of each digest, by channel and time, as far as this process has read them. While one is added to, no other is.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<BTreeMap<(String, Timestamp), Vec<Slot>>>);

/// The end of a way through the slots of a digest.
enum Passed {
    /// The slot was found, or written.
    Found(Vec<Slot>),
    /// The digest is closed, or has no room.
    Closed,
    /// Nothing is in the digest yet.
    Empty,
    /// Another process is writing a slot, or is to be waited for.
    Busy,
}

impl Notifier {
    /// Puts `notice` into the first of the channel's digests that is open.
    pub(super) async fn collect(
        &self,
        channel: &str,
        notice: &Notice,
        times: Vec<&DigestTimes>,
        delivery: &Delivery,
    ) -> Told {
        let slot = Slot::Entry(Entry::of(notice));
        let mut after = notice.at;
        for _ in 0..CLOSED {
            let Some(at) = digest::next(&times, after) else { return self.tell(channel, notice, delivery).await };
            match self.pass(channel, at, &slot, false).await {
                Ok(Passed::Found(_)) => {
                    tracing::info!(event = "notify.collected", channel, key = notice.key, due = %rfc3339(at.0), "it waits for its digest");
                    return Told::Done;
                }
                Ok(Passed::Closed) => after = at,
                Ok(Passed::Empty | Passed::Busy) => return Told::Later { wait_ms: WRITING_MS },
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(channel, key = notice.key, error, "failed to put a notice into its digest");
                    return Told::Later { wait_ms: 0 };
                }
            }
        }
        Told::Later { wait_ms: WRITING_MS }
    }

    /// Tells the digest of `channel` that is due at `at`, once it is.
    pub(super) async fn digest(
        &self,
        channel: &str,
        at: Timestamp,
        since: Timestamp,
        delivery: &Delivery,
    ) -> DeliveryOutcome {
        let now = self.ports.clock.now();
        if now < at {
            let owed = Owed::Digest { channel: channel.to_owned(), at, since };
            let is_put_off = self.put_off(vec![delayed(&owed, at.since_ms(now))]).await;
            return if is_put_off { DeliveryOutcome::Acknowledge } else { retry(&RETRY_MS, delivery.receive_count) };
        }
        if now.since_ms(at) > STALE_MS || !self.rules.channels.contains_key(channel) {
            tracing::warn!(
                event = "notify.dropped",
                channel,
                at = at.0,
                "a digest is too old, or its channel has gone: it is not told"
            );
            return DeliveryOutcome::Acknowledge;
        }
        // Whoever sent the message may be about to add the first notice. Later, that notice is to find the digest closed.
        let closes_empty = now.since_ms(since.max(at)) >= COMMIT_WITHIN_MS;
        let slots = match self.pass(channel, at, &Slot::Closed, closes_empty).await {
            Ok(Passed::Found(slots)) => slots,
            Ok(Passed::Empty) => return retry(&NOT_YET_MS, delivery.receive_count),
            Ok(Passed::Closed | Passed::Busy) => return retry(&RETRY_MS, delivery.receive_count),
            Err(error) => {
                tracing::warn!(channel, error = &error as &dyn std::error::Error, "failed to read a digest");
                return retry(&RETRY_MS, delivery.receive_count);
            }
        };
        let entries: Vec<&Entry> = slots.iter().filter_map(Slot::entry).collect();
        if entries.is_empty() {
            return DeliveryOutcome::Acknowledge;
        }
        let told = self.tell(channel, &digest::notice(channel, at, &entries), delivery).await;
        outcome(vec![told], delivery)
    }

    /// Passes the slots of a digest, from the first one to that with `own`, which is written into the first free one.
    async fn pass(&self, channel: &str, at: Timestamp, own: &Slot, closes_empty: bool) -> Result<Passed, BackendError> {
        let mut digests = self.digests.0.lock().await;
        let now = self.ports.clock.now();
        digests.retain(|(_, at), _| now.since_ms(*at) <= STALE_MS);
        let slots = match digests.entry((channel.to_owned(), at)) {
            Known::Occupied(known) => known.into_mut(),
            Known::Vacant(new) => new.insert(Vec::new()),
        };
        let mut passed = 0;
        loop {
            let Some(slot) = slots.get(passed) else {
                match self.extend(channel, at, own, slots, closes_empty).await? {
                    Some(end) => return Ok(end),
                    None => continue,
                }
            };
            if slot.is_same(own) {
                return Ok(Passed::Found(slots.iter().take(passed).cloned().collect()));
            }
            if *slot == Slot::Closed {
                return Ok(Passed::Closed);
            }
            passed += 1;
        }
    }

    /// Reads one more slot, or writes `own` into it if it is free; `None`: go on.
    async fn extend(
        &self,
        channel: &str,
        at: Timestamp,
        own: &Slot,
        slots: &mut Vec<Slot>,
        closes_empty: bool,
    ) -> Result<Option<Passed>, BackendError> {
        let claims = &self.ports.claims;
        let key = slot_key(channel, at, slots.len());
        if let Some(written) = claims.intent(&key).await? {
            slots.push(read(&key, &written)?);
            return Ok(None);
        }
        let now = self.ports.clock.now();
        match own {
            Slot::Entry(_) if slots.len() >= ENTRIES => return Ok(Some(Passed::Closed)),
            Slot::Entry(_) if slots.is_empty() => {
                let owed = Owed::Digest { channel: channel.to_owned(), at, since: now };
                if !self.put_off(vec![delayed(&owed, at.since_ms(now))]).await {
                    return Ok(Some(Passed::Busy));
                }
            }
            Slot::Closed if slots.is_empty() && !closes_empty => return Ok(Some(Passed::Empty)),
            Slot::Entry(_) | Slot::Closed => {}
        }
        let holder = LeaseOwner(own.holder().to_owned());
        let request = ClaimRequest::new(key.clone(), holder.clone(), now, now.plus_ms(LEASE_MS));
        match claims.reserve(&request).await? {
            // Whoever held it before has died, or has written it meanwhile.
            Reservation::Held { recovered: true, .. } if claims.intent(&key).await?.is_some() => Ok(None),
            Reservation::Held { .. } => match claims.intend(&key, &holder, now, &json!(own)).await? {
                Finish::Stored => {
                    slots.push(own.clone());
                    Ok(None)
                }
                Finish::Lost => Ok(Some(Passed::Busy)),
            },
            Reservation::Busy { .. } | Reservation::Finished(_) => Ok(Some(Passed::Busy)),
        }
    }
}

impl Slot {
    fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Closed => None,
        }
    }

    fn holder(&self) -> &str {
        self.entry().map_or(CLOSER, Entry::key)
    }

    /// Whether both are the mark, or of the same notice.
    fn is_same(&self, other: &Self) -> bool {
        self.entry().map(Entry::key) == other.entry().map(Entry::key)
    }
}

fn slot_key(channel: &str, at: Timestamp, number: usize) -> ClaimKey {
    ClaimKey { action: CLAIMS.to_owned(), attempt: format!("slot/{channel}/{}/{number}", at.0) }
}

fn read(key: &ClaimKey, written: &Value) -> Result<Slot, BackendError> {
    let slot = Slot::deserialize(written);
    slot.map_err(|error| BackendError::corrupt("claims.intent", format!("slot {} of a digest: {error}", key.attempt)))
}
