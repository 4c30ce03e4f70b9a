//! Two `heal serve` over one stand-in platform, and what they are asked to do.

use std::path::Path;
use std::sync::Arc;

use heal_embedded::Location;
use heal_runtime::port::SystemClock;
use heal_sandbox::{Platform, Seed};
use serde_json::{Value, json};

use crate::prepared;
use crate::support::{PATIENCE, Serve, env, get, platform, playbooks, post, root};

/// Where telemetry is sent; an empty endpoint is none.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub metrics: String,
    pub traces: String,
}

/// The playbooks that bring about what the shipped ones do not.
const OWN: [(&str, &str); 8] = [
    (
        "pause",
        "actions: [{type: pause_workflow, parameters: {workflow_id: \"{{ workflow_id }}\", duration_seconds: 60}}]",
    ),
    (
        "replan",
        "actions: [{type: trigger_replanning, parameters: {workflow_id: \"{{ workflow_id }}\", reason: drift}}]",
    ),
    (
        "give_back",
        "actions: [{type: reallocate_ticket, parameters: {ticket_id: \"{{ ticket_id }}\", reason: worker_failure}}]",
    ),
    ("mark", "actions: [{type: update_ticket_status, parameters: {ticket_id: \"{{ ticket_id }}\", status: running}}]"),
    ("stray", "actions: [{type: update_ticket_status, parameters: {ticket_id: \"{{ ticket_id }}\", status: running}}]"),
    (TOO_LONG, "timeout_seconds: 2\nactions: [{type: wait, parameters: {seconds: \"{{ seconds }}\"}}]"),
    (
        "in_vain",
        "actions: [{type: check_worker_health, parameters: {worker_id: nobody}}]\n\
         verify: [{type: check_worker_health, name: never, until: \"{{ healthy }}\", within_seconds: 1, every_seconds: 1, parameters: {worker_id: nobody}}]",
    ),
    (
        IN_CIRCLES,
        "timeout_seconds: 3600\n\
         actions: [{type: check_worker_health, for_each: \"{{ workers }}\", on_failure: continue, retry: {max_attempts: 5}, \
         parameters: {worker_id: \"{{ item }}\"}}]",
    ),
];
/// One ticket an hour may be marked, no ticket is in reach of `stray`, and five failures in a row make people look at `in_vain`.
const GUARDRAILS: &str = "budgets: [{name: marks, playbooks: [mark], max: 1, window_seconds: 3600}]\n\
                          scope: [{playbooks: [stray], actions: [update_ticket_status], opt_in: {metadata: managed}}]\n\
                          autonomy: [{playbook: in_vain, level: auto, demote: {below_percent: 50, of_last: 5}}]\n";
/// Longer than its timeout.
const TOO_LONG: &str = "too_long";
const IN_CIRCLES: &str = "in_circles";

/// Both services, and the platform that they heal.
#[derive(Debug)]
pub(crate) struct Site {
    pub platform: Platform,
    /// By default: where nobody can decide, actions go ahead.
    pub open: Service,
    /// Where nobody can decide, nothing is done; and its ticket service's breaker opens at the first failure.
    pub closed: Service,
}

/// A `heal serve` and its state file.
pub(crate) struct Service {
    pub serve: Serve,
    pub store: heal_embedded::Store,
    _folders: [tempfile::TempDir; 2],
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("serve", &self.serve).finish_non_exhaustive()
    }
}

impl Site {
    /// With a sick worker.
    pub(crate) fn start(endpoints: &Endpoints) -> Self {
        let platform = platform(Seed::unhealthy_worker());
        let strict = [
            ("OPA_VALIDATED_ACTIONS", "pause_workflow"),
            ("OPA_FAIL_OPEN", "false"),
            ("EXECUTION_TICKET_CIRCUIT_BREAKER_THRESHOLD", "1"),
        ];
        let closed = Service::start(&platform, endpoints, &strict, "");
        // Whom it tells is the other one, as a receiver of CloudEvents, and under an address that is none.
        let told = format!(
            "channels:\n  other: {{type: webhook, url: \"{0}/hooks/cloudevents\"}}\n  gone: {{type: webhook, url: \"{0}/gone\"}}\n\
             routes: [{{to: [other, gone]}}]\n",
            closed.serve.url
        );
        let open = Service::start(&platform, endpoints, &[("OPA_VALIDATED_ACTIONS", "pause_workflow")], &told);
        Self { platform, open, closed }
    }
}

