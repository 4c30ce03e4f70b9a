//! Changes by the dispatcher of this process.

use std::sync::Arc;

use async_trait::async_trait;
use heal_engine::RunId;
use heal_guard::Halt;
use heal_runtime::dispatcher::{DispatchError, Dispatcher};
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy, RunReader};

use super::{ChangeOutcome, Changes, OrderOutcome, StartOutcome, StartRequest, seen};

/// The dispatcher takes each change as a turn of the run.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Direct {
    /// Makes the turns.
    pub dispatcher: Dispatcher,
    /// The runs, to read.
    pub runs: Arc<dyn RunReader>,
    /// Names the turns.
    pub entropy: Arc<dyn Entropy>,
}

#[async_trait]
impl Changes for Direct {
    async fn change(&self, run_id: &RunId, input: Inbound) -> Result<ChangeOutcome, DispatchError> {
        let status = seen::status(&*self.runs, run_id).await?;
        if status.is_terminal() && !seen::may_follow_the_end(&input) {
            return Ok(ChangeOutcome::Unchanged { status });
        }
        let cause_id = format!("api:{:016x}", self.entropy.next()?);
        let turn = self.dispatcher.receive(run_id, &cause_id, vec![input]).await?;
        Ok(match turn.refused {
            Some(why) => ChangeOutcome::Refused { why },
            None if turn.events == 0 => ChangeOutcome::Unchanged { status: turn.status },
            None => ChangeOutcome::Changed { status: turn.status },
        })
    }

    async fn start(&self, request: StartRequest) -> Result<StartOutcome, DispatchError> {
        let StartRequest { prepared, traceparent, requested_by, .. } = request;
        let prepared = prepared.requested_by(requested_by);
        self.dispatcher.start(prepared, traceparent.as_deref()).await.map(StartOutcome::Taken)
    }

    async fn halt(&self, halt: &Halt) -> Result<OrderOutcome, DispatchError> {
        self.dispatcher.halt(halt).await.map(OrderOutcome::Known)
    }

    async fn resume(&self, id: &str, by: &str) -> Result<OrderOutcome, DispatchError> {
        self.dispatcher.resume(id, by).await.map(OrderOutcome::Known)
    }
}
