//! One check in one run.

use heal_engine::check::{Compiled, Incident, Observation, Observed, State};
use heal_engine::notice::{Notice, NoticeEvent, Owed};
use heal_engine::secret::Secrets;
use heal_engine::{Timestamp, format};
use tokio::time::Instant;

use super::{CheckOutcome, Checks, RESERVE, log};
use crate::dispatcher::notify_message;
use crate::port::{BackendError, Message};

impl Checks {
    /// A failure is the outcome of this check alone.
    pub(super) async fn take(&self, compiled: &Compiled, now: Timestamp, end: Instant) -> CheckOutcome {
        self.try_take(compiled, now, end).await.unwrap_or_else(CheckOutcome::Failed)
    }

    async fn try_take(&self, compiled: &Compiled, now: Timestamp, end: Instant) -> Result<CheckOutcome, BackendError> {
        let check = &compiled.check;
        let (version, state) = match self.ports.store.load(&check.name).await? {
            Some((version, json)) => match read(&check.name, &json) {
                Ok(state) => (version, state),
                Err(error) => return Ok(CheckOutcome::Newer(error)),
            },
            None => (0, State::default()),
        };
        if !state.is_due(check.every_seconds, self.tick_ms(), now) {
            return Ok(CheckOutcome::NotDue);
        }
        let observation = self.probe(compiled, now, end).await;
        let Observed { mut state, incidents, recovered, unrendered, held_back, untracked } =
            compiled.observe(state, &observation, now);
        // Store before sending: of two concurrent runs, only the one that stored sends.
        if !self.ports.store.store(&check.name, version, &state.to_json()).await? {
            return Ok(CheckOutcome::Overtaken);
        }
        log::recovered(&check.name, &recovered);
        log::trouble(&check.name, &unrendered, held_back, untracked);
        let raised: Vec<String> = incidents.iter().map(|incident| incident.incident_id.clone()).collect();
        if !incidents.is_empty() {
            let message = |body: &String| Message::incident(&Secrets::default(), None, body, None);
            let raise = incidents.iter().map(|incident| message(&incident.message));
            let tell = incidents.iter().filter(|_| self.notifies).map(|incident| notice(&check.name, incident, now));
            self.ports.sender.send(raise.chain(tell).collect()).await?;
            log::raised(&check.name, &incidents);
            state.mark_sent(raised.iter().map(String::as_str));
            // If this is not stored, the incidents are sent again, and recognised by their ids.
            let noted = self.ports.store.store(&check.name, version + 1, &state.to_json()).await;
            log::noted(&check.name, &noted);
        }
        Ok(match observation {
            Observation::Seen(sighting) => CheckOutcome::Probed { failing: sighting.failing.len(), raised },
            Observation::Unknown { reason } => CheckOutcome::Unknown { reason },
        })
    }

    /// Bounds a prober that exceeds the probe's own timeout, and a run that has less time left than that.
    async fn probe(&self, compiled: &Compiled, now: Timestamp, end: Instant) -> Observation {
        let probe = &compiled.check.probe;
        let latest = end.checked_sub(RESERVE.min(self.deadline / 4)).unwrap_or(end);
        match tokio::time::timeout_at(latest, self.ports.prober.probe(probe, now)).await {
            Ok(observation) => observation,
            Err(_) => Observation::unknown("the run's time ran out before the probe answered"),
        }
    }
}

/// What people are told of a raised incident. Raised again, it is the same notice.
fn notice(check: &str, incident: &Incident, now: Timestamp) -> Message {
    let Incident { incident_id, target, failures, .. } = incident;
    let title = format!("Check {check} raised an incident: {target}");
    let notice = Notice::new(NoticeEvent::CheckRaised, incident_id.as_str(), now, title);
    let notice = notice.fact("target", target.as_str()).fact("failed probes in a row", failures.to_string());
    notify_message(&Owed::Notice(Box::new(notice.fact("incident", incident_id.as_str()))))
}

/// A malformed state counts as none: at worst a target is counted anew, and its incident has the same id as before.
///
/// # Errors
/// A newer build wrote the state: it would be lost if this build stored its own.
fn read(name: &str, json: &str) -> Result<State, format::Error> {
    match State::parse(json) {
        Err(error @ format::Error::Malformed { .. }) => {
            tracing::error!(check = name, error = &error as &dyn std::error::Error, "check.state_unreadable");
            Ok(State::default())
        }
        newer => newer,
    }
}
