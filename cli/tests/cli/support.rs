//! Processes of `heal`, and their output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use heal_embedded::{Location, Store};
use heal_runtime::RunId;
use heal_runtime::dispatcher::TurnOutcome;
use heal_runtime::message::Inbound;
use heal_runtime::port::SystemClock;
use heal_sandbox::opa::OpaConfig;
use heal_sandbox::{Platform, PlatformConfig, Seed};
use heal_wiring::Ports;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

/// Longer than any step of these tests on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The guide's own example, byte for byte.
pub(crate) const GUIDE_EXAMPLE: &str = include_str!("guide_example.yaml");

/// A `heal` without this machine's environment, in the repository's root.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heal"));
    command.args(args).current_dir(root()).env_clear().stdin(Stdio::null());
    command
}

/// As [`command`], of a process that may have so many files open.
pub(crate) fn limited_command(descriptors: usize, args: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_heal")]);
    command.args(args).current_dir(root()).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The output of a process that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The lines of standard output, each as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:#?}"))).collect()
    }

    /// The report that `--json` ends with.
    pub(crate) fn report(&self) -> Value {
        self.json().pop().unwrap_or_else(|| panic!("{self:#?}"))
    }

    /// Fails the test with the whole output unless the process exited with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn complains(&self, of: &[&str]) {
        for text in of {
            assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        }
    }
}

pub(crate) fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn heal(args: &[&str]) -> Ran {
    finish(&mut command(args))
}

/// `heal` with something on its standard input.
pub(crate) fn heal_with_input(args: &[&str], input: &[u8]) -> Ran {
    let mut child = command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A process that refuses the input closes the pipe before everything is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with one playbook in it.
pub(crate) fn playbooks(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The stand-in platform in this process, with the policy that the engine carries.
pub(crate) fn platform(seed: Seed) -> Platform {
    let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
    Platform::start(PlatformConfig { seed, opa, ..PlatformConfig::default() }).unwrap()
}

/// The variables that point a process at `platform`.
pub(crate) fn env(platform: &Platform) -> Vec<(String, String)> {
    let own = [("SPIFFE_IDENTITY_SOURCE".to_owned(), "none".to_owned())];
    platform.env().into_iter().chain(own).collect()
}

/// Waits until `poll` returns a value.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < give_up, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn serve_args([state, playbooks, checks]: [&str; 3]) -> [&str; 9] {
    ["serve", "--state", state, "--playbooks", playbooks, "--checks", checks, "--listen", "127.0.0.1:0"]
}

/// A `heal serve`; killed when dropped.
#[derive(Debug)]
pub(crate) struct Serve {
    child: Child,
    pub url: String,
}

/// An empty folder of checks beside the state file.
fn no_checks(state: &Path) -> PathBuf {
    let none = state.with_file_name("no-checks");
    std::fs::create_dir_all(&none).unwrap();
    none
}

impl Serve {
    /// Without checks, so that only the test causes calls.
    pub(crate) fn start(state: &Path, playbooks: &Path, env: &[(String, String)]) -> Self {
        Self::with_checks(state, playbooks, &no_checks(state), env)
    }

    pub(crate) fn with_checks(state: &Path, playbooks: &Path, checks: &Path, env: &[(String, String)]) -> Self {
        Self::spawn([state, playbooks, checks], env, "warn", Stdio::inherit())
    }

    /// With its log, by the directives `rust_log`, in a file.
    pub(crate) fn start_logging(
        state: &Path,
        playbooks: &Path,
        env: &[(String, String)],
        rust_log: &str,
        log: &Path,
    ) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self::spawn([state, playbooks, &no_checks(state)], env, rust_log, log.into())
    }

    /// As [`Serve::start_logging`], of a process that may have so many files open.
    pub(crate) fn start_limited(
        state: &Path,
        playbooks: &Path,
        env: &[(String, String)],
        descriptors: usize,
        log: &Path,
    ) -> Self {
        let checks = no_checks(state);
        let mut command = limited_command(descriptors, &serve_args([state, playbooks, &checks].map(path)));
        command.envs(env.iter().cloned()).env("RUST_LOG", "warn");
        Self::run(command.stderr(std::fs::File::create(log).unwrap()))
    }

    fn spawn(folders: [&Path; 3], env: &[(String, String)], rust_log: &str, log: Stdio) -> Self {
        let mut command = command(&serve_args(folders.map(path)));
        Self::run(command.envs(env.iter().cloned()).env("RUST_LOG", rust_log).stderr(log))
    }

    /// A process that gets an error instead of a signal for a file that may not grow, as for one on a full disk.
    pub(crate) fn start_without_file_signal(state: &Path, playbooks: &Path, env: &[(String, String)]) -> Self {
        let checks = no_checks(state);
        let mut command = Command::new("sh");
        command.args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#, env!("CARGO_BIN_EXE_heal")]);
        command.args(serve_args([state, playbooks, &checks].map(path)));
        // Its log could be such a file too.
        command.current_dir(root()).env_clear().stdin(Stdio::null()).stderr(Stdio::null());
        Self::run(command.envs(env.iter().cloned()).env("RUST_LOG", "warn"))
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "heal serve did not start: {url:?}");
        Self { child, url: url.trim().to_owned() }
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the process for `length`, as a closed lid or a frozen sandbox does, and lets it go on.
    pub(crate) async fn freeze(&self, length: Duration) {
        self.signal("-STOP");
        tokio::time::sleep(length).await;
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "kill {signal}: {sent}");
    }

    /// As an init system does; the exit code.
    pub(crate) fn terminate(mut self) -> i32 {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(PATIENCE).build().unwrap()
}

pub(crate) async fn post(url: &str, body: &Value) -> (u16, Value) {
    answer(http().post(url).json(body).send().await.unwrap()).await
}

pub(crate) async fn get(url: &str) -> (u16, Value) {
    answer(http().get(url).send().await.unwrap()).await
}

pub(crate) async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The identity of the person who runs these tests.
pub(crate) fn identity() -> String {
    let uid = uzers::get_current_uid();
    let user = uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned());
    format!("local:{}", user.unwrap_or_else(|| format!("#{uid}")))
}

/// Sends `message` as another person's `heal` would, on the same state file.
pub(crate) fn receive_as(state: &Path, message: Inbound) -> TurnOutcome {
    let store = Store::open(Location::File(state.to_owned()), Arc::new(SystemClock)).unwrap();
    let dispatcher = Ports::new(&store, &store).reader();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run_id = message.run_id().unwrap().clone();
    runtime.block_on(dispatcher.receive(&run_id, "another-person", vec![message])).unwrap()
}

/// Approves the run as a whole as `by`.
pub(crate) fn approve_as(state: &Path, run_id: &str, by: &str) {
    let message = Inbound::Approve { run_id: RunId::new(run_id), by: by.to_owned() };
    let turn = receive_as(state, message);
    assert_eq!((turn.refused.as_deref(), turn.events > 0), (None, true), "{turn:?}");
}