impl Service {
    fn start(platform: &Platform, endpoints: &Endpoints, own: &[(&str, &str)], notify: &str) -> Self {
        let of_playbooks = playbooks(&[]);
        for file in std::fs::read_dir(root().join("playbooks")).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|ending| ending == "yaml") {
                std::fs::copy(&file, of_playbooks.path().join(file.file_name().unwrap())).unwrap();
            }
        }
        for (name, text) in OWN {
            write(of_playbooks.path(), name, text);
        }
        std::fs::write(of_playbooks.path().join("guardrails.yaml"), GUARDRAILS).unwrap();
        std::fs::write(of_playbooks.path().join("notify.yaml"), notify).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let store = heal_embedded::Store::open(Location::File(state.clone()), Arc::new(SystemClock)).unwrap();
        let endpoints = [
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoints.metrics.as_str()),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoints.traces.as_str()),
        ];
        let own = own.iter().chain(&endpoints).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: Vec<_> = env(platform).into_iter().chain(own).collect();
        let log = folder.path().join("log");
        let serve = Serve::start_logging(&state, of_playbooks.path(), &variables, "warn", &log);
        Self { serve, store, _folders: [folder, of_playbooks] }
    }

    /// Puts a run into its state file that has used up what one run may do.
    pub(crate) async fn receives_a_run_at_its_budget(&self) {
        let (name, text) = OWN.iter().find(|(name, _)| *name == IN_CIRCLES).unwrap();
        prepared::run_at_its_budget(&self.store, name, text, crate::scenario::now()).await;
    }

    /// Puts a run into its state file whose timeout has passed, and returns its id.
    pub(crate) async fn receives_an_overdue_run(&self) -> String {
        let (name, text) = OWN.iter().find(|(name, _)| *name == TOO_LONG).unwrap();
        prepared::overdue_run(&self.store, name, text, crate::scenario::now()).await.to_string()
    }

    /// Starts `playbook` as the run `id`.
    /// Its target is its own, unless the parameters name a worker.
    pub(crate) async fn execute(&self, id: &str, playbook: &str, mut parameters: Value) {
        parameters.as_object_mut().unwrap().entry("worker_id").or_insert_with(|| id.into());
        let request = json!({"remediation_id": id, "incident_id": format!("inc-{id}"), "playbook_name": playbook,
            "parameters": parameters});
        let (status, body) = post(&format!("{}/api/v1/remediation/execute", self.serve.url), &request).await;
        assert_eq!(status, 202, "{body}");
    }

    /// Puts a message on the incidents queue.
    pub(crate) async fn incident(&self, message: &Value) {
        let (status, body) = post(&format!("{}/api/v1/incidents", self.serve.url), message).await;
        assert_eq!(status, 202, "{body}");
    }

    /// The outcome of the run `id`, at its end.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (_, body) = get(&format!("{}/api/v1/remediation/{id}/status", self.serve.url)).await;
            if body["result"].is_object() {
                return body["result"].clone();
            }
            assert!(tokio::time::Instant::now() < give_up, "{id} did not end: {body:#}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Starts `playbook` as the run `id`, and fails unless it ends with `outcome`.
    pub(crate) async fn ends(&self, id: &str, playbook: &str, parameters: Value, outcome: &str) {
        self.execute(id, playbook, parameters).await;
        let result = self.ended(id).await;
        assert_eq!(result["outcome"], outcome, "{id}: {result:#}");
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
}
