//! One tick of the schedule: wake overdue runs, count live ones, remove old ones, log the head of the last day, and run the checks.

use std::sync::Arc;

use heal_aws::Store;
use heal_clients::config::Env;
use heal_runtime::Timestamp;
use heal_runtime::audit::HeadLog;
use heal_runtime::checks::{CheckOutcome, Checks};
use heal_runtime::dependencies::Dependencies;
use heal_runtime::halts;
use heal_runtime::message::Inbound;
use heal_runtime::observe::Observer;
use heal_runtime::port::{BackendError, DueRuns, Message, Prober, QueueName, RunStore, Sender, Switches};
use heal_wiring::environment::ENV_CHECKS_FILE;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::{Value, json};

use crate::error::Error;
use crate::function::{Function, clock, logged, read_file};
use crate::limit::{GARBAGE_TIME, HEAD_TIME, HEAD_WINDOW_MS, SWEEP_RUNS};
use crate::serve::{diagnostic, serve};

const DAY_MS: u64 = 86_400_000;

impl Function {
    /// Answers the schedule's ticks: wakes overdue runs, removes old ones, and runs the checks over `prober`.
    ///
    /// # Errors
    /// The checks cannot be used, or the platform's interface failed.
    pub async fn check(self, prober: Arc<dyn Prober>) -> Result<(), Error> {
        let checks = logged(self.checks(prober))?;
        let telemetry = self.telemetry.clone();
        let observer = self.observer([], []);
        let dependencies = Arc::new(logged(self.bounded_ports())?.dependencies());
        let (function, checks, heads) = (Arc::new(self), Arc::new(checks), Arc::new(HeadLog::default()));
        serve(telemetry, move |_: LambdaEvent<Value>| {
            let (function, checks, observer) = (Arc::clone(&function), Arc::clone(&checks), Arc::clone(&observer));
            let (dependencies, heads) = (Arc::clone(&dependencies), Arc::clone(&heads));
            async move { function.tick(&checks, &dependencies, &heads, &*observer).await }
        })
        .await
    }

    fn checks(&self, prober: Arc<dyn Prober>) -> Result<Checks, Error> {
        Ok(Checks::from_json(&read_file(&Env, ENV_CHECKS_FILE, "checks.json")?, self.ports().checks(prober))?)
    }

    /// Runs the sweep and the checks independently. The tick fails if either could not use the table or the queues, so that the alarm on
    /// errors fires; a target that cannot be probed is not a failure of the tick.
    async fn tick(
        &self,
        checks: &Checks,
        dependencies: &Dependencies,
        heads: &HeadLog,
        observer: &dyn Observer,
    ) -> Result<Value, Diagnostic> {
        let now = clock().now();
        let (woken, (), (), (), checked) = tokio::join!(
            wake_due(&self.store, &self.queues, dependencies, now),
            report_live(&self.store, observer, now),
            remove_old(&self.store, now),
            log_head(&self.store, heads, now),
            checks.run(now)
        );
        let woken = woken.map_err(|error| diagnostic("SweepError", &error))?;
        let failed = checked.into_iter().find_map(|checked| match checked.outcome {
            CheckOutcome::Failed(error) => Some(error),
            CheckOutcome::NotDue
            | CheckOutcome::Probed { .. }
            | CheckOutcome::Unknown { .. }
            | CheckOutcome::Overtaken
            | CheckOutcome::Newer(_)
            | CheckOutcome::Late => None,
        });
        match failed {
            None => Ok(json!({"woken": woken, "checked": checks.iter().count()})),
            Some(error) => Err(diagnostic("CheckError", &error)),
        }
    }
}

/// Reports the numbers of live runs, of those that are held, and of halts. Only the metric misses a count that failed.
async fn report_live(store: &Store, observer: &dyn Observer, now: Timestamp) {
    match tokio::join!(store.count_live(), store.count_held(), store.halts()) {
        (Ok(live), Ok(held), Ok(halts)) => {
            observer.runs_active(live);
            observer.runs_waiting(live.waited(now));
            observer.runs_held(held);
            observer.halts_active(halts::ordered(&halts, now));
            observer.storms_active(halts::storms(&halts, now).count() as u64);
            observer.dependencies_sick(halts::dependencies(&halts, now));
        }
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "failed to count the live runs and the halts");
        }
    }
}

/// Removes runs that ended before the retention. A failure only means that they are kept until the next tick, and so does an interruption.
async fn remove_old(store: &Store, now: Timestamp) {
    match tokio::time::timeout(GARBAGE_TIME, store.collect_garbage(now)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(removed)) => tracing::info!(removed, "removed runs that ended before the retention"),
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "failed to remove old runs"),
        Err(_) => tracing::info!(seconds = GARBAGE_TIME.as_secs(), "stopped removing old runs; the next tick goes on"),
    }
}

/// Logs the head of the last day in the first hour of the next one.
async fn log_head(store: &Store, heads: &HeadLog, now: Timestamp) {
    if is_head_due(now) {
        heads.log_due(store, now, HEAD_TIME).await;
    }
}

const fn is_head_due(now: Timestamp) -> bool {
    now.0 % DAY_MS < HEAD_WINDOW_MS
}

/// Sends a wake-up to every overdue run (a lost result, a lost wake-up, a deadline), to every run whose halt has ended, and to the first of those
/// that wait for room, so that the dispatcher admits whom it can; returns their number.
async fn wake_due<S: RunStore + Switches>(
    store: &S,
    sender: &dyn Sender,
    dependencies: &Dependencies,
    now: Timestamp,
) -> Result<usize, BackendError> {
    // What is halted stays so until its time is over.
    if let Err(error) = dependencies.watch(now).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "failed to look at the dependencies");
    }
    let all = store.halts().await?;
    let halts = halts::lasting(&all, now);
    let mut due = store.due(now, SWEEP_RUNS).await?;
    due.extend(store.held_by_others(&halts, SWEEP_RUNS).await?);
    due.extend(store.occupancy(now).await?.waiting.into_iter().map(|waiting| waiting.run_id).next());
    due.extend(halts::trickling(store, &all, now).await?);
    let wake = |run_id| Message {
        queue: QueueName::Results,
        body: Inbound::Wake { run_id }.to_body(),
        delay_ms: 0,
        traceparent: None,
    };
    let woken = due.len();
    sender.send(due.into_iter().map(wake).collect()).await?;
    Ok(woken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_day_is_due_in_the_hour_after_it() {
        let midnight = 1_795_824_000_000;
        for (after, expected) in [(0, true), (HEAD_WINDOW_MS - 1, true), (HEAD_WINDOW_MS, false), (DAY_MS - 1, false)] {
            assert_eq!(is_head_due(Timestamp(midnight + after)), expected, "{after}");
        }
    }
}
