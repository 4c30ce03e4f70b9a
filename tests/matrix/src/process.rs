//! One process of `heal run`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// A `heal run` that has ended.
pub(crate) struct Ran {
    /// Its exit status; -1 if a signal ended it.
    pub(crate) exit: i32,
    /// The lines of standard output: the events, then the report.
    pub(crate) lines: Vec<Value>,
    /// Standard error.
    pub(crate) stderr: String,
    /// From its start to its exit.
    pub(crate) elapsed: Duration,
}

/// `heal` with these arguments in `root`, without this machine's environment.
pub(crate) fn command(heal: &Path, root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(heal);
    command.args(args).current_dir(root).env_clear();
    command
}

/// Runs `heal run` on `incident`, and waits for its end. Drops `start` when the first attempt has ended.
pub(crate) fn run<T>(heal: &Path, root: &Path, env: &BTreeMap<String, String>, incident: &Value, start: T) -> Ran {
    let mut start = Some(start);
    let mut command = command(heal, root, &["run", "-", "--json"]);
    // Little is written to standard error, so that its pipe does not fill before it is read.
    command.envs(env).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(incident.to_string().as_bytes()).unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["event"] == "attempt_ended" {
            start.take();
        }
        lines.push(line);
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ran { exit: output.status.code().unwrap_or(-1), lines, stderr, elapsed: started.elapsed() }
}
