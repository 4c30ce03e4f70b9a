//! A storm of incidents: sends it, and reads what became of it. One reading for every backend, so that each is asked the same.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a bench stops at the first surprise")]

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use heal_engine::{Event, Plan, report};
use heal_runtime::port::{Message, QueueName, RunFilter, RunReader, Sender};
use tokio::time::{Instant, sleep_until};

/// Runs of one page of the list.
const PAGE_RUNS: usize = 500;

/// Sends `incidents` bodies to the incidents queue, evenly over `length`.
pub async fn send(sender: &dyn Sender, incidents: u64, length: Duration, body: impl Fn(u64) -> String) {
    let started = Instant::now();
    let total = u32::try_from(incidents).unwrap();
    for number in 0..total {
        sleep_until(started + length * number / total).await;
        let body = body(number.into());
        let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
        sender.send(vec![message]).await.unwrap();
    }
}

/// What became of all runs of a store.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Runs by outcome, `live` for those without one.
    pub runs: BTreeMap<&'static str, u64>,
    /// Attempts of all steps of all runs.
    pub attempts: u64,
    /// Runs by the reason of their end, where they have one.
    pub reasons: BTreeMap<String, u64>,
    /// What each run waited in queues, in milliseconds, ascending.
    pub waited_ms: Vec<u64>,
    /// How often a command was issued again because it had waited longer than its window.
    pub reissued: u64,
}

impl Outcomes {
    /// Reads the log of every run.
    pub async fn read(store: &dyn RunReader) -> Self {
        let mut outcomes = Self::default();
        let mut plans = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = store.list(&RunFilter::default(), PAGE_RUNS, cursor.as_deref()).await.unwrap();
            for head in page.runs {
                let log = store.load(&head.run_id, 0).await.unwrap();
                let mut events = log.iter().flat_map(|commit| &commit.events);
                let Some(Event::RunStarted(started)) = events.next() else { continue };
                let digest = &started.plan_digest;
                if !plans.contains_key(digest) {
                    let text = store.plan(digest).await.unwrap().unwrap();
                    plans.insert(digest.clone(), Plan::parse(digest, &text).unwrap());
                }
                let reissues = events.filter(|event| matches!(event, Event::AttemptReissued { .. })).count();
                outcomes.reissued += u64::try_from(reissues).unwrap();
                outcomes.add(&report::report(plans.get(digest), &head.run_id, &log).unwrap());
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        outcomes.waited_ms.sort_unstable();
        outcomes
    }

    fn add(&mut self, report: &report::Report) {
        let outcome = report.outcome.map_or("live", |outcome| outcome.as_str());
        *self.runs.entry(outcome).or_default() += 1;
        self.attempts += report.steps.iter().map(|step| u64::from(step.attempts)).sum::<u64>();
        self.waited_ms.push(report.waited_ms);
        if let Some(reason) = &report.reason {
            *self.reasons.entry(reason.clone()).or_default() += 1;
        }
    }

    /// Whether `runs` runs ended `COMPLETED`, no other run exists, and they took `attempts` attempts in all.
    pub fn are_complete(&self, runs: u64, attempts: u64) -> bool {
        self.runs == BTreeMap::from([("COMPLETED", runs)]) && self.attempts == attempts
    }

    /// What `percent` of the runs waited in queues at most, in seconds.
    fn waited_seconds(&self, percent: usize) -> u64 {
        let last = self.waited_ms.len().saturating_sub(1);
        self.waited_ms.get(last * percent / 100).map_or(0, |waited_ms| waited_ms / 1_000)
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "outcomes {:?}, {} attempts, {} commands issued again", self.runs, self.attempts, self.reissued)?;
        let [half, most, all] = [50, 99, 100].map(|percent| self.waited_seconds(percent));
        write!(f, "a run waited {half} s in queues (median), {most} s (99 %), {all} s (the longest)")?;
        self.reasons.iter().try_for_each(|(reason, runs)| write!(f, "\n{runs} × {reason}"))
    }
}
