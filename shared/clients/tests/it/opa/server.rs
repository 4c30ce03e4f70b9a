//! OPA itself, on a free port.

use super::*;

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The path of a real OPA. Without one the test is skipped, which `CI` forbids and `HEAL_TEST_SKIPS` (a file) records.
#[expect(clippy::disallowed_methods, reason = "scripts/test.sh sets the variables")]
pub(super) fn opa() -> Option<PathBuf> {
    let path = std::env::var_os("OPA_BIN").map_or_else(|| root().join(".tools/bin/opa"), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    let skipped =
        format!("skipped: the policy against a real OPA: {} does not exist (scripts/install-opa.sh)", path.display());
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "1" || ci == "true"), "{skipped}");
    eprintln!("{skipped}");
    if let Some(skips) = std::env::var_os("HEAL_TEST_SKIPS") {
        let mut skips = std::fs::OpenOptions::new().append(true).open(skips).unwrap();
        std::io::Write::write_all(&mut skips, format!("{skipped}\n").as_bytes()).unwrap();
    }
    None
}

pub(super) struct Running {
    pub(super) process: Child,
    pub(super) addr: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running {
    pub(super) async fn start(opa: &Path, policy: &Path) -> Self {
        let addr = crate::support::wire::closed_port().await;
        let process = Command::new(opa)
            .args(["run", "--server", "--disable-telemetry", "--log-level", "error", "--addr"])
            .arg(addr.to_string())
            .arg(policy)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let running = Self { process, addr };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(addr).await.is_ok() {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("OPA does not listen on {addr}");
    }
}
