//! A local AWS for tests: MiniStack as a child process on a free loopback port, which ends with the test process.
//!
//! `scripts/install-aws-tools.sh` installs it into `.venv-ministack`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// Names a local AWS that already runs; tests then use it instead of starting one.
pub const ENV_ENDPOINT: &str = "TEST_AWS_ENDPOINT_URL";
/// The region of the local AWS.
pub const REGION: &str = "eu-central-1";
/// The account of the local AWS.
pub const ACCOUNT: &str = "000000000000";

/// MiniStack usually starts within a second; a machine under load may take longer.
const START_TIMEOUT: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A local AWS. It is killed on drop, and also if this process ends without dropping it.
#[derive(Debug)]
pub struct MiniStack {
    /// The base URL of every service.
    pub endpoint_url: String,
    /// The log file of MiniStack and of the functions.
    pub log: PathBuf,
    process: Option<Child>,
    _folder: Option<tempfile::TempDir>,
}

/// Why no local AWS could be started.
#[derive(Debug, thiserror::Error)]
pub enum MiniStackError {
    /// The program is not installed.
    #[error("failed to start MiniStack: {} does not exist; run scripts/install-aws-tools.sh", .0.display())]
    NotInstalled(PathBuf),
    /// The process could not be started.
    #[error("failed to start MiniStack")]
    Start(#[from] std::io::Error),
    /// The process did not answer in time.
    #[error("MiniStack did not answer within {} s; its log: {log}", START_TIMEOUT.as_secs())]
    Late {
        /// The log of MiniStack.
        log: String,
    },
}

impl MiniStack {
    /// The local AWS that all tests of this process share.
    ///
    /// # Panics
    /// If it cannot be started, with the reason.
    #[expect(clippy::expect_used, reason = "no test can run without its AWS")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MiniStack> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_or_use().expect("a local AWS"))
    }

    #[expect(clippy::disallowed_methods, reason = "tests can share a local AWS that runs already")]
    fn start_or_use() -> Result<Self, MiniStackError> {
        match std::env::var(ENV_ENDPOINT) {
            Ok(url) if !url.is_empty() => {
                Ok(Self { endpoint_url: url, log: PathBuf::new(), process: None, _folder: None })
            }
            Ok(_) | Err(_) => Self::start(&[]),
        }
    }

    /// Starts a local AWS with `variables` added to its environment.
    ///
    /// # Errors
    /// MiniStack is not installed or does not start.
    pub fn start(variables: &[(&str, &str)]) -> Result<Self, MiniStackError> {
        let program = root().join(".venv-ministack/bin/ministack");
        if !program.exists() {
            return Err(MiniStackError::NotInstalled(program));
        }
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let log = folder.path().join("ministack.log");
        let endpoint_url = format!("http://127.0.0.1:{port}");
        // The shell waits for the end of its standard input, which this process closes at the latest when it ends.
        let script = "\"$0\" >\"$1\" 2>&1 & child=$!; read -r _; kill \"$child\"; wait \"$child\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&program).arg(&log);
        command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1").env("MINISTACK_REGION", REGION);
        command.env("AWS_DEFAULT_REGION", REGION).env("AWS_REGION", REGION).env("AWS_ENDPOINT_URL", &endpoint_url);
        command.env("IOT_MTLS_ENABLED", "0").env("TMPDIR", folder.path()).envs(variables.iter().copied());
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let stack = Self { endpoint_url, log, process: Some(process), _folder: Some(folder) };
        stack.wait_until_up(port)?;
        Ok(stack)
    }

    fn wait_until_up(&self, port: u16) -> Result<(), MiniStackError> {
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT {
            if answers(port) {
                return Ok(());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        Err(MiniStackError::Late { log })
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        drop(process.stdin.take());
        // Closing its standard input stops it; an error means that it had already exited.
        let _ = process.wait();
    }
}

/// The root folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").components().collect()
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /_ministack/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.contains(" 200 "))
    };
    ask().unwrap_or(false)
}
