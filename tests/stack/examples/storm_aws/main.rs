//! A storm on the local stack: incidents come far faster than queues, functions and target can serve them. Nothing may fail for being late.
//!
//! `make bench-storm STACK=1` builds the functions and runs this; arguments: incidents, seconds, calls a second of the ticket service. Exits
//! with 1 unless every run did every step with its first attempt, and every ticket was changed once by each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod bounded;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use bounded::Bounded;
use heal_sandbox::opa::OpaConfig;
use heal_sandbox::{Platform, PlatformConfig, Seed};
use heal_stack::{Contents, Deployment};
use heal_testkit::storm::{self, Outcomes};
use serde_json::json;
use tokio::time::Instant;

/// Changes of a run, each by a step of its own.
const CHANGES: u64 = 2;
/// The time between two looks at the target, which no longer changes once the storm is over.
const POLL: Duration = Duration::from_secs(2);
/// The storm has failed if the target is not called for this long: more than a command's first window, after which it is issued again.
const QUIET: Duration = Duration::from_mins(8);
/// Two invocations at a time of each function: more would only take the processor from each other.
const PARAMETERS: [(&str, &str); 4] = [
    ("ScheduledChecksEnabled", "false"),
    ("DispatcherMaximumConcurrency", "2"),
    ("ReallocateTicketMaximumConcurrency", "2"),
    ("UpdateTicketStatusMaximumConcurrency", "2"),
];

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u32| arguments.next().map_or(otherwise, |text| text.parse().expect("a number"));
    let (incidents, seconds, rate) = (number(2_000), number(60), number(20));
    println!("{incidents} incidents in {seconds} s, {CHANGES} changes each, on a ticket service of {rate} calls/s");
    let platform = Platform::start(config(incidents)).unwrap();
    let tickets = platform.endpoints().env().into_iter().find(|(name, _)| name == "EXECUTION_TICKET_SERVICE_URL");
    let (target, url) = Bounded::start(&tickets.unwrap().1, rate).await;
    let deployment = tokio::task::spawn_blocking(move || {
        let parameters = [PARAMETERS.as_slice(), &[("ExecutionTicketServiceUrl", &url)]].concat();
        Deployment::over(platform, Contents::default(), &parameters, &[])
    });
    let deployment = deployment.await.unwrap();
    let (store, queues) = (deployment.store().await, deployment.queues().await);
    let incidents = u64::from(incidents);
    let incident = |number| {
        json!({"incident_id": format!("inc-{number}"), "incident_type": "STORM", "ticket_id": format!("storm-{number}")})
            .to_string()
    };
    let started = Instant::now();
    let sending = async {
        storm::send(&queues, incidents, Duration::from_secs(seconds.into()), incident).await;
        println!("sent within {} s, {} calls served by then", started.elapsed().as_secs(), target.calls().served);
    };
    let ((), ()) = tokio::join!(sending, changed(&target, incidents * CHANGES));
    let took = started.elapsed();
    let outcomes = ended(&store, incidents).await;
    let calls = target.calls();
    println!(
        "{} changes in {} s, {} calls\n{outcomes}",
        calls.changes.values().sum::<u64>(),
        took.as_secs(),
        calls.served
    );
    let repeated: BTreeSet<_> = calls.changes.iter().filter(|(_, times)| **times != 1).collect();
    let each_once = calls.changes.len() as u64 == incidents * CHANGES && repeated.is_empty();
    if each_once && outcomes.are_complete(incidents, incidents * CHANGES) {
        return ExitCode::SUCCESS;
    }
    println!(
        "failed: every run has to be COMPLETED, with one attempt and one change for each step; repeated: {repeated:?}"
    );
    ExitCode::FAILURE
}

fn config(incidents: u32) -> PlatformConfig {
    let base = serde_json::to_value(Seed::healthy_worker()).unwrap();
    let mut seed = base.clone();
    for number in 0..incidents {
        let mut ticket = base["tickets"][0].clone();
        ticket["ticket_id"] = json!(format!("storm-{number}"));
        seed["tickets"].as_array_mut().unwrap().push(ticket);
    }
    let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
    PlatformConfig { seed: serde_json::from_value(seed).unwrap(), opa, ..PlatformConfig::default() }
}

/// Waits for `changes` different changes, as long as there are new ones.
async fn changed(target: &Bounded, changes: u64) {
    let (mut before, mut since) = (0, Instant::now());
    loop {
        let now = target.calls().changes.len() as u64;
        if now >= changes || since.elapsed() > QUIET {
            return;
        }
        if now != before {
            (before, since) = (now, Instant::now());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The last results still have to end their runs.
async fn ended(store: &heal_aws::Store, incidents: u64) -> Outcomes {
    let started = Instant::now();
    loop {
        let outcomes = Outcomes::read(store).await;
        let ended: u64 = outcomes.runs.iter().filter(|(outcome, _)| **outcome != "live").map(|(_, runs)| runs).sum();
        if ended >= incidents || started.elapsed() > QUIET {
            return outcomes;
        }
        tokio::time::sleep(POLL).await;
    }
}
