//! One check in one run.

use heal_engine::Timestamp;
use heal_engine::check::{Compiled, Observation, Observed, State};
use tokio::time::Instant;

use super::{Checks, Outcome, RESERVE, tell};
use crate::port::{BackendError, Message, QueueName};

impl Checks {
    /// Whatever fails is the outcome of this check alone.
    pub(super) async fn take(&self, compiled: &Compiled, now: Timestamp, end: Instant) -> Outcome {
        self.try_take(compiled, now, end).await.unwrap_or_else(Outcome::Failed)
    }

    async fn try_take(&self, compiled: &Compiled, now: Timestamp, end: Instant) -> Result<Outcome, BackendError> {
        let check = &compiled.check;
        let (version, state) = match self.ports.store.load(&check.name).await? {
            Some((version, json)) => (version, read(&check.name, &json)),
            None => (0, State::default()),
        };
        if !state.is_due(check.every_seconds, self.tick_ms(), now) {
            return Ok(Outcome::NotDue);
        }
        let observation = self.look(compiled, now, end).await;
        let Observed { mut state, incidents, recovered, unrendered, held_back, untracked } =
            compiled.observe(state, &observation, now);
        // The decision before the deed: whoever has stored it is the one who sends.
        if !self.ports.store.store(&check.name, version, &state.to_json()).await? {
            return Ok(Outcome::Overtaken);
        }
        tell::recovered(&check.name, &recovered);
        tell::trouble(&check.name, &unrendered, held_back, untracked);
        let raised: Vec<String> = incidents.iter().map(|incident| incident.incident_id.clone()).collect();
        if !incidents.is_empty() {
            let message = |body: &String| Message {
                queue: QueueName::Incidents,
                body: body.clone(),
                delay_ms: 0,
                traceparent: None,
            };
            self.ports.sender.send(incidents.iter().map(|incident| message(&incident.message)).collect()).await?;
            tell::raised(&check.name, &incidents);
            state.mark_sent(raised.iter().map(String::as_str));
            // Where this is not stored they are sent once more, which changes nothing.
            let noted = self.ports.store.store(&check.name, version + 1, &state.to_json()).await;
            tell::noted(&check.name, &noted);
        }
        Ok(match observation {
            Observation::Seen(sighting) => Outcome::Looked { failing: sighting.failing.len(), raised },
            Observation::Unknown { reason } => Outcome::Unknown { reason },
        })
    }

    /// The prober keeps to the probe's own time; this is for one that does not, and for a run that has less time left than that.
    async fn look(&self, compiled: &Compiled, now: Timestamp, end: Instant) -> Observation {
        let probe = &compiled.check.probe;
        let latest = end.checked_sub(RESERVE.min(self.deadline / 4)).unwrap_or(end);
        match tokio::time::timeout_at(latest, self.ports.prober.look(probe, now)).await {
            Ok(observation) => observation,
            Err(_) => Observation::unknown("the time of the run was over before anything was seen"),
        }
    }
}

/// A state that cannot be read is none: at worst a target is counted anew, and its incident has the id that it had.
fn read(name: &str, json: &str) -> State {
    State::parse(json).unwrap_or_else(|error| {
        tracing::error!(check = name, %error, "check.state_unreadable");
        State::default()
    })
}
