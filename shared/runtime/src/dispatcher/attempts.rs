//! The end of an attempt of this process: its result goes to its run without a queue, and its claim ends with the run's commit.

use std::time::Duration;

use heal_engine::RunId;

use super::commit::{EndedAttempt, Hand};
use super::{DispatchError, Dispatcher};
use crate::message::Inbound;
use crate::port::{AttemptSettlement, ClaimEnd};

/// How long an attempt's end waits for turns of its run in progress: tens of them on a quick disk, where each end is cheapest by itself. On a slow one
/// those that are left after it go over the queue, where they share a turn.
const TURN_WAIT: Duration = Duration::from_millis(20);

/// The end of an attempt.
pub(crate) struct AttemptEnd<'a> {
    /// The run.
    pub run_id: &'a RunId,
    /// The same whenever this end is taken again.
    pub cause_id: &'a str,
    /// `None` for an attempt that only read.
    pub claim: Option<&'a ClaimEnd>,
    /// What the worker answers.
    pub answer: Inbound,
    /// The receipt of the command.
    pub receipt: String,
}

/// What became of an attempt's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndOutcome {
    /// The run has the result.
    Taken,
    /// The claim was lost: nothing was written.
    Lost,
    /// The run is busy, or its commit has nothing of this end: the result has to go over its queue.
    Open,
}

impl Dispatcher {
    /// Takes the end of an attempt as a turn of its run, unless turns of the run are in progress: results that come together are better taken
    /// together, from their queue.
    ///
    /// # Errors
    /// As [`Dispatcher::take`]. Nothing of this end may have been written.
    pub(crate) async fn end_attempt(
        &self,
        settlement: &dyn AttemptSettlement,
        end: AttemptEnd<'_>,
    ) -> Result<EndOutcome, DispatchError> {
        let AttemptEnd { run_id, cause_id, claim, answer, receipt } = end;
        let slot = self.cache.slot(run_id);
        let Ok(mut live) = tokio::time::timeout(TURN_WAIT, slot.lock()).await else { return Ok(EndOutcome::Open) };
        let (inputs, receipts) = (self.inputs(vec![answer]), [receipt]);
        let hand = Hand { receipts: &receipts, attempt: Some(EndedAttempt { settlement, claim }) };
        let taken = self.take_held(run_id, cause_id, &inputs, hand, &mut live).await;
        drop(live);
        match taken {
            Ok((turn, admits_next)) => {
                if admits_next {
                    self.admit_next().await;
                }
                Ok(if turn.events > 0 { EndOutcome::Taken } else { EndOutcome::Open })
            }
            Err(DispatchError::ClaimLost { .. }) => Ok(EndOutcome::Lost),
            Err(error) => Err(error),
        }
    }
}
