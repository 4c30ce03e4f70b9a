//! Withdrawal: an alert is over, so the live runs that it started are no longer needed.

use heal_engine::incident::Resolution;
use heal_engine::turn::Input;

use super::{DispatchError, Dispatcher, IntakeOutcome};

impl Dispatcher {
    /// Withdraws every live run that is for this alert and for nothing else. `message_id` is the same at every delivery.
    ///
    /// # Guarantees
    /// No run is started. Delivered again, the message changes nothing more.
    pub(super) async fn withdraw(
        &self,
        resolution: &Resolution,
        message_id: &str,
    ) -> Result<IntakeOutcome, DispatchError> {
        let mut withdrawn = Vec::new();
        for run_id in self.ports.runs.live_of_incidents(&resolution.id_prefix()).await? {
            let input = Input::Resolved(Box::new(resolution.clone()));
            match self.take(&run_id, &format!("resolved:{message_id}"), &[input]).await {
                Ok(turn) if turn.events > 0 => withdrawn.push(run_id),
                // For another alert, or stopping already; or its row was written before a run that never came.
                Ok(_) | Err(DispatchError::UnknownRun { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let runs = withdrawn.len();
        tracing::info!(event = "incident.resolved", runs, reason = resolution.reason, "an alert is over");
        if withdrawn.is_empty() {
            let reason = format!("{}; no live run is for it alone", resolution.reason);
            return Ok(IntakeOutcome::Ignored { reason });
        }
        Ok(IntakeOutcome::Withdrawn { runs: withdrawn })
    }
}
