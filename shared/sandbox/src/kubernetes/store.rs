//! The pods, their deletion and their replacement.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::KubernetesConfig;
use super::failure::Failure;
use super::manifest::manifest;
use super::pod::{Owner, Pod, Replacement, suffix, uid};
use super::selector::Selector;
use crate::journal::Entry;
use crate::state::lock;
use crate::wire::now_ms;

/// The state of the cluster. Every read first applies what is due by then.
#[derive(Debug)]
pub(crate) struct Store {
    ready_after: Duration,
    terminate_after: Duration,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    pods: BTreeMap<Key, Record>,
    resource_version: u64,
    pods_made: u64,
}

/// Namespace and name.
type Key = (String, String);

#[derive(Clone, Debug)]
struct Record {
    pod: Pod,
    resource_version: u64,
    /// When the pod becomes ready.
    ready_at: Option<Instant>,
    /// When the pod was deleted (epoch milliseconds), and when it is gone.
    terminating: Option<(i64, Instant)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteOptions {
    preconditions: Option<Preconditions>,
    dry_run: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Store {
    pub(crate) fn new(config: &KubernetesConfig) -> Self {
        Self { ready_after: config.ready_after, terminate_after: config.terminate_after, held: Mutex::default() }
    }

    /// Replaces every pod and assigns missing uids.
    pub(crate) fn seed(&self, pods: Vec<Pod>) {
        let mut held = lock(&self.held);
        held.pods.clear();
        for mut pod in pods {
            if pod.uid.is_empty() {
                pod.uid = held.new_uid(&pod.name, pod.created_at);
            }
            held.insert(pod, None);
        }
    }

    /// All pods in their current state, ordered by namespace and name.
    pub(crate) fn pods(&self) -> Vec<Pod> {
        let held = self.now();
        held.pods.values().map(|record| record.pod.clone()).collect()
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Result<Value, Failure> {
        let held = self.now();
        let key = (namespace.to_owned(), name.to_owned());
        held.pods.get(&key).map(Record::manifest).ok_or_else(|| Failure::not_found(name))
    }

    /// The pods of `namespace` that match `selector`, and the version of the list.
    pub(super) fn list(&self, namespace: &str, selector: &Selector) -> (Vec<Value>, u64) {
        let held = self.now();
        let found =
            held.pods.values().filter(|record| record.pod.namespace == namespace && selector.matches(&record.pod));
        (found.map(Record::manifest).collect(), held.resource_version)
    }

    pub(super) fn delete(&self, namespace: &str, name: &str, body: &[u8], entry: &Entry) -> Result<Value, Failure> {
        let options: DeleteOptions = if body.is_empty() {
            DeleteOptions::default()
        } else {
            serde_json::from_slice(body).map_err(|error| Failure::bad_request(format!("DeleteOptions: {error}")))?
        };
        let mut held = self.now();
        let key = (namespace.to_owned(), name.to_owned());
        let record = held.pods.get_mut(&key).ok_or_else(|| Failure::not_found(name))?;
        if let Some(preconditions) = options.preconditions {
            preconditions.check(record)?;
        }
        if !options.dry_run.is_empty() || record.terminating.is_some() {
            return Ok(record.manifest());
        }
        entry.effect();
        if self.terminate_after.is_zero() {
            let uid = record.pod.uid.clone();
            if let Some(record) = held.pods.remove(&key) {
                held.replace(&record.pod, self.ready_after);
            }
            return Ok(json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {"name": name, "kind": "pods", "uid": uid},
            }));
        }
        record.terminating = Some((now_ms(), Instant::now() + self.terminate_after));
        let (answer, pod) = (record.manifest(), record.pod.clone());
        if pod.owner.as_ref().is_some_and(|owner| !owner.keeps_names()) {
            held.replace(&pod, self.ready_after);
        }
        Ok(answer)
    }

    /// The state after everything that is due by now.
    fn now(&self) -> std::sync::MutexGuard<'_, Held> {
        let mut held = lock(&self.held);
        held.pass(Instant::now(), self.ready_after);
        held
    }
}

impl Held {
    fn pass(&mut self, now: Instant, ready_after: Duration) {
        let gone: Vec<Key> = self
            .pods
            .iter()
            .filter(|(_, record)| record.terminating.is_some_and(|(_, at)| at <= now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            if let Some(record) = self.pods.remove(&key)
                && record.pod.owner.as_ref().is_some_and(Owner::keeps_names)
            {
                self.replace(&record.pod, ready_after);
            }
        }
        for record in self.pods.values_mut() {
            if record.ready_at.is_some_and(|at| at <= now) {
                record.ready_at = None;
                "Running".clone_into(&mut record.pod.phase);
                record.pod.ready = true;
                self.resource_version += 1;
                record.resource_version = self.resource_version;
            }
        }
    }

    /// Creates the replacement for `old`: a pending pod that is ready after `ready_after`.
    fn replace(&mut self, old: &Pod, ready_after: Duration) {
        let Some(owner) = &old.owner else {
            return;
        };
        // Such a controller replaces a pod when it ends, not when its remains are deleted.
        if !owner.keeps_names() && matches!(old.phase.as_str(), "Failed" | "Succeeded") {
            return;
        }
        let waiting_reason = match old.replacement {
            Replacement::None => return,
            Replacement::Healthy => None,
            Replacement::Unhealthy => Some("CrashLoopBackOff".to_owned()),
        };
        let healthy = waiting_reason.is_none();
        let created_at = now_ms();
        let uid = self.new_uid(&old.name, created_at);
        let name = if owner.keeps_names() { old.name.clone() } else { format!("{}-{}", owner.name, suffix(&uid)) };
        let pod = Pod {
            name,
            uid,
            phase: if healthy { "Pending" } else { "Running" }.to_owned(),
            ready: false,
            restarts: 0,
            waiting_reason,
            terminated_reason: None,
            created_at,
            ..old.clone()
        };
        let now = Instant::now();
        self.insert(pod, healthy.then(|| now + ready_after));
        // With a zero `ready_after` the replacement is ready at once.
        self.pass(now, ready_after);
    }

    fn insert(&mut self, pod: Pod, ready_at: Option<Instant>) {
        self.resource_version += 1;
        let key = (pod.namespace.clone(), pod.name.clone());
        let resource_version = self.resource_version;
        self.pods.insert(key, Record { pod, resource_version, ready_at, terminating: None });
    }

    /// Differs for each pod that this cluster makes and, by the moment of its creation, from those of a cluster that ran before: whoever
    /// remembers a pod by its uid does not take a later pod for it. A seed that says when its pods were created gives the same uids again.
    fn new_uid(&mut self, name: &str, created_at: i64) -> String {
        self.pods_made += 1;
        uid(&format!("{name}/{}/{created_at}", self.pods_made))
    }
}

impl Record {
    fn manifest(&self) -> Value {
        manifest(&self.pod, self.resource_version, self.terminating.map(|(at, _)| at))
    }
}

impl Preconditions {
    fn check(&self, record: &Record) -> Result<(), Failure> {
        let name = &record.pod.name;
        let found = record.resource_version.to_string();
        match (&self.uid, &self.resource_version) {
            (Some(uid), _) if *uid != record.pod.uid => Err(Failure::conflict(name, "UID", uid, &record.pod.uid)),
            (_, Some(version)) if *version != found => Err(Failure::conflict(name, "ResourceVersion", version, &found)),
            _ => Ok(()),
        }
    }
}
