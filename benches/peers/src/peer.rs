//! The two engines under test and the bare loop, each started on an empty folder.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::process::{Process, Usage};

/// Between two questions to an engine that starts.
const START_POLL: Duration = Duration::from_millis(10);
/// Questions to an engine that starts.
const START_POLLS: usize = 3_000;
/// Between two looks at the processor time of an engine that settles.
const SETTLE_POLL: Duration = Duration::from_secs(2);
/// The share of a processor that an idle engine takes.
const IDLE_SHARE: f64 = 0.03;
const SETTLE_LONGEST: Duration = Duration::from_mins(10);
const PLAYBOOK: &str = include_str!("../playbooks/peers.yaml");
const GUARDRAILS: &str = include_str!("../playbooks/guardrails.yaml");
/// One caller starts all runs and asks for their ends.
const API: &str = "requests_per_second: 100000\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Heal,
    Restate,
    /// No engine: the same calls and syncs, and nothing else.
    Bare,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Restate, Self::Heal, Self::Bare];

    pub fn name(self) -> &'static str {
        match self {
            Self::Heal => "heal",
            Self::Restate => "Restate",
            Self::Bare => "the bare loop",
        }
    }
}

/// Where the programs are.
pub struct Programs {
    pub heal: String,
    pub restate: String,
    pub service: String,
    pub bare: String,
}

/// An engine that is ready to take work.
pub struct Peer {
    kind: Kind,
    url: String,
    processes: Vec<Process>,
    /// The state, removed with it.
    folder: TempDir,
}

