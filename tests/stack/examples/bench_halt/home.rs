//! The engine under test: `heal serve` over a state file, or the deployed template. People command both by `heal`.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use heal_aws::Queues;
use heal_runtime::port::{Message, QueueName, Sender as _};
use heal_sandbox::Platform;
use heal_stack::{Contents, Deployment, REGION, STACK};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Messages of one call to the queue, and calls to the API at a time.
const BATCH: usize = 10;
/// Invocations at a time of each function: more would only take the processor from each other.
const PARAMETERS: [(&str, &str); 4] = [
    ("DispatcherMaximumConcurrency", "2"),
    ("RestartWorkflowMaximumConcurrency", "2"),
    ("UpdateTicketStatusMaximumConcurrency", "2"),
    ("PauseWorkflowMaximumConcurrency", "2"),
];

pub(crate) enum Home {
    Serving { platform: Platform, url: String, folder: TempDir, process: Child },
    Deployed { deployment: Deployment, queues: Box<Queues> },
}

impl Home {
    /// Starts `heal serve` with one playbook and no checks.
    pub(crate) fn serving(platform: Platform) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let playbook = heal_stack::root().join("tests/stack/playbooks/halt_bench.yaml");
        let playbooks = folder.path().join("playbooks");
        std::fs::create_dir_all(folder.path().join("checks")).unwrap();
        std::fs::create_dir_all(&playbooks).unwrap();
        std::fs::copy(playbook, playbooks.join("halt_bench.yaml")).unwrap();
        let mut command = Command::new(heal());
        command.current_dir(folder.path()).env_clear().envs(platform.env());
        command.env("SPIFFE_IDENTITY_SOURCE", "none").env("RUST_LOG", "warn");
        command.args(["serve", "--state", "heal.db", "--playbooks", "playbooks", "--checks", "checks"]);
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("heal is built beside this program");
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self::Serving { platform, url: url.trim().to_owned(), folder, process }
    }

    /// Deploys the template on a local AWS.
    pub(crate) async fn deployed(platform: Platform) -> Self {
        let deployment =
            tokio::task::spawn_blocking(move || Deployment::over(platform, Contents::default(), &PARAMETERS, &[]))
                .await
                .unwrap();
        let queues = Box::new(deployment.queues().await);
        Self::Deployed { deployment, queues }
    }

    pub(crate) fn platform(&self) -> &Platform {
        match self {
            Self::Serving { platform, .. } => platform,
            Self::Deployed { deployment, .. } => &deployment.platform,
        }
    }

    /// Sends incidents, as producers do.
    pub(crate) async fn send(&self, incidents: Vec<Value>) {
        match self {
            Self::Serving { url, .. } => {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                for batch in incidents.chunks(BATCH) {
                    let mut calls = JoinSet::new();
                    for incident in batch {
                        calls.spawn(client.post(format!("{url}/api/v1/incidents")).json(incident).send());
                    }
                    let answers = calls.join_all().await;
                    assert!(answers.into_iter().all(|answer| answer.unwrap().status().as_u16() == 202));
                }
            }
            Self::Deployed { queues, .. } => {
                let message = |incident: &Value| Message {
                    queue: QueueName::Incidents,
                    body: incident.to_string(),
                    delay_ms: 0,
                    traceparent: None,
                };
                for batch in incidents.chunks(BATCH) {
                    queues.send(batch.iter().map(message).collect()).await.unwrap();
                }
            }
        }
    }

    /// Runs `heal` against this engine. Panics with its output if it fails.
    pub(crate) fn heal(&self, args: &[&str]) -> String {
        let mut command = Command::new(heal());
        command.env_clear().args(args);
        match self {
            Self::Serving { folder, .. } => command.current_dir(folder.path()).args(["--state", "heal.db"]),
            Self::Deployed { deployment, .. } => command
                .args(["--stack", STACK])
                .env("AWS_ENDPOINT_URL", &deployment.stack.endpoint_url)
                .envs([("AWS_REGION", REGION), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]),
        };
        let output = command.output().unwrap();
        assert!(output.status.success(), "heal {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Beside this program: `target/debug/examples/bench_halt` and `target/debug/heal`.
fn heal() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).expect("examples are in a folder of the target").join("heal")
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serving { .. } => "one `heal serve` over a state file",
            Self::Deployed { .. } => "the deployed template on a local AWS",
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Serving { process, .. } = self {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
