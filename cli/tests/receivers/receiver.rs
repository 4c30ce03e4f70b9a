//! A receiver's process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{eventually, path, root};

/// The programs with these names. Without one the test is skipped, which `CI` forbids and `HEAL_TEST_SKIPS` (a file)
/// records.
#[expect(clippy::disallowed_methods, reason = "scripts/test.sh sets the variables")]
pub(crate) fn installed<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let programs = names.map(|name| root().join(".tools/bin").join(name));
    let missing: Vec<_> = programs.iter().filter(|program| !program.exists()).map(|program| path(program)).collect();
    if missing.is_empty() {
        return Some(programs);
    }
    let skipped = format!("skipped: real receivers: missing {} (scripts/install-receivers.sh)", missing.join(", "));
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "1" || ci == "true"), "{skipped}");
    eprintln!("{skipped}");
    if let Some(skips) = std::env::var_os("HEAL_TEST_SKIPS") {
        let mut skips = std::fs::OpenOptions::new().append(true).open(skips).unwrap();
        std::io::Write::write_all(&mut skips, format!("{skipped}\n").as_bytes()).unwrap();
    }
    None
}

/// One that runs in a folder of its own; killed when dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    child: Child,
    folder: tempfile::TempDir,
}

impl Receiver {
    /// What it says goes to the file `log` of its folder, which is where it runs.
    pub(crate) fn start(program: &Path, folder: tempfile::TempDir, args: &[String]) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command.args(args).current_dir(folder.path()).env_clear().stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { child, folder }
    }

    /// Waits until `url` answers well.
    pub(crate) fn wait_until_ready(&mut self, url: &str) {
        let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        eventually(&format!("{address} answers"), || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.log());
            std::net::TcpStream::connect(&address).ok()
        });
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Addresses on the loopback that nobody listens on at this moment.
pub(crate) fn free_addresses<const N: usize>() -> [String; N] {
    // All of them are held until the last one is found, so that they differ.
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().to_string())
}
