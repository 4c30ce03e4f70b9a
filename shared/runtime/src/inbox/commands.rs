//! Commands to their action.

use super::{Verdict, again, dead_letter, done};
use crate::attempt::{CommandOutcome, Error, Worker};
use crate::port::{Delivery, LeaseOwner};
use heal_engine::Timestamp;

/// Milliseconds added to the end of another worker's lease before its message is looked at again.
const AFTER_LEASE_MS: u64 = 50;

/// What `worker` does with one command. `holder` is unique to this delivery; everything is over before `latest`, if there is such a moment.
pub async fn perform(worker: &Worker, delivery: Delivery, holder: LeaseOwner, latest: Option<Timestamp>) -> Verdict {
    match worker.handle_before(&delivery.body, holder, latest).await {
        Ok(CommandOutcome::Answered(_)) => done(delivery),
        Ok(CommandOutcome::Busy { until }) => {
            Verdict::Again { receipt: delivery.receipt, delay_ms: worker.wait_ms(until) + AFTER_LEASE_MS }
        }
        Ok(CommandOutcome::Lost) => Verdict::Again { receipt: delivery.receipt, delay_ms: 0 },
        Err(error @ (Error::Unreadable(_) | Error::WrongAction { .. })) => {
            worker.observer().step_dead_lettered(worker.name());
            dead_letter(delivery, error.to_string())
        }
        Err(error @ Error::Backend(_)) => {
            tracing::warn!(
                action = worker.name(),
                error = &error as &dyn std::error::Error,
                "attempt could not be made now"
            );
            again(delivery)
        }
    }
}
