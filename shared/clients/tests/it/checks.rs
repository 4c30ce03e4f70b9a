//! The looks of scheduled checks over real sockets: what they see, and what they say where they cannot.

mod dependency;
mod grpc;
mod http;
mod tickets;
mod workflows;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use heal_clients::Wiring;
use heal_clients::checks::Prober;
use heal_clients::config::Config;
use heal_runtime::Timestamp;
use heal_runtime::checks::{Failing, Observation, Probe, Sighting};
use heal_runtime::port::{Clock as _, Prober as _, SystemClock};
use heal_sandbox::{FaultKind, Platform, PlatformConfig, Seed};

fn now() -> Timestamp {
    SystemClock.now()
}

/// Epoch milliseconds so many seconds ago.
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

async fn look(prober: &Prober, probe: &Probe) -> Observation {
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
        Observation::Unknown { reason } => panic!("nothing could be told: {reason}"),
    }
}

/// The one target that is not well; it has every field that templates may name.
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
        Observation::Seen(sighting) => panic!("something was seen: {sighting:?}"),
    }
}

/// Down, hanging, ill, elsewhere, and lying, each until it is cleared.
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

/// What only somebody who reads the answer can stumble over.
fn lies() -> Vec<FaultKind> {
    vec![
        FaultKind::WrongContentType { content_type: "text/html".to_owned(), body: Some("<p>it works</p>".to_owned()) },
        FaultKind::WrongContentType { content_type: "application/json".to_owned(), body: Some("{\"tick".to_owned()) },
        FaultKind::HugeBody { bytes: 100 << 20 },
    ]
}
