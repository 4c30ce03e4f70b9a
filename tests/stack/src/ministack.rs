//! A local AWS for tests: MiniStack as a process of this test, on a free loopback port, which ends with the test's process.
//!
//! `scripts/install-aws-tools.sh` puts it into the project's `.venv-ministack`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The variable that names a local AWS that is running already; tests use it instead of one of their own.
pub const ENV_ENDPOINT: &str = "TEST_AWS_ENDPOINT_URL";
/// The region that it is asked about.
pub const REGION: &str = "eu-central-1";
/// The account that it answers for.
pub const ACCOUNT: &str = "000000000000";

/// It is up within a second; a machine under load may take longer.
const START_TIMEOUT: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A local AWS. Killed when it is dropped, and also when this process ends without dropping it.
#[derive(Debug)]
pub struct MiniStack {
    pub endpoint_url: String,
    /// Its log, which has the functions' logs too.
    pub log: PathBuf,
    process: Option<Child>,
    _folder: Option<tempfile::TempDir>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum MiniStackError {
    #[error("{} is missing: run scripts/install-aws-tools.sh", .0.display())]
    NotInstalled(PathBuf),
    #[error("MiniStack could not be started")]
    Start(#[from] std::io::Error),
    #[error("MiniStack was not up within {} s: {log}", START_TIMEOUT.as_secs())]
    Late { log: String },
}

impl MiniStack {
    /// The one that tests of this process share.
    ///
    /// # Panics
    /// There is none, and why.
    #[expect(clippy::expect_used, reason = "a test without its AWS has nothing to go on with")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MiniStack> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_or_use().expect("a local AWS"))
    }

    fn start_or_use() -> Result<Self, MiniStackError> {
        match std::env::var(ENV_ENDPOINT) {
            Ok(url) if !url.is_empty() => {
                Ok(Self { endpoint_url: url, log: PathBuf::new(), process: None, _folder: None })
            }
            Ok(_) | Err(_) => Self::start(&[]),
        }
    }

    /// Starts one, with these variables on top of its environment.
    ///
    /// # Errors
    /// It is not installed, or did not come up.
    pub fn start(variables: &[(&str, &str)]) -> Result<Self, MiniStackError> {
        let program = root().join(".venv-ministack/bin/ministack");
        if !program.exists() {
            return Err(MiniStackError::NotInstalled(program));
        }
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let log = folder.path().join("ministack.log");
        let endpoint_url = format!("http://127.0.0.1:{port}");
        // The shell waits for the end of its standard input, which comes with the end of this process at the latest.
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
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            if answers(port) {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        Err(MiniStackError::Late { log })
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        drop(process.stdin.take());
        // It has been told; whether it was still there does not matter.
        let _ = process.wait();
    }
}

/// The project's folder.
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
