//! Runs on the deployed stack, with the requests to AWS counted meanwhile.

use std::fmt;
use std::time::Duration;

use heal_runtime::port::{Message, QueueName, RunFilter, RunReader as _, Sender as _};
use heal_runtime::{RunStatus, Timestamp};
use heal_sandbox::opa::OpaConfig;
use heal_sandbox::{PlatformConfig, Seed};
use heal_stack::Deployment;
use heal_stack::meter::{Counts, Meter};
use serde_json::json;
use tokio::time::Instant;

/// 1,000 runs take minutes on two cores.
const RUNS_TIMEOUT: Duration = Duration::from_mins(30);

pub(crate) struct Course {
    deployment: Deployment,
    meter: Meter,
}

/// The requests to AWS.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub counts: Counts,
    /// Invocations of functions; each receives and deletes one batch.
    pub invocations: u64,
}

impl Asked {
    /// The sends and visibility changes of the functions, the send of the producer, and one receive and one delete per batch.
    pub(crate) fn sqs_requests(&self) -> u64 {
        self.counts.sqs_requests + 2 * self.invocations + 1
    }

    /// Write units, read units, invocations and SQS requests per step, relative to `other`.
    pub(crate) fn per_step(&self, steps: u64, other: &Self, other_steps: u64) -> String {
        let ratio = |own: u64, of_other: u64| ratio(own * other_steps, of_other * steps);
        format!(
            "write units x{:.2}, read units x{:.2}, invocations x{:.2}, SQS requests x{:.2}",
            ratio(self.counts.write_units, other.counts.write_units),
            ratio(self.counts.half_read_units, other.counts.half_read_units),
            ratio(self.invocations, other.invocations),
            ratio(self.sqs_requests(), other.sqs_requests()),
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn ratio(own: u64, other: u64) -> f64 {
    own as f64 / other.max(1) as f64
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = ratio(self.counts.half_read_units, 2);
        let Counts { write_units, calls, written, half_read, .. } = &self.counts;
        let (invocations, sqs) = (self.invocations, self.sqs_requests());
        write!(
            f,
            "write units {write_units}, read units {reads}, invocations {invocations}, SQS requests {sqs}; calls {calls:?}; \
             write units by row {written:?}; half read units by row {half_read:?}"
        )
    }
}

impl Course {
    pub(crate) fn start() -> Self {
        let meter = Meter::start();
        let policy = Some(heal_clients::policy::BUNDLED_POLICY.to_owned());
        let opa = OpaConfig { policy, ..OpaConfig::default() };
        let config = PlatformConfig { seed: seed(), opa, ..PlatformConfig::default() };
        let parameters = [("ScheduledChecksEnabled", "false")];
        let deployment = Deployment::start(config, &parameters, &[("AWS_ENDPOINT_URL", &meter.url)]);
        meter.forward_to(&deployment.stack.endpoint_url);
        Self { deployment, meter }
    }

    /// One run, alone.
    pub(crate) async fn one(&self, incident_type: &str, number: u64) -> Asked {
        self.runs(incident_type, number..number + 1).await
    }

    /// `runs` runs, sent together.
    pub(crate) async fn many(&self, incident_type: &str, runs: u64) -> Asked {
        self.runs(incident_type, 1_000..1_000 + runs).await
    }

    /// One tick of the schedule while no run is live; the first one finds its function cold.
    pub(crate) async fn idle_tick(&self) -> Counts {
        let path = format!("{}-scheduled-checks/invocations", heal_stack::STACK);
        let event = json!({"source": "aws.events"});
        for _ in 0..2 {
            self.meter.take();
            heal_stack::table::lambda(&self.deployment.stack, reqwest::Method::POST, &path, &event).await;
        }
        self.meter.take()
    }

    async fn runs(&self, incident_type: &str, numbers: std::ops::Range<u64>) -> Asked {
        let (store, queues) = (self.deployment.store().await, self.deployment.queues().await);
        let since = Timestamp(now_ms());
        let (_, before) = (self.meter.take(), self.invocations());
        let wanted = usize::try_from(numbers.end - numbers.start).unwrap();
        let incident = |number: u64| Message {
            queue: QueueName::Incidents,
            body: json!({
                "incident_id": format!("bench-{incident_type}-{number}"), "incident_type": incident_type,
                "worker_id": format!("bench-worker-{number}"), "workflow_id": "wf-running",
                "ticket_id": format!("bench-{number}"),
            })
            .to_string(),
            delay_ms: 0,
            traceparent: None,
        };
        queues.send(numbers.map(incident).collect()).await.unwrap();
        let completed = RunFilter { status: Some(RunStatus::Completed), since: Some(since), ..RunFilter::default() };
        let started = Instant::now();
        loop {
            // A busy local AWS may fail to list the runs in time.
            let ended = completed_runs(&store, &completed).await.unwrap_or(0);
            if ended == wanted {
                break;
            }
            assert!(
                started.elapsed() < RUNS_TIMEOUT,
                "{ended} of {wanted} runs have completed\n{}",
                self.deployment.log()
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // Wait for the last reply.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Asked { counts: self.meter.take(), invocations: self.invocations() - before }
    }

    /// The local AWS logs one line per batch that a function receives.
    fn invocations(&self) -> u64 {
        self.deployment
            .log()
            .lines()
            .filter(|line| line.contains("ESM: Lambda") && line.contains("SQS messages from"))
            .count() as u64
    }
}

async fn completed_runs(store: &heal_aws::Store, filter: &RunFilter) -> heal_runtime::port::Result<usize> {
    let mut ended = 0;
    let mut cursor = None;
    loop {
        let page = store.list(filter, 100, cursor.as_deref()).await?;
        ended += page.runs.len();
        cursor = page.next;
        if cursor.is_none() {
            return Ok(ended);
        }
    }
}

/// A ticket and a worker for each run: the guardrails escalate the third run about one of them.
fn seed() -> Seed {
    let base = serde_json::to_value(Seed::healthy_worker()).unwrap();
    let mut seed = base.clone();
    for number in (0..10).chain(1_000..2_000) {
        let mut ticket = base["tickets"][0].clone();
        ticket["ticket_id"] = json!(format!("bench-{number}"));
        seed["tickets"].as_array_mut().unwrap().push(ticket);
        let mut pod = base["pods"][0].clone();
        pod["name"] = json!(format!("bench-worker-{number}"));
        pod["uid"] = json!(format!("bench-{number}"));
        seed["pods"].as_array_mut().unwrap().push(pod);
    }
    serde_json::from_value(seed).unwrap()
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
