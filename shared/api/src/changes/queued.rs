//! Changes that another process makes: sent over the results queue, then awaited.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use heal_engine::{Map, RunId, Seq};
use heal_guard::Halt;
use heal_runtime::dispatcher::{DispatchError, Dispatcher, IntakeOutcome, SwitchOutcome};
use heal_runtime::halts;
use heal_runtime::message::Inbound;
use heal_runtime::port::{BackendError, Entropy, Message, QueueName, RunReader, Sender};
use serde_json::Value;

use super::{ChangeOutcome, Changes, OrderOutcome, StartOutcome, StartRequest, seen};

/// How long a change is awaited before the answer is that it was sent. A request behind API Gateway ends after 30 seconds.
pub const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// How often the log is read meanwhile: every read costs money.
const POLL: Duration = Duration::from_millis(500);

/// Sends each change to the dispatcher, which alone writes to runs.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Queued {
    /// Reads the halts.
    pub reader: Dispatcher,
    /// The runs, to read.
    pub runs: Arc<dyn RunReader>,
    /// The queues.
    pub sender: Arc<dyn Sender>,
    /// Names runs.
    pub entropy: Arc<dyn Entropy>,
}

#[async_trait]
impl Changes for Queued {
    async fn change(&self, run_id: &RunId, input: Inbound) -> Result<ChangeOutcome, DispatchError> {
        let status = seen::status(&*self.runs, run_id).await?;
        let commits = self.runs.load(run_id, 0).await?;
        let is_over = status.is_terminal() && !seen::may_follow_the_end(&input);
        if is_over || !seen::can_follow(&input, status, &commits) {
            return Ok(ChangeOutcome::Unchanged { status });
        }
        let last = commits.last().map_or(0, heal_engine::event::Commit::last_seq);
        self.send(&input).await?;
        let awaited = tokio::time::timeout(SEEN_WITHIN, self.await_change(run_id, &input, last)).await;
        awaited.unwrap_or(Ok(ChangeOutcome::Sent { status }))
    }

    async fn start(&self, request: StartRequest) -> Result<StartOutcome, DispatchError> {
        let StartRequest { prepared, text, traceparent, requested_by } = request;
        if !prepared.tickets().is_empty() {
            return Ok(StartOutcome::SeveralTickets);
        }
        let (run_id, text) = match &prepared.intake().run_id {
            Some(run_id) => (run_id.clone(), text),
            None => self.named(&text)?,
        };
        let message = Message::incident(self.reader.secrets(), requested_by.as_deref(), &text, traceparent);
        self.sender.send(vec![message]).await?;
        let exists = async {
            loop {
                if let Some(head) = self.runs.head(&run_id).await? {
                    let started = IntakeOutcome::Started { run_id: head.run_id, status: head.status };
                    return Ok(StartOutcome::Taken(started));
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let awaited = tokio::time::timeout(SEEN_WITHIN, exists).await;
        awaited.unwrap_or(Ok(StartOutcome::Sent { run_id: run_id.clone() }))
    }

    async fn halt(&self, halt: &Halt) -> Result<OrderOutcome, DispatchError> {
        if let Err(invalid) = halts::check(halt) {
            return Ok(OrderOutcome::Known(SwitchOutcome::Invalid(invalid)));
        }
        self.send(&Inbound::Halt(Box::new(halt.clone()))).await?;
        self.await_order(|lasting| lasting.iter().any(|lasting| lasting.id == halt.id)).await
    }

    async fn resume(&self, id: &str, by: &str) -> Result<OrderOutcome, DispatchError> {
        let lasts = |lasting: &[Halt]| lasting.iter().any(|halt| halt.id == id);
        if !lasts(&self.reader.halts().await?) {
            return Ok(OrderOutcome::Known(SwitchOutcome::Unknown));
        }
        self.send(&Inbound::Resume { id: id.to_owned(), by: by.to_owned() }).await?;
        self.await_order(|lasting| !lasts(lasting)).await
    }
}

impl Queued {
    /// The request with an id of its own, by which its run is found.
    fn named(&self, text: &str) -> Result<(RunId, String), DispatchError> {
        let run_id = RunId::new(format!("api-{:016x}{:016x}", self.entropy.next()?, self.entropy.next()?));
        let mut fields: Map = serde_json::from_str(text).map_err(|error| {
            BackendError::corrupt("changes.start", format!("the request is not an object: {error}"))
        })?;
        fields.insert("remediation_id".to_owned(), Value::String(run_id.to_string()));
        Ok((run_id, Value::Object(fields).to_string()))
    }

    async fn send(&self, input: &Inbound) -> Result<(), DispatchError> {
        let traceparent = heal_telemetry::trace::current();
        let message = Message { queue: QueueName::Results, body: input.to_body(), delay_ms: 0, traceparent };
        Ok(self.sender.send(vec![message]).await?)
    }

    /// Reads the run until its log has the change after the event `last`, or the run has ended.
    async fn await_change(&self, run_id: &RunId, input: &Inbound, last: Seq) -> Result<ChangeOutcome, DispatchError> {
        loop {
            let commits = self.runs.load(run_id, last).await?;
            if !commits.is_empty() {
                let status = seen::status(&*self.runs, run_id).await?;
                if seen::contains(input, &commits) {
                    return Ok(ChangeOutcome::Changed { status });
                }
                if status.is_terminal() && !seen::may_follow_the_end(input) {
                    return Ok(ChangeOutcome::Unchanged { status });
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn await_order(&self, is_done: impl Fn(&[Halt]) -> bool + Send) -> Result<OrderOutcome, DispatchError> {
        let done = async {
            loop {
                if is_done(&self.reader.halts().await?) {
                    return Ok(OrderOutcome::Known(SwitchOutcome::Done));
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(SEEN_WITHIN, done).await.unwrap_or(Ok(OrderOutcome::Sent))
    }
}
