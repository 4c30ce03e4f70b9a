//! What follows from one look: counts, recoveries, and incidents to raise.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Compiled, Failing, Observation, Raised, Sighting, State, Tracked, window};
use crate::id::short_hash;
use crate::limit;
use crate::time::Timestamp;

/// An incident that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub incident_id: String,
    /// The target's id.
    pub target: String,
    /// Looks in a row that found the target failing.
    pub failures: u32,
    /// One JSON object, as the incidents queue takes it.
    pub message: String,
}

/// A target that could not be judged, or whose incident could not be written; it is tried again at the next look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrendered {
    pub target: String,
    pub problem: String,
}

/// What follows from one look.
///
/// The state is to be stored before the incidents are sent, under a condition that only one of two lookers can meet: whoever has
/// stored it sends them, and marks them as sent. What is not marked comes again at the next look, under the same id, as long as the
/// target fails: one that has recovered meanwhile needs no remedy any more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    pub state: State,
    pub incidents: Vec<Incident>,
    /// Targets that failed at the last look and do not any more.
    pub recovered: Vec<String>,
    pub unrendered: Vec<Unrendered>,
    /// Incidents that wait for the next look, since this one raises [`limit::CHECK_RAISES`].
    pub held_back: usize,
    /// Failing targets that are not counted, since there are [`limit::CHECK_TARGETS`] already.
    pub untracked: usize,
}

impl Compiled {
    /// What follows from `observation`, made at `now`. The same arguments give the same answer.
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

    /// Targets that are well now. They are forgotten once nothing has to be remembered of them.
    fn recover(&self, sighting: &Sighting, failing: &[&Failing], now: Timestamp, observed: &mut Observed) {
        let unjudged = observed.unrendered.iter().map(|one| key(&one.target).into_owned());
        let mut open: BTreeSet<String> = unjudged.collect();
        open.extend(sighting.unknown.iter().map(|id| key(id).into_owned()));
        open.extend(failing.iter().map(|target| key(&target.id).into_owned()));
        let length = self.check.raise_once_in_seconds;
        let Observed { state, recovered, .. } = observed;
        state.targets.retain(|id, tracked| {
            let is_well = !sighting.is_partial && !open.contains(id);
            if is_well && tracked.failures > 0 {
                recovered.push(id.clone());
                *tracked = Tracked { failures: 0, since: now, raised: tracked.raised.take() };
            }
            tracked.failures > 0 || tracked.raised.as_ref().is_some_and(|raised| !raised.is_over(length, now))
        });
    }

    /// Counts one failure, and raises the incident where it is due.
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

    /// The id of the incident that is due about a target, if one is, and when that was decided: earlier, where it is sent again.
    fn due(&self, id: &str, tracked: &Tracked, now: Timestamp) -> Option<(String, Timestamp)> {
        let (check, length) = (&self.check, self.check.raise_once_in_seconds);
        if tracked.failures < check.failures {
            return None;
        }
        match &tracked.raised {
            Some(raised) if !raised.is_over(length, now) => {
                (!raised.is_sent).then(|| (raised.incident_id.clone(), raised.at))
            }
            Some(_) | None => {
                let number = window::number(&check.name, id, length, now);
                Some((window::incident_id(&check.name, id, length, number), now))
            }
        }
    }
}

impl State {
    /// Whether a target can be counted. A recovered one makes room for it where there is none.
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

/// What a target is remembered by: its id, or a short stand-in for one that would fill the state.
fn key(id: &str) -> Cow<'_, str> {
    if id.len() <= limit::CHECK_TARGET_BYTES { Cow::Borrowed(id) } else { Cow::Owned(format!("#{}", short_hash(id))) }
}
