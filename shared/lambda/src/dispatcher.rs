//! The dispatcher behind its queues, and behind the dead-letter queues of all actions.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use heal_clients::config::Env;
use heal_runtime::inbox::Inbox;
use heal_runtime::library::Library;
use heal_wiring::environment::{ENV_API_SENDER, ENV_NOTIFY_FILE, ENV_PLAYBOOKS_FILE};
use lambda_runtime::LambdaEvent;

use crate::error::{BatchError, Error};
use crate::function::{Function, logged, read_file, variable};
use crate::notify;
use crate::record::{Source, delivery};
use crate::serve::{diagnostic, serve};
use crate::settle::{Origin, answer};

impl Function {
    /// Processes incidents, results and dead letters.
    ///
    /// # Errors
    /// The playbooks cannot be used, or the platform's interface failed.
    pub async fn dispatch(self) -> Result<(), Error> {
        let inbox = logged(self.inbox())?;
        let telemetry = self.telemetry.clone();
        let (function, inbox) = (Arc::new(self), Arc::new(inbox));
        serve(telemetry, move |event: LambdaEvent<SqsEvent>| {
            let (function, inbox) = (Arc::clone(&function), Arc::clone(&inbox));
            async move {
                let answer = function.messages(&inbox, event.payload).await;
                answer.map_err(|error| diagnostic("BatchError", &error))
            }
        })
        .await
    }

    fn inbox(&self) -> Result<Inbox, Error> {
        let library = Library::from_json(&read_file(&Env, ENV_PLAYBOOKS_FILE, "playbooks.json")?)?;
        let steps = library.entries().flat_map(|entry| entry.plan.playbook.steps());
        let actions: BTreeSet<String> = steps.map(|step| step.kind.clone()).collect();
        let observer = self.observer(actions.iter().map(String::as_str), library.names());
        let ports = self.bounded_ports()?;
        let ports = if are_people_told()? { ports.notifying() } else { ports };
        let gatekeeper = ports.gatekeeper(&Env, Arc::clone(&observer))?;
        let dispatcher = ports.dispatcher(Arc::new(library)).observed_by(observer).gated_by(gatekeeper);
        Ok(Inbox::new(dispatcher).trusting(variable(&Env, ENV_API_SENDER)?))
    }

    async fn messages(&self, inbox: &Inbox, event: SqsEvent) -> Result<SqsBatchResponse, BatchError> {
        let Some(source) = Source::of(self.queues.urls(), &event.records)? else {
            return Ok(SqsBatchResponse::default());
        };
        let deliveries: Vec<_> = event.records.into_iter().map(delivery).collect();
        let settled = if source.is_dead {
            inbox.take_dead(&source.queue, deliveries).await
        } else {
            inbox.take(&source.queue, deliveries).await
        };
        answer(&Origin { queues: &self.queues, source: &source }, &settled).await
    }
}

/// Whether the stack has a notifier, and its rules tell anybody of anything.
fn are_people_told() -> Result<bool, Error> {
    let has_notifier = variable(&Env, ENV_NOTIFY_FILE)?.is_some();
    Ok(has_notifier && !notify::rules()?.routes.is_empty())
}
