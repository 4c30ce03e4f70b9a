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
mod safety;
mod scope;

use std::time::Duration;

use heal_restart_pod::{RestartPod, spec};
use heal_rig::rig::Rig;
use heal_rig::{logs, rig};
use heal_runtime::ActionCommand;
use heal_runtime::attempt::Worker;
use heal_sandbox::PlatformConfig;
use heal_sandbox::kubernetes::KubernetesConfig;
use heal_sandbox::seed::{NAMESPACE, Seed};
use serde_json::json;

async fn worker(rig: &Rig) -> Worker {
    rig.worker(RestartPod::new(rig.kubernetes().await, rig.clock()))
}

/// A cluster with these delays. The two clocks differ by decades: nothing depends on their agreement.
fn cluster(ready_after_ms: u64, terminate_after_ms: u64) -> Rig {
    cluster_labelled(ready_after_ms, terminate_after_ms, &[])
}

/// The same, whose unhealthy pods have these labels too.
fn cluster_labelled(ready_after_ms: u64, terminate_after_ms: u64, labels: &[(&str, &str)]) -> Rig {
    let kubernetes = KubernetesConfig {
        ready_after: Duration::from_millis(ready_after_ms),
        terminate_after: Duration::from_millis(terminate_after_ms),
        ..KubernetesConfig::default()
    };
    let mut seed = Seed::unhealthy_worker();
    let executor = seed.pods.iter_mut().find(|pod| pod.name == EXECUTOR).unwrap();
    executor.ready = false;
    for pod in seed.pods.iter_mut().filter(|pod| !pod.ready) {
        pod.labels.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    }
    let mut rig = Rig::with(PlatformConfig { kubernetes, seed, ..PlatformConfig::default() });
    NAMESPACE.clone_into(&mut rig.config.kubernetes.namespace);
    rig
}

/// An unhealthy pod of a stateful set, and one of a replica set.
const WORKER: &str = "worker-1";
const EXECUTOR: &str = "executor-7d9f8-x2k4q";

fn uid(rig: &Rig, pod_name: &str) -> String {
    rig.platform.pods().into_iter().find(|pod| pod.name == pod_name).unwrap().uid
}

fn of(rig: &Rig, pod_name: &str) -> ActionCommand {
    rig.command(&spec(), json!({"pod_name": pod_name, "namespace": NAMESPACE}))
}
