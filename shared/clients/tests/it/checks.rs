//! The probes of scheduled checks over real sockets: what they observe, and when the observation is unknown.

mod dependency;
mod grpc;
mod http;
mod tickets;
mod workflows;

use std::collections::BTreeMap;
use std::time::Duration;

use heal_clients::Wiring;
use heal_clients::checks::Prober;
use heal_clients::config::Config;
use heal_runtime::Timestamp;
use heal_runtime::checks::{Failing, Observation, Probe, Sighting};
use heal_runtime::port::{Clock as _, Prober as _, SystemClock};
use heal_sandbox::{FaultKind, Platform, PlatformConfig, Seed};
use tokio::time::Instant;

fn now() -> Timestamp {
    SystemClock.now()
}

/// The time `seconds` ago, in epoch milliseconds.
fn ago(seconds: i64) -> i64 {
    i64::try_from(now().0).unwrap() - seconds * 1_000
}

fn start(seed: Seed) -> (Platform, Prober) {
    let platform = Platform::start(PlatformConfig { seed, ..PlatformConfig::default() }).unwrap();
    let prober = prober(&platform, &[]);
    (platform, prober)
}

fn prober(platform: &Platform, more: &[(&str, &str)]) -> Prober {
    let mut env: BTreeMap<String, String> = platform.env().into_iter().collect();
    env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Prober::new(&Config::read(&env).unwrap(), &Wiring::default())
}

async fn observe(prober: &Prober, probe: &Probe) -> Observation {
    let started = Instant::now();
    let observation = prober.probe(probe, now()).await;
    let most = Duration::from_secs(probe.timeout_seconds()) + Duration::from_secs(1);
    assert!(started.elapsed() < most, "{probe:?} took {:?}", started.elapsed());
    observation
}

#[track_caller]
fn sighting(observation: Observation) -> Sighting {
    match observation {
        Observation::Seen(sighting) => sighting,
        Observation::Unknown { reason } => panic!("expected an observation, the probe could not tell: {reason}"),
    }
}

/// The only failing target; asserts that it has every field that templates may name.
#[track_caller]
fn failing(probe: &Probe, observation: Observation) -> Failing {
    let mut failing = sighting(observation).failing;
    assert_eq!(failing.len(), 1, "{failing:?}");
    let failing = failing.remove(0);
    for (field, _) in probe.kind().fields() {
        assert!(failing.fields.contains_key(*field), "no {field} in {failing:?}");
    }
    assert_eq!(failing.fields["id"], failing.id.as_str());
    assert!(!failing.reason.is_empty() && !failing.reason.ends_with('.'), "{failing:?}");
    failing
}

#[track_caller]
fn unknown(observation: Observation) -> String {
    match observation {
        Observation::Unknown { reason } => reason,
        Observation::Seen(sighting) => panic!("expected an unknown observation: {sighting:?}"),
    }
}

/// A service that is down, hangs, fails, redirects or responds wrongly; each fault lasts until it is cleared.
fn outages() -> Vec<FaultKind> {
    vec![
        FaultKind::Refuse,
        FaultKind::Hang,
        FaultKind::DropAnswer,
        FaultKind::Status { code: 500, retry_after_seconds: None },
        FaultKind::Status { code: 429, retry_after_seconds: Some(1) },
        FaultKind::Redirect { location: "http://127.0.0.1:1/".to_owned(), status: 307 },
    ]
}

/// Malformed responses: faults only for a client that reads the body.
fn lies() -> Vec<FaultKind> {
    vec![
        FaultKind::WrongContentType { content_type: "text/html".to_owned(), body: Some("<p>it works</p>".to_owned()) },
        FaultKind::WrongContentType { content_type: "application/json".to_owned(), body: Some("{\"tick".to_owned()) },
        FaultKind::HugeBody { bytes: 100 << 20 },
    ]
}
