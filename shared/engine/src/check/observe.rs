//! What follows from one probe: counts, recoveries, and incidents to raise.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::{Compiled, Failing, Observation, Raised, Sighting, State, Tracked};
use crate::id::short_hash;
use crate::limit;
use crate::time::{Timestamp, seconds_to_ms};

/// An incident to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The same for every incident of the target in one window.
    pub incident_id: String,
    /// The target's id.
    pub target: String,
    /// Probes in a row that found the target failing.
    pub failures: u32,
    /// One JSON object, for the incidents queue.
    pub message: String,
}

/// A target whose condition or incident could not be rendered; the next probe tries again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrendered {
    /// The id of the target.
    pub target: String,
    /// The error of the template.
    pub problem: String,
}

/// What follows from one probe.
///
/// Store the state before sending the incidents, with optimistic concurrency: whoever wins sends the incidents and marks them as sent.
/// An unmarked incident is repeated by the next probe, with the same id, unless the target has recovered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// The state to store.
    pub state: State,
    /// The incidents to send once the state is stored.
    pub incidents: Vec<Incident>,
    /// Targets that failed at the previous probe and do not fail any more.
    pub recovered: Vec<String>,
    /// Targets whose templates failed.
    pub unrendered: Vec<Unrendered>,
    /// Incidents that are left to the next probe, beyond [`limit::CHECK_RAISES`].
    pub held_back: usize,
    /// Failing targets that are not counted, beyond [`limit::CHECK_TARGETS`].
    pub untracked: usize,
}

impl Compiled {
    /// Derives state and incidents from an `observation` made at `now`. Pure: the same arguments give the same result.
    pub fn observe(&self, mut state: State, observation: &Observation, now: Timestamp) -> Observed {
        state.looked_at = Some(now);
        match observation {
            Observation::Unknown { reason } => {
                let mut problem = reason.clone();
                crate::message::cut(&mut problem, limit::TEXT_BYTES);
                state.unknown = state.unknown.saturating_add(1);
                state.problem = Some(problem);
                Observed { state, ..Observed::default() }
            }
            Observation::Seen(sighting) => {
                state.unknown = 0;
                state.problem = None;
                let mut observed = Observed { state, ..Observed::default() };
                let failing = self.failing(sighting, now, &mut observed);
                self.recover(sighting, &failing, now, &mut observed);
                for target in failing {
                    self.fail(target, now, &mut observed);
                }
                observed
            }
        }
    }

    /// The failing targets that count.
    fn failing<'s>(&self, sighting: &'s Sighting, now: Timestamp, observed: &mut Observed) -> Vec<&'s Failing> {
        let mut failing = Vec::with_capacity(sighting.failing.len());
        for target in &sighting.failing {
            match self.counts(target, now) {
                Ok(true) => failing.push(target),
                Ok(false) => {}
                Err(problem) => observed.unrendered.push(Unrendered { target: target.id.clone(), problem }),
            }
        }
        failing
    }

    /// Resets the recovered targets, and drops those whose window has ended.
    fn recover(&self, sighting: &Sighting, failing: &[&Failing], now: Timestamp, observed: &mut Observed) {
        let unjudged = observed.unrendered.iter().map(|one| key(&one.target).into_owned());
        let mut open: BTreeSet<String> = unjudged.collect();
        open.extend(sighting.unknown.iter().map(|id| key(id).into_owned()));
        open.extend(failing.iter().map(|target| key(&target.id).into_owned()));
        let length = self.check.raise_once_in_seconds;
        let Observed { state, recovered, .. } = observed;
        state.targets.retain(|id, tracked| {
            let has_recovered = !sighting.is_partial && !open.contains(id);
            if has_recovered && tracked.failures > 0 {
                recovered.push(id.clone());
                *tracked = Tracked { failures: 0, since: now, raised: tracked.raised.take() };
            }
            tracked.failures > 0 || tracked.raised.as_ref().is_some_and(|raised| !raised.has_expired(length, now))
        });
    }

    /// Counts one failure, and raises the incident if it is due.
    fn fail(&self, target: &Failing, now: Timestamp, observed: &mut Observed) {
        let id = key(&target.id);
        if !observed.state.has_room_for(&id) {
            observed.untracked += 1;
            return;
        }
        let entry = observed.state.targets.entry(id.clone().into_owned());
        let tracked = entry.or_insert_with(|| Tracked { failures: 0, since: now, raised: None });
        if tracked.failures == 0 {
            tracked.since = now;
        }
        tracked.failures = tracked.failures.saturating_add(1);
        let Some((incident_id, at)) = self.due(&id, tracked, now) else { return };
        if observed.incidents.len() >= limit::CHECK_RAISES {
            observed.held_back += 1;
            return;
        }
        match self.message(&incident_id, target, tracked, now) {
            Ok(message) => {
                let failures = tracked.failures;
                tracked.raised = Some(Raised { at, incident_id: incident_id.clone(), is_sent: false });
                observed.incidents.push(Incident { incident_id, target: target.id.clone(), failures, message });
            }
            Err(problem) => observed.unrendered.push(Unrendered { target: target.id.clone(), problem }),
        }
    }

    /// The id of the incident that is due for a target, if any, and when it was raised: earlier if it is sent again.
    fn due(&self, id: &str, tracked: &Tracked, now: Timestamp) -> Option<(String, Timestamp)> {
        let (check, length) = (&self.check, self.check.raise_once_in_seconds);
        if tracked.failures < check.failures {
            return None;
        }
        match &tracked.raised {
            Some(raised) if !raised.has_expired(length, now) => {
                (!raised.is_sent).then(|| (raised.incident_id.clone(), raised.at))
            }
            Some(_) | None => {
                let window = window_at(&check.name, id, length, now);
                Some((incident_id(&check.name, id, length, window), now))
            }
        }
    }
}

impl State {
    /// Whether a target can be counted. Drops the oldest recovered target if the state is full.
    fn has_room_for(&mut self, id: &str) -> bool {
        if self.targets.contains_key(id) || self.targets.len() < limit::CHECK_TARGETS {
            return true;
        }
        let oldest = self.targets.iter().filter(|(_, tracked)| tracked.failures == 0).min_by_key(|(_, it)| it.since);
        let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { return false };
        self.targets.remove(&oldest);
        true
    }
}

/// The key of a target in the state: its id, or its hash if it is long.
fn key(id: &str) -> Cow<'_, str> {
    if id.len() <= limit::CHECK_TARGET_BYTES { Cow::Borrowed(id) } else { Cow::Owned(format!("#{}", short_hash(id))) }
}

/// The number of the window of a target at `now`. The offset differs per target, so a thousand targets that fail for hours do not all
/// raise their next incident at the same moment.
fn window_at(check: &str, target: &str, length_seconds: u64, now: Timestamp) -> u64 {
    let length_ms = seconds_to_ms(length_seconds).max(1);
    let digest = Sha256::digest(format!("{check}\n{target}").as_bytes());
    let offset = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    now.0.saturating_add(offset % length_ms) / length_ms
}

/// The id of the incident about `target` in that window, with the name of the check for people. The length is part of the hash, since
/// windows of different lengths may have the same number.
fn incident_id(check: &str, target: &str, length_seconds: u64, window: u64) -> String {
    format!("check-{check}-{}", short_hash(&format!("{check}\n{target}\n{length_seconds}\n{window}")))
}
