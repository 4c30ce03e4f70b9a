//! The end of an attempt where worker and dispatcher share a store: the result's turn of the run, the claim's end and the command's
//! acknowledgement are one transaction.

use std::sync::Arc;

use async_trait::async_trait;

use crate::attempt::{Answer, Ends};
use crate::dispatcher::{AttemptEnd, Dispatcher, EndOutcome};
use crate::port::{AttemptSettlement, BackendError, ClaimEnd, Finish, Settles};

/// Ends the attempt of one delivered command.
pub(super) struct Directly {
    pub dispatcher: Dispatcher,
    pub settlement: Arc<dyn AttemptSettlement>,
    /// The receipt of the command.
    pub receipt: String,
}

#[async_trait]
impl Ends for Directly {
    async fn end(&self, claim: Option<ClaimEnd>, answer: Answer) -> Result<Finish, BackendError> {
        let end = AttemptEnd {
            run_id: &answer.run_id,
            cause_id: &format!("command {}", self.receipt),
            claim: claim.as_ref(),
            answer: answer.inbound.clone(),
            receipt: self.receipt.clone(),
        };
        match self.dispatcher.end_attempt(&*self.settlement, end).await {
            Ok(EndOutcome::Taken) => return Ok(Finish::Stored),
            Ok(EndOutcome::Lost) => return Ok(Finish::Lost),
            Ok(EndOutcome::Open) => {}
            Err(error) => {
                let (run_id, error) = (&answer.run_id, &error as &dyn std::error::Error);
                tracing::debug!(%run_id, error, "an attempt's result goes over the queue");
            }
        }
        let settles = Settles { messages: vec![answer.to_message()], acknowledges: vec![self.receipt.clone()] };
        self.settlement.settle(claim.as_ref(), settles).await
    }
}
