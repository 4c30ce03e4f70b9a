//! An action behind its queue.

use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::future::join_all;
use heal_runtime::Timestamp;
use heal_runtime::action::Action;
use heal_runtime::attempt::Worker;
use heal_runtime::inbox;
use heal_runtime::port::{LeaseOwner, Policy};
use lambda_runtime::LambdaEvent;

use crate::error::{BatchError, Error};
use crate::function::{Function, logged};
use crate::limit::END_MARGIN_MS;
use crate::record::{Source, delivery};
use crate::serve::{diagnostic, serve};
use crate::settle::{Origin, answer};

impl Function {
    /// Performs the commands of the action's queue, the records of a batch concurrently.
    ///
    /// # Errors
    /// The action's own description is wrong, or the platform's interface failed.
    pub async fn perform(self, action: impl Action, policy: Arc<dyn Policy>) -> Result<(), Error> {
        let worker = logged(self.worker(action, policy))?;
        let telemetry = self.telemetry.clone();
        let (function, worker) = (Arc::new(self), Arc::new(worker));
        serve(telemetry, move |event: LambdaEvent<SqsEvent>| {
            let (function, worker) = (Arc::clone(&function), Arc::clone(&worker));
            async move {
                let answer = function.commands(&worker, event).await;
                answer.map_err(|error| diagnostic("BatchError", &error))
            }
        })
        .await
    }

    fn worker(&self, action: impl Action, policy: Arc<dyn Policy>) -> Result<Worker, Error> {
        let ports = self.bounded_ports()?.attempt(policy);
        let observer = self.observer([action.spec().name], []);
        Ok(Worker::new(action, Arc::new(ports))?.observed_by(observer))
    }

    async fn commands(&self, worker: &Worker, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, BatchError> {
        let LambdaEvent { payload, context } = event;
        let Some(source) = Source::of(self.queues.urls(), &payload.records)? else {
            return Ok(SqsBatchResponse::default());
        };
        let latest = Timestamp(context.deadline.saturating_sub(END_MARGIN_MS));
        let attempts = payload.records.into_iter().map(delivery).enumerate().map(|(index, delivery)| {
            // A redelivery comes in another invocation, so it has another owner.
            let owner = LeaseOwner(format!("{}.{index}", context.request_id));
            inbox::perform(worker, delivery, owner, Some(latest))
        });
        answer(&Origin { queues: &self.queues, source: &source }, &join_all(attempts).await).await
    }
}
