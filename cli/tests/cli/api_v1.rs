//! `/api/v1` of `heal serve`: what people and their tools read and change.

mod changes;
mod documented;
mod large;
mod reading;
mod standing;

use serde_json::{Value, json};

use crate::support::{Serve, answer, env, get, http, platform, playbooks, post};
use heal_sandbox::{Platform, Seed};

const LONG: &str = "\
description: waits
triggers: [{incident_type: LONG}]
actions:
  - {name: first, type: wait, parameters: {seconds: 50}}
  - {name: second, type: wait, parameters: {seconds: 1}, needs: [first]}
";
const ASKS: &str = "\
description: asks
triggers: [{incident_type: STUCK}]
actions:
  - {type: restart_workflow, parameters: {workflow_id: \"{{ workflow_id }}\"}}
";
const SHORT: &str = "\
description: waits a moment
actions:
  - {name: moment, type: wait, parameters: {seconds: 1}}
";

/// A `heal serve` with three playbooks.
struct Home {
    serve: Serve,
    folder: tempfile::TempDir,
    _platform: Platform,
}

impl Home {
    fn new() -> Self {
        let platform = platform(Seed::healthy_worker());
        let folder = playbooks(&[("long.yaml", LONG), ("asks.yaml", ASKS), ("short.yaml", SHORT)]);
        let serve = Serve::start(&folder.path().join("state.db"), folder.path(), &env(&platform));
        Self { serve, folder, _platform: platform }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.serve.url)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        get(&self.url(path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        post(&self.url(path), body).await
    }

    /// Starts a run of `playbook` under this id.
    async fn start(&self, id: &str, playbook: &str) {
        let request = json!({"remediation_id": id, "incident_id": format!("inc-{id}"), "playbook_name": playbook,
            "parameters": {"workflow_id": format!("wf-{id}"), "severity": "HIGH"}});
        let (status, body) = self.post("/api/v1/remediation/execute", &request).await;
        assert_eq!(status, 202, "{body}");
    }

    async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(http().put(self.url(path)).json(body).send().await.unwrap()).await
    }
}
