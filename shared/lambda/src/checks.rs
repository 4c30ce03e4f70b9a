//! One tick of the schedule: wake what is overdue, and look around.

use std::sync::Arc;

use heal_clients::config::Env;
use heal_runtime::Timestamp;
use heal_runtime::checks::{Checks, Outcome, Ports};
use heal_runtime::dispatcher::Inbound;
use heal_runtime::port::{BackendError, CheckStore, Message, Prober, QueueName, RunStore as _, Sender as _};
use heal_wiring::environment::ENV_CHECKS_FILE;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::{Value, json};

use crate::error::Error;
use crate::file;
use crate::function::{Function, clock, logged};
use crate::limit::SWEEP_RUNS;
use crate::serve::{diagnostic, serve};

impl Function {
    /// Answers the schedule's ticks: overdue runs are told to the dispatcher, and the checks look through `prober`.
    ///
    /// # Errors
    /// The checks cannot be used, or the platform's interface failed.
    pub async fn check(self, prober: Arc<dyn Prober>) -> Result<(), Error> {
        let checks = logged(self.checks(prober))?;
        let telemetry = self.telemetry.clone();
        let (function, checks) = (Arc::new(self), Arc::new(checks));
        serve(telemetry, move |_: LambdaEvent<Value>| {
            let (function, checks) = (Arc::clone(&function), Arc::clone(&checks));
            async move { function.tick(&checks).await }
        })
        .await
    }

    fn checks(&self, prober: Arc<dyn Prober>) -> Result<Checks, Error> {
        let ports = Ports {
            prober,
            store: Arc::new(self.store.clone()) as Arc<dyn CheckStore>,
            sender: Arc::new(self.queues.clone()),
        };
        Ok(Checks::from_json(&file::read(&Env, ENV_CHECKS_FILE, "checks.json")?, ports)?)
    }

    /// The checks have their say even where the sweep failed. The tick is a failure where either could not use the table or the queues, so that
    /// the alarm on errors sees it; a target that cannot be looked at is the checks' own affair.
    async fn tick(&self, checks: &Checks) -> Result<Value, Diagnostic> {
        let now = clock().now();
        let (woken, checked) = tokio::join!(self.sweep(now), checks.run(now));
        let woken = woken.map_err(|error| diagnostic("SweepError", &error))?;
        let failed = checked.into_iter().find_map(|checked| match checked.outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::NotDue | Outcome::Looked { .. } | Outcome::Unknown { .. } | Outcome::Overtaken | Outcome::Late => {
                None
            }
        });
        match failed {
            None => Ok(json!({"woken": woken, "checked": checks.iter().count()})),
            Some(error) => Err(diagnostic("CheckError", &error)),
        }
    }

    /// Has the dispatcher look at each run that is overdue: a lost answer, a lost wake-up, a deadline. Says how many there were.
    async fn sweep(&self, now: Timestamp) -> Result<usize, BackendError> {
        let due = self.store.due(now, SWEEP_RUNS).await?;
        let wake = |run_id| Message {
            queue: QueueName::Results,
            body: Inbound::Wake { run_id }.to_body(),
            delay_ms: 0,
            traceparent: None,
        };
        let woken = due.len();
        self.queues.send(due.into_iter().map(wake).collect()).await?;
        Ok(woken)
    }
}
