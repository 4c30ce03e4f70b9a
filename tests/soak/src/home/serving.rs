//! `heal serve` over a state file, killed and started again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use heal_embedded::{Examined, Location, Store, back_up, examine};
use heal_runtime::port::{Clock as _, SystemClock};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::{LATER_MS, Rest, Size, program, root};

const STATE: &str = "heal.db";
/// Longest time of a start, of a stop, and of a request.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a process that is to stop.
const POLL: Duration = Duration::from_millis(50);
/// The tables whose rows are not collected: plans, which runs of any age may pin; dead letters, which people see to; breakers, one row a service.
const KEPT: [&str; 3] = ["plan", "dead_letter", "breaker"];

pub(crate) struct Serving {
    folder: PathBuf,
    env: Vec<(String, String)>,
    pub store: Store,
    client: reqwest::Client,
    process: Mutex<Process>,
}

struct Process {
    child: Child,
    url: String,
}

impl Serving {
    /// Starts the service in the empty folder `folder`, over the services that `env` names.
    pub(crate) async fn start(folder: PathBuf, env: Vec<(String, String)>) -> anyhow::Result<Self> {
        copy_playbooks(&folder.join("playbooks")).context("failed to copy the playbooks")?;
        fs::create_dir_all(folder.join("checks"))?;
        let process = Process::start(&folder, &env).await?;
        let store = Store::open(Location::File(folder.join(STATE)), Arc::new(SystemClock))?;
        let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(PATIENCE).build()?;
        Ok(Self { folder, env, store, client, process: Mutex::new(process) })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn options(&self) -> [String; 2] {
        ["--state".to_owned(), self.folder.join(STATE).display().to_string()]
    }

    pub(super) async fn accepts(&self, incident: &Value) -> bool {
        let url = self.process.lock().await.url.clone();
        let sent = self.client.post(format!("{url}/api/v1/incidents")).json(incident).send().await;
        sent.is_ok_and(|answer| answer.status().as_u16() == 202)
    }

    /// As `kill -9` does; then starts the next process over the same file.
    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        let mut process = self.process.lock().await;
        process.child.kill().context("failed to kill heal serve")?;
        process.child.wait().context("failed to await heal serve")?;
        *process = Process::start(&self.folder, &self.env).await?;
        Ok(())
    }

    pub(super) async fn size(&self) -> Size {
        let resident_kib = resident_kib(self.process.lock().await.child.id()).unwrap_or_default();
        let bytes = |name: &str| fs::metadata(self.folder.join(name)).map_or(0, |file| file.len());
        let stored_bytes = bytes(STATE) + bytes(&format!("{STATE}-wal"));
        Size { resident_kib, stored_bytes }
    }

    pub(super) fn rest(&self) -> anyhow::Result<Rest> {
        let Examined { rows, findings, .. } = examine(&self.folder.join(STATE))?;
        Ok(Rest { queued: rows.get("message").copied().unwrap_or_default(), findings })
    }

    /// Ends the process as an init system does, and collects everything.
    pub(super) async fn collect(&self, dead_letters: usize) -> anyhow::Result<Vec<String>> {
        let (before, held_bytes) = (examine(&self.folder.join(STATE))?, self.held_bytes("before")?);
        self.process.lock().await.terminate().await?;
        self.store.collect_garbage(SystemClock.now().plus_ms(LATER_MS), 0).await?;
        let after = examine(&self.folder.join(STATE))?;
        println!(
            "collected     the state file holds {} KiB, before {} KiB; rows before: {}; after: {}",
            self.held_bytes("after")? / 1024,
            held_bytes / 1024,
            nonzero(&before.rows),
            nonzero(&after.rows)
        );
        let mut faults: Vec<_> = after.findings;
        let left = after.rows.iter().filter(|(table, rows)| **rows > 0 && !KEPT.contains(&table.as_str()));
        faults.extend(left.map(|(table, rows)| format!("{rows} rows of the table {table} are never collected")));
        let kept = after.rows.get("dead_letter").copied().unwrap_or_default();
        if kept != u64::try_from(dead_letters)? {
            faults.push(format!("{kept} dead letters after the collection, expected {dead_letters}"));
        }
        Ok(faults)
    }

    /// Bytes of a copy: what the file holds, without pages that are free and without what only the log beside it has.
    fn held_bytes(&self, name: &str) -> anyhow::Result<u64> {
        Ok(back_up(&self.folder.join(STATE), &self.folder.join(format!("{name}.db")))?)
    }
}

impl Process {
    async fn start(folder: &Path, env: &[(String, String)]) -> anyhow::Result<Self> {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("serve.log"))?;
        let mut command = Command::new(program("heal")?);
        command.current_dir(folder).env_clear().envs(env.iter().cloned()).env("RUST_LOG", "warn");
        command.env("SPIFFE_IDENTITY_SOURCE", "none");
        command.args(["serve", "--state", STATE, "--playbooks", "playbooks", "--checks", "checks"]);
        command.args(["--guardrails", "playbooks/guardrails.yaml", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let stdout = child.stdout.take().context("heal serve has no standard output")?;
        let first_line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let url = tokio::time::timeout(PATIENCE, first_line).await.context("heal serve did not start")???;
        if url.starts_with("http://") {
            return Ok(Self { child, url: url.trim().to_owned() });
        }
        bail!("heal serve did not start: {url:?}; see {}", folder.join("serve.log").display())
    }

    async fn terminate(&mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").arg(&pid).status()?;
        ensure!(sent.success(), "kill {pid}: {sent}");
        let started = Instant::now();
        loop {
            if let Some(ended) = self.child.try_wait()? {
                ensure!(ended.success(), "heal serve ended with {ended} after SIGTERM, expected success");
                return Ok(());
            }
            ensure!(started.elapsed() < PATIENCE, "heal serve did not stop within {} s", PATIENCE.as_secs());
            sleep(POLL).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already unless the soak ends early.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shipped playbooks, with the soak's own and its guardrails.
fn copy_playbooks(to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in [root().join("playbooks"), own.join("playbooks")] {
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default();
            let is_playbook = path.extension().is_some_and(|kind| kind == "yaml");
            if is_playbook && name != "guardrails.yaml" && name != "hooks.yaml" {
                fs::copy(&path, to.join(name))?;
            }
        }
    }
    fs::copy(own.join("guardrails.yaml"), to.join("guardrails.yaml"))?;
    Ok(())
}

/// Resident memory, where the system tells it as Linux does.
fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn nonzero(rows: &BTreeMap<String, u64>) -> String {
    let rows = rows.iter().filter(|(_, rows)| **rows > 0);
    rows.map(|(table, rows)| format!("{rows} {table}")).collect::<Vec<_>>().join(", ")
}
