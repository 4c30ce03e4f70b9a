//! A process under test, and what the system counts for it.

use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

/// Ticks of the processor's time in a second, as Linux reports it to programs.
const TICKS: f64 = 100.0;

/// Ended when it is dropped.
pub struct Process {
    child: Child,
}

/// What the system has counted for processes so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu_ms: f64,
    pub written_kb: f64,
    /// The most memory that was resident.
    pub resident_mb: f64,
    /// Of the threads that live now: a thread was put to sleep or woken.
    pub switches: f64,
}

impl Process {
    pub fn start(program: &Path, arguments: &[&str], variables: &[(&str, &str)], log: &Path) -> std::io::Result<Self> {
        let log = std::fs::File::create(log)?;
        let child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child })
    }

    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Kills the process and waits for its end.
    pub async fn end(mut self) {
        let _ = self.child.kill().await;
    }

    pub fn usage(&self) -> Usage {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.id())).unwrap_or_default();
        let field = |text: &str, name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse().ok()).unwrap_or(0.0)
        };
        let stat = read("stat");
        // After the name in brackets: the state is field 3, the user's and the system's ticks are 14 and 15.
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
        Usage {
            cpu_ms: ticks * 1_000.0 / TICKS,
            written_kb: field(&read("io"), "write_bytes:") / 1_024.0,
            resident_mb: field(&read("status"), "VmHWM:") / 1_024.0,
            switches: self.statuses().map(|text| switches(&text, &field)).sum(),
        }
    }

    /// What the system tells of each thread.
    fn statuses(&self) -> impl Iterator<Item = String> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).into_iter().flatten().flatten();
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok())
    }
}

fn switches(status: &str, field: &impl Fn(&str, &str) -> f64) -> f64 {
    ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"].iter().map(|name| field(status, name)).sum()
}

/// Counts the disk syncs of processes, where `perf` may: none otherwise.
pub struct Syncs(Option<Child>);

impl Syncs {
    pub fn count(processes: &[u32]) -> Self {
        let ids: Vec<String> = processes.iter().map(u32::to_string).collect();
        let perf = Command::new("perf")
            .args([
                "stat",
                "-x",
                ",",
                "-e",
                "syscalls:sys_enter_fsync,syscalls:sys_enter_fdatasync",
                "-p",
                &ids.join(","),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        Self(perf.ok())
    }

    pub async fn end(self) -> Option<f64> {
        let child = self.0?;
        let id = child.id()?.to_string();
        Command::new("kill").args(["-INT", &id]).status().await.ok()?;
        let output = child.wait_with_output().await.ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let counts: Vec<f64> = text.lines().filter_map(|line| line.split(',').next()?.parse().ok()).collect();
        (!counts.is_empty()).then(|| counts.iter().sum())
    }
}
