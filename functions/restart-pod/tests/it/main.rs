//! `restart_pod` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

mod faults;
mod lost_worker;
mod pods;

use std::time::Duration;

use heal_restart_pod::{RestartPod, spec};
use heal_rig::rig::Rig;
use heal_rig::{logs, rig};
use heal_runtime::ActionCommand;
use heal_runtime::attempt::Worker;
use heal_runtime::port::{Clock as _, SystemClock};
use heal_sandbox::PlatformConfig;
use heal_sandbox::kubernetes::KubernetesConfig;
use heal_sandbox::seed::{NAMESPACE, Seed};
use serde_json::json;

/// Older than any difference of the clocks.
const AGE_MS: i64 = 60_000;

async fn worker(rig: &Rig) -> Worker {
    rig.worker(RestartPod::new(rig.kubernetes().await, rig.clock()))
}

/// A cluster with these delays, whose pods were created a minute ago; the engine's clock shows the cluster's time.
fn cluster(ready_after_ms: u64, terminate_after_ms: u64) -> Rig {
    let kubernetes = KubernetesConfig {
        ready_after: Duration::from_millis(ready_after_ms),
        terminate_after: Duration::from_millis(terminate_after_ms),
        ..KubernetesConfig::default()
    };
    let mut seed = Seed::unhealthy_worker();
    seed.pods.iter_mut().for_each(|pod| pod.created_at -= AGE_MS);
    let rig = Rig::with(PlatformConfig { kubernetes, seed, ..PlatformConfig::default() });
    rig.clock.set(SystemClock.now());
    rig
}

fn of(rig: &Rig, pod_name: &str) -> ActionCommand {
    rig.command(&spec(), json!({"pod_name": pod_name, "namespace": NAMESPACE}))
}
