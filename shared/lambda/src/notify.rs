//! The notifier behind the queue `notify`, and behind its dead-letter queue.

use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::future::join_all;
use heal_clients::config::Env;
use heal_runtime::inbox::{DeliveryOutcome, Settled};
use heal_runtime::port::Delivery;
use heal_wiring::environment::ENV_NOTIFY_FILE;
use heal_wiring::notify::{Notifier, Rules, courier_with, notifier};
use lambda_runtime::LambdaEvent;

use crate::error::{BatchError, Error};
use crate::function::{Function, logged, read_file};
use crate::record::{Source, delivery};
use crate::serve::{diagnostic, serve};
use crate::settle::{Origin, answer};

impl Function {
    /// Tells people what the messages of the queue `notify` say, the records of a batch concurrently.
    ///
    /// # Errors
    /// The notifications cannot be used, or the platform's interface failed.
    pub async fn tell(self) -> Result<(), Error> {
        let notifier = logged(self.notifier().await)?;
        let telemetry = self.telemetry.clone();
        let (function, notifier) = (Arc::new(self), Arc::new(notifier));
        serve(telemetry, move |event: LambdaEvent<SqsEvent>| {
            let (function, notifier) = (Arc::clone(&function), Arc::clone(&notifier));
            async move {
                let answer = function.notices(&notifier, event.payload).await;
                answer.map_err(|error| diagnostic("BatchError", &error))
            }
        })
        .await
    }

    async fn notifier(&self) -> Result<Notifier, Error> {
        let rules = Arc::new(rules()?);
        let (channels, routes) = (rules.channels.len(), rules.routes.len());
        tracing::info!(channels, routes, "people are told");
        let courier = courier_with(&rules, Some(&self.session), self.vault().await?)?;
        Ok(notifier(&self.ports(), rules, courier, self.observer([], [])))
    }

    async fn notices(&self, notifier: &Notifier, event: SqsEvent) -> Result<SqsBatchResponse, BatchError> {
        let Some(source) = Source::of(self.queues.urls(), &event.records)? else {
            return Ok(SqsBatchResponse::default());
        };
        let deliveries = event.records.into_iter().map(delivery);
        let settled = if source.is_dead {
            deliveries.map(undeliverable).collect()
        } else {
            join_all(deliveries.map(|delivery| notifier.take(delivery))).await
        };
        answer(&Origin { queues: &self.queues, source: &source }, &settled).await
    }
}

/// A message that was delivered too often. People find it among the dead letters, with its reason, and put it back from there.
fn undeliverable(delivery: Delivery) -> Settled {
    let reason =
        "people could not be told in as many tries as the queue allows; the log of the function notify says why"
            .to_owned();
    Settled { delivery, outcome: DeliveryOutcome::DeadLetter { reason } }
}

/// Who is told of what, as the function is deployed with it.
pub(crate) fn rules() -> Result<Rules, Error> {
    Ok(Rules::from_json(&read_file(&Env, ENV_NOTIFY_FILE, "notify.json")?)?)
}