/// A port that is free now.
fn port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Peer {
    /// # Errors
    /// A process does not start; the text names it.
    pub async fn start(
        kind: Kind,
        programs: &Programs,
        tickets: &str,
        folder: &Path,
        http: &reqwest::Client,
    ) -> Result<Self, String> {
        let folder = TempDir::new_in(folder).map_err(|error| error.to_string())?;
        match kind {
            Kind::Heal => Self::heal(&programs.heal, tickets, folder, http).await,
            Kind::Restate => Self::restate(programs, tickets, folder, http).await,
            Kind::Bare => Self::bare(&programs.bare, tickets, folder, http).await,
        }
        .map_err(|error| format!("failed to start {}: {error}", kind.name()))
    }

    /// `heal serve` on what is in `folder`, or on an empty state.
    ///
    /// # Errors
    /// It does not start.
    pub async fn heal(program: &str, tickets: &str, folder: TempDir, http: &reqwest::Client) -> Result<Self, String> {
        let at = |name: &str| folder.path().join(name);
        let text = |name: &str| at(name).display().to_string();
        std::fs::create_dir_all(at("playbooks")).map_err(|error| error.to_string())?;
        for (name, content) in [("playbooks/peers.yaml", PLAYBOOK), ("guardrails.yaml", GUARDRAILS), ("api.yaml", API)]
        {
            std::fs::write(at(name), content).map_err(|error| error.to_string())?;
        }
        let address = format!("127.0.0.1:{}", port().map_err(|error| error.to_string())?);
        let (state, playbooks, guardrails, api) =
            (text("heal.db"), text("playbooks"), text("guardrails.yaml"), text("api.yaml"));
        let arguments = [
            "serve",
            "--state",
            &state,
            "--playbooks",
            &playbooks,
            "--guardrails",
            &guardrails,
            "--api",
            &api,
            "--listen",
            &address,
        ];
        let variables = [
            ("EXECUTION_TICKET_SERVICE_URL", tickets),
            ("OPA_HOST", ""),
            ("ORCHESTRATOR_GRPC_USE_TLS", "false"),
            ("ENVIRONMENT", "development"),
            ("RUST_LOG", "warn"),
        ];
        let log = at("heal.log");
        let process =
            Process::start(Path::new(program), &arguments, &variables, &log).map_err(|error| error.to_string())?;
        let url = format!("http://{address}");
        answers(http, &format!("{url}/health"), &log).await?;
        Ok(Self { kind: Kind::Heal, url, processes: vec![process], folder })
    }

    async fn bare(program: &str, tickets: &str, folder: TempDir, http: &reqwest::Client) -> Result<Self, String> {
        let address = format!("127.0.0.1:{}", port().map_err(|error| error.to_string())?);
        let (log, records) = (folder.path().join("bare.log"), folder.path().join("records"));
        let arguments = [address.as_str(), tickets, &records.display().to_string()];
        let process = Process::start(Path::new(program), &arguments, &[], &log).map_err(|error| error.to_string())?;
        let url = format!("http://{address}");
        answers(http, &format!("{url}/health"), &log).await?;
        Ok(Self { kind: Kind::Bare, url, processes: vec![process], folder })
    }

    async fn restate(
        programs: &Programs,
        tickets: &str,
        folder: TempDir,
        http: &reqwest::Client,
    ) -> Result<Self, String> {
        let address = || port().map(|port| format!("127.0.0.1:{port}")).map_err(|error| error.to_string());
        let (service, ingress, admin, node) = (address()?, address()?, address()?, address()?);
        let at = |name: &str| folder.path().join(name);
        let start = |program: &str, arguments: &[&str], variables: &[(&str, &str)], log: &str| {
            Process::start(Path::new(program), arguments, variables, &at(log)).map_err(|error| error.to_string())
        };
        let base = at("restate-data").display().to_string();
        let advertised = format!("http://{node}");
        // Every write is synced: the defaults, said aloud.
        let variables = [
            ("RESTATE_INGRESS__BIND_ADDRESS", ingress.as_str()),
            ("RESTATE_ADMIN__BIND_ADDRESS", admin.as_str()),
            ("RESTATE_BIND_ADDRESS", node.as_str()),
            ("RESTATE_ADVERTISED_ADDRESS", advertised.as_str()),
            ("RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC", "false"),
            ("RESTATE_DISABLE_TELEMETRY", "true"),
            ("RUST_LOG", "warn"),
        ];
        let server = start(&programs.restate, &["--base-dir", &base], &variables, "restate.log")?;
        let worker = start(&programs.service, &[&service, tickets], &[], "service.log")?;
        answers(http, &format!("http://{admin}/health"), &at("restate.log")).await?;
        let body = json!({"uri": format!("http://{service}"), "force": true});
        for left in (0..START_POLLS).rev() {
            let answer = http.post(format!("http://{admin}/deployments")).json(&body).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => break,
                _ if left > 0 => sleep(START_POLL).await,
                Ok(answer) => return Err(format!("registration: {}", answer.text().await.unwrap_or_default())),
                Err(error) => return Err(format!("registration: {error}")),
            }
        }
        answers(http, &format!("http://{ingress}/restate/health"), &at("restate.log")).await?;
        Ok(Self { kind: Kind::Restate, url: format!("http://{ingress}"), processes: vec![server, worker], folder })
    }

    /// Runs the playbook about `ticket` to its end.
    ///
    /// # Errors
    /// The engine refuses it, or it fails.
    pub async fn run(&self, http: &reqwest::Client, ticket: &str) -> Result<(), String> {
        let (url, body) = match self.kind {
            Kind::Restate => (format!("{}/Healing/heal", self.url), json!(ticket)),
            Kind::Bare => (format!("{}/run/{ticket}", self.url), Value::Null),
            Kind::Heal => (
                format!("{}/api/v1/remediation/execute", self.url),
                json!({"remediation_id": ticket, "incident_id": ticket, "playbook_name": "peers", "execution_mode": "AUTOMATIC",
                    "parameters": {"ticket": ticket}}),
            ),
        };
        let answer = http.post(url).json(&body).send().await.map_err(|error| format!("{ticket}: {error}"))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| format!("{ticket}: {error}"))?;
        match self.kind {
            _ if !status.is_success() => Err(format!("{ticket}: {status} {text}")),
            Kind::Restate if text != "\"RUNNING\"" => Err(format!("{ticket}: {text}")),
            Kind::Restate | Kind::Bare => Ok(()),
            Kind::Heal => self.ended(http, ticket).await,
        }
    }

    /// Waits for the end of heal's run about `ticket`.
    ///
    /// # Errors
    /// It failed.
    async fn ended(&self, http: &reqwest::Client, ticket: &str) -> Result<(), String> {
        let url = format!("{}/api/v1/remediation/{ticket}/status?wait=20", self.url);
        loop {
            let answer = http.get(&url).send().await.map_err(|error| format!("{ticket}: {error}"))?;
            let body: Value = answer.json().await.map_err(|error| format!("{ticket}: {error}"))?;
            match body["status"].as_str() {
                Some("COMPLETED") if body["error"].is_null() => return Ok(()),
                Some("PENDING" | "RUNNING") => {}
                _ => return Err(format!("{ticket}: {body}")),
            }
        }
    }

    pub fn ids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// Of all its processes together.
    pub fn usage(&self) -> Usage {
        self.processes.iter().map(Process::usage).fold(Usage::default(), |all, one| Usage {
            cpu_ms: all.cpu_ms + one.cpu_ms,
            written_kb: all.written_kb + one.written_kb,
            resident_mb: all.resident_mb + one.resident_mb,
            switches: all.switches + one.switches,
        })
    }

    /// Waits until the processes have nothing to do of their own, such as after a start on a large state, and returns how long they had.
    pub async fn settle(&self) -> Duration {
        let started = Instant::now();
        let mut busy = Duration::ZERO;
        while started.elapsed() < SETTLE_LONGEST {
            let before = self.usage().cpu_ms;
            sleep(SETTLE_POLL).await;
            if self.usage().cpu_ms - before < SETTLE_POLL.as_secs_f64() * 1_000.0 * IDLE_SHARE {
                break;
            }
            busy = started.elapsed();
        }
        busy
    }

    /// Milliseconds that the newest page of heal's list of runs takes.
    ///
    /// # Errors
    /// It is not answered.
    pub async fn list_ms(&self, http: &reqwest::Client) -> Result<f64, String> {
        let asked = Instant::now();
        let answer = http.get(format!("{}/api/v1/runs?limit=50", self.url)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
        answer.bytes().await.map_err(|error| error.to_string())?;
        Ok(asked.elapsed().as_secs_f64() * 1_000.0)
    }

    /// Megabytes of heal's state file, with its log.
    pub fn state_mb(&self) -> f64 {
        let bytes = |name: &str| std::fs::metadata(self.folder.path().join(name)).map_or(0, |file| file.len());
        (bytes("heal.db") + bytes("heal.db-wal")) as f64 / 1e6
    }

    /// Kills its processes. What they have stored is in the folder.
    pub async fn end(self) -> TempDir {
        for process in self.processes {
            process.end().await;
        }
        self.folder
    }
}

/// Waits until `url` answers.
async fn answers(http: &reqwest::Client, url: &str, log: &Path) -> Result<(), String> {
    for _ in 0..START_POLLS {
        if http.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        sleep(START_POLL).await;
    }
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let tail: Vec<&str> = log.lines().rev().take(10).collect();
    Err(format!("{url} does not answer; the last lines of its log, the newest first: {tail:#?}"))
}
